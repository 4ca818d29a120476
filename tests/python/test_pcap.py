"""Captures written through Python, as tshark reads them."""
import io
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from bench import PATIENCE, BenchTest

import usb.core
from usbip_backend import get_backend
from usbip_backend.pcap import PcapWriter
from usbip_backend.syslog import SyslogReceiver


def fields(path, *names):
    """The values of fields, a tuple a packet."""
    args = [arg for name in names for arg in ('-e', name)]
    out = subprocess.run(['tshark', '-r', path, '-T', 'fields', *args], check=True,
                         capture_output=True, text=True).stdout
    return [tuple(line.split('\t')) for line in out.splitlines()]


def session(port, pcap):
    """A little of everything."""
    with get_backend('127.0.0.1', port, pcap=pcap) as backend:
        dev = usb.core.find(backend=backend, idVendor=0x303a)
        dev.ctrl_transfer(0x40, 1, 0x1234, 0, b'stored')
        dev.write(1, b'out and in')
        dev.read(0x81, 64)


@unittest.skipUnless(shutil.which('tshark'), 'tshark is not installed')
class Captured(BenchTest):
    def setUp(self):
        self.file = tempfile.NamedTemporaryFile(suffix='.pcapng')
        self.addCleanup(self.file.close)

    def test_traffic(self):
        with PcapWriter(self.file) as pcap:
            session(self.port, pcap)
            self.assertEqual(pcap.dropped, 0)
        packets = fields(self.file.name, 'frame.interface_name', 'usb.urb_type',
                         'usb.endpoint_address', 'usb.setup.wValue', 'usb.capdata')
        self.assertEqual({p[0] for p in packets}, {'usbip0'})
        self.assertIn(('usbip0', "'S'", '0x00', '0x1234', ''), packets)
        data = b'out and in'.hex()
        self.assertIn(('usbip0', "'S'", '0x01', '', data), packets)
        self.assertIn(('usbip0', "'C'", '0x81', '', data), packets)

    def test_syslog_beside_it(self):
        with socket.create_server(('127.0.0.1', 0)) as board, PcapWriter(self.file) as pcap:
            arrived = threading.Event()
            syslog = SyslogReceiver('127.0.0.1', board.getsockname()[1], pcap=pcap,
                                    callback=lambda message: arrived.set())
            syslog.start()
            with board.accept()[0] as stream:
                body = b'<11>1 2000-01-01T00:00:13.000Z esp32 esp - - - E (1) wifi: lost\n'
                stream.sendall(b'%d %s' % (len(body), body))
                self.assertTrue(arrived.wait(PATIENCE))
            session(self.port, pcap)
            syslog.stop()
        packets = fields(self.file.name, 'frame.interface_name', 'syslog.level', 'ip.src')
        self.assertIn(('syslog0', '3', '127.0.0.1'), packets)
        self.assertEqual({p[0] for p in packets}, {'usbip0', 'syslog0'})

    def test_begun_in_the_middle(self):
        with get_backend('127.0.0.1', self.port) as backend:
            dev = usb.core.find(backend=backend, idVendor=0x303a)
            dev.write(1, b'before')
            with PcapWriter(self.file) as pcap:
                get_backend('127.0.0.1', self.port, pcap=pcap)
                dev.read(0x81, 64)
        packets = fields(self.file.name, 'usb.idVendor', 'usb.capdata')
        self.assertIn('0x303a', {p[0] for p in packets})  # its descriptors are repeated
        self.assertIn(b'before'.hex(), {p[1] for p in packets})

    def test_without_close(self):
        code = ('import sys; sys.path[:0] = [%r, %r]; import test_pcap\n'
                'test_pcap.session(%d, test_pcap.PcapWriter(open(%r, "wb")))'
                % (sys.path[0], sys.path[1], self.port, self.file.name))
        subprocess.run([sys.executable, '-c', code], check=True)
        self.assertIn((b'out and in'.hex(),), fields(self.file.name, 'usb.capdata'))


class Failing(BenchTest):
    def test_file_that_cannot_be_written(self):
        class Full(io.BytesIO):
            """A disk without room."""

            def write(self, data):
                raise OSError(28, 'No space left on device')

        pcap = PcapWriter(Full())
        session(self.port, pcap)  # the USB session goes on
        with self.assertRaises(OSError) as caught:
            pcap.close()
        self.assertEqual(caught.exception.errno, 28)
        pcap.close()

    def test_closed_twice_and_used_afterwards(self):
        out = io.BytesIO()
        pcap = PcapWriter(out)
        pcap.close()
        pcap.close()
        size = len(out.getvalue())
        session(self.port, pcap)
        self.assertEqual(len(out.getvalue()), size)
        self.assertEqual(threading.active_count(), 1)


if __name__ == '__main__':
    unittest.main()
