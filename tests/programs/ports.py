"""What the tests of serial ports share: `usbwire serial` and what it says, chips that tell what their
wires see, programs on terminals that are typed at. Debian's interpreter runs them."""
import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
import termios
import threading
import time
import tty

from bench import ENV, PATIENCE, USBWIRE, Bench, Skip

try:
    import serial
except ImportError:
    serial = None

TEXT = bytes(range(256)) * 8


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


class Lines:
    """The lines that a program writes, as they come; the program may have ended."""

    def __init__(self, stream):
        self.all, self.seen, self.news = [], 0, threading.Condition()
        self.reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.reader.start()

    def _read(self, stream):
        with stream:
            for line in stream:
                with self.news:
                    self.all.append(line)
                    self.news.notify_all()

    def _find(self, text):
        for i in range(self.seen, len(self.all)):
            if text in self.all[i]:
                self.seen = i + 1
                return True
        return False

    def wait(self, *texts):
        """Until there was a line with each of these, one after the other and after those before."""
        for text in texts:
            with self.news:
                found = self.news.wait_for(lambda text=text: self._find(text), PATIENCE)
                assert found, f'{text!r} was never said:\n{"".join(self.all)}'

    def to_the_end(self):
        self.reader.join(PATIENCE)
        return ''.join(self.all)


class Chip(Bench):
    """A simulated bench that tells what the wires of its serial chips see."""

    def __init__(self, *devices, options=(), port='0'):
        super().__init__(*devices, options=('-v', *options), port=port, stderr=subprocess.PIPE)
        self.wire = Lines(self.process.stderr)

    def saw(self, *texts):
        self.wire.wait(*(f'port 0: {text}\n' for text in texts))


class Port:
    """`usbwire serial` with a place for its ports, until the end of the block."""

    def __init__(self, bench, *options, env=None):
        if not serial:
            raise Skip('Python has no module serial')
        self.process = subprocess.Popen([USBWIRE, 'serial', '-H', bench.address, *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**ENV, **(env or {})})
        with self.process.stdout as out:
            places = out.readline().split()
        self.lines = Lines(self.process.stderr)
        if not places:
            raise RuntimeError(self.lines.to_the_end())
        self.where = places[0]

    @property
    def place(self):
        """Host and number of a network port."""
        host, number = self.where.split('//')[1].split(':')
        return host, int(number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self.errors = self.lines.to_the_end()

    def said(self, text):
        self.lines.wait(text)


@contextlib.contextmanager
def pty_port(bench, *options):
    """The name of a pseudo-terminal."""
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, 'tty')
        with Port(bench, '--pty', link, *options):
            yield link


def open_port(url, **settings):
    if url.startswith('rfc2217:'):
        url += f'?timeout={PATIENCE}'  # of its negotiations
    return serial.serial_for_url(url, timeout=PATIENCE, **settings)


def echoes(port, data=TEXT):
    port.write(data)
    back = port.read(len(data))
    assert back == data, f'{len(back)} of {len(data)} bytes: {back[:40]!r}'


def sees(port, text):
    got = port.read_until(text)
    assert got.endswith(text), got


class Terminal:
    """A program on a terminal of its own, typed at and looked at."""

    def __init__(self, *words, **env):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.before = termios.tcgetattr(self.slave)
        self.before[3] |= termios.ICANON  # what a program for single keys turns off
        termios.tcsetattr(self.slave, termios.TCSANOW, self.before)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(words, stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, env={**ENV, 'TERM': 'vt100', **env})
        self.seen = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.slave)
        os.close(self.master)

    def sees(self, pattern):
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.seen):
            ended = self.process.poll() is not None  # and so has written all that it will
            if select.select([self.master], [], [], 0 if ended else 0.1)[0]:
                self.seen += os.read(self.master, 4096)
            else:
                assert time.monotonic() < end and not ended, self.seen
        self.seen = self.seen[re.search(pattern, self.seen).end():]

    def types(self, keys, answer=b''):
        os.write(self.master, keys)
        self.sees(answer)

    def ends(self, code=0):
        """Reads on meanwhile, as a terminal does."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, self.seen
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 4096)
        assert self.process.returncode == code, (self.process.returncode, self.seen)

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before
