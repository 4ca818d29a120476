"""The simulated bench for tests: a server on a free port that ends with the test."""
import os
import re
import subprocess
import sys
import unittest

import usb.core

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE = 60  # seconds for anything to happen, on the slowest of machines
USBWIRE = os.environ.get('USBWIRE', os.path.join(SOURCE, 'build/usbwire'))
sys.path.insert(0, os.path.join(SOURCE, 'python'))
sys.path.append(os.path.join(SOURCE, 'tests/support'))
from place import kept_port  # noqa: E402,F401  pylint: disable=wrong-import-position

usb.core._DEFAULT_TIMEOUT = 1000 * PATIENCE  # PyUSB's, for transfers that are given none


class Bench:
    """`usbwire serve` with the given options."""

    def __init__(self, *options):
        # The read end of the pipe is its standard input: it ends when we do, however we end.
        self.process = subprocess.Popen([USBWIRE, 'serve', '--port', '0', '--until-eof', *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.search(r':(\d+)', line).group(1))

    def close(self):
        """Ends the server."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class BenchTest(unittest.TestCase):
    """A test case with one bench for all its tests."""

    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        cls.bench = Bench(*cls.OPTIONS)
        cls.port = cls.bench.port

    @classmethod
    def tearDownClass(cls):
        cls.bench.close()


def usbwire(*args, **kwargs):
    """Runs the command; its completed process."""
    return subprocess.run([USBWIRE, *args], capture_output=True, text=True, timeout=PATIENCE,
                          check=False, **kwargs)


def sockets():
    """How many sockets this process has open."""
    count = 0
    for fd in os.listdir('/proc/self/fd'):
        try:
            count += os.readlink(f'/proc/self/fd/{fd}').startswith('socket:')
        except OSError:
            pass
    return count
