"""`usbwire serial`: pySerial, unmodified, on its RFC 2217 port, pseudo-terminal and TCP port; the
terminal; devices that go away and come back. Debian's interpreter runs this."""
import contextlib
import functools
import hashlib
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from bench import BUILD, ENV, PATIENCE, USBWIRE, Bench, main
from place import kept_port
from ports import Chip, Port, Terminal, echoes, open_port, sees, until


def link_in(folder):
    return os.path.join(folder, 'tty')


def test_rfc2217():
    for device in ('cp2102n:baud=9600,format=7E2', 'ft232r:baud=9600,format=7E2',
                   'ch340:baud=9600,format=7E2', 'pl2303hx:baud=9600,format=7E2'):
        with Bench(device) as bench, Port(bench, '--rfc2217', '0') as where:
            with open_port(where.where, baudrate=9600, bytesize=7, parity='E', stopbits=2) as p:
                echoes(p)


def test_rfc2217_lines():
    for device in ('cp2102', 'ft230x', 'ch341', 'pl2303gc', 'acm-echo'):
        with Bench(device) as bench, Port(bench, '--rfc2217', '0') as where:
            with open_port(where.where) as p:
                for dtr, rts in ((0, 1), (1, 0), (1, 1), (0, 0)):
                    p.dtr, p.rts = dtr, rts
                    until(lambda: p.dsr == bool(dtr) and p.cd == bool(dtr), 'DSR follows DTR')
                    if device != 'acm-echo':
                        until(lambda: p.cts == bool(rts), 'CTS follows RTS')


def test_rfc2217_break_and_purge():
    """Also from a chip that has no break and makes one of a slow byte."""
    for chip in ('ft232r', 'ch340:limited=1'):
        with Chip(chip) as bench, Port(bench, '--rfc2217', '0') as where:
            with open_port(where.where, baudrate=19200) as p:
                p.write(b'old')
                until(lambda p=p: p.in_waiting == 3, 'the echo')
                p.reset_input_buffer()
                p.reset_output_buffer()
                p.send_break(0.01)
                bench.saw('a break begins', 'the break ends')
                p.reset_input_buffer()
                echoes(p, b'new')


def test_rfc2217_refuses_what_the_chip_cannot():
    with Bench('ch340') as bench, Port(bench, '--rfc2217', '0') as where:
        with open_port(where.where, baudrate=115200) as p:
            try:
                p.baudrate = 50000000
                raise AssertionError('50 Mbit/s were accepted')
            except ValueError:
                pass
        assert where.process.poll() is None


def test_one_client_at_a_time():
    with Bench('cp2102n') as bench, Port(bench, '--rfc2217', '0') as where:
        with open_port(where.where) as p:
            with socket.create_connection(where.place, PATIENCE) as second:
                told = second.makefile('rb').read()
                assert b'127.0.0.1:%d has ' % p._socket.getsockname()[1] in told and b'CP2102N' in told, told
            where.said('was sent away')
            echoes(p)
        # One that has just left is none, even if what it wrote is still to be read.
        for _ in range(20):
            with socket.create_connection(where.place, PATIENCE) as first:
                first.sendall(b'x' * 5000)
            with socket.create_connection(where.place, PATIENCE) as second:
                assert b'has ' not in second.recv(16)


def test_telnet_that_knows_nothing():
    with Bench('cp2102n') as bench, Port(bench, '--rfc2217', '0') as where:
        with socket.create_connection(where.place, PATIENCE) as s:
            s.sendall(b'\xff\xfc\x2c\xff\xfe\x2chello\r\0')
            got = b''
            while b'hello\r' not in got:
                part = s.recv(256)
                assert part, got
                got += part
            assert b'\xff\xfa' not in got, got


def test_tcp():
    with Bench('ch340') as bench, Port(bench, '--tcp', '0', '--baud', '9600') as where:
        with open_port(where.where) as p:
            echoes(p)


