#!/usr/bin/env python3
"""usbwire serial --rfc2217, byte by byte: every command and value of RFC 2217, telnet's own rules,
and clients that behave badly."""
import contextlib
import fcntl
import os
import random
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import PATIENCE, Failure, expect, expect_equal, main, test  # noqa: E402

IAC, DO_NOT, DO, WILL_NOT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, COM_PORT = 0, 44
SIGNATURE, BAUD, DATA, PARITY, STOP, CONTROL, LINE, MODEM, SUSPEND, RESUME, LINE_MASK, \
    MODEM_MASK, PURGE = range(13)


def escaped(data):
    return data.replace(b'\xff', b'\xff\xff')


class Client:
    """A client that takes the server at its word: what is neither data nor a whole command is a
    failure."""

    def __init__(self, address):
        host, port = address.rsplit(':', 1)
        self.socket = socket.create_connection((host, int(port)), PATIENCE)
        self.unread = b''
        self.data = bytearray()
        self.answers = []  # (command, value)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def command(self, number, value=b''):
        self.send(bytes([IAC, SB, COM_PORT, number]) + escaped(bytes(value)) + bytes([IAC, SE]))

    def _take(self, at):
        """Takes the item of what is unread that begins there; where the next one does, or None:
        it is not complete."""
        u = self.unread
        if u[at] != IAC:
            end = u.find(b'\xff', at)
            end = len(u) if end < 0 else end
            self.data += u[at:end]
            return end
        if at + 1 == len(u):
            return None
        if u[at + 1] == IAC:
            self.data += b'\xff'
            return at + 2
        if u[at + 1] in (DO, DO_NOT, WILL, WILL_NOT):
            return at + 3 if at + 3 <= len(u) else None
        expect(u[at + 1] == SB, 'no telnet:', u[at:at + 40])
        return self._take_command(at)

    def _take_command(self, start):
        u, value, at = self.unread, b'', start + 2
        while at + 1 < len(u):
            if u[at] != IAC:
                value += u[at:at + 1]
                at += 1
            elif u[at + 1] == IAC:
                value += b'\xff'
                at += 2
            else:
                expect(u[at + 1] == SE, 'a command that does not end:', u[start:start + 40])
                expect(value[0] == COM_PORT and 100 <= value[1] <= 112, 'no answer:', value)
                self.answers.append((value[1] - 100, bytes(value[2:])))
                return at + 2
        return None

    def read(self):
        more = self.socket.recv(65536)
        expect(more, 'the server closed the connection')
        self.unread += more
        at = 0
        while at is not None and at < len(self.unread):
            done, at = at, self._take(at)
        self.unread = self.unread[done if at is None else at:]

    def until(self, condition, what):
        self.socket.settimeout(PATIENCE)
        while not condition():
            try:
                self.read()
            except TimeoutError as late:
                raise Failure(f'{what}: {self.data[-80:]} {self.answers[-20:]}') from late

    def answer(self, number):
        """The value of the next answer to this command; others before it are passed over."""
        self.until(lambda: any(a[0] == number for a in self.answers), f'no answer to {number}')
        while True:
            command, value = self.answers.pop(0)
            if command == number:
                return value

    def ask(self, number, value=b''):
        self.command(number, value)
        return self.answer(number)

    def receive(self, size):
        self.until(lambda: len(self.data) >= size, f'{size} bytes')
        data = bytes(self.data[:size])
        del self.data[:size]
        return data

    def is_silent(self, seconds=0.2):
        """Nothing comes for so long. Before it was asked for nothing has to be on its way."""
        self.socket.settimeout(seconds)
        try:
            self.read()
        except TimeoutError:
            return not self.data and not self.answers
        return False


