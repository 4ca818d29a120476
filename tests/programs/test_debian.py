"""Programs of Debian, unmodified, on the simulated bench."""
import sys

from bench import Bench, main, need, need_module, succeeded


def test_lsusb():
    with Bench('loopback', 'disk') as bench:
        out = succeeded(bench.run(need('lsusb'), '-v', '-d', '1209:0005'))
        for line in ('idVendor           0x1209', 'wMaxPacketSize     0x0200  1x 512 bytes',
                     'bInterfaceProtocol     80', 'bEndpointAddress     0x81  EP 1 IN'):
            assert line in out, f'{line!r} is not in {out}'
        assert '1209:0003' not in out


def test_usbhid_dump():
    with Bench('keyboard') as bench:
        out = succeeded(bench.run(need('usbhid-dump'), '-e', 'descriptor'))
        assert '05 01 09 06 A1 01' in out, out  # usage page Generic Desktop, Keyboard, Application


def test_dfu_util_lists_nothing():
    with Bench('loopback') as bench:
        out = succeeded(bench.run(need('dfu-util'), '-l'))
        assert 'Found DFU' not in out, out


PYUSB = '''
import array, errno, usb.core, usb.util
d = usb.core.find(idVendor=0x1209, idProduct=3)
assert usb.util.get_string(d, d.iProduct) == 'usbwire simulated loopback'
d.set_configuration()
usb.util.claim_interface(d, 0)
assert d.ctrl_transfer(0x80, 6, 0x100, 0, 18)[0] == 18
data = array.array('B', [i & 255 for i in range(5000)])
assert d.write(0x01, data) == 5000
assert d.read(0x81, 5000) == data
try:
    d.read(0x81, 64, 50)
    raise SystemExit('no timeout')
except usb.core.USBError as e:
    assert e.errno == errno.ETIMEDOUT, e
d.write(0x01, b'late')
assert bytes(d.read(0x81, 64)) == b'late'
assert d.write(0x02, b'intr') == 4 and bytes(d.read(0x82, 64)) == b'intr'
usb.util.claim_interface(d, 1)
d.set_interface_altsetting(1, 1)
assert d.write(0x03, bytes(range(100))) == 100
assert bytes(d.read(0x83, 100))[:100] == bytes(range(100))
d.clear_halt(0x81)
d.reset()
usb.util.dispose_resources(d)
'''


def test_pyusb():
    with Bench('loopback', 'disk') as bench:
        succeeded(bench.run(need_module('usb.core'), '-c', PYUSB))


def test_python_libusb1():
    with Bench('loopback', 'keyboard', 'disk') as bench:
        done = bench.run(need_module('usb1'), '-m', 'usb1.testUSB1')
        succeeded(done)
        assert 'OK' in done.stderr and 'Ran 1' in done.stderr, done.stderr


main(sys.modules[__name__])
