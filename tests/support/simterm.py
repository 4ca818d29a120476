"""Programs on a terminal of their own, for tests by simbench."""
import os
import pty
import re
import select
import time

from simbench import PATIENCE, Failure


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, lab, command, host=None, **environment):
        self.shown = b''
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            own = {'USBWIRE_HOST': host} if host else {}
            os.chdir(lab.root)
            os.execvpe(command[0], command, {**lab.environment, 'TERM': 'xterm', **own,
                                             **environment})

    def until(self, pattern):
        """Reads until a regular expression is found in what is shown; the match."""
        end = time.monotonic() + PATIENCE
        while True:
            match = re.search(pattern, self.shown)
            if match:
                return match
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise Failure(f'{pattern} is not shown:\n{self.shown.decode(errors="replace")}')
            try:
                more = os.read(self.fd, 65536)
            except OSError:  # the other end is closed
                more = b''
            if not more:
                raise Failure(f'{pattern} was not shown:\n{self.shown.decode(errors="replace")}')
            self.shown += more

    def type(self, keys):
        os.write(self.fd, keys)

    def answers(self, keys, pattern):
        """Types, and reads until that is found in what is shown from now on; the match."""
        self.shown = b''
        self.type(keys)
        return self.until(pattern)

    def end(self):
        """Reads to the end: the exit status."""
        while True:
            try:
                more = os.read(self.fd, 65536)
            except OSError:
                break
            if not more:
                break
            self.shown += more
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)
