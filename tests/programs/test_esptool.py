"""esptool, unmodified and with its own time-outs, flashes the simulated boards: through the RFC 2217 port, and
through a pseudo-terminal with `usbwire run --tty`. USBWIRE_TEST_ESPTOOL=all: more bytes, networks of 5 and
30 ms, everything twice in a row. The esptool is the one installed, or the source in the folder $ESPTOOL.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

from bench import ENV, USBWIRE, Bench, Skip, main, need, need_module, npm_package
from ports import Port

ALL = os.environ.get('USBWIRE_TEST_ESPTOOL') == 'all'
KIB = 1024
FOLLOW = ('--reconnect', '20')


def find():
    """The command as words, and its environment."""
    python = need_module('serial')
    folder = os.environ.get('ESPTOOL')
    if folder:
        return [python, '-m', 'esptool'], {**ENV, 'PYTHONPATH': folder}
    for name in ('esptool', 'esptool.py'):
        if shutil.which(name):
            return [shutil.which(name)], ENV
    if subprocess.run([python, '-c', 'import esptool'], capture_output=True, check=False).returncode:
        raise Skip('there is no esptool: none is installed, and $ESPTOOL names no folder with its source')
    return [python, '-m', 'esptool'], ENV


class Esptool:
    """One kind of way to a port: `prefix` is what stands before its command."""

    def __init__(self, prefix, port, options):
        self.words, self.env = find()
        self.before = [*prefix, *self.words, '--port', port, *options, '--no-stub']
        told = self.run([*self.words, 'version'])
        self.dash = '-' if told.split()[-1][0] >= '5' else '_'

    def run(self, words):
        done = subprocess.run(words, env=self.env, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=200)
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def __call__(self, command, *words):
        return self.run([*self.before, command.replace('-', self.dash), *words])


def work(esptool, size, back, folder, seed):
    """Identifies, writes with verification by MD5, reads back."""
    data = random.Random(seed).randbytes(size)
    image, read = os.path.join(folder, 'image'), os.path.join(folder, 'read')
    with open(image, 'wb') as f:
        f.write(data)
    assert 'Detected flash size: 4MB' in esptool('flash-id')
    assert 'Hash of data verified' in esptool('write-flash', '0x10000', image)
    esptool('read-flash', '0x10000', str(back), read)
    with open(read, 'rb') as f:
        assert f.read() == data[:back]


def through_both(device, latency, size, back, options=()):
    with tempfile.TemporaryDirectory() as folder, \
            Bench(device, options=['--latency', latency]) as bench:
        with Port(bench, '--rfc2217', '0', *FOLLOW) as where:
            for turn in range(2 if ALL else 1):
                work(Esptool([], where.where, options), size, back, folder, turn)
        run = [USBWIRE, 'run', '--tty', '-H', bench.address, '--wait', '10', *FOLLOW, '--']
        for turn in range(2 if ALL else 1):
            work(Esptool(run, '{tty}', options), size, back, folder, turn + 2)


def test_esp32():
    through_both('cp2102:far=esp32', '0', *((1024 * KIB, 64 * KIB) if ALL else (64 * KIB, 4 * KIB)))


def test_esp32_far_away():
    if not ALL:
        raise Skip('make soak does that')
    for latency in ('5ms', '30ms'):
        through_both('cp2102:far=esp32', latency, 256 * KIB, 16 * KIB)


def test_usb_serial_jtag():
    words, env = find()
    told = subprocess.run([*words, 'version'], env=env, capture_output=True, text=True, check=True).stdout
    how = 'usb-reset' if told.split()[-1][0] >= '5' else 'usb_reset'
    through_both('esp32c3', '0', 64 * KIB, 4 * KIB, ('--before', how))


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
                                  capture_output=True, text=True, check=False, timeout=60)
            assert done.stdout == 'chip ESP32\nflash 1640ef\ndigest agrees\n', done


if __name__ == '__main__':
    main(sys.modules[__name__])
