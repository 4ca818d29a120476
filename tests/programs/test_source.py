"""A source of 3 Mbaud that never pauses, through every chip and every kind of port of `usbwire serial`, all at
once: each byte says which it is. None is missing but those that a full chip had to drop, each time as many as
the bench tells; and none at all for two seconds, as soon as the machine has had as much time for it: one that
stands still for a moment lets the chips run full. USBWIRE_TEST_SECONDS says how long it goes on at least (2)."""
import contextlib
import os
import re
import select
import socket
import sys
import tempfile
import time
import tty

from bench import PATIENCE, main
from ports import Chip, Port

SECONDS = float(os.environ.get('USBWIRE_TEST_SECONDS', '2'))
WHOLE = 2  # seconds without a gap
RATE = 300000  # bytes a second
CHIPS = ('cp2102n', 'ft232r', 'ft232h', 'acm-echo', 'pl2303gc')
MODULUS = 251  # so no byte is a telnet's IAC
COUNT = bytes(i % MODULUS for i in range(65536 + MODULUS))
TELNET_BEGINS = b'\xff'


class Reader:
    """Who reads from a port and counts with it."""

    def __init__(self, name, fd, losses):
        self.name, self.fd, self.next, self.size = name, fd, None, 0
        self.losses, self.gaps, self.unbroken = losses, 0, 0

    def read(self):
        data = os.read(self.fd, 65536)
        assert data, f'{self.name}: it ended after {self.size} bytes'
        while self.next is None and data[:1] == TELNET_BEGINS:
            data = data[3:]  # an option that is offered or asked for
        while data:
            if self.next is None:
                self.next = data[0]
            n = len(data)
            if data != COUNT[self.next:self.next + n]:
                n = next(i for i in range(n) if data[i] != COUNT[self.next + i])
            self.next = (self.next + n) % MODULUS
            self.size += n
            self.unbroken += n
            data = data[n:]
            if data:
                self.meet_gap(data[0])

    def meet_gap(self, byte):
        """The chip has told of it before."""
        lost = (byte - self.next) % MODULUS
        told = next((n for n in iter(self.losses.next, None) if n % MODULUS), 0)
        assert told % MODULUS == lost, \
            f'{self.name}: {self.size} bytes, then {lost} too few, when the chip had lost {told}'
        self.next = byte
        self.gaps += 1
        self.unbroken = 0


class Losses:
    """What a chip told of bytes that it lost, one after the other."""

    def __init__(self, bench, busid):
        self.lines, self.seen = bench.wire, 0
        self.pattern = re.compile(rf'{busid} port 0: (\d+) bytes lost')

    def _find(self):
        while self.seen < len(self.lines.all):
            self.seen += 1
            found = self.pattern.search(self.lines.all[self.seen - 1])
            if found:
                return int(found.group(1))
        return None

    def next(self):
        """How many; None if it told of no more."""
        with self.lines.news:
            return self.lines.news.wait_for(self._find, PATIENCE)


def open_reader(stack, bench, busid, kind, folder):
    """A port, and somebody at its other end."""
    place = os.path.join(folder, busid) if kind == '--pty' else '0'
    port = stack.enter_context(Port(bench, '-b', busid, kind, place, '--baud', '3000000', '--dtr', '1'))
    if kind == '--pty':
        fd = os.open(port.where, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(fd)
    else:
        fd = socket.create_connection(port.place, PATIENCE).detach()
    stack.callback(os.close, fd)
    return fd


def test_no_byte_is_lost():
    devices = [(chip, kind) for chip in CHIPS for kind in ('--tcp', '--rfc2217', '--pty')]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        bench = stack.enter_context(Chip(*(f'{chip}:far=source,baud=3000000' for chip, _ in devices)))
        readers = {}
        for i, (chip, kind) in enumerate(devices):
            busid = f'1-{i + 1}'
            fd = open_reader(stack, bench, busid, kind, folder)
            readers[fd] = Reader(f'{chip} {kind}', fd, Losses(bench, busid))
        poll = select.poll()
        for fd in readers:
            poll.register(fd, select.POLLIN)
        start = whole = time.monotonic()
        # Those on a machine with much else to do take longer.
        while time.monotonic() < max(start + SECONDS, whole + WHOLE) or \
                min(r.unbroken for r in readers.values()) < RATE * WHOLE / 2:
            assert time.monotonic() < start + SECONDS + PATIENCE, \
                {r.name: (r.size, r.gaps) for r in readers.values()}
            for fd, _ in poll.poll(1000):
                gaps = readers[fd].gaps
                readers[fd].read()
                if readers[fd].gaps > gaps:
                    whole = time.monotonic()
        print(f'# {sum(r.gaps for r in readers.values())} gaps, each told of')


if __name__ == '__main__':
    main(sys.modules[__name__])