@contextlib.contextmanager
def port(lab, device, *options):
    """The address of an RFC 2217 port, and its process."""
    with lab.bench('--device', device) as bench:
        process = bench.start('serial', '--rfc2217', '0', *options, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        try:
            line = process.stdout.readline().decode()
            expect(line.startswith('rfc2217://'), line)
            yield line.split()[0].removeprefix('rfc2217://'), process
            expect_equal(process.poll(), None, 'the port ended')
        finally:
            process.terminate()
            process.wait(PATIENCE)
            for pipe in (process.stdin, process.stdout, process.stderr):
                pipe.close()


def settled(address):
    """A client that has been told of the modem inputs, so that nothing more comes by itself."""
    client = Client(address)
    client.send(bytes([IAC, DO, COM_PORT, IAC, WILL, COM_PORT, IAC, DO, BINARY, IAC, WILL, BINARY]))
    client.answer(MODEM)
    client.until(lambda: not client.unread, 'the end of an answer')
    client.answers.clear()
    return client


def wait_until_left(process):
    """Until the port has noticed that its client is gone."""
    while b' left' not in process.stderr.readline():
        pass


def wait_until_arrived(sock):
    """Until all that was sent, and that it was all, is at the other end."""
    while struct.unpack('i', fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]:
        time.sleep(0.01)


@test
def every_command(lab):
    with port(lab, 'cp2102n') as (address, _), settled(address) as c:
        rows = (
            # what is asked, what is answered; 0 asks for what is in force
            (SIGNATURE, b'', b'usbwire'),
            (BAUD, bytes(4), (115200).to_bytes(4, 'big')),
            (BAUD, (9600).to_bytes(4, 'big'), (9600).to_bytes(4, 'big')),
            (BAUD, (65535).to_bytes(4, 'big'), b'\0\0\xff\xff'),
            (BAUD, (50000000).to_bytes(4, 'big'), b'\0\0\xff\xff'),  # cannot be
            (BAUD, b'\xff\xff\xff\xff', b'\0\0\xff\xff'),
            (BAUD, b'\1', b'\0\0\xff\xff'),  # too short
            (BAUD, b'', b'\0\0\xff\xff'),
            (DATA, b'\0', b'\x08'), (DATA, b'\x07', b'\x07'), (DATA, b'\x09', b'\x07'),
            (DATA, b'\xff', b'\x07'), (DATA, b'', b'\x07'), (DATA, b'\x08', b'\x08'),
            (PARITY, b'\0', b'\1'), *((PARITY, bytes([n]), bytes([n])) for n in (2, 3, 4, 5)),
            (PARITY, b'\6', b'\5'), (PARITY, b'\xff', b'\5'), (PARITY, b'\1', b'\1'),
            (STOP, b'\0', b'\1'), (STOP, b'\2', b'\2'), (STOP, b'\4', b'\2'),
            (STOP, b'\xff', b'\2'), (STOP, b'\3', b'\3'), (STOP, b'\1', b'\1'),
            (LINE_MASK, b'\xff', b'\xff'), (LINE_MASK, b'\0', b'\0'),
            (MODEM_MASK, b'\xff', b'\xff'),
            (PURGE, b'\1', b'\1'), (PURGE, b'\2', b'\2'), (PURGE, b'\3', b'\3'),
            (LINE, b'', b'\0'), (MODEM, b'', b'\0'))
        for command, value, answer in rows:
            expect_equal(c.ask(command, value), answer, command, value)
        c.command(SIGNATURE, b'somebody')  # who says what he is wants no answer
        c.command(99, b'x')                # and this is nothing
        c.command(PURGE, b'\3')
        expect_equal(c.answer(PURGE), b'\3')
        expect_equal([a for a in c.answers if a[0] != MODEM], [])


@test
def every_control(lab):
    """Flow control is one setting for both directions; what there is none of is not said to be."""
    with port(lab, 'ft232r') as (address, _), settled(address) as c:
        for value, answer in ((0, 1), (2, 2), (0, 2), (13, 15), (16, 16), (13, 16), (0, 3), (3, 3),
                              (17, 3), (18, 16), (19, 3), (15, 15), (0, 2), (14, 14), (0, 1),
                              (1, 1), (20, 1), (127, 1), (255, 1),
                              (4, 6), (5, 5), (4, 5), (6, 6), (4, 6),
                              (7, 9), (8, 8), (7, 8), (9, 9), (7, 9),
                              (10, 12), (11, 11), (10, 11), (12, 12), (10, 12)):
            expect_equal(c.ask(CONTROL, bytes([value])), bytes([answer]), value)
        expect_equal(c.ask(CONTROL), b'\1')
    with port(lab, 'ch340') as (address, _), settled(address) as c:
        for value, answer in ((2, 1), (0, 1), (3, 3), (2, 3), (15, 16), (13, 16)):
            expect_equal(c.ask(CONTROL, bytes([value])), bytes([answer]), value)
    with port(lab, 'acm-echo') as (address, _), \
            settled(address) as c:
        expect_equal(c.ask(CONTROL, b'\3'), b'\1', 'CDC-ACM has no flow control')


@test
def modem_inputs_are_told_as_the_mask_says(lab):
    """The far end is a plug: DSR and DCD follow DTR, CTS follows RTS."""
    with port(lab, 'ft232r') as (address, _), settled(address) as c:
        c.command(CONTROL, b'\x0b')
        c.until(lambda: (MODEM, b'\x11') in c.answers, 'CTS is set')
        c.command(CONTROL, b'\x0c')
        c.until(lambda: (MODEM, b'\x01') in c.answers, 'CTS is clear')
        c.answers.clear()
        # only DSR and its changes
        expect_equal(c.ask(MODEM_MASK, b'\x22'), b'\x22')
        expect_equal(c.answer(MODEM), b'\0', 'what is so now')
        c.command(CONTROL, b'\x0b')
        c.command(CONTROL, b'\x08')
        c.until(lambda: (MODEM, b'\x22') in c.answers, 'DSR is set')
        expect(all(a[1] != b'\x11' for a in c.answers if a[0] == MODEM), c.answers)
        c.answers.clear()
        # none at all, but for who asks
        expect_equal(c.ask(MODEM_MASK, b'\0'), b'\0')
        c.command(CONTROL, b'\x09')
        expect_equal(c.answer(CONTROL), b'\x09')
        expect(c.is_silent(), c.answers)
        expect_equal(c.ask(MODEM), b'\0')


@test
def line_errors_are_told_when_wanted(lab):
    with port(lab, 'ft232r') as (address, _), settled(address) as c:
        for control in (b'\5', b'\6'):
            expect_equal(c.ask(CONTROL, control), control)
        c.receive(1)  # the break came back, and nobody wanted to know
        c.command(PURGE, b'\3')
        c.answer(PURGE)
        expect(not any(a[0] == LINE for a in c.answers), c.answers)
        expect_equal(c.ask(LINE_MASK, b'\x10'), b'\x10')
        c.command(CONTROL, b'\5')
        expect_equal(c.answer(LINE), b'\x10')
        c.command(CONTROL, b'\6')


@test
def suspended_means_silent(lab):
    """RFC 2217, section 5: neither data nor commands until it is resumed. Then all, in order."""
    with port(lab, 'ft232r') as (address, _), settled(address) as c:
        c.command(MODEM_MASK, b'\0')
        c.answer(MODEM_MASK)
        c.command(SUSPEND)
        c.send(b'echoed')
        c.command(BAUD, bytes(4))
        c.command(PARITY, b'\0')
        expect(c.is_silent(), c.data, c.answers)
        c.command(RESUME)
        expect_equal(c.answer(BAUD), (115200).to_bytes(4, 'big'))
        expect_equal(c.answer(PARITY), b'\1')
        expect_equal(c.receive(6), b'echoed')
        # However much is asked for meanwhile, it hears that it may go on.
        c.command(SUSPEND)
        for _ in range(4000):
            c.command(SIGNATURE)
        c.command(RESUME)
        expect_equal(c.answer(SIGNATURE), b'usbwire')


@test
def who_does_not_read_gets_it_whole_later(lab):
    """More answers than all buffers between the two hold, asked for in one go."""
    count = 1500000
    request = bytes([IAC, SB, COM_PORT, SIGNATURE, IAC, SE])
    answer = bytes([IAC, SB, COM_PORT, SIGNATURE + 100]) + b'usbwire' + bytes([IAC, SE])
    with port(lab, 'ft232r') as (address, _), settled(address) as c:
        sender = threading.Thread(target=c.send, args=(request * count,), daemon=True)
        sender.start()
        sender.join(1)  # by then it waits for us, or soon will
        whole = bytearray()
        while len(whole) < count * len(answer):
            some = c.socket.recv(65536)
            expect(some, f'closed after {len(whole)} bytes')
            whole += some
        sender.join(PATIENCE)
        expect(whole == answer * count, 'the answers are in pieces')


@test
def a_line_that_was_raised_is_dropped_when_the_client_goes(lab):
    """RTS alone holds the board in reset; nobody is left there."""
    with port(lab, 'cp2102n:far=esp32') as (address, process):
        with settled(address) as c:
            expect_equal(c.ask(CONTROL, b'\x0b'), b'\x0b')
        wait_until_left(process)
        with settled(address) as c:
            expect_equal(c.ask(CONTROL, b'\x0a'), b'\x0c', 'RTS')
            c.send(b'awake')
            c.until(lambda: b'awake' in c.data, 'an echo')
    with port(lab, 'acm-echo') as (address, process):
        with settled(address) as c:
            expect_equal(c.ask(CONTROL, b'\x07'), b'\x08', 'DTR as it was opened')
            expect_equal(c.ask(CONTROL, b'\x09'), b'\x09')
        wait_until_left(process)
        with settled(address) as c:
            expect_equal(c.ask(CONTROL, b'\x07'), b'\x08', 'each client finds it like that')


@test
def without_binary_a_carriage_return_is_two_bytes(lab):
    with port(lab, 'ft232r') as (address, _), settled(address) as c:
        c.send(bytes([IAC, DO_NOT, BINARY, IAC, WILL_NOT, BINARY]) + b'a\r\0b\r\n\xff\xff')
        expect_equal(c.receive(7), b'a\r\0b\r\n\xff')
        c.send(bytes([IAC, DO, BINARY, IAC, WILL, BINARY]) + b'a\r\0b')
        expect_equal(c.receive(4), b'a\r\0b')


@test
def bytes_that_the_port_does_not_take_keep_nobody_out(lab):
    """CTS stays clear, and the client leaves with more behind it than there is room for."""
    for much in (100000, 10000000):
        with port(lab, 'ft232r', '-q') as (address, _), settled(address) as c:
            expect_equal(c.ask(CONTROL, b'\x0c'), b'\x0c')
            expect_equal(c.ask(CONTROL, b'\3'), b'\3')
            c.socket.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                c.send(b'x' * much)
            c.socket.shutdown(socket.SHUT_WR)
            if much == 100000:
                wait_until_arrived(c.socket)
            second = None
            while not second:  # the end of a few bytes is seen at once, that of many is not
                try:
                    second = settled(address)
                except (Failure, ConnectionError):
                    expect(much > 100000, 'the second client was sent away')
                    time.sleep(0.1)
            with second:
                expect_equal(second.ask(CONTROL, b'\1'), b'\1')
                # Without flow control what is still on its way back is more than there is room for.
                expect_equal(second.ask(PURGE, b'\3'), b'\3')
                second.send(b'free')
                second.until(lambda: second.data.endswith(b'free'), 'an echo')


@test
def rubbish(lab):
    """Whatever comes: it goes on, and the next one is served."""
    def drain(client):
        with contextlib.suppress(OSError):
            while client.socket.recv(65536):
                pass

    rng = random.Random(2217)
    telnet = bytes([IAC] * 6 + [SB, SE, COM_PORT, DO, WILL, 0, 1, 2, 5, 8, 9, 10, 11, 12, 13])
    with port(lab, 'acm-echo') as (address, process):
        for size in (1, 7, 1000, 30000):
            with Client(address) as c:
                reader = threading.Thread(target=drain, args=(c,), daemon=True)
                reader.start()
                for _ in range(20 if size < 30000 else 4):
                    c.send(bytes(rng.choice(telnet) for _ in range(size)))
                    c.send(rng.randbytes(size))
                c.socket.shutdown(socket.SHUT_RDWR)
                reader.join(PATIENCE)
            wait_until_left(process)
        with settled(address) as c:
            expect_equal(c.ask(SIGNATURE), b'usbwire')
            for command, value in ((BAUD, (115200).to_bytes(4, 'big')), (DATA, b'\x08'),
                                   (PARITY, b'\1'), (STOP, b'\1'), (CONTROL, b'\1')):
                expect_equal(c.ask(command, value), value)
            c.send(b'heard')
            c.until(lambda: c.data.endswith(b'heard'), 'an echo')


@test
def settings_of_a_board_that_is_away(lab):
    """What the client sets while it is looked for is in force when it is back."""
    with port(lab, 'esp32c3', '--reconnect', '20') as (address, process), settled(address) as c:
        c.command(CONTROL, b'\x09')
        c.command(CONTROL, b'\x0b')
        line = b''
        while b'looking for it' not in line:
            line = process.stderr.readline()
        c.command(CONTROL, b'\x0c')
        expect_equal(c.ask(BAUD, (921600).to_bytes(4, 'big')), (921600).to_bytes(4, 'big'))
        while b'back after' not in line:
            line = process.stderr.readline()
        expect_equal(c.ask(BAUD, bytes(4)), (921600).to_bytes(4, 'big'))
        c.until(lambda: b'hello' in c.data, 'what the board says when it starts')


@test
def places_to_listen(lab):
    with lab.bench('--device', 'ft232r') as bench:
        for place in ('65536', '99999', '-1', '', 'x', '1x', ':', '127.0.0.1:', '127.0.0.1:70000',
                      'localhost:0', '[::1:0', '127.0.0.1'):
            output = bench('serial', '--rfc2217', place, '--seconds', '0.1', status=2)
            expect('is no place to listen' in output.errors, place, output)
        for place in ('0', '127.0.0.1:0', '[::1]:0'):
            bench('serial', '--rfc2217', place, '--seconds', '0.01')


main(__name__)
