"""What tests of programs share: the simulated bench as a process, running things, TAP.

A test is a function decorated with @test that takes a Lab; a file of them ends with
`main(__name__)` and is run with the build directory as its argument, and words to select by.
"""
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

PATIENCE = 60  # seconds until a program that should have ended counts as hanging

# Whoever runs the tests may ignore these (nohup, a job in the background); the programs are not to inherit it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

_tests = []


class Failure(Exception):
    """A test's expectation was not met."""


def expect(condition, *what):
    """Fails the test unless `condition`; `what` is shown."""
    if not condition:
        raise Failure('\n'.join(str(w) for w in what))


def expect_equal(found, wanted, *what):
    """Fails the test unless both are equal."""
    if found != wanted:
        raise Failure('\n'.join([*(str(w) for w in what), f'found:  {found!r}',
                                 f'wanted: {wanted!r}']))


class Output:
    """What a program did."""

    def __init__(self, command, status, out, err):
        self.command, self.status, self.out = command, status, out
        self.text = out.decode(errors='replace')
        self.errors = err.decode(errors='replace')

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f'$ {" ".join(self.command)}\n{self.text[-3000:]}{self.errors[-3000:]}' \
               f'-- status {self.status}'


class Bench:
    """`usbwire serve` on a free port; ends with the context or with this process."""

    def __init__(self, lab, *options, port=0):
        self.lab = lab
        self.process = lab.start('serve', '--json', '--port', str(port), '--until-eof', *options,
                                 stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        expect(line, 'the simulated bench did not start', options)
        told = json.loads(line)
        self.port, self.devices = told['port'], told['devices']
        self.host = f'[{told["address"]}]:{self.port}' if ':' in told['address'] else \
            f'{told["address"]}:{self.port}'

    def busid(self, name):
        """Of the device with this name; there has to be one."""
        return next(d['busid'] for d in self.devices if d['name'] == name)

    def __call__(self, *arguments, **options):
        """Runs the command against this bench."""
        return self.lab.usbwire(*arguments, host=self.host, **options)

    def start(self, *arguments, **options):
        """Starts the command against this bench: a Popen."""
        return self.lab.start(*arguments, host=self.host, **options)

    def stop(self):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        expect_equal(status, 0, 'the simulated bench ended badly')


class Lab:
    """The build, a folder for files, and programs that are run in an environment of their own."""

    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.command = os.path.join(build, 'usbwire')
        self.root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith('USBWIRE_')}
        self.environment.update(LC_ALL='C', TERM='dumb')

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        """A file with this content; its path."""
        with open(self.path(name), 'wb') as file:
            file.write(data)
        return self.path(name)

    def _environment(self, host, environment):
        own = {'USBWIRE_HOST': host} if host else {}
        return {**self.environment, **own, **(environment or {})}

    def run(self, *command, status=0, stdin=b'', host=None, environment=None, cwd=None,
            patience=PATIENCE):
        """Runs a program to its end: an Output. `status`: the one expected, None: any."""
        try:
            done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=patience, check=False, cwd=cwd,
                                  env=self._environment(host, environment))
        except subprocess.TimeoutExpired as late:
            raise Failure(f'{" ".join(command)} hangs') from late
        output = Output(command, done.returncode, done.stdout, done.stderr)
        expect(status in (None, output.status), f'status {status} expected:', output)
        return output

    def usbwire(self, *arguments, **options):
        return self.run(self.command, *arguments, **options)

    def start(self, *arguments, host=None, environment=None, **options):
        """Starts the command with a pipe as its standard input: a Popen."""
        return subprocess.Popen([self.command, *arguments],
                                env=self._environment(host, environment),
                                **{'stdin': subprocess.PIPE, **options})

    @contextlib.contextmanager
    def bench(self, *options, **more):
        bench = Bench(self, *options, **more)
        try:
            yield bench
        finally:
            bench.stop()


def test(function):
    """Decorator: the function is a test."""
    _tests.append(function)
    return function


def _comment(text):
    print(''.join(f'# {line}\n' for line in text.splitlines()), end='')


def _run_one(function, build):
    """None, or what went wrong."""
    with tempfile.TemporaryDirectory(prefix='usbwire-test-') as folder:
        try:
            function(Lab(build, folder))
        except Failure as failure:
            return str(failure)
        except Exception:  # pylint: disable=broad-exception-caught
            return traceback.format_exc()
    return None


def main(module):
    """Runs the tests of the file that calls it, if that is the program."""
    if module != '__main__':
        return
    build, words = os.path.abspath(sys.argv[1]), sys.argv[2:]
    chosen = [t for t in _tests if all(w in t.__name__ for w in words)]
    failed = 0
    print(f'1..{len(chosen)}', flush=True)
    for number, function in enumerate(chosen, 1):
        start = time.monotonic()
        problem = _run_one(function, build)
        failed += problem is not None
        print(f'{"ok" if problem is None else "not ok"} {number} - '
              f'{function.__name__.replace("_", " ")}')
        _comment(problem or '')
        print(f'# {time.monotonic() - start:.1f} s', flush=True)
    sys.exit(1 if failed else 0)
