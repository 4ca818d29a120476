"""Programs of Debian, unmodified, on the simulated bench."""
import contextlib
import filecmp
import functools
import os
import re
import subprocess
import sys
import tempfile
import time

from bench import BUILD, ENV, PATIENCE, Bench, Skip, main, need, need_module, node_usb, succeeded


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


def test_dfu_util():
    """Up, down and up again: the bytes are the same."""
    dfu = need('dfu-util')
    with Bench('loopback') as bench:
        assert 'Found DFU' not in succeeded(bench.run(dfu, '-l'))
    with Bench('dfu', 'loopback') as bench, tempfile.TemporaryDirectory() as scratch:
        firmware, back = os.path.join(scratch, 'firmware'), os.path.join(scratch, 'back')
        out = succeeded(bench.run(dfu, '-l'))
        assert 'name="flash", serial="dfu-1"' in out and 'path="101-1"' in out, out
        with open(firmware, 'wb') as f:
            f.write(bytes((i * i) & 255 for i in range(20001)))
        assert 'Done!' in succeeded(bench.run(dfu, '-a', 'RAM', '-D', firmware))
        succeeded(bench.run(dfu, '-a', 'RAM', '-U', back))
        assert filecmp.cmp(firmware, back, shallow=False)
        succeeded(bench.run(dfu, '-a', 'flash', '-U', back + '2'))
        assert os.path.getsize(back + '2') == 5000


def dfu_update(run, dfu, scratch, serial=()):
    """From the application into the loader, and the firmware down: one program, two devices."""
    firmware = os.path.join(scratch, 'firmware')
    with open(firmware, 'wb') as f:
        f.write(bytes((i * i) & 255 for i in range(20001)))
    out = succeeded(run(dfu, '-E', '1', *serial, '-a', 'RAM', '-D', firmware))
    assert 'Device really in Run-Time Mode' in out and 'Device will detach' in out, out
    assert 'Device ID 1209:0007' in out or 'dfuIDLE' in out, out
    assert 'Done!' in out, out
    return firmware


def test_dfu_util_from_the_application():
    """The device leaves the bus and comes back as another, at the same place or at another one; the
    loader stays one between two programs only because the import never ends."""
    dfu = need('dfu-util')
    for where in ('stays', 'moves'):
        with Bench(f'dfu:runtime={where}', 'loopback') as bench, \
                tempfile.TemporaryDirectory() as scratch:
            back = os.path.join(scratch, 'back')
            script = '"$0" -E 1 -a RAM -D "$1" && "$0" -a RAM -U "$2" && "$0" -l'
            firmware = dfu_update(lambda *w: bench.run(*w, options=('-b', '1-1')), dfu, scratch)
            # The end of the first run was the loader's way back.
            done = bench.run('sh', '-c', script, dfu, firmware, back,
                             options=('--serial', 'dfu-1', '--wait', str(PATIENCE)))
            out = succeeded(done)
            assert filecmp.cmp(firmware, back, shallow=False)
            assert out.count('Found DFU: [1209:0007]') == 2, out  # two alternate settings
            assert done.stderr.count('shared again') == 1, done.stderr


def test_dfu_util_from_the_application_without_run():
    """The drop-in by itself, by a place or numbers that it does not keep."""
    dfu = need('dfu-util')
    for where in ('stays', 'moves'):
        for chosen in ('1-1', '1209:0017'):
            with Bench(f'dfu:runtime={where}', 'loopback') as bench, \
                    tempfile.TemporaryDirectory() as scratch:
                direct = {**ENV, 'LD_LIBRARY_PATH': os.path.join(BUILD, 'src', 'libusb'),
                          'USBWIRE_SERVERS': bench.address, 'USBWIRE_DEVICES': chosen}
                dfu_update(lambda *w, e=direct: subprocess.run(w, env=e, capture_output=True,
                                                               text=True, check=False), dfu, scratch)


def test_openocd():
    words = ['adapter driver cmsis-dap', 'cmsis_dap_backend usb_bulk',
             'cmsis_dap_vid_pid 0x1209 0x0008', 'transport select swd', 'adapter speed 1000',
             'swd newdap chip cpu -expected-id 0', 'dap create chip.dap -chain-position chip.cpu',
             'init', 'shutdown']
    with Bench('loopback', 'cmsis-dap') as bench:
        done = bench.run(need('openocd'), *[w for word in words for w in ('-c', word)])
        assert 'CMSIS-DAP: FW Version = 2.1.0' in done.stderr, done
        assert 'Interface ready' in done.stderr, done


