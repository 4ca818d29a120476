"""pySerial's own test suite, all of it that takes a port, on a chip with a loop-back plug: as usbip:// and,
where pySerial's client can do it, as rfc2217://."""
import contextlib
import glob
import os
import subprocess
import sys
import time
import unittest

from bench import PATIENCE, USBWIRE, Bench
from sources import fetch

import usbip_backend._hook  # what the .pth file imports where the package is installed

# pySerial's client of RFC 2217 can neither cancel nor give up a write, and when it may not wait it gives
# one byte at a time. What "RS-485" opens it leaves open, to the harm of all that follow.
NOT_IN_CLIENT = {
    'rfc2217': {
        'test.Test4_Nonblocking.test2_Loopback',
        'test.Test4_Nonblocking.test2_LoopbackTimeout',
        'test.Test_MoreTimeouts.test_WriteTimeout',
        'test_cancel.TestCancelRead.test_cancel_once',
        'test_cancel.TestCancelWrite.test_cancel_once',
        'test_rs485.Test_RS485_class.test_RS485_class',
    },
    'usbip': set(),
}

# They want a write that does not fit into any buffer on the way; ours takes 64 KiB.
WRITES_MORE = {
    'test.Test_MoreTimeouts.test_WriteTimeout',
    'test_cancel.TestCancelWrite.test_cancel_once',
}


def with_larger_writes(test):
    """The test, where all it writes but single bytes is a hundred times as much."""
    set_up = test.setUp

    def more():
        set_up()
        write = test.s.write
        test.s.write = lambda data: write(data * 100 if len(data) > 1 else data)

    test.setUp = more
    return test


# They look for what they have written, or for a line's other end, after a fixed time.
LOOKS_AFTER_A_WHILE = {
    'test.Test0_DataWires.test1_RTS',
    'test.Test0_DataWires.test2_DTR',
    'test.Test2_Forever.test2_Loopback',
    'test.Test3_Timeout.test2_Loopback',
    'test.Test3_Timeout.test2_LoopbackTimeout',
    'test.Test4_Nonblocking.test2_Loopback',
    'test.Test4_Nonblocking.test2_LoopbackTimeout',
}


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)


class Plugged:
    """A port with a loop-back plug, where what is done has come about when that is looked for."""

    def write(self, data):
        before = self.in_waiting
        super().write(data)
        until(lambda: self.in_waiting >= before + len(data))

    @property
    def cts(self):
        until(lambda: super(Plugged, self).cts == self.rts)
        return super().cts

    @property
    def dsr(self):
        until(lambda: super(Plugged, self).dsr == self.dtr)
        return super().dsr


def with_patience(test):
    """The test on such a port."""
    set_up = test.setUp

    def more():
        set_up()
        test.s.__class__ = type('Serial', (Plugged, type(test.s)), {})

    test.setUp = more
    return test


def each(suite):
    """The single tests of a suite."""
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from each(item)
        else:
            yield item


def suite(folder, scheme, url):
    """All tests of modules that take a port."""
    os.chdir(folder)
    sys.path.insert(0, folder)
    tests = unittest.TestSuite()
    for path in sorted(glob.glob('test*.py')):
        module = __import__(path[:-3])
        if hasattr(module, 'PORT'):
            module.PORT = url
            found = unittest.defaultTestLoader.loadTestsFromModule(module)
            for test in each(found):
                if test.id() in WRITES_MORE:
                    test = with_larger_writes(test)
                if test.id() in LOOKS_AFTER_A_WHILE:
                    test = with_patience(test)
                if test.id() not in NOT_IN_CLIENT[scheme]:
                    tests.addTest(test)
    return tests


@contextlib.contextmanager
def port(scheme, bench):
    """Its URL."""
    server = f'127.0.0.1:{bench.port}'
    if scheme == 'usbip':
        yield f'usbip://{server}/1-1'
        return
    with subprocess.Popen([USBWIRE, 'serial', '-H', server, '--rfc2217', '0'],
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f'{process.stdout.readline().split()[0]}?timeout={PATIENCE}'
        finally:
            process.terminate()


def main(scheme='usbip'):
    folder = os.path.join(fetch('pyserial'), 'test')
    with Bench('--device', 'cp2102n:pace=1') as bench, port(scheme, bench) as url:
        result = unittest.TextTestRunner(verbosity=2).run(suite(folder, scheme, url))
    assert result.testsRun - len(result.skipped) >= 35, result
    sys.exit(not result.wasSuccessful())


if __name__ == '__main__':
    main(*sys.argv[1:])
