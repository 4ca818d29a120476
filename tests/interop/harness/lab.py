"""What a test works with: the guest, the command, the test programs, a folder."""
import json
import os
import signal
import subprocess
import threading


BUSY, ABSENT = 5, 4  # exit codes of the command
PATIENCE = 60        # seconds for anything to happen, on the slowest of machines


class Failure(Exception):
    """A test's expectation was not met."""


class Skip(Exception):
    """A test cannot be done here; the text says why."""


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
        self.renew = False  # golden files are to be written, not to be compared with
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith('USBWIRE_')}

    def ready(self, text):
        """The guest is set up; `text` is what its script printed."""

    @property
    def address(self):
        """Where the guest's usbipd is reached from here."""
        return f'127.0.0.1:{self.guest.usbip_port}'

    def path(self, name):
        """A file of this run."""
        return os.path.join(self.folder, name)

    def run(self, *command, stdin=b'', timeout=2 * PATIENCE, check=0, environment=None, cwd=None):
        """Runs a program here; its Output. `check`: the expected status, None: any."""
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, check=False, cwd=cwd,
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
        """Runs the command against the guest's server. It waits for a device that was given back a
        moment ago and is still being reset, unless it is to find it busy or absent."""
        if '--busid' in arguments and '--wait' not in arguments and \
                options.get('check', 0) not in (BUSY, ABSENT):
            arguments += ('--wait', str(PATIENCE))
        return self.run(*self.command, *arguments, **options)

    def through(self, busids, *command, **options):
        """Runs a program that uses libusb, with these devices for it to see; all of them when none
        is named."""
        chosen = [word for busid in busids for word in ('--busid', busid)] or ['--all']
        return self.run(*self.command, 'run', '--wait', str(PATIENCE), *chosen, '--', *command,
                        **options)

    def reading(self, busid, endpoint, *arguments):
        """A Reading: `usbwire read`, its transfers posted at the server."""
        return Reading(self, busid, endpoint, arguments)

    def program_path(self, name):
        """A test program of programs/."""
        return os.path.join(self.build, 'tests/interop/programs/interop_' + name)

    def program(self, name, *arguments, **options):
        """Runs one with the guest's address as its first argument."""
        return self.run(self.program_path(name), self.address, *arguments, **options)


class Reading:
    """`usbwire read` in the background; `with` waits until its first transfer is posted."""

    def __init__(self, lab, busid, endpoint, arguments):
        command = [*lab.command, '-vv', 'read', '--busid', busid, '--endpoint', endpoint,
                   '--wait', str(PATIENCE), *arguments]
        self._process = lab.start(*command)
        self._mark = f' ep {int(endpoint, 0):#04x} '.encode()
        self._seen, self._progress = [], threading.Condition()
        self._out, self._err = [], []
        self._threads = [threading.Thread(target=self._collect, args=pair, daemon=True)
                         for pair in ((self._process.stdout, self._out),
                                      (self._process.stderr, self._err))]
        for thread in self._threads:
            thread.start()

    def _collect(self, stream, lines):
        for line in stream:
            lines.append(line)
            if self._mark in line:
                with self._progress:
                    self._seen.append(line)
                    self._progress.notify_all()

    def _wait(self, message, count):
        with self._progress:
            if not self._progress.wait_for(
                    lambda: sum(message in line for line in self._seen) >= count, PATIENCE):
                self._process.kill()
                raise Failure(f'no {message} within {PATIENCE} s: {b"".join(self._err)[-1000:]!r}')

    def wait_for_data(self, transfers):
        """Waits until so many transfers have ended with data."""
        self._wait(b' bytes | ', transfers)

    def __enter__(self):
        self._wait(b'-> CMD_SUBMIT', 1)
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            stream.close()

    def interrupt(self):
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def kill(self):
        self._process.kill()

    def finish(self, timeout=PATIENCE):
        """The Output, when it has ended."""
        self._process.wait(timeout)
        for thread in self._threads:
            thread.join()
        return Output(self._process.args, self._process.returncode, b''.join(self._out),
                      b''.join(self._err))


def need(program):
    """The path of an installed program, or Skip."""
    for folder in [*os.environ.get('PATH', '').split(':'), '/usr/sbin', '/sbin']:
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK):
            return path
    raise Skip(f'{program} is not installed')


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