def test_avrdude():
    """Through libusb 0.1."""
    avrdude = need('avrdude')
    with Bench('usbasp') as bench, tempfile.TemporaryDirectory() as scratch:
        words = [avrdude, '-c', 'usbasp', '-p', 'm328p']
        done = bench.run(*words)
        assert '0x1e950f' in done.stderr, done
        firmware = os.path.join(scratch, 'firmware.bin')
        with open(firmware, 'wb') as f:
            f.write(bytes((i * 3) & 255 for i in range(1000)))
        done = bench.run(*words, '-U', f'flash:w:{firmware}:r')
        succeeded(done)
        assert '1000 bytes of flash verified' in done.stderr, done


def test_sigrok():
    with Bench('loopback', 'ft2232h') as bench:
        out = succeeded(bench.run(need('sigrok-cli'), '--scan'))
        assert 'FTDI FT2232H' in out, out


def test_libftdi():
    """What is written comes back, by libftdi's ordinary calls and through its stream of asynchronous
    transfers."""
    program = os.path.join(BUILD, 'tests/programs/programs_ftdi')
    if not os.path.exists(program):
        raise Skip('libftdi1-dev was not there when this was configured')
    with Bench('ft232r', 'ft232h') as bench:
        for words in (['0403', '6001', '50000'], ['0403', '6014', '500000', 'stream']):
            out = succeeded(bench.run(program, *words))
            assert 'EEPROM read' in out and f'{words[2]} bytes, checksum ' in out, out


HIDAPI = '''#include <hidapi/hidapi.h>
#include <stdio.h>
int main(void)
{
    struct hid_device_info *l = hid_enumerate(0x1209, 4);
    hid_device *d = hid_open(0x1209, 4, NULL);
    unsigned char report[8];
    if (!l || !d || printf("%ls\\n", l->product_string) < 0)
        return 1;
    for (int i = 0; i < 4; i++)
        if (hid_read_timeout(d, report, 8, 60000) == 8)
            printf("%02x\\n", report[2]);
    hid_close(d);
    hid_free_enumeration(l);
    return hid_exit();
}
'''


def check_hidapi(flavour, options):
    with Bench('keyboard:type=ab') as bench, tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, 'program')
        done = subprocess.run(['gcc', '-o', program, '-x', 'c', '-', f'-lhidapi-{flavour}'],
                              input=HIDAPI, text=True, capture_output=True, check=False)
        if done.returncode:
            raise Skip(f'no hidapi-{flavour}')
        out = succeeded(bench.run(program, options=['--all', *options]))
        assert out.split('\n')[:5] == ['usbwire simulated keyboard', '04', '00', '05', '00'], out


def test_hidapi():
    check_hidapi('libusb', [])


def test_hidapi_made_for_hidraw():
    check_hidapi('hidraw', ['--hid'])


NODE = '''
const usb = require('usb');
const d = usb.findByIds(0x1209, 3);
d.open();
const i = d.interface(0);
i.claim();
i.endpoint(0x01).transfer(Buffer.from('hello'), (e) => {
    i.endpoint(0x81).transfer(64, (e2, data) => {
        console.log(usb.getDeviceList().length, e, e2, data.toString());
        i.release(() => d.close());
    });
});
'''


def test_node():
    """node-usb brings a libusb of its own, statically linked into its module."""
    node, package = need('node'), node_usb()
    with Bench('loopback', 'keyboard') as bench:
        out = succeeded(bench.run(node, '-e', NODE, cwd=package))
        assert out.strip() == '2 undefined undefined hello', out


