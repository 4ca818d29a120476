"""The pySerial handler against the simulated bench."""
import os
import select
import tempfile
import threading
import time
import unittest

from bench import PATIENCE, Bench, BenchTest, sockets

import usbip_backend._hook  # what the .pth file imports where the package is installed
import serial
from usbip_backend.pcap import PcapWriter


class Port(BenchTest):
    OPTIONS = ('--device', 'acm-echo')

    def setUp(self):
        self.url = f'usbip://127.0.0.1:{self.port}/1-1'
        self.serial = serial.serial_for_url(self.url, baudrate=115200, timeout=PATIENCE)
        self.addCleanup(self.serial.close)

    def took(self, seconds, function, *args):
        """Calls a function, which has to take so long; its result."""
        start = time.monotonic()
        result = function(*args)
        took = time.monotonic() - start
        self.assertGreaterEqual(took, seconds - 0.001)
        self.assertLess(took, seconds + 10)  # a loaded machine; the C tests are exact
        return result

    def test_timeouts(self):
        for timeout in (0, 0.05, 0.3, 0.45):
            self.serial.timeout = timeout
            self.assertEqual(self.took(timeout, self.serial.read, 5), b'')
        self.serial.write(b'abc')
        self.assertEqual(self.took(0.45, self.serial.read, 5), b'abc')

    def test_no_timeout_waits_for_all(self):
        self.serial.timeout = None
        threading.Timer(0.3, self.serial.write, (b'cde',)).start()
        self.serial.write(b'ab')
        self.assertEqual(self.serial.read(5), b'abcde')

    def test_inter_byte_timeout(self):
        self.serial.timeout, self.serial.inter_byte_timeout = PATIENCE, 0.25
        self.serial.write(b'ab')
        self.assertEqual(self.took(0.25, self.serial.read, 5), b'ab')

    def test_mebibyte(self):
        data = os.urandom(1 << 20)
        writer = threading.Thread(target=self.serial.write, args=(data,))
        writer.start()
        self.assertEqual(self.serial.read(len(data)), data)
        writer.join()

    def test_read_blocks_no_write(self):
        got = []
        reader = threading.Thread(target=lambda: got.append(self.serial.read(4)))
        reader.start()
        self.serial.write(b'ping')
        reader.join(PATIENCE)
        self.assertEqual(got, [b'ping'])

    def test_cancel_read(self):
        self.serial.timeout = None
        threading.Timer(0.1, self.serial.cancel_read).start()
        self.assertEqual(self.serial.read(4), b'')
        self.serial.write(b'next')
        self.assertEqual(self.serial.read(4), b'next')

    def test_cancelled_read_disturbs_no_write(self):
        data = bytes(1 << 20)
        taken = []
        writer = threading.Thread(target=lambda: taken.append(self.serial.write(data)))
        writer.start()
        for _ in range(20):
            self.serial._cancel()
        self.assertEqual(len(self.serial.read(len(data))), len(data))
        writer.join(PATIENCE)
        self.assertEqual(taken, [len(data)])

    def test_close_ends_a_read(self):
        self.serial.timeout = None
        ended = []

        def read():
            try:
                self.serial.read(4)
            except serial.SerialException as error:
                ended.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.1)  # so that it is in the read, most times; closing earlier must do as well
        self.serial.close()
        reader.join(PATIENCE)
        self.assertEqual(len(ended), 1)

    def test_buffers(self):
        self.serial.write(b'0123456789')
        self.assertTrue(select.select([self.serial], [], [], PATIENCE)[0])
        deadline = time.monotonic() + PATIENCE
        while self.serial.in_waiting < 10:
            self.assertLess(time.monotonic(), deadline)
        self.serial.reset_input_buffer()
        self.assertEqual(self.serial.in_waiting, 0)
        self.assertEqual(select.select([self.serial], [], [], 0)[0], [])
        self.serial.flush()
        self.assertEqual(self.serial.out_waiting, 0)
        self.serial.reset_output_buffer()

    def test_modem_lines(self):
        self.serial.dtr = True
        deadline = time.monotonic() + PATIENCE
        while not (self.serial.cd and self.serial.dsr):  # as acm-echo answers DTR
            self.assertLess(time.monotonic(), deadline)
        self.serial.dtr = False
        while self.serial.cd or self.serial.dsr:
            self.assertLess(time.monotonic(), deadline)

    def test_open_again(self):
        self.serial.close()
        self.assertEqual(sockets(), 0)
        with self.assertRaises(serial.PortNotOpenError):
            self.serial.write(b'x')
        self.serial.open()
        self.serial.write(b'x')
        self.assertEqual(self.serial.read(), b'x')

    def test_a_second_port_is_busy(self):
        with self.assertRaises(serial.SerialException) as caught:
            serial.serial_for_url(self.url)
        self.assertIn('1-1', str(caught.exception))


