"""The PyUSB backend against the simulated bench."""
import array
import gc
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from bench import PATIENCE, Bench, BenchTest, kept_port, sockets, usbwire

import usb.core
import usb.util
from usbip_backend import get_backend


def find(backend, vid, pid):
    """A device, configured as PyUSB programs do it."""
    device = usb.core.find(backend=backend, idVendor=vid, idProduct=pid)
    device.set_configuration()
    return device


class Devices(BenchTest):
    """Enumeration and descriptors."""

    def setUp(self):
        self.backend = get_backend('127.0.0.1', self.port)
        self.addCleanup(self.backend.close)

    def test_all_are_found(self):
        found = {(d.idVendor, d.idProduct) for d in usb.core.find(True, self.backend)}
        self.assertLessEqual({(0x303a, 0x4004), (0x1209, 1), (0x1209, 2), (0x1209, 3), (0x1209, 4),
                              (0x1209, 5)}, found)

    def test_descriptor_is_the_devices_own(self):
        for dev in usb.core.find(True, self.backend):
            raw = bytes(dev.ctrl_transfer(0x80, 6, 0x100, 0, 18))
            ours = b''.join(v.to_bytes(n, 'little') for v, n in (
                (dev.bLength, 1), (dev.bDescriptorType, 1), (dev.bcdUSB, 2), (dev.bDeviceClass, 1),
                (dev.bDeviceSubClass, 1), (dev.bDeviceProtocol, 1), (dev.bMaxPacketSize0, 1),
                (dev.idVendor, 2), (dev.idProduct, 2), (dev.bcdDevice, 2), (dev.iManufacturer, 1),
                (dev.iProduct, 1), (dev.iSerialNumber, 1), (dev.bNumConfigurations, 1)))
            self.assertEqual(raw, ours)

    def test_configuration_tree(self):
        dev = usb.core.find(backend=self.backend, idVendor=0x1209, idProduct=3)
        settings = [(i.bInterfaceNumber, i.bAlternateSetting,
                     [e.bEndpointAddress for e in i]) for c in dev for i in c]
        self.assertEqual(settings, [(0, 0, [0x01, 0x81, 0x02, 0x82]), (1, 0, []),
                                    (1, 1, [0x03, 0x83])])

    def test_class_descriptors_and_strings(self):
        acm = usb.core.find(backend=self.backend, idVendor=0x1209, idProduct=1)
        raw = bytes(acm[0][(0, 0)].extra_descriptors)
        self.assertEqual(raw[:3], bytes((5, 0x24, 0)))  # header functional descriptor
        esp = usb.core.find(backend=self.backend, idVendor=0x303a)
        self.assertEqual(esp.manufacturer, 'Espressif')
        self.assertEqual(esp.speed, usb.util.SPEED_FULL)
        self.assertEqual(esp.port_numbers, (1,))

    def test_index_past_the_end(self):
        dev = usb.core.find(backend=self.backend, idVendor=0x303a)
        with self.assertRaises(IndexError):
            self.backend.get_configuration_descriptor(dev._ctx.dev, 1)
        with self.assertRaises(IndexError):
            self.backend.get_endpoint_descriptor(dev._ctx.dev, 2, 0, 0, 0)

    def test_enumerating_leaves_devices_free(self):
        for dev in usb.core.find(True, self.backend):
            del dev
        gc.disable()
        self.addCleanup(gc.enable)
        out = usbwire('-H', f'127.0.0.1:{self.port}', '--vid', '1209', '--pid', '0003', 'control',
                      '--direction', 'in', '--bm-request-type', '0x80', '--b-request', '6',
                      '--w-value', '0x100', '--length', '18')
        self.assertEqual(out.returncode, 0, out.stderr)

    def test_chosen_devices_alone_are_touched(self):
        with get_backend('127.0.0.1', self.port, vid=0x303a, pid=0x4004) as backend:
            found = [d.idProduct for d in usb.core.find(True, backend)]
        self.assertEqual(found, [0x4004])
        with get_backend('127.0.0.1', self.port, busid='1-2') as backend:
            self.assertEqual([d.idProduct for d in usb.core.find(True, backend)], [1])

    def test_busy_elsewhere(self):
        code = ('import sys, time; sys.path.insert(0, %r); import usb.core\n'
                'from usbip_backend import get_backend\n'
                'd = usb.core.find(backend=get_backend("127.0.0.1", %d), idVendor=0x1209, '
                'idProduct=2)\nd.get_active_configuration()\nprint("mine", flush=True)\n'
                'sys.stdin.read()' % (sys.path[0], self.port))
        with subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as other:
            self.assertEqual(other.stdout.readline(), 'mine\n')
            fresh = get_backend('127.0.0.1', self.port)
            fresh.server.descriptors.clear()
            dev = usb.core.find(backend=fresh, idVendor=0x1209, idProduct=2)
            self.assertEqual(dev.bNumConfigurations, 2)  # as the server describes it
            with self.assertRaises(usb.core.USBError) as caught:
                dev.ctrl_transfer(0x80, 6, 0x100, 0, 18)
            self.assertEqual(caught.exception.errno, errno.EBUSY)
            fresh.close()
            other.kill()  # a crash leaves the device free
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.assertEqual(len(dev.ctrl_transfer(0x80, 6, 0x100, 0, 18)), 18)
                break
            except usb.core.USBError as error:
                self.assertEqual(error.errno, errno.EBUSY)
                self.assertLess(time.monotonic(), deadline)
        usb.util.dispose_resources(dev)


