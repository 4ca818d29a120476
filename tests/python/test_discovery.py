"""Servers found by multicast DNS, on the loopback link."""
import time
import unittest

from bench import PATIENCE, Bench

import usb.core
from usbip_backend import discover_usbip_servers, get_backend


class Discovery(unittest.TestCase):
    def test_found_and_usable(self):
        name = f'Bench of {time.monotonic_ns()}'
        with Bench('--mdns=' + name, '--device', 'esp') as bench:
            found, end = [], time.monotonic() + PATIENCE
            while not found:
                self.assertLess(time.monotonic(), end)
                found = [s for s in discover_usbip_servers(1, 'lo') if s['name'] == name]
            self.assertEqual(len(found), 1)
            server = found[0]
            self.assertEqual(server['port'], bench.port)
            self.assertTrue(server['host'].endswith('.local'))
            self.assertEqual(server['address'], server['addresses'][0])
            self.assertEqual((server['txt']['vid'], server['txt']['pid']), ('303a', '4004'))
            with get_backend(server['address'], server['port']) as backend:
                self.assertIsNotNone(usb.core.find(backend=backend, idVendor=0x303a))

    def test_takes_as_long_as_it_may(self):
        start = time.monotonic()
        discover_usbip_servers(0.5, 'lo')
        took = time.monotonic() - start
        self.assertGreater(took, 0.49)
        self.assertLess(took, 0.5 + 10)

    def test_no_such_link(self):
        with self.assertRaises(usb.core.USBError):
            discover_usbip_servers(0.5, 'nowhere0')


if __name__ == '__main__':
    unittest.main()