class Url(BenchTest):
    OPTIONS = ('--device', 'acm-echo', '--device', 'esp')

    def open(self, rest, **kwargs):
        """A port of the bench."""
        port = serial.serial_for_url(f'usbip://127.0.0.1:{self.port}{rest}', timeout=PATIENCE, **kwargs)
        self.addCleanup(port.close)
        return port

    def test_choice_and_settings(self):
        port = self.open('?vid=1209&pid=0001&interface=0&baud=57600&format=7E1')
        self.assertEqual(port.baudrate, 57600)
        port.write(b'x')
        self.assertEqual(port.read(), b'x')

    def test_by_serial_number(self):
        self.open('?serial=acm-echo-1')

    def test_errors_are_serial_exceptions(self):
        for rest in ('/9-9', '/1-2', '?vid=ffff', '?colour=red', '/1-1?interface=7',
                     '/1-1?reconnect=soon', '/1-1?baud=fast'):
            with self.assertRaises(serial.SerialException, msg=rest) as caught:
                self.open(rest)
            self.assertGreater(len(str(caught.exception)), 20)

    def test_found_without_registering(self):
        self.assertNotIn('usbip_backend', ' '.join(serial.protocol_handler_packages))
        self.assertEqual(serial.serial_for_url('usbip://nowhere/1-1', do_not_open=True).port,
                         'usbip://nowhere/1-1')


class Lines(BenchTest):
    """What reaches the device, as a capture shows it."""

    OPTIONS = ('--device', 'acm-echo')

    def requests(self, action):
        """wValue of every SET_CONTROL_LINE_STATE that `action` on an open port causes."""
        with tempfile.NamedTemporaryFile(suffix='.pcapng') as file:
            with PcapWriter(file) as pcap:
                port = serial.serial_for_url(f'usbip://127.0.0.1:{self.port}/1-1', do_not_open=True)
                port.dtr = port.rts = False
                port.open()
                pcap.attach()
                action(port)
                port.close()
            with open(file.name, 'rb') as written:
                data = written.read()
        # bmRequestType 0x21, bRequest 0x22 (CDC PSTN 6.3.12), wValue
        found, at = [], data.find(b'\x21\x22')
        while at >= 0:
            found.append(data[at + 2])
            at = data.find(b'\x21\x22', at + 1)
        return found

    def test_both_at_once(self):
        def act(port):
            port.set_dtr_rts(True, True)
            port.set_dtr_rts(False, True)
            port.in_waiting

        self.assertEqual(self.requests(act)[:2], [3, 2])

    def test_one_after_the_other_is_one_request(self):
        def act(port):
            port.dtr = True
            port.rts = True
            port.in_waiting

        self.assertEqual(self.requests(act)[0], 3)

    def test_esptool_does_not_use_ioctl(self):
        port = serial.serial_for_url(f'usbip://127.0.0.1:{self.port}/1-1')
        self.addCleanup(port.close)
        self.assertTrue(port.name.startswith('rfc2217:'))
        self.assertTrue(port.port.startswith('usbip:'))


class OneAtATime(unittest.TestCase):
    """A server where a read that is open is in a write's way."""

    def test_writes_may_take_longer_than_a_slice(self):
        with Bench('--device', 'acm-echo', '--personality', 'g0', '--latency', '300ms') as bench:
            url = f'usbip://127.0.0.1:{bench.port}'
            with serial.serial_for_url(url, timeout=PATIENCE) as port:
                self.assertEqual(port.write(b'slowly'), 6)
                self.assertEqual(port.read(6), b'slowly')


class Lost(unittest.TestCase):
    """A connection that ends in the middle."""

    def test_said_as_a_serial_exception(self):
        with Bench('--device', 'acm-echo', '--fail', 'gone:after=40') as bench:
            with serial.serial_for_url(f'usbip://127.0.0.1:{bench.port}/1-1', timeout=PATIENCE) as port:
                with self.assertRaises(serial.SerialException) as caught:
                    for _ in range(100):
                        port.write(b'x')
                        port.flush()
                        self.assertEqual(port.read(), b'x')
        self.assertIn('1209:0001', str(caught.exception))

    def test_found_again(self):
        with Bench('--device', 'acm-echo', '--fail', 'close:after=60,count=1') as bench:
            url = f'usbip://127.0.0.1:{bench.port}/1-1?reconnect={PATIENCE}'
            with serial.serial_for_url(url, timeout=0.2) as port:
                with self.assertLogs('usbip_backend', 'WARNING') as said:
                    while not any('is back' in line for line in said.output):
                        port.write(b'x')
                        port.read()
                port.timeout = PATIENCE
                for _ in range(30):
                    port.write(b'y')
                    self.assertTrue(port.read_until(b'y').endswith(b'y'))


if __name__ == '__main__':
    unittest.main()
