"""PyUSB's own test suite through our backend, on the device that it is made for."""
import glob
import os
import sys
import unittest

from bench import Bench
from sources import fetch

import usb.backend.libusb0
import usb.backend.libusb1
import usb.backend.openusb

from usbip_backend import get_backend


def suite(folder):
    """What testall.py collects: every module with a get_suite()."""
    os.chdir(folder)
    sys.path.insert(0, folder)
    tests = unittest.TestSuite()
    for path in sorted(glob.glob('test_*.py')):
        module = __import__(path[:-3])
        if hasattr(module, 'get_suite'):
            tests.addTest(module.get_suite())
    return tests


def main():
    folder = os.path.join(fetch('pyusb'), 'tests')
    with Bench('--device', 'benchmark', '--device', 'acm-echo') as bench:
        backend = get_backend('127.0.0.1', bench.port)
        usb.backend.libusb1.get_backend = lambda find_library=None: backend
        usb.backend.libusb0.get_backend = lambda find_library=None: None
        usb.backend.openusb.get_backend = lambda find_library=None: None
        tests = suite(folder)
        result = unittest.TextTestRunner(verbosity=2).run(tests)
        backend.close()
    # All of the modules that need the device have found it.
    assert result.testsRun >= 20, result.testsRun
    sys.exit(not result.wasSuccessful())


if __name__ == '__main__':
    main()
