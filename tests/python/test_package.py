"""The package, installed each way it can be, in an environment of its own: found with its library,
with the commands, and by pySerial without being asked."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from bench import SOURCE, Bench

# What a program does that knows nothing of us but the package's name.
PROGRAM = '''
import sys
import serial.urlhandler.protocol_usbip as handler
import usb.core, usb.util
from usbip_backend import get_backend
from usbip_backend.pcap import PcapWriter
from usbip_backend.syslog import SyslogReceiver
with get_backend("127.0.0.1", int(sys.argv[1])) as backend:
    device = usb.core.find(backend=backend, idVendor=0x303a)
    print(usb.util.get_string(device, device.iProduct), handler.Serial.__name__)
'''


@unittest.skipUnless(shutil.which('meson') and shutil.which('ninja'), 'meson is not installed')
class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.bench = Bench('--device', 'esp')
        # A copy: a build leaves things behind.
        cls.source = os.path.join(cls.folder.name, 'source')
        shutil.copytree(SOURCE, cls.source, ignore=shutil.ignore_patterns(
            'build*', '.git', '*.egg-info', '__pycache__', 'tests', 'fuzz'))

    @classmethod
    def tearDownClass(cls):
        cls.bench.close()
        cls.folder.cleanup()

    def setUp(self):
        self.env = {k: v for k, v in os.environ.items() if k not in ('USBWIRE_LIBRARY', 'PYTHONPATH')}
        self.place = os.path.join(self.folder.name, self.id().rsplit('.', 1)[-1])

    def run_in(self, *command):
        """Runs a command away from the sources; its output."""
        out = subprocess.run(command, env=self.env, cwd='/', stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(out.returncode, 0, out.stdout)
        return out.stdout

    def check(self, bindir, python):
        """Everything is there and works."""
        self.assertEqual(self.run_in(python, '-c', PROGRAM, str(self.bench.port)),
                         'usbwire simulated ESP board Serial\n')
        command = os.path.join(bindir, 'usbip-pyusb-test')
        listed = self.run_in(command, '--host', f'127.0.0.1:{self.bench.port}', 'list')
        self.assertIn('303a:4004', listed)

    def pip(self, *options):
        """An environment with the package installed by pip."""
        self.run_in(sys.executable, '-m', 'venv', '--system-site-packages', self.place)
        bindir = os.path.join(self.place, 'bin')
        python = os.path.join(bindir, 'python')
        self.run_in(python, '-m', 'pip', 'install', '--no-build-isolation', '--no-deps',
                    '--no-index', *options, self.source)
        self.check(bindir, python)
        self.run_in(python, '-m', 'pip', 'uninstall', '-y', 'usbip-backend')
        self.assertEqual(self.run_in(python, '-c', 'import importlib.util\n'
                                     'print(importlib.util.find_spec("usbip_backend"))'), 'None\n')

    def test_pip(self):
        self.pip()

    def test_pip_editable(self):
        self.pip('-e')

    def test_meson(self):
        build = os.path.join(self.place, 'build')
        self.run_in('meson', 'setup', build, self.source, '-Dtests=disabled',
                    f'-Dpython={sys.executable}', f'--prefix={self.place}')
        self.run_in('meson', 'install', '-C', build, '--quiet')
        found = [folder for folder, _, names in os.walk(os.path.join(self.place, 'lib'))
                 if 'usbip_backend.pth' in names]
        self.assertEqual(len(found), 1)
        # site.addsitedir reads .pth files as Python does at its start for its own folders.
        wrapper = os.path.join(self.place, 'python')
        with open(wrapper, 'w', encoding='utf-8') as f:
            f.write(f'#!{sys.executable}\nimport site, sys\nsite.addsitedir({found[0]!r})\n'
                    'sys.argv = sys.argv[2:]\nexec(compile(sys.argv[0], "x", "exec"))\n')
        os.chmod(wrapper, 0o700)
        self.check(os.path.join(self.place, 'bin'), wrapper)


if __name__ == '__main__':
    unittest.main()
