"""A source of 3 Mbaud that never pauses, through every chip and every kind of port of `usbwire serial`, all at
once: each byte says which it is, and none is missing. USBWIRE_TEST_SECONDS says how long (2)."""
import contextlib
import os
import select
import socket
import sys
import tempfile
import time
import tty

from bench import Bench, main
from ports import PATIENCE, Port

SECONDS = float(os.environ.get('USBWIRE_TEST_SECONDS', '2'))
RATE = 300000  # bytes a second
CHIPS = ('cp2102n', 'ft232r', 'ft232h', 'acm-echo', 'pl2303gc')
MODULUS = 251  # so no byte is a telnet's IAC
COUNT = bytes(i % MODULUS for i in range(65536 + MODULUS))
TELNET_BEGINS = b'\xff'


class Reader:
    """Who reads from a port and counts with it."""

    def __init__(self, name, fd):
        self.name, self.fd, self.next, self.size = name, fd, None, 0

    def read(self):
        data = os.read(self.fd, 65536)
        assert data, f'{self.name}: it ended after {self.size} bytes'
        while self.next is None and data[:1] == TELNET_BEGINS:
            data = data[3:]  # an option that is offered or asked for
        if not data:
            return
        if self.next is None:
            self.next = data[0]
        assert data == COUNT[self.next:self.next + len(data)], \
            f'{self.name}: {self.size} bytes, then not {self.next}: {data[:20]}'
        self.next = (self.next + len(data)) % MODULUS
        self.size += len(data)


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
        bench = stack.enter_context(Bench(*(f'{chip}:far=source,baud=3000000' for chip, _ in devices)))
        readers = {}
        for i, (chip, kind) in enumerate(devices):
            fd = open_reader(stack, bench, f'1-{i + 1}', kind, folder)
            readers[fd] = Reader(f'{chip} {kind}', fd)
        poll = select.poll()
        for fd in readers:
            poll.register(fd, select.POLLIN)
        end = time.monotonic() + SECONDS
        # Those on a machine with much else to do take longer, and lose nothing either.
        while time.monotonic() < end or min(r.size for r in readers.values()) < RATE * SECONDS / 2:
            assert time.monotonic() < end + PATIENCE, {r.name: r.size for r in readers.values()}
            for fd, _ in poll.poll(1000):
                readers[fd].read()


if __name__ == '__main__':
    main(sys.modules[__name__])