# Others that look for their devices and find them, or say that they are not there: devices, words,
# exit code, what is said.
ROWS = {
    'usb_modeswitch': (['disk'], ['usb_modeswitch', '-v', '1209', '-p', '0005', '-K'], 0,
                       'Trying to send message 3 to endpoint 0x01 ...\n OK, message successfully sent\n'
                       'Read the response to message 3 (CSW) ...\n'
                       ' Response successfully read (13 bytes), status 0\n'),
    'sane_find_scanner': (['loopback'], ['sane-find-scanner'], 0,
                          'found possible USB scanner (vendor=0x1209 [usbwire], product=0x0003 [usbwire '
                          'simulated loopback]) at libusb:101:002'),
    'cups': (['loopback', 'keyboard'], ['/usr/lib/cups/backend-available/usb'], 0, 'libusb_get_device_list=2\n'),
    'flashrom': (['ft232h'], ['flashrom', '-p', 'ft2232_spi:type=232H'], 0, 'No operations were specified.'),
    'flashrom_without': (['loopback'], ['flashrom', '-p', 'ft2232_spi:type=232H'], 1,
                         'Unable to open FTDI device: -3 (device not found)'),
    'stlink': (['loopback'], ['st-info', '--probe'], 0, 'Found 0 stlink programmers'),
    'rtl_sdr': (['loopback'], ['rtl_test', '-t'], 1, 'No supported devices found.'),
    'hackrf': (['loopback'], ['hackrf_info'], 1, 'No HackRF boards found.'),
}


def check_row(devices, words, code, said):
    with Bench(*devices) as bench:
        done = bench.run(need(words[0]), *words[1:])
        assert done.returncode == code and said in done.stdout + done.stderr, done


for row in ROWS.items():
    globals()['test_' + row[0]] = functools.partial(check_row, *row[1])


FTDI1 = '''
import ftdi1
c = ftdi1.new()
assert ftdi1.usb_open(c, 0x0403, 0x6001) == 0, ftdi1.get_error_string(c)
assert ftdi1.set_baudrate(c, 115200) == 0
assert ftdi1.write_data(c, b'hello') == 5
found = b''
while len(found) < 5:
    n, data = ftdi1.read_data(c, 64)
    assert n >= 0, ftdi1.get_error_string(c)
    found += bytes(data[:n])
assert found == b'hello', found
assert ftdi1.usb_close(c) == 0
'''


def test_python_ftdi1():
    with Bench('ft232r') as bench:
        succeeded(bench.run(need_module('ftdi1'), '-c', FTDI1))


def ask(guest, question):
    """What an emulator's monitor answers. Its version ends the answer."""
    guest.stdin.write(f'{question}\ninfo version\n')
    guest.stdin.flush()
    answer, line = '', ''
    while not re.match(r'\d+\.\d+', line):
        line = guest.stdout.readline()
        assert line, 'the emulator has ended'
        answer += line
    return answer


def wait_for_usb(guest, wanted):
    until = time.monotonic() + PATIENCE
    while wanted not in (answer := ask(guest, 'info usb')):
        assert time.monotonic() < until, answer


@contextlib.contextmanager
def emulator(start, *devices):
    """QEMU with a monitor on its standard input, no guest, and these devices; `start` starts it."""
    guest = start(need('qemu-system-x86_64'), '-nodefaults', '-display', 'none', '-device', 'qemu-xhci',
                  *devices, '-monitor', 'stdio', stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield guest
    finally:
        guest.stdin.close()
        guest.terminate()
        guest.wait(PATIENCE)
        guest.stdout.close()


def test_qemu_usb_host():
    """A remote device in a guest of an emulator that knows nothing of networks."""
    with Bench('keyboard', 'loopback') as bench, \
            emulator(bench.start, '-device', 'usb-host,vendorid=0x1209,productid=0x0003') as guest:
        wait_for_usb(guest, 'Speed 480 Mb/s, Product usbwire simulated loopback')


def test_usbredirect():
    """It gives away over another protocol what it got over this one; QEMU is at the other end."""
    def start(*words, **more):
        return subprocess.Popen(words, env=ENV, text=True, **more)

    program = need('usbredirect')
    line = 'socket,id=redir,host=127.0.0.1,port=0,server=on,wait=off'
    with Bench('keyboard', 'loopback') as bench, \
            emulator(start, '-chardev', line, '-device', 'usb-redir,chardev=redir') as guest:
        port = re.search(r'tcp:(127\.0\.0\.1:\d+)', ask(guest, 'info chardev')).group(1)
        giver = bench.start(program, '--device', '1209:0003', '--to', port)
        try:
            wait_for_usb(guest, 'Speed 480 Mb/s, Product USB Redirection Device')
        finally:
            giver.terminate()
            giver.wait(PATIENCE)


PYUSB = '''
import array, errno, usb.core, usb.util
d = usb.core.find(idVendor=0x1209, idProduct=3)
d.default_timeout = 60000
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