class Transfers(BenchTest):
    """What moves."""

    def setUp(self):
        self.backend = get_backend('127.0.0.1', self.port)
        self.addCleanup(self.backend.close)

    def test_control_both_ways(self):
        dev = find(self.backend, 0x303a, 0x4004)
        data = os.urandom(300)
        self.assertEqual(dev.ctrl_transfer(0x40, 1, 0, 0, data), 300)
        self.assertEqual(bytes(dev.ctrl_transfer(0xc0, 1, 0, 0, 4096)), data)
        self.assertEqual(bytes(dev.ctrl_transfer(0xc0, 2, 0x1234, 0x5678, 4)), b'\x34\x12\x78\x56')
        self.assertEqual(dev.ctrl_transfer(0x00, 9, 1, 0, None), 0)

    def test_bulk_mebibyte(self):
        dev = find(self.backend, 0x1209, 3)
        data = os.urandom(1 << 20)
        moved = []
        writer = threading.Thread(target=lambda: moved.append(dev.write(1, data, 1000 * PATIENCE)))
        writer.start()
        back = b''
        while len(back) < len(data):
            back += bytes(dev.read(0x81, 1 << 16, 1000 * PATIENCE))
        writer.join()
        self.assertEqual(moved, [len(data)])
        self.assertEqual(back, data)

    def test_interrupt(self):
        dev = find(self.backend, 0x1209, 3)
        self.assertEqual(dev.write(2, b'tick'), 4)
        self.assertEqual(bytes(dev.read(0x82, 64)), b'tick')

    def test_isochronous(self):
        dev = find(self.backend, 0x1209, 3)
        dev.set_interface_altsetting(1, 1)
        size = dev[0][(1, 1)][0].wMaxPacketSize
        data = os.urandom(4 * size)
        self.assertEqual(dev.write(3, data), len(data))
        self.assertEqual(bytes(dev.read(0x83, len(data))), data)

    def test_timeout_holds_and_loses_nothing(self):
        dev = find(self.backend, 0x303a, 0x4004)
        for wanted in (50, 300):
            start = time.monotonic()
            with self.assertRaises(usb.core.USBTimeoutError) as caught:
                dev.read(0x81, 64, wanted)
            took = (time.monotonic() - start) * 1000
            self.assertEqual(caught.exception.errno, errno.ETIMEDOUT)
            self.assertGreaterEqual(took, wanted - 1)
            self.assertLess(took, wanted + 10000)  # a loaded machine; the C tests are exact
        dev.write(1, b'late')
        self.assertEqual(bytes(dev.read(0x81, 64, 1000 * PATIENCE)), b'late')

    def test_read_blocks_no_write(self):
        dev = find(self.backend, 0x303a, 0x4004)
        got = []
        reader = threading.Thread(target=lambda: got.append(bytes(dev.read(0x81, 64, 1000 * PATIENCE))))
        reader.start()
        self.assertEqual(dev.write(1, b'wake up', 500 * PATIENCE), 7)
        reader.join(PATIENCE)
        self.assertEqual(got, [b'wake up'])

    def test_many_threads(self):
        dev = find(self.backend, 0x303a, 0x4004)
        wrong = []

        def work(number):
            for i in range(200):
                out = bytes(dev.ctrl_transfer(0xc0, 2, number, i, 4))
                if out != bytes((number, 0, i & 255, i >> 8)):
                    wrong.append((number, i, out))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])

    def test_buffers_of_wider_items(self):
        dev = find(self.backend, 0x1209, 3)
        sent = array.array('H', range(100))
        self.assertEqual(dev.write(1, sent), 200)
        room = array.array('H', bytes(200))
        self.assertEqual(dev.read(0x81, room), 200)
        self.assertEqual(room, sent)

    def test_claims(self):
        first = find(self.backend, 0x1209, 3)
        usb.util.claim_interface(first, 0)
        with get_backend('127.0.0.1', self.port) as other:
            second = usb.core.find(backend=other, idVendor=0x1209, idProduct=3)
            with self.assertRaises(usb.core.USBError) as caught:
                usb.util.claim_interface(second, 0)
            self.assertEqual(caught.exception.errno, errno.EBUSY)
            usb.util.dispose_resources(first)
            usb.util.claim_interface(second, 0)

    def test_reset_and_configuration(self):
        dev = find(self.backend, 0x303a, 0x4004)
        dev.reset()
        self.assertEqual(dev.get_active_configuration().bConfigurationValue, 1)
        self.assertFalse(dev.is_kernel_driver_active(0))
        with self.assertRaises(usb.core.USBError):
            dev.detach_kernel_driver(0)


