"""pySerial's own test suite, all of it that takes a port, on a chip with a loop-back plug: as usbip:// and,
where pySerial's client can do it, as rfc2217://."""
import contextlib
import glob
import os
import subprocess
import sys
import unittest

from bench import USBWIRE, Bench
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
            tests.addTests(with_larger_writes(t) if t.id() in WRITES_MORE else t
                           for t in each(found) if t.id() not in NOT_IN_CLIENT[scheme])
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
            yield process.stdout.readline().split()[0]
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