def test_a_port_that_is_never_empty():
    """Clients come and go, and a signal ends it, while there is always more to read."""
    with Bench('ft232h:far=source,baud=115200,pace=0') as bench, \
            Port(bench, '--tcp', '0', '--dtr', '1', '--flow', 'rtscts') as where:
        for _ in range(3):
            with socket.create_connection(where.place, PATIENCE) as s:
                got = b''
                while len(got) < 1000000:
                    part = s.recv(65536)
                    assert part, len(got)
                    got += part
                assert got == bytes((got[0] + i) % 251 for i in range(len(got)))
    assert where.process.returncode == 130, where.process.returncode


def test_pty():
    for device in ('cp2102n', 'ft232r', 'ch340', 'pl2303hx', 'acm-echo'):
        with tempfile.TemporaryDirectory() as folder:
            link = link_in(folder)
            with Bench(device) as bench, Port(bench, '--pty', link):
                with open_port(link, baudrate=115200) as p:
                    echoes(p)
            assert not os.path.lexists(link)


def test_pty_of_a_terminal_that_hangs_up():
    with tempfile.TemporaryDirectory() as folder, Bench('ch340') as bench:
        with Port(bench, '--pty', link_in(folder)) as where:
            assert os.path.islink(link_in(folder))
            where.process.send_signal(signal.SIGHUP)
            where.process.send_signal(signal.SIGHUP)
            assert where.process.wait(PATIENCE) == 130
        assert not os.path.lexists(link_in(folder))


def test_pty_settings_reach_the_device():
    with tempfile.TemporaryDirectory() as folder:
        with Bench('cp2102n:baud=74880,format=8N1') as bench, Port(bench, '--pty', link_in(folder)):
            with open_port(link_in(folder), baudrate=74880) as p:
                echoes(p)
                p.baudrate = 9600
                p.timeout = 0.3
                p.write(b'lost')
                assert p.read(4) == b''


def test_pty_starts_empty():
    with tempfile.TemporaryDirectory() as folder:
        with Bench('cp2102n') as bench, Port(bench, '--pty', link_in(folder)):
            with open_port(link_in(folder)) as p:
                p.write(b'nobody reads this')
                until(lambda: p.in_waiting == 17, 'the echo')
            with open_port(link_in(folder)) as p:
                echoes(p, b'fresh')


