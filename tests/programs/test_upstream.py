"""libusb's own tests and examples, unmodified (tests/support/upstream.py)."""
import os
import subprocess
import sys

from bench import BUILD, ENV, PATIENCE, USBWIRE, Bench, Skip, main, need_module, node_usb, succeeded
from ports import Chip

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
import upstream  # noqa: E402  pylint: disable=wrong-import-position

FOLDER = upstream.folder_of(BUILD)


def build(name):
    try:
        return upstream.program(BUILD, name, node_usb)
    except upstream.Missing as reason:
        raise Skip(str(reason)) from None


def test_listdevs():
    with Bench('loopback', 'keyboard') as bench:
        out = succeeded(bench.run(build('listdevs')))
        assert '1209:0003 (bus 101, device 2) path: 1' in out, out
        assert out.count('1209:') == 2


def test_testlibusb():
    with Bench('loopback', 'keyboard') as bench:
        out = succeeded(bench.run(build('testlibusb'), '-v'))
        assert 'usbwire simulated keyboard' in out, out
        assert out.count('bEndpointAddress') == 7, out


def test_xusb_reads_the_disk():
    program = build('xusb')
    with Bench('disk') as bench:
        out = succeeded(bench.run(program, '-b', 'first-blocks', '1209:0005', cwd=FOLDER))
    assert 'Reading Capacity' in out, out
    with open(os.path.join(FOLDER, 'first-blocks'), 'rb') as f:
        block = f.read()
    assert block[510:512] == b'\x55\xaa' and b'FAT16' in block, block[:64]


def test_xusb_reads_a_keyboard():
    with Bench('keyboard') as bench:
        out = succeeded(bench.run(build('xusb'), '1209:0004'))
        assert 'keyboard-1' in out, out


def test_stress():
    with Bench('loopback', 'keyboard', 'disk') as bench:
        done = bench.run(build('stress'))
        assert 'Passed 4 tests' in done.stdout + done.stderr, done


def test_stress_mt():
    """Eight threads, each with contexts of its own, and twelve fields of every descriptor compared."""
    with Bench('loopback', 'keyboard', 'disk') as bench:
        out = succeeded(bench.run(build('stress_mt')))
        assert 'discovered 3 devices (0 not opened)' in out and ', 0 errors' in out, out


def check_contexts(name):
    """It looks into the contexts that it makes."""
    with Bench('loopback', 'keyboard') as bench:
        done = bench.run(build(name))
        assert done.returncode == 0 and 'Failed 0 tests' in done.stdout + done.stderr, done


def test_set_option():
    check_contexts('set_option')


def test_init_context():
    check_contexts('init_context')


READ_BACK = """
import usb.core
d = usb.core.find(idVendor=0x04b4)
d.default_timeout = 60000
print(bytes(d.ctrl_transfer(0xc0, 0xa0, 0x0100, 0, 4)).hex(), d.ctrl_transfer(0xc0, 0xa0, 0xe600, 0, 1)[0])
"""


def test_fxload():
    """Loads a firmware in Intel's format, and starts it."""
    program = build('fxload')
    firmware = os.path.join(FOLDER, 'firmware.ihx')
    with open(firmware, 'w', encoding='ascii') as f:
        f.write(':04010000DEADBEEFC3\n:00000001FF\n')
    with Bench('loopback', 'fx2') as bench:
        words = [program, '-v', '-t', 'fx2', '-d', '04b4:8613', '-i', firmware]
        script = ' && '.join([' '.join(words), f'{need_module("usb.core")} -c "$1"'])
        out = succeeded(bench.run('sh', '-c', script, 'sh', READ_BACK))
        assert 'deadbeef 0' in out, out


def test_hotplugtest():
    """A device that goes and comes back as another one: both are seen."""
    program = build('hotplugtest')
    with Chip('faulty') as bench:
        env = {**ENV, 'LD_LIBRARY_PATH': os.path.join(BUILD, 'src', 'libusb'),
               'USBWIRE_SERVERS': bench.address, 'USBWIRE_DEVICES': 'all'}
        running = subprocess.Popen(['stdbuf', '-oL', program, '0x1209', '-1'], env=env, stdout=subprocess.PIPE,
                                   text=True)
        try:
            bench.wire.wait('1-1 imported\n')  # it has looked at what is there
            # The device goes in the middle of the request: that fails, and shall.
            done = subprocess.run([USBWIRE, '-H', bench.address, '--wait', str(PATIENCE), 'control',
                                   '--direction', 'out', '--bm-request-type', '0x40',
                                   '--b-request', '0x11'],
                                  env=ENV, capture_output=True, text=True, check=False, timeout=PATIENCE)
            assert done.returncode == 1, done
            out, _ = running.communicate(timeout=PATIENCE)
        finally:
            running.kill()
        assert 'Device detached' in out and 'Device attached: 1209:00b0' in out, out


main(sys.modules[__name__])
