"""Boards that leave the bus when they reset, and come back, perhaps as another product: `usbwire serial`
and `usbwire run --tty` follow them, and the program keeps its port. Debian's interpreter runs this."""
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time

from bench import ENV, PATIENCE, USBWIRE, Bench, main, need_module, succeeded
from ports import Port, open_port, sees
from test_serial import Loader

FOLLOW = ('--reconnect', str(PATIENCE))


def reset_usb_jtag(port):
    """The row of moves that esptool makes for a USB-Serial-JTAG: past "both", not past "neither"."""
    port.rts = False
    port.dtr = False
    time.sleep(0.1)
    port.dtr = True
    port.rts = False
    time.sleep(0.1)
    port.rts = True
    port.dtr = False
    port.rts = True
    time.sleep(0.1)
    port.dtr = False
    port.rts = False


def leaves_the_loader(port):
    port.rts = True
    time.sleep(0.1)
    port.rts = False
    sees(port, b'hello\r\n')


def flash_esp32c3(port, seed):
    data = random.Random(seed).randbytes(50000)
    loader = Loader(port)
    reset_usb_jtag(port)
    sees(port, b'waiting for download\r\n')
    loader.sync()
    assert loader.register(0x40001000) == 0x6921506f
    assert loader.register(0x3fcdf07c) == 3
    assert loader.ask(0x14, b'')[1][12:16] == b'\5\0\0\0'
    loader.write_register(0x60002020, 0x9f)
    loader.write_register(0x60002000, 1 << 18)
    assert loader.register(0x60002058) == 0x001640ef
    loader.flash(0x10000, data)
    assert loader.md5(0x10000, len(data)) == hashlib.md5(data).hexdigest()
    leaves_the_loader(port)
    port.write(b'echo')
    assert port.read(4) == b'echo'


def test_usb_serial_jtag_through_rfc2217():
    with Bench('esp32c3') as bench, Port(bench, '--rfc2217', '0', *FOLLOW) as where:
        with open_port(where.where) as p:
            flash_esp32c3(p, 1)
            flash_esp32c3(p, 2)


def test_usb_serial_jtag_far_away():
    with Bench('esp32c3', options=['--latency', '30ms']) as bench, \
            Port(bench, '--rfc2217', '0', *FOLLOW) as where:
        with open_port(where.where) as p:
            for _ in range(2):
                reset_usb_jtag(p)
                sees(p, b'waiting for download\r\n')
                leaves_the_loader(p)


# The same through the pseudo-terminal, in a process that sees its lines.
IN_PROCESS = '''
import sys
sys.argv[1:] = [sys.argv[2], sys.argv[1], *sys.argv[3:]]
sys.path.insert(0, sys.argv[3])
import test_boards
with test_boards.open_port(sys.argv[2]) as port:
    test_boards.flash_esp32c3(port, 1)
    test_boards.flash_esp32c3(port, 2)
'''


def test_usb_serial_jtag_through_a_pseudo_terminal():
    python = need_module('serial')
    with Bench('esp32c3') as bench:
        succeeded(bench.run(python, '-c', IN_PROCESS, '{tty}', sys.argv[1], os.path.dirname(__file__),
                            options=('--tty', *FOLLOW)))


def test_opening_and_both_lines_reset_nothing():
    with Bench('esp32c3') as bench:
        for _ in range(2):
            with Port(bench, '--rfc2217', '0') as where, open_port(where.where) as p:
                p.write(b'still the same run')
                assert p.read(18) == b'still the same run'
                p.dtr = True
                p.rts = True
                p.write(b'and now')
                assert p.read(7) == b'and now'


def test_a_reset_without_reconnect_ends_with_the_reason():
    with Bench('esp32c3') as bench:
        port = Port(bench, '--rfc2217', '0')
        with port, open_port(port.where) as p:
            p.dtr = False  # RTS is set, so that is a reset
            assert port.process.wait(PATIENCE) == 1
    assert 'gone' in port.errors and 'starting anew' in port.errors, port.errors


def touch(port):
    port.baudrate = 1200
    port.dtr = False


def test_a_bootloader_with_other_numbers():
    for face in ('--rfc2217', '--pty'):
        with tempfile.TemporaryDirectory() as folder, Bench('acm-echo:touch1200=1') as bench:
            place = '0' if face == '--rfc2217' else os.path.join(folder, 'tty')
            with Port(bench, face, place, '--dtr', '1', *FOLLOW) as where:
                if face == '--rfc2217':
                    with open_port(where.where) as p:
                        touch(p)
                        where.said('back after')
                        p.baudrate = 115200
                        p.write(b'from the loader')
                        assert p.read(15) == b'from the loader'
                else:
                    words = [USBWIRE, 'run', '--tty', '--', need_module('serial'), '-c',
                             'import serial, sys\n'
                             f'with serial.Serial(sys.argv[1], 1200, timeout={PATIENCE}) as p:\n'
                             '    p.dtr = False\n'
                             '    sys.stdin.readline()\n'
                             '    p.baudrate = 115200\n'
                             '    p.write(b"from the loader")\n'
                             '    assert p.read(15) == b"from the loader"\n', where.where]
                    with subprocess.Popen(words, env=ENV, stdin=subprocess.PIPE, text=True) as run:
                        where.said('back after')
                        run.communicate('go\n', timeout=PATIENCE)
                        assert run.returncode == 0
                done = subprocess.run([USBWIRE, 'list', '-H', bench.address], env=ENV,
                                      capture_output=True, text=True, check=True, timeout=PATIENCE)
                assert '1209:00b1' in done.stdout, done.stdout


def test_a_bootloader_without_reconnect():
    with Bench('acm-echo:touch1200=1') as bench:
        port = Port(bench, '--rfc2217', '0')
        with port, open_port(port.where) as p:
            touch(p)
            assert port.process.wait(PATIENCE) == 1
    assert 'gone' in port.errors, port.errors


if __name__ == '__main__':
    main(sys.modules[__name__])