def test_pty_leaves_files_alone():
    with tempfile.TemporaryDirectory() as folder, Bench('cp2102n') as bench:
        with open(link_in(folder), 'w', encoding='ascii') as f:
            f.write('precious')
        done = subprocess.run([USBWIRE, 'serial', '-H', bench.address, '--pty', link_in(folder)],
                              env=ENV, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 1 and 'no symbolic link' in done.stderr, done
        with open(link_in(folder), encoding='ascii') as f:
            assert f.read() == 'precious'


def test_all():
    with tempfile.TemporaryDirectory() as folder:
        with Bench('cp2105:serial=two', 'ch340:serial=one') as bench:
            with Port(bench, '--all', '--pty', folder):
                names = sorted(os.listdir(folder))
                assert names == ['one', 'two-if0', 'two-if1'], names
                ports = [open_port(os.path.join(folder, n)) for n in names]
                for i, p in enumerate(ports):
                    p.write(b'%d' % i)
                assert [p.read(1) for p in ports] == [b'0', b'1', b'2']
                for p in ports:
                    p.close()
            # One that is not there comes and goes with the ports, unless it is used.
            fresh = os.path.join(folder, 'ttys')
            for used in (False, True):
                with Port(bench, '--all', '--serial', 'one', '--pty', fresh):
                    assert os.listdir(fresh) == ['one'], os.listdir(fresh)
                    if used:
                        os.mkdir(os.path.join(fresh, 'mine'))
                assert os.path.isdir(fresh) == used
            assert os.listdir(fresh) == ['mine']


def test_list():
    with Bench('cp2105', 'loopback', 'ft232r:serial=A1') as bench:
        listed = lambda *words: [(r['busid'], r['driver'], r['interface']) for r in json.loads(
            subprocess.run([USBWIRE, 'serial', '-H', bench.address, '--list', '--json', *words],
                           env=ENV, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout)]
        assert listed() == [('1-1', 'cp210x', 0), ('1-1', 'cp210x', 1), ('1-3', 'ftdi', 0)]
        assert listed('--serial', 'A1') == [('1-3', 'ftdi', 0)]


def test_reconnect():
    holder, number = kept_port()
    with holder, tempfile.TemporaryDirectory() as folder:
        with Bench('cp2102n:baud=9600', port=number) as bench:
            port = Port(bench, '--pty', link_in(folder), '--reconnect', str(PATIENCE), '--baud', '9600')
        with port:
            port.said(f'looking for it for {PATIENCE} s')
            with Bench('cp2102n:baud=9600', port=number):
                port.said('back after')
                with open_port(link_in(folder), baudrate=9600) as p:
                    echoes(p)


def test_settings_on_a_pty_whose_board_is_away():
    """They are in force when it is back, though the program only reads."""
    source = 'cp2102n:far=source,baud=9600'
    holder, number = kept_port()
    with holder, tempfile.TemporaryDirectory() as folder:
        with Bench(source, port=number) as bench:
            port = Port(bench, '--pty', link_in(folder), '--reconnect', str(PATIENCE), '--dtr', '1')
        with port:
            port.said(f'looking for it for {PATIENCE} s')
            with open_port(link_in(folder), baudrate=9600) as p, Bench(source, port=number):
                port.said('back after')
                data = p.read(100)
                assert data == bytes((data[0] + i) % 251 for i in range(100)), data


def test_without_reconnect_it_ends():
    with Bench('cp2102n') as bench:
        port = Port(bench, '--rfc2217', '0')
    with port:
        assert port.process.wait(PATIENCE) == 3
    assert 'lost' in port.errors, port.errors


def test_wait():
    with Bench('ch340') as bench:
        done = subprocess.run([USBWIRE, 'wait', '-H', bench.address, '--vid', '1a86'], env=ENV,
                              capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert (done.returncode, done.stdout) == (0, '1-1\n'), done
        done = subprocess.run([USBWIRE, 'wait', '-H', bench.address, '--vid', '1234', '--wait',
                               '50ms'], env=ENV, capture_output=True, text=True, check=False,
                              timeout=PATIENCE)
        assert done.returncode == 4, done


class Loader:
    """The serial loader in an ESP32's ROM, spoken to as esptool's documentation has it."""

    def __init__(self, port):
        self.port = port

    def _reset(self, between):
        """The usual row of moves; `between` is how far apart the two lines change. How long that took."""
        self.port.dtr = False
        self.port.rts = True
        time.sleep(0.1)
        start = time.monotonic()
        self.port.dtr = True
        time.sleep(between)
        self.port.rts = False
        took = time.monotonic() - start
        time.sleep(0.05)
        self.port.dtr = False
        return took

    def boot(self):
        """The application: the lines move too far apart."""
        self._reset(0.5)

    def enter(self):
        """The loader. A port makes one move of two for who makes them within its quarter second."""
        end = time.monotonic() + PATIENCE
        while self._reset(0) > 0.25:
            assert time.monotonic() < end, 'this machine is too slow'

    def frame(self):
        data = b''
        while True:
            byte = self.port.read(1)
            assert byte, f'silence after {data!r}'
            if byte != b'\xc0':
                data += byte
            elif data:
                return data.replace(b'\xdb\xdc', b'\xc0').replace(b'\xdb\xdd', b'\xdb')

    def ask(self, command, data, checksum=0):
        """The value and the data of the answer."""
        packet = struct.pack('<BBHI', 0, command, len(data), checksum) + data
        packet = packet.replace(b'\xdb', b'\xdb\xdd').replace(b'\xc0', b'\xdb\xdc')
        self.port.write(b'\xc0' + packet + b'\xc0')
        answer = self.frame()
        while answer[1] != command:
            answer = self.frame()
        assert answer[-4] == 0, f'command {command:#x}: error {answer[-3]:#x}'
        return struct.unpack('<I', answer[4:8])[0], answer[8:-4]

    def sync(self):
        self.ask(0x08, b'\7\7\x12\x20' + 32 * b'U')

    def register(self, address):
        return self.ask(0x0a, struct.pack('<I', address))[0]

    def write_register(self, address, value):
        self.ask(0x09, struct.pack('<IIII', address, value, 0xffffffff, 0))

    def flash(self, address, data, block=1024):
        blocks = (len(data) + block - 1) // block
        self.ask(0x02, struct.pack('<IIII', len(data), blocks, block, address))
        for i in range(blocks):
            part = data[i * block:(i + 1) * block].ljust(block, b'\xff')
            checksum = functools.reduce(lambda a, b: a ^ b, part, 0xef)
            self.ask(0x03, struct.pack('<IIII', block, i, 0, 0) + part, checksum)

    def md5(self, address, size):
        return self.ask(0x13, struct.pack('<IIII', address, size, 0, 0))[1].decode()

    def read(self, address):
        return self.ask(0x0e, struct.pack('<II', address, 64))[1]

    def set_baud(self, baud):
        self.ask(0x0f, struct.pack('<II', baud, 0))
        self.port.baudrate = baud


def flash_esp32(url, chip):
    data = random.Random(chip).randbytes(100000)
    with open_port(url, baudrate=115200) as p:
        loader = Loader(p)
        loader.enter()
        sees(p, b'waiting for download\r\n')
        loader.sync()
        assert loader.register(0x40001000) == 0x00f01d83
        loader.write_register(0x3ff42024, 0x9f)
        loader.write_register(0x3ff42000, 1 << 18)
        assert loader.register(0x3ff42080) == 0x001640ef
        loader.set_baud(921600)
        loader.flash(0x10000, data)
        assert loader.md5(0x10000, len(data)) == hashlib.md5(data).hexdigest()
        assert b''.join(loader.read(0x10000 + i) for i in range(0, 4096, 64)) == data[:4096]
        p.baudrate = 115200
        p.rts = True
        time.sleep(0.1)
        p.rts = False
        sees(p, b'hello\r\n')


def test_esp32_is_flashed_through_rfc2217():
    for chip in ('cp2102n', 'ft232r', 'ch340', 'pl2303gc'):
        with Bench(f'{chip}:far=esp32') as bench, Port(bench, '--rfc2217', '0') as where:
            flash_esp32(where.where, chip)
            flash_esp32(where.where, chip + ' again')


def test_esp32_over_a_slow_network():
    """DTR and RTS still change together for the board, however far away it is."""
    with Bench('cp2102n:far=esp32', options=['--latency', '30ms']) as bench, \
            Port(bench, '--rfc2217', '0') as where:
        with open_port(where.where, baudrate=115200) as p:
            for _ in range(3):
                Loader(p).enter()
                sees(p, b'waiting for download\r\n')


def test_esp32_boots_when_the_lines_move_apart():
    """The circuit is one: what is no reset into the loader is none."""
    with Bench('cp2102n:far=esp32') as bench, Port(bench, '--rfc2217', '0') as where:
        with open_port(where.where, baudrate=115200) as p:
            Loader(p).boot()
            sees(p, b'hello\r\n')


def test_opening_resets_nothing():
    for chip in ('cp2102n', 'ft232r', 'ch340', 'pl2303hx'):
        with Bench(f'{chip}:far=esp32') as bench:
            for _ in range(2):
                with Port(bench, '--tcp', '0') as where, open_port(where.where) as p:
                    echoes(p, b'still the same run')


def test_terminal():
    with Bench('cp2102n') as bench, tempfile.TemporaryDirectory() as folder:
        log, sent = os.path.join(folder, 'log'), os.path.join(folder, 'file')
        with open(sent, 'wb') as f:
            f.write(b'F' * 20000)
        with Terminal(USBWIRE, 'serial', '-H', bench.address, '--log', log) as t:
            t.sees(rb'Ctrl-\] ends')
            for keys, answer in ((b'hello', rb'hello'),
                                 (b'\x14h', rb'Ctrl-T b  send a break'),
                                 (b'\x14d', rb'DTR is set'),
                                 (b'\x14i', rb'\+DTR -RTS -CTS \+DSR \+DCD -RI'),
                                 (b'\x14r', rb'RTS is set'),
                                 (b'\x14b', rb'a break was sent'),
                                 (b'\x14x', rb'in hexadecimal'),
                                 (b'AB', rb'41( 42)?'),
                                 (b'\x14x\x14s', rb'file to send'),
                                 (sent.encode() + b'\r', rb'20000 of 20000 bytes'),
                                 (b'\x14e', rb'resetting the board'),
                                 (b'\x14\x1d!', rb'\x1d!')):
                t.types(keys, answer)
            t.types(b'\x1d')
            t.ends(0)
            assert t.is_as_before()
        with open(log, 'rb') as f:
            written = f.read()
        assert written.startswith(b'helloAB') and written.count(b'F') == 20000, len(written)


def test_terminal_of_a_script():
    with Bench('ch340') as bench:
        words = [USBWIRE, 'serial', '-H', bench.address, '--timestamps']
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV) as script:
            script.stdin.write(b'one\ntwo\n')
            script.stdin.close()  # which ends nothing
            shown = script.stdout.readline() + script.stdout.readline()
            script.send_signal(signal.SIGINT)
            assert script.wait(PATIENCE) == 130
        assert re.fullmatch(rb'(\[\d\d:\d\d:\d\d\.\d\d\d\] \w+\n){2}', shown), shown
        done = subprocess.run([*words, '--seconds', '0.2'], stdin=subprocess.DEVNULL, capture_output=True,
                              env=ENV, check=False, timeout=PATIENCE)
        assert (done.returncode, done.stdout) == (0, b''), done


def test_a_signal_at_the_worst_moment():
    """Between the look whether one came and the wait, on a port where nothing else happens."""
    shim = os.path.join(BUILD, 'tests', 'programs', 'programs_late_signal.so')
    with Bench('ch340') as bench, tempfile.TemporaryDirectory() as folder:
        sign = os.path.join(folder, 'now')
        for face in (('--tcp', '0'), ('--rfc2217', '0'), ('--pty', link_in(folder))):
            with Port(bench, *face, env={'LD_PRELOAD': shim, 'LATE_SIGNAL': sign}) as where:
                with open(sign, 'w', encoding='ascii'):
                    pass
                # If it waits since before that, this is a reason to wait anew; else it may be gone by now.
                with contextlib.ExitStack() as user:
                    with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
                        if face[0] == '--pty':
                            user.callback(os.close, os.open(link_in(folder), os.O_RDONLY | os.O_NOCTTY))
                        else:
                            user.enter_context(socket.create_connection(where.place, PATIENCE))
                    assert where.process.wait(PATIENCE) == 130
            assert not os.path.exists(sign)


def test_command_line():
    with Bench('ch340') as bench:
        for words, code, text in (
                (['--pty', 'x', '--tcp', '0'], 2, 'exclude each other'),
                (['--all'], 2, 'needs a place'),
                (['--format', '9N1'], 2, "--format '9N1' is none"),
                (['--tcp', 'nowhere:x'], 2, 'is no place to listen'),
                (['--baud', '1', '--tcp', '0'], 1, 'it does 46 to 3000000 bits/s'),
                (['--interface', '7', '--tcp', '0'], 4, 'that interface is none')):
            done = subprocess.run([USBWIRE, 'serial', '-H', bench.address, *words], env=ENV,
                                  capture_output=True, text=True, check=False, timeout=PATIENCE)
            assert done.returncode == code and text in done.stderr, (words, done)


if __name__ == '__main__':
    main(sys.modules[__name__])
