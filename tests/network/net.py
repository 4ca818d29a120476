"""Two machines with two cables: network namespaces and processes in them, for the tests."""
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time

PATIENCE = 60  # seconds for anything to happen, on the slowest of machines


def skip(reason):
    print(f'skipped: {reason}')
    sys.exit(77)


class Process:
    """A process whose lines are read as they come, ended with its input, or killed."""

    def __init__(self, argv):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.argv = argv
        self.lines = queue.Queue()
        threading.Thread(target=self.pump, daemon=True).start()

    def pump(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip('\n'))
        self.lines.put(None)

    def line(self):
        """The next line; AssertionError when none comes, exit 77 when the process skips."""
        try:
            line = self.lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError(f'{self.argv}: said nothing for {PATIENCE} s') from None
        if line is None:
            if self.process.wait() == 77:
                skip('see above')
            raise AssertionError(f'{self.argv}: ended with {self.process.returncode}')
        return line

    def record(self, wanted=lambda record: True):
        """The next line that is JSON and fits."""
        while True:
            record = json.loads(self.line())
            if wanted(record):
                return record

    def say(self, text):
        self.process.stdin.write(text + '\n')
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.terminate()
                self.process.wait(timeout=PATIENCE)


def run(argv, **kwargs):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=PATIENCE,
                          **kwargs).stdout


class Network:
    """Namespaces `near` and `far`, joined by two links: n1-f1 and n2-f2.

    IPv4 10.77.LINK.2 is near, .20 far; with ipv6_only there are link-local addresses alone.
    """

    def __init__(self, ipv6_only=False):
        if os.geteuid() != 0:
            skip('network namespaces are for root')
        if not shutil.which('ip'):
            skip('the program ip is not installed (iproute2)')
        self.near, self.far = f'uw{os.getpid()}n', f'uw{os.getpid()}f'
        self.processes = []
        try:
            self.make(ipv6_only)
        except subprocess.CalledProcessError as error:
            self.close()
            skip(f'no network namespace can be made here: {error.stderr.strip()}')

    def make(self, ipv6_only):
        for name in (self.near, self.far):
            run(['ip', 'netns', 'add', name])
            run(['ip', '-n', name, 'link', 'set', 'lo', 'up'])
            # No duplicate address detection: addresses are there at once.
            run(['ip', 'netns', 'exec', name, 'sh', '-c',
                 'for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 > $f; done'])
        for i in ('1', '2'):
            run(['ip', 'link', 'add', 'n' + i, 'netns', self.near, 'type', 'veth',
                 'peer', 'name', 'f' + i, 'netns', self.far])
            for name, side, host in ((self.near, 'n', '2'), (self.far, 'f', '20')):
                run(['ip', 'netns', 'exec', name, 'sh', '-c',
                     f'echo 0 > /proc/sys/net/ipv6/conf/{side}{i}/accept_dad'])
                if not ipv6_only:
                    run(['ip', '-n', name, 'addr', 'add', f'10.77.{i}.{host}/24',
                         'dev', side + i])
                run(['ip', '-n', name, 'link', 'set', side + i, 'up'])
        for name in (self.near, self.far):
            self.await_addresses(name)

    @staticmethod
    def await_addresses(name):
        """The kernel gives links their link-local addresses when the cable is in at both ends."""
        deadline = time.monotonic() + PATIENCE
        while run(['ip', '-n', name, '-6', 'addr', 'show', 'scope', 'link',
                   '-tentative']).count('inet6 fe80:') < 2:
            assert time.monotonic() < deadline, 'the links do not come up'
            time.sleep(0.02)

    def argv(self, namespace, *argv):
        return ['ip', 'netns', 'exec', namespace, *argv]

    def start(self, namespace, *argv):
        process = Process(self.argv(namespace, *argv))
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            process.end()
        for name in (self.near, self.far):
            subprocess.run(['ip', 'netns', 'del', name], check=False, capture_output=True)