class Faulty(BenchTest):
    """Devices as they should not be."""

    OPTIONS = ('--device', 'faulty')

    def setUp(self):
        self.backend = get_backend('127.0.0.1', self.port)
        self.addCleanup(self.backend.close)
        self.dev = find(self.backend, 0x1209, 6)

    def test_stall_and_clear_halt(self):
        for _ in range(2):
            with self.assertRaises(usb.core.USBError) as caught:
                self.dev.read(0x81, 64)
            self.assertEqual(caught.exception.errno, errno.EPIPE)
            self.assertIn('1209:0006', caught.exception.strerror)
            self.dev.clear_halt(0x81)

    def test_overflow(self):
        with self.assertRaises(usb.core.USBError) as caught:
            self.dev.read(0x83, 64)
        self.assertEqual(caught.exception.errno, errno.EOVERFLOW)

    def test_no_such_endpoint(self):
        with self.assertRaises(usb.core.USBError) as caught:
            self.backend.bulk_read(self.dev._ctx.handle, 0x8f, 0, array.array('B', bytes(8)), 100)
        self.assertEqual(caught.exception.errno, errno.ENOENT)

    def test_close_ends_a_blocked_read(self):
        ended = []

        def read():
            try:
                self.dev.read(0x82, 64, 0)
            except usb.core.USBError as error:
                ended.append(error.errno)

        self.dev.ctrl_transfer(0x80, 6, 0x100, 0, 18)
        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.1)  # so that it is in the read, most times; closing earlier must do as well
        self.backend.close()
        reader.join(PATIENCE)
        self.assertFalse(reader.is_alive())
        self.assertEqual(len(ended), 1)
        self.assertIn(ended[0], (errno.ECANCELED, errno.EBADF))

    def test_interrupt_key(self):
        main = threading.main_thread().ident
        with self.assertRaises(KeyboardInterrupt):
            threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
            self.dev.read(0x82, 64, 0)

    def test_vanishes(self):
        with Bench('--device', 'faulty') as bench, get_backend('127.0.0.1', bench.port) as backend:
            dev = find(backend, 0x1209, 6)
            with self.assertRaises(usb.core.USBError) as caught:
                dev.ctrl_transfer(0x40, 0x10, 0, 0, None)
                dev.read(0x82, 64, 1000 * PATIENCE)
            self.assertIn(caught.exception.errno, (errno.ENODEV, errno.ECONNRESET))


