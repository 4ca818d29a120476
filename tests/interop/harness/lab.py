"""What a test works with: the guest, the command, the test programs, a folder."""
import json
import os
import subprocess


class Failure(Exception):
    """A test's expectation was not met."""


class Output:
    """What a program on this machine did."""

    def __init__(self, command, status, out, err):
        self.command, self.status, self.out, self.err = command, status, out, err

    @property
    def text(self):
        return self.out.decode(errors='replace')

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return (f'{" ".join(self.command)}\nstatus {self.status}\n{self.text[-2000:]}'
                f'{self.err.decode(errors="replace")[-2000:]}')


class Lab:
    """One guest and the means to try the product on it."""

    def __init__(self, guest, build, folder):
        self.guest, self.build, self.folder = guest, build, folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith('USBWIRE_')}

    @property
    def address(self):
        """Where the guest's usbipd is reached from here."""
        return f'127.0.0.1:{self.guest.usbip_port}'

    def path(self, name):
        """A file of this run."""
        return os.path.join(self.folder, name)

    def run(self, *command, stdin=b'', timeout=60, check=0, environment=None):
        """Runs a program here; its Output. `check`: the expected status, None: any."""
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, check=False,
                              env={**self.environment, **(environment or {})})
        output = Output(command, done.returncode, done.stdout, done.stderr)
        if check is not None and output.status != check:
            raise Failure(f'status {check} expected: {output}')
        return output

    def start(self, *command, **options):
        """Starts a program here, with pipes; a Popen, to be used as a context manager."""
        options = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE,
                   'stderr': subprocess.PIPE, **options}
        return subprocess.Popen(command, env=self.environment, **options)

    @property
    def command(self):
        """build/usbwire with the guest's address."""
        return [os.path.join(self.build, 'usbwire'), '-H', self.address]

    def usbwire(self, *arguments, **options):
        """Runs the command against the guest's server."""
        return self.run(*self.command, *arguments, **options)

    def program(self, name, *arguments, **options):
        """Runs a test program of programs/ with the guest's address as its first argument."""
        return self.run(os.path.join(self.build, 'tests/interop', 'interop_' + name), self.address,
                        *arguments, **options)


def expect(condition, *what):
    """Fails the test unless `condition`; `what` is shown."""
    if not condition:
        raise Failure('\n'.join(str(w) for w in what))


def expect_equal(found, wanted, what=''):
    if found != wanted:
        raise Failure(f'{what}\n  found  {_short(found)}\n  wanted {_short(wanted)}')


def _short(value):
    text = repr(value)
    return text if len(text) < 1500 else text[:1500] + '...'
