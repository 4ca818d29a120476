"""A running guest: QEMU, its console, its monitor, and commands inside."""
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

BOOT_SECONDS = 90  # a busy machine without KVM; usually 4 s
KERNEL_TROUBLE = re.compile(r'general protection fault|\bOops\b|\bBUG: |kernel NULL pointer|Kernel panic')


class GuestError(Exception):
    """The guest is not what the tests need: what happened."""


class Result:
    """Of a command in the guest."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def text(self):
        return self.out.decode(errors='replace')


class Console:
    """The guest's serial console: a thread reads it into a file and looks for kernel trouble."""

    def __init__(self, stream, path):
        self.lines, self._changed = [], threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, args=(stream, path), daemon=True).start()

    def _read(self, stream, path):
        with open(path, 'wb') as log:
            for line in stream:
                log.write(line)
                log.flush()
                with self._changed:
                    self.lines.append(line.decode(errors='replace').rstrip())
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait(self, text, seconds):
        """Waits for a line that contains `text`."""
        with self._changed:
            if not self._changed.wait_for(
                    lambda: self._ended or any(text in line for line in self.lines), seconds):
                raise GuestError(f'the guest did not say {text} within {seconds} s; it said:\n' +
                                 '\n'.join(self.lines[-20:]))
            if self._ended:
                raise GuestError('QEMU ended:\n' + '\n'.join(self.lines[-20:]))

    def trouble(self):
        """Lines in which the guest's kernel complains about itself."""
        return [line for line in self.lines if KERNEL_TROUBLE.search(line)]


class Monitor:
    """QEMU's machine protocol (QMP) on a Unix socket."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(path)
        self._stream = self._socket.makefile('rw', encoding='utf-8')
        self._events = []
        json.loads(self._stream.readline())  # the greeting
        self.run('qmp_capabilities')

    def run(self, command, **arguments):
        """The answer to a command. Raises GuestError when it is an error."""
        self._stream.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
        self._stream.flush()
        while True:
            message = json.loads(self._stream.readline())
            if 'event' in message:
                self._events.append(message)
            elif 'error' in message:
                raise GuestError(f'{command} {arguments}: {message["error"]["desc"]}')
            else:
                return message['return']

    def human(self, line):
        """The text that a command of the human monitor prints."""
        return self.run('human-monitor-command', **{'command-line': line})

    def wait_event(self, name, **data):
        """Waits for an event whose data agrees with `data`."""
        while True:
            for event in self._events:
                if event['event'] == name and data.items() <= event.get('data', {}).items():
                    self._events.remove(event)
                    return event
            self._events.append(json.loads(self._stream.readline()))

    def close(self):
        self._stream.close()
        self._socket.close()


class Process:
    """A script that runs in the guest (guest/agent.c has the protocol)."""

    def __init__(self, port, script, timeout):
        self._socket = socket.create_connection(('127.0.0.1', port), timeout=timeout)
        self._stream = self._socket.makefile('rb')
        self._sending = threading.Lock()
        self.out, self.err, self.status = b'', b'', None
        self._send(b'S', script.encode())

    def _send(self, kind, data):
        with self._sending:
            self._socket.sendall(kind + len(data).to_bytes(4, 'big') + data)

    def write(self, data):
        """Data for the script's standard input."""
        for start in range(0, len(data), 65536):
            self._send(b'I', data[start:start + 65536])

    def end_input(self):
        self._send(b'I', b'')

    def _step(self):
        head = self._stream.read(5)
        if len(head) < 5:
            raise GuestError('the guest gave up a script')
        data = self._stream.read(int.from_bytes(head[1:], 'big'))
        if head[:1] == b'O':
            self.out += data
        elif head[:1] == b'E':
            self.err += data
        else:
            self.status = int(data)
            self.close()

    def wait_for(self, text):
        """Reads until the script has written `text` to its standard output."""
        while text.encode() not in self.out:
            if self.status is not None:
                raise GuestError(f'the script ended ({self.status}) without "{text}": '
                                 f'{self.out + self.err!r}')
            self._step()

    def wait(self):
        """The Result, when the script has ended."""
        while self.status is None:
            self._step()
        return Result(self.status, self.out, self.err)

    def close(self):
        """Kills the script if it still runs."""
        self._stream.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Guest:
    """One guest. `folder` is for its files, `arguments` are more of QEMU's."""

    def __init__(self, kernel, initramfs, folder, arguments=()):
        self.folder = folder
        control = os.path.join(folder, 'monitor')
        command = [
            'qemu-system-x86_64', '-M', 'q35', '-accel', 'tcg', '-m', '768', '-smp', '1',
            '-nodefaults', '-display', 'none', '-vga', 'none', '-no-reboot',
            '-kernel', kernel, '-initrd', initramfs,
            '-append', 'console=ttyS0 quiet loglevel=4 mitigations=off nopti nokaslr panic=-1 '
                       'net.ifnames=0',
            '-serial', 'stdio', '-qmp', f'unix:{control},server=on,wait=off',
            # Port 0: any free one; agent and usbipd are asked for below.
            '-netdev', 'user,id=n0,hostfwd=tcp:127.0.0.1:0-:22,hostfwd=tcp:127.0.0.1:0-:3240',
            '-device', 'virtio-net-pci,netdev=n0,romfile=', *arguments]
        self._errors = open(os.path.join(folder, 'qemu.log'), 'wb')  # pylint: disable=R1732
        # pylint: disable-next=R1732,W1509
        self._qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=self._errors, preexec_fn=_die_with_parent)
        self.console = Console(self._qemu.stdout, os.path.join(folder, 'console.log'))
        try:
            self.console.wait('INTEROP-READY', BOOT_SECONDS)
            self.monitor = Monitor(control)
            ports = dict(re.findall(r'TCP\[HOST_FORWARD\].* (\d+) +10\.0\.2\.15 +(\d+)',
                                    self.monitor.human('info usernet')))
        except BaseException:
            self.stop()
            raise
        ports = {int(inside): int(outside) for outside, inside in ports.items()}
        self._agent, self.usbip_port = ports[22], ports[3240]

    @property
    def pid(self):
        return self._qemu.pid

    def start(self, script, timeout=120):
        """Starts a script; its Process."""
        return Process(self._agent, '. /interop/lib.sh\n' + script, timeout)

    def run(self, script, stdin=b'', timeout=120, check=True):
        """Runs a script; its Result. With `check`, status 0 is expected."""
        with self.start(script, timeout) as process:
            if stdin:
                process.write(stdin)
            process.end_input()
            result = process.wait()
        if check and result.status != 0:
            raise GuestError(f'in the guest, status {result.status}: {script}\n'
                             f'{(result.out + result.err).decode(errors="replace")}')
        return result

    def trouble(self):
        return self.console.trouble()

    def stop(self):
        """Ends QEMU."""
        if self._qemu.poll() is None:
            self._qemu.terminate()
            try:
                self._qemu.wait(5)
            except subprocess.TimeoutExpired:
                self._qemu.kill()
        self._qemu.wait()
        self._errors.close()


def wait_until(what, seconds, condition):
    """Waits for `condition()` to be true, for things that tell nobody when they happen; returns
    its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise GuestError(f'not within {seconds} s: {what}')
        time.sleep(0.02)