class Ends(BenchTest):
    """Closing, forking, and servers that do not answer."""

    def test_nothing_is_left_of_200_opens(self):
        before = sockets()
        for i in range(200):
            backend = get_backend('127.0.0.1', self.port)
            dev = usb.core.find(backend=backend, idVendor=0x303a)
            dev.ctrl_transfer(0x80, 6, 0x100, 0, 18)
            if i % 2:
                backend.close()
        del dev, backend
        self.assertEqual(sockets(), before)
        self.assertEqual(threading.active_count(), 1)

    def test_no_cycle_holds_a_socket(self):
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        before = sockets()
        dev = usb.core.find(backend=get_backend('127.0.0.1', self.port), idVendor=0x303a)
        dev.ctrl_transfer(0x80, 6, 0x100, 0, 18)
        self.assertEqual(sockets(), before + 1)
        del dev
        self.assertEqual(sockets(), before)

    def test_close_twice(self):
        backend = get_backend('127.0.0.1', self.port)
        dev = usb.core.find(backend=backend, idVendor=0x303a)
        dev.get_active_configuration()
        backend.close()
        backend.close()
        with self.assertRaises(usb.core.USBError) as caught:
            dev.ctrl_transfer(0x80, 6, 0x100, 0, 18)
        self.assertEqual(caught.exception.errno, errno.EBADF)

    def test_a_fork_takes_nothing_away(self):
        with get_backend('127.0.0.1', self.port) as backend:
            dev = find(backend, 0x303a, 0x4004)
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
            self.assertEqual(dev.write(1, b'still here'), 10)
            self.assertEqual(bytes(dev.read(0x81, 64)), b'still here')

    def test_silent_server(self):
        with socket.create_server(('127.0.0.1', 0)) as silent:
            backend = get_backend('127.0.0.1', silent.getsockname()[1], timeout=2)
            start = time.monotonic()
            with self.assertRaises(usb.core.USBTimeoutError):
                usb.core.find(backend=backend)
            took = time.monotonic() - start
            self.assertGreater(took, 1.99)
            self.assertLess(took, 2 + 10)

    def test_nobody_there(self):
        holder, port = kept_port()
        with holder, self.assertRaises(usb.core.USBError) as caught:
            usb.core.find(backend=get_backend('127.0.0.1', int(port)))
        self.assertEqual(caught.exception.errno, errno.ECONNREFUSED)
        self.assertIn(port, caught.exception.strerror)

    def test_bad_address(self):
        with self.assertRaises(usb.core.USBError):
            get_backend('usbip://[::1')
        with self.assertRaises(ValueError):
            os.environ.pop('USBWIRE_HOST', None)
            get_backend()

    def test_library_missing(self):
        out = subprocess.run([sys.executable, '-c', f'import sys; sys.path.insert(0, {sys.path[0]!r})'
                              '\nimport usbip_backend.backend'], capture_output=True, text=True,
                             env={**os.environ, 'USBWIRE_LIBRARY': '/nowhere/libusbwire.so.0'},
                             check=False)
        self.assertNotEqual(out.returncode, 0)
        self.assertIn('/nowhere/libusbwire.so.0: no such file', out.stderr)
        self.assertIn('make', out.stderr)


if __name__ == '__main__':
    unittest.main()
