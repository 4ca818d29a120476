"""pySerial's own test suite on a usbip:// port that echoes."""
import glob
import os
import sys
import unittest

from bench import Bench
from sources import fetch

import usbip_backend._hook  # what the .pth file imports where the package is installed

# What wants a loop-back plug on a real port. The simulated port is a CDC-ACM device: it has no CTS
# to connect with RTS, no flow control, and takes data as fast as they come.
NOT_A_PLUG = {
    'test.Test0_DataWires.test1_RTS',
    'test.Test_MoreTimeouts.test_WriteTimeout',
    'test_cancel.TestCancelWrite.test_cancel_once',
}


def each(suite):
    """The single tests of a suite."""
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from each(item)
        else:
            yield item


def suite(folder, url):
    """All tests of modules that take a port, but for the ones above."""
    os.chdir(folder)
    sys.path.insert(0, folder)
    tests = unittest.TestSuite()
    for path in sorted(glob.glob('test*.py')):
        module = __import__(path[:-3])
        if hasattr(module, 'PORT'):
            module.PORT = url
            found = unittest.defaultTestLoader.loadTestsFromModule(module)
            tests.addTests(t for t in each(found) if t.id() not in NOT_A_PLUG)
    return tests


def main():
    folder = os.path.join(fetch('pyserial'), 'test')
    with Bench('--device', 'acm-echo') as bench:
        tests = suite(folder, f'usbip://127.0.0.1:{bench.port}/1-1')
        result = unittest.TextTestRunner(verbosity=2).run(tests)
    assert result.testsRun - len(result.skipped) >= 35, result
    sys.exit(not result.wasSuccessful())


if __name__ == '__main__':
    main()
