"""What the tests of unmodified programs share: a simulated bench, `usbwire run`, and TAP."""
import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, 'support'))

PATIENCE = 60  # seconds for anything to happen, on the slowest of machines

# Whoever runs the tests may ignore these (nohup, a job in the background); the programs are not to inherit it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

BUILD = os.path.abspath(sys.argv[1])
USBWIRE = os.path.join(BUILD, 'usbwire')

# Nothing of the person's own configuration counts.
ENV = {k: v for k, v in os.environ.items()
       if not k.startswith(('USBWIRE_', 'LD_')) and k != 'XDG_CONFIG_HOME'}
ENV['HOME'] = '/nonexistent'
ENV['LC_ALL'] = 'C.UTF-8'
# Where what is preloaded is sanitized: its run-time library, which programs have not.
if 'USBWIRE_TEST_RUNTIME' in os.environ:
    ENV['LD_PRELOAD'] = os.environ['USBWIRE_TEST_RUNTIME']
    ENV['ASAN_OPTIONS'] = 'verify_asan_link_order=0:detect_leaks=0:strict_string_checks=1'


class Skip(Exception):
    """The test cannot be done here; the text says why."""


class Bench:
    """`usbwire serve` on a free port; ends with the program, whatever happens."""

    def __init__(self, *devices, options=(), port='0', **more):
        words = [USBWIRE, 'serve', '--port', port, '--until-eof', *options]
        for device in devices:
            words += ['--device', device]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=ENV, **more)
        line = self.process.stdout.readline()
        if not line.startswith('listening on '):
            raise RuntimeError(f'the bench does not start: {line!r}')
        self.address = line.split()[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def run(self, *words, options=('--all',), timeout=PATIENCE, **more):
        """`usbwire run` with these words; what it wrote and its exit code."""
        return subprocess.run([USBWIRE, 'run', '-H', self.address, *options, '--', *words],
                              capture_output=True, text=True, timeout=timeout,
                              env={**ENV, **more.pop('env', {})}, check=False,
                              stdin=subprocess.DEVNULL, **more)

    def start(self, *words, options=('--all',), **more):
        """The same, going on."""
        return subprocess.Popen([USBWIRE, 'run', '-H', self.address, *options, '--', *words],
                                env=ENV, text=True, **more)


def need(*programs):
    """The paths of programs, or Skip."""
    paths = []
    for program in programs:
        folders = ENV.get('PATH', '').split(':') + ['/usr/sbin', '/sbin']
        path = next((os.path.join(f, program) for f in folders
                     if os.access(os.path.join(f, program), os.X_OK)), None)
        if not path:
            raise Skip(f'{program} is not installed')
        paths.append(path)
    return paths if len(paths) > 1 else paths[0]


def need_module(name):
    """The system's Python, if it has the module."""
    python = '/usr/bin/python3'
    if subprocess.run([python, '-c', f'import {name}'], capture_output=True,
                      check=False).returncode:
        raise Skip(f'Python has no module {name}')
    return python


def npm_package(spec):
    """The folder of a package that npm fetches, once a build folder: "usb@2"."""
    name = spec.split('@')[0]
    folder = os.path.join(BUILD, f'node-{name}')
    package = os.path.join(folder, 'node_modules', name)
    if not os.path.isdir(package):
        os.makedirs(folder, exist_ok=True)
        try:
            done = subprocess.run([need('npm'), 'install', '--prefix', folder, '--ignore-scripts',
                                   spec], capture_output=True, timeout=100, check=False)
        except subprocess.TimeoutExpired:
            raise Skip('npm takes too long') from None
        if done.returncode:
            raise Skip(f'npm cannot fetch {spec}')
    return package


def node_usb():
    """A module that contains its own libusb, and that libusb's source."""
    return npm_package('usb@2')


def succeeded(done):
    """The output of a program that must have succeeded."""
    assert done.returncode == 0, \
        f'exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}'
    return done.stdout


@contextlib.contextmanager
def held(bench, *choice):
    """A device, for as long as the block lasts."""
    with subprocess.Popen([USBWIRE, 'hold', '-H', bench.address, *choice], env=ENV,
                          text=True, stdout=subprocess.PIPE) as process:
        try:
            assert 'held until Ctrl-C' in process.stdout.readline()
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def main(module):
    """Runs every test_... function of a module, in the order of the file, as TAP."""
    tests = [(n, f) for n, f in vars(module).items() if n.startswith('test_')]
    failed = 0
    print(f'1..{len(tests)}')
    for number, (name, function) in enumerate(tests, 1):
        started = time.monotonic()
        remark = ''
        try:
            function()
            verdict = 'ok'
        except Skip as reason:
            verdict, remark = 'ok', f' # SKIP {reason}'
        except Exception:  # pylint: disable=broad-except
            verdict = 'not ok'
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f'# {line}')
        print(f'{verdict} {number} - {name[5:]}{remark}')
        print(f'# {time.monotonic() - started:.1f} s', flush=True)
    sys.exit(1 if failed else 0)
