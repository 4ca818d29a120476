#!/usr/bin/env python3
"""The socket beside a pseudo-terminal of `usbwire serial --pty`, asked as the preloaded library asks, and
as it never would. src/tty/tty.h has the protocol."""
import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import PATIENCE, expect, expect_equal, main, test  # noqa: E402

VERSION = 1
(GET_LINES, SET_LINES, SET_BREAK, GET_FRAME, SET_FRAME, DRAIN, FLUSH, WAIT_LINES, COUNTS, UNSENT, GET_SERIAL,
 SET_SERIAL) = range(1, 13)
REQUEST, REPLY = struct.Struct('=2I3Q2I'), struct.Struct('=2Ii2I11I')
DONE, FAILED, NOT_MINE = range(3)
DTR, RTS, DSR, CTS = termios.TIOCM_DTR, termios.TIOCM_RTS, termios.TIOCM_DSR, termios.TIOCM_CTS
CALLS = 6  # at a time


class Side:
    """A pseudo-terminal and the socket beside it."""

    def __init__(self, lab, process):
        self.process = process
        self.name = process.stdout.readline().decode().split()[2]
        self.fd = os.open(self.name, os.O_RDWR | os.O_NOCTTY)
        self.st = os.fstat(self.fd)
        self.path = lab.path(f'usbwire/tty/{os.path.basename(self.name)}')

    def connect(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(PATIENCE)
        s.connect(self.path)
        return s

    def begin(self, op, mask=0, value=0, version=VERSION, inode=None):
        """Asks; the connection on which the answer comes."""
        s = self.connect()
        s.send(REQUEST.pack(version, op, self.st.st_dev, inode or self.st.st_ino, self.st.st_rdev,
                            mask, value))
        return s

    def ask(self, *words, **more):
        """verdict, error, value, counts."""
        with self.begin(*words, **more) as s:
            data = s.recv(256)
        expect_equal(len(data), REPLY.size)
        reply = REPLY.unpack(data)
        expect_equal(reply[0], VERSION)
        return reply[1], reply[2], reply[3], reply[5:]

    def get(self, *words, **more):
        verdict, error, value, _ = self.ask(*words, **more)
        expect_equal((verdict, error), (DONE, 0), words)
        return value


@contextlib.contextmanager
def side_of(lab, device, *options):
    with lab.bench('--device', device, *options) as bench:
        process = bench.start('serial', '--pty', lab.path('tty'), stdout=subprocess.PIPE,
                              environment={'XDG_RUNTIME_DIR': lab.folder})
        side = Side(lab, process)
        yield side
        os.close(side.fd)
        process.terminate()
        expect_equal(process.wait(PATIENCE), 130)
        process.stdin.close()
        process.stdout.close()
    expect(not os.path.exists(side.path), 'the socket is left behind')


def _until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        expect(time.monotonic() < end, what)
        time.sleep(0.01)


@test
def lines_break_frame_and_counts(lab):
    with side_of(lab, 'ft232r') as side:
        side.get(SET_LINES, DTR | RTS, DTR)
        _until(lambda: side.get(GET_LINES) & (DTR | RTS | DSR | CTS) == DTR | DSR, 'DTR and DSR')
        side.get(SET_LINES, RTS, RTS)
        _until(lambda: side.get(GET_LINES) & CTS, 'CTS follows RTS')
        expect_equal(side.get(GET_FRAME), termios.CS8)
        frame = termios.CS7 | termios.PARENB
        expect_equal(side.get(SET_FRAME, 0, frame), frame)
        expect_equal(side.get(SET_FRAME, 0, termios.CS5), frame, 'the chip has no 5 bits')
        before = side.ask(COUNTS)[3]
        side.get(SET_BREAK, 0, 1)
        side.get(SET_BREAK, 0, 0)
        _until(lambda: side.ask(COUNTS)[3][9] > before[9], 'the break comes back')


@test
def unsent_bytes_and_what_setserial_sets(lab):
    with side_of(lab, 'ft232r:baud=31250,pace=1') as side:
        expect_equal(side.get(UNSENT), 0)
        os.write(side.fd, bytes(30000))  # for 10 s
        _until(lambda: side.get(UNSENT) > 1000, 'they wait for the wire')
        side.get(FLUSH, 0, 2)
        _until(lambda: side.get(UNSENT) == 0, 'none waits')
        speed = termios.tcgetattr(side.fd)
        speed[4] = speed[5] = termios.B38400
        termios.tcsetattr(side.fd, termios.TCSANOW, speed)
        # Flags that are none of ours are left out; with a divisor of 24 MHz, 38400 are 31250 bits/s.
        side.get(SET_SERIAL, 24000000 // 31250, 0xffffffff & ~0x1000)
        expect_equal(side.get(GET_SERIAL), 0x2030)
        termios.tcflush(side.fd, termios.TCIOFLUSH)
        os.write(side.fd, b'hello')
        got = b''
        while len(got) < 5:
            got += os.read(side.fd, 5)
        expect_equal(got, b'hello')
        side.get(SET_SERIAL, 0, 0x30)  # by no divisor nothing is divided
        expect_equal(side.get(GET_SERIAL), 0x30)


@test
def draining_and_flushing(lab):
    with side_of(lab, 'cp2102n', '--latency', '20ms') as side:
        os.write(side.fd, b'x' * 1000)
        side.get(DRAIN)
        expect_equal(side.ask(COUNTS)[3][5], 1000)
        time.sleep(0.2)
        for queue in range(3):
            side.get(FLUSH, 0, queue)
        expect_equal(side.ask(FLUSH, 0, 3)[:2], (FAILED, errno.EINVAL))


@test
def waiting_for_a_line(lab):
    with side_of(lab, 'cp2102n') as side:
        side.get(SET_LINES, DTR, 0)
        _until(lambda: not side.get(GET_LINES) & DSR, 'DSR is off')
        with side.begin(WAIT_LINES, DSR) as waits, side.begin(WAIT_LINES, termios.TIOCM_RI) as rings:
            dtr = 0
            while not select.select([waits], [], [], 0.3)[0]:  # it may not have begun to wait yet
                dtr ^= DTR
                side.get(SET_LINES, DTR, dtr)
            expect_equal(REPLY.unpack(waits.recv(256))[1], DONE)
            rings.setblocking(False)
            try:
                rings.recv(256)
                expect(False, 'nothing rang')
            except BlockingIOError:
                pass


@test
def who_leaves_and_who_waits_in_line(lab):
    """More that wait than there is room for: the next comes when one of them has gone."""
    with side_of(lab, 'cp2102n') as side:
        waiting = [side.begin(WAIT_LINES, termios.TIOCM_RI) for _ in range(CALLS)]
        late = side.begin(GET_LINES)
        late.settimeout(0.3)
        try:
            late.recv(256)
            expect(False, 'there was room after all')
        except TimeoutError:
            pass
        late.settimeout(PATIENCE)
        waiting.pop().close()
        expect_equal(REPLY.unpack(late.recv(256))[1], DONE)
        late.close()
        for s in waiting:
            s.close()
        side.get(GET_LINES)


@test
def nonsense(lab):
    with side_of(lab, 'cp2102n') as side:
        expect_equal(side.ask(GET_LINES, version=2)[0], NOT_MINE)
        expect_equal(side.ask(GET_LINES, inode=side.st.st_ino + 1)[0], NOT_MINE)
        for op in (0, SET_SERIAL + 1, 0xffffffff):
            expect_equal(side.ask(op)[:2], (FAILED, errno.ENOTTY))
        for data in (b'', b'x', REQUEST.pack(VERSION, GET_LINES, 0, 0, 0, 0, 0)[:-1], b'x' * 200):
            with side.connect() as s:
                s.send(data)
                expect(len(s.recv(256)) in (0, REPLY.size), data)
        with side.begin(WAIT_LINES, DSR) as s:
            s.send(b'more')
            expect_equal(s.recv(256), b'')
        side.get(GET_LINES)


def unread(side):
    return struct.unpack('I', fcntl.ioctl(side.fd, termios.FIONREAD, bytes(4)))[0]


@test
def a_plain_program_flushes(lab):
    """Without anything preloaded: what was received before is gone all the same."""
    with side_of(lab, 'cp2102n') as side:
        os.write(side.fd, b'old')
        _until(lambda: unread(side) == 3, 'the echo')
        os.write(side.fd, b'o' * 30000)
        _until(lambda: unread(side) > 1000, 'the next echo')
        termios.tcflush(side.fd, termios.TCIFLUSH)
        os.write(side.fd, b'new')
        data = b''
        while not data.endswith(b'new'):
            data += os.read(side.fd, 4096)
        expect(len(data) < 30000, len(data))


main(__name__)
