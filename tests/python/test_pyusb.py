"""PyUSB's own test suite through our backend, on the device that it is made for."""
import glob
import os
import subprocess
import sys
import unittest

from bench import SOURCE, Bench

import usb.backend.libusb0
import usb.backend.libusb1
import usb.backend.openusb

from usbip_backend import get_backend


def fetch():
    """The folder of PyUSB's tests. Ends the program as skipped where there is none to be had."""
    out = subprocess.run([os.path.join(SOURCE, 'scripts/debian-source.sh'), 'pyusb',
                          os.environ.get('USBWIRE_SOURCES', os.path.join(SOURCE, 'build/sources'))], stdout=subprocess.PIPE, text=True,
                         check=False)
    if out.returncode:
        sys.exit(out.returncode)
    return os.path.join(out.stdout.strip(), 'tests')


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
    folder = fetch()
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
