"""What the earlier Python project's README showed works as it stood there, on the simulated bench:
its command with its options, captures, the log, and its way of using PyUSB."""
import os
import shutil
import subprocess
import tempfile
import time
import unittest

from bench import PATIENCE, USBWIRE, BenchTest

import usb.core
from usbip_backend import get_backend
from usbip_backend.pcap import PcapWriter
from usbip_backend.syslog import SyslogReceiver


class Command(BenchTest):
    """usbip-pyusb-test, options before the command."""

    OPTIONS = ('--device', 'esp', '--syslog-port', '0', '--mdns')

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.TemporaryDirectory()
        cls.program = os.path.join(cls.folder.name, 'usbip-pyusb-test')
        os.symlink(USBWIRE, cls.program)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        super().tearDownClass()

    def run_it(self, *args):
        """Its output."""
        out = subprocess.run([self.program, *args], capture_output=True, text=True, timeout=PATIENCE,
                             check=False)
        self.assertEqual(out.returncode, 0, out.stderr)
        return out.stdout

    def server(self):
        return f'127.0.0.1:{self.port}'

    def test_discover(self):
        shown, end = '', time.monotonic() + PATIENCE
        while str(self.port) not in shown:
            self.assertLess(time.monotonic(), end, shown)
            shown = subprocess.run([self.program, 'discover', '--link', 'lo', '--wait', '1'], text=True,
                                   stdout=subprocess.PIPE, timeout=PATIENCE, check=False).stdout

    def test_list(self):
        self.assertIn('303a:4004', self.run_it('--host', self.server(), 'list'))

    def test_probe(self):
        out = self.run_it('--host', self.server(), 'probe', '--vid', '0x303a', '--pid', '0x4004',
                          '--get-device-desc')
        self.assertIn('303a', out)

    def test_control(self):
        out = self.run_it('--host', self.server(), 'control', '--vid', '0x303a', '--pid', '0x4004',
                          '--direction', 'in', '--bm-request-type', '0x80', '--b-request', '0x06',
                          '--w-value', '0x0100', '--length', '18')
        self.assertIn('12 01 00 02', out)

    @unittest.skipUnless(shutil.which('tshark'), 'tshark is not installed')
    def test_pcap(self):
        path = os.path.join(self.folder.name, 'capture.pcapng')
        self.run_it('--host', self.server(), '--pcap', path, 'probe', '--vid', '0x303a', '--pid',
                    '0x4004')
        out = subprocess.run(['tshark', '-r', path, '-Y', 'usb.idVendor == 0x303a'], check=True,
                             capture_output=True, text=True).stdout
        self.assertIn('DEVICE', out)


class Programs(BenchTest):
    OPTIONS = ('--device', 'esp')

    def test_programmatic_capture(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'capture.pcapng')
            pcap = PcapWriter(open(path, 'wb'))
            syslog = SyslogReceiver('127.0.0.1', pcap=pcap)
            syslog.start()
            backend = get_backend('127.0.0.1', self.port, pcap=pcap)
            dev = usb.core.find(backend=backend, idVendor=0x303A, idProduct=0x4004)
            self.assertEqual(dev.idProduct, 0x4004)
            syslog.stop()
            backend.close()
            pcap.close()
            with open(path, 'rb') as file:
                self.assertEqual(file.read(4), b'\n\r\r\n')

    def test_usage(self):
        backend = get_backend('127.0.0.1', self.port)
        dev = usb.core.find(backend=backend, idVendor=0x303A, idProduct=0x4004)
        self.assertIsNotNone(dev)
        data = dev.ctrl_transfer(0x80, 0x06, 0x0100, 0, 18)
        self.assertEqual(bytes(data)[:4], bytes((18, 1, 0, 2)))
        backend.close()


if __name__ == '__main__':
    unittest.main()
