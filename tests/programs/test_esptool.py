"""esptool, unmodified and with its own time-outs, flashes the simulated boards, by its stub and by the loader
in the ROM: through the RFC 2217 port, a pseudo-terminal with `usbwire run --tty`, and pySerial's usbip://.
USBWIRE_TEST_ESPTOOL=all: more bytes, networks of 5 and 30 ms, everything twice in a row. The esptool is
that of Debian's Python, or the source in the folder $ESPTOOL.
"""
import os
import random
import subprocess
import sys
import tempfile

from bench import BUILD, ENV, PATIENCE, USBWIRE, Bench, Skip, main, need, need_module, npm_package
from ports import Port

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ALL = os.environ.get('USBWIRE_TEST_ESPTOOL') == 'all'
KIB = 1024
FOLLOW = ('--reconnect', str(PATIENCE))
# What an installed usbip_backend does at start-up: its .pth is read.
WITH_BACKEND = (f"import runpy, site; site.addsitedir({os.path.join(SOURCE, 'python')!r}); "
                "runpy.run_module('esptool', run_name='__main__', alter_sys=True)")


class Esptool:
    """esptool, as far as it is there."""

    def __init__(self):
        self.env = {**ENV, 'PYTHONPATH': os.environ.get('ESPTOOL', ''),
                    'USBWIRE_LIBRARY': os.path.join(BUILD, 'src/libusbwire.so')}
        self.python = need_module('serial')
        told = subprocess.run([self.python, '-m', 'esptool', 'version'], env=self.env,
                              capture_output=True, text=True, check=False)
        if told.returncode:
            raise Skip('there is no esptool: none is installed, and $ESPTOOL names no folder with its source')
        self.dash = '-' if told.stdout.split()[-1][0] >= '5' else '_'

    def name(self, command):
        """As its version spells it."""
        return command.replace('-', self.dash)

    def run(self, words):
        """What it wrote."""
        done = subprocess.run(words, env=self.env, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=300)
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout


def work(esptool, words, size, back, folder, seed):
    """Identifies, writes with verification by MD5, reads back; `words` say how the port is reached."""
    data = random.Random(seed).randbytes(size)
    image, read = os.path.join(folder, 'image'), os.path.join(folder, 'read')
    with open(image, 'wb') as f:
        f.write(data)
    told = esptool.run([*words, esptool.name('flash-id')])
    assert 'Detected flash size: 4MB' in told
    assert ('Stub flasher running' in told or 'Stub running' in told) == ('--no-stub' not in words), told
    assert 'Hash of data verified' in esptool.run([*words, esptool.name('write-flash'), '0x10000', image])
    esptool.run([*words, esptool.name('read-flash'), '0x10000', str(back), read])
    with open(read, 'rb') as f:
        assert f.read() == data[:back]


def every_way(device, latency, size, back, options=()):
    """As a person calls it; without the stub, through one of the ways."""
    esptool = Esptool()
    options = [esptool.name(o) if o[0] != '-' else o for o in options]
    module = [esptool.python, '-m', 'esptool']
    with tempfile.TemporaryDirectory() as folder, \
            Bench(device, options=['--latency', latency]) as bench:
        run = [USBWIRE, 'run', '--tty', '-H', bench.address, '--wait', str(PATIENCE), *FOLLOW, '--']
        for turn in range(2 if ALL else 1):
            with Port(bench, '--rfc2217', '0', *FOLLOW) as where:
                for loader in ((), ('--no-stub',)):
                    work(esptool, [*module, '--port', where.where, *options, *loader], size, back, folder,
                         turn + len(loader))
            work(esptool, [*run, *module, '--port', '{tty}', *options], size, back, folder, turn + 2)
            url = f'usbip://{bench.address}/1-1?wait={PATIENCE}&reconnect={PATIENCE}'
            work(esptool, [esptool.python, '-c', WITH_BACKEND, '--port', url, *options], size, back, folder,
                 turn + 3)


def test_esp32():
    every_way('cp2102:far=esp32', '0', *((1024 * KIB, 64 * KIB) if ALL else (64 * KIB, 4 * KIB)))


def test_esp32_far_away():
    if not ALL:
        raise Skip('make soak does that')
    for latency in ('5ms', '30ms'):
        every_way('cp2102:far=esp32', latency, 256 * KIB, 16 * KIB)


def test_usb_serial_jtag():
    every_way('esp32c3', '0', 64 * KIB, 4 * KIB, ('--before', 'usb-reset'))


def test_esptool_js():
    """npm's, on what a browser would give it, made of the RFC 2217 port."""
    node, script = need('node'), os.path.join(os.path.dirname(os.path.abspath(__file__)), 'esptool_js.mjs')
    package = npm_package('esptool-js@0.5')
    with tempfile.TemporaryDirectory() as folder, Bench('cp2102:far=esp32') as bench, \
            Port(bench, '--rfc2217', '0') as where:
        host, port = where.place
        for turn in range(2):
            image = os.path.join(folder, 'image')
            with open(image, 'wb') as f:
                f.write(random.Random(turn).randbytes(70000))
            done = subprocess.run([node, script, package, host, str(port), image, '0x10000'], env=ENV,
                                  capture_output=True, text=True, check=False, timeout=2 * PATIENCE)
            assert done.stdout == 'chip ESP32, stub\nflash 1640ef\ndigest agrees\nread back\n', done


if __name__ == '__main__':
    main(sys.modules[__name__])
