"""Several programs use one board: what each of them sees, and what the server sees of it - one import,
and no reset. Debian's interpreter runs this."""
import contextlib
import os
import signal
import subprocess
import sys
import threading

from bench import BUILD, ENV, PATIENCE, USBWIRE, held, main, need, need_module, succeeded
from ports import Chip, Lines, Port, echoes, open_port

BOARD = ('-b', '1-1')


class Board(Chip):
    """A board, and how often it was imported, given back and reset."""

    def counts(self):
        return [sum(f'1-1 {word}\n' in line for line in self.wire.all)
                for word in ('imported', 'released', 'reset')]


class Console:
    """A program that talks to the port without a pause, until the end of the block."""

    def __init__(self, where):
        self.where, self.rounds, self.over = where, 0, threading.Event()
        self.failed = None
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            with open_port(self.where) as port:
                while not self.over.is_set():
                    echoes(port)
                    self.rounds += 1
        except Exception as error:  # pylint: disable=broad-except
            self.failed = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(PATIENCE)
        assert not self.failed and self.rounds, (self.failed, self.rounds)


def debug(bench, options=BOARD):
    words = ['adapter driver cmsis-dap', 'cmsis_dap_backend usb_bulk',
             'cmsis_dap_vid_pid 0x1209 0x000b', 'transport select swd', 'adapter speed 1000',
             'swd newdap chip cpu -expected-id 0', 'dap create chip.dap -chain-position chip.cpu',
             'init', 'shutdown']
    done = bench.run(need('openocd'), *[w for word in words for w in ('-c', word)], options=options)
    assert 'Interface ready' in done.stderr, done


def test_a_console_and_a_debugger_side_by_side():
    """On a held board, whatever its server hides; the debugger comes and goes."""
    need('openocd')
    for personality in ('linux', 'linux-hiding'):
        with Board('daplink', options=('--personality', personality)) as bench:
            with held(bench, *BOARD), Port(bench, *BOARD, '--rfc2217', '0') as port, Console(port.where):
                debug(bench)
                debug(bench, options=('--vid', '1209'))
                assert bench.counts() == [1, 0, 0]
            bench.wire.wait('1-1 released')


def test_a_debugger_beside_the_console_of_run():
    """`usbwire run --tty` holds the board itself, for the terminal and for what comes later."""
    need('openocd')
    python = need_module('serial')
    script = ('import sys, serial\n'
              'with serial.Serial(sys.argv[1], timeout=60) as p:\n'
              '    print("open", flush=True)\n'
              '    while sys.stdin.readline():\n'
              '        p.write(b"still here")\n'
              '        print(p.read(10).decode(), flush=True)\n')
    with Board('daplink') as bench:
        with bench.start(python, '-c', script, '{tty}', options=('--tty', *BOARD),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE) as console:
            assert console.stdout.readline() == 'open\n'
            for _ in range(2):
                debug(bench)
                console.stdin.write('\n')
                console.stdin.flush()
                assert console.stdout.readline() == 'still here\n'
            assert bench.counts() == [1, 0, 0]
        assert console.returncode == 0


FOLLOWED = '''
import serial, sys, time, usb.core
with serial.Serial(sys.argv[1], 1200, timeout=60) as p:
    p.dtr = False
    while not usb.core.find(idVendor=0x1209, idProduct=0x00b1):
        time.sleep(0.05)
    sys.stdin.readline()
    p.baudrate = 115200
    p.write(b"from the loader")
    print(p.read(15).decode())
d = usb.core.find(idVendor=0x1209)
d.default_timeout = 60000
print(hex(d.idProduct), bytes(d.ctrl_transfer(0x80, 6, 0x100, 0, 18)).hex()[16:24])
'''


def test_a_board_that_comes_back_as_another():
    """Beside its terminal: the port is back, and so is the device, for the same program."""
    python = need_module('serial')
    need_module('usb.core')
    for personality in ('linux', 'linux-hiding', 'g1'):
        with Board('acm-echo:touch1200=1', options=('--personality', personality)) as bench, \
                bench.start(python, '-c', FOLLOWED, '{tty}', options=('--tty', '--reconnect', str(PATIENCE)),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE) as program:
            said = Lines(program.stderr)
            try:
                said.wait('back after')
            except AssertionError:
                program.kill()
                raise
            program.stdin.write('\n')
            program.stdin.flush()
            out = program.stdout.read()
            assert program.wait(PATIENCE) == 0, said.to_the_end()
            assert out == 'from the loader\n0xb1 0912b100\n', out


def test_a_port_goes_on_whoever_holds_its_board():
    """The server itself, a hold that began while the port looked for its board, and when that ends the
    server again; with the settings, without which this board answers nothing."""
    board, reconnect = 'ft232r:baud=19200', ('--rfc2217', '0', '--reconnect', '60')
    with contextlib.ExitStack() as stack:
        with Board(board) as bench:
            port = stack.enter_context(Port(bench, *BOARD, *reconnect))
            console = stack.enter_context(open_port(port.where, baudrate=19200))
            echoes(console)
        port.said('looking for it')
        stack.callback(port.process.send_signal, signal.SIGCONT)
        port.process.send_signal(signal.SIGSTOP)
        bench = stack.enter_context(Board(board, port=bench.address.split(':')[1]))
        with held(bench):
            port.process.send_signal(signal.SIGCONT)
            port.said(', through the program that holds it')
            echoes(console)
            assert bench.counts() == [1, 0, 0]
        port.said('the program that held it has let go of it')
        port.said(', from its server: nobody holds it any more')
        echoes(console)


def test_a_port_whose_board_is_reset_by_another_program():
    """What its chip was set to is gone with that, and is set anew: in another process than the one that
    holds the board, and in that."""
    python = need_module('serial')
    board = 'ft232r:baud=19200'
    with Board(board) as bench, held(bench), \
            Port(bench, *BOARD, '--rfc2217', '0') as port, \
            open_port(port.where, baudrate=19200) as console:
        echoes(console)
        bench.saw('DTR and RTS')
        for _ in range(2):
            succeeded(subprocess.run([USBWIRE, 'reset', '-H', bench.address, *BOARD], env=ENV,
                                     capture_output=True, text=True, check=False))
            bench.wire.wait('1-1 reset')
            bench.saw('DTR and RTS')
            echoes(console)
        assert bench.counts() == [1, 0, 2]
    script = ('import sys, serial, subprocess\n'
              'with serial.Serial(sys.argv[1], 19200, timeout=20) as p:\n'
              '    subprocess.run([*sys.argv[2:], "reset", "-b", "1-1"], check=True)\n'
              '    p.write(b"still here")\n'
              '    assert p.read(10) == b"still here"\n')
    with Board(board) as bench:
        succeeded(bench.run(python, '-c', script, '{tty}', USBWIRE, options=('--tty', *BOARD),
                            env={'USBWIRE_HOST': bench.address}))


def test_a_board_stays_with_its_holder():
    """Which looks for it as the port does that uses it."""
    with Board('acm-echo:touch1200=1') as bench, held(bench) as hold, \
            Port(bench, *BOARD, '--rfc2217', '0', '--reconnect', '60') as port:
        with open_port(port.where, baudrate=1200) as console:
            console.dtr = False
            port.said(', through the program that holds it')
            assert '1209:00b1' in hold.stdout.readline()
            console.baudrate = 115200
            echoes(console)
        assert bench.counts()[0] == 2


PYUSB = '''
import sys, usb.core
d = usb.core.find(idVendor=0x1209, idProduct=0x000b)
d.default_timeout = 60000
d.write(0x01, bytes([0, 4]))
answer = bytes(d.read(0x81, 64))
assert answer[:2] == bytes([0, 6]) and b'2.1.0' in answer, answer
print(bytes(d.ctrl_transfer(0xa1, 0x21, 0, 0, 7)).hex())
if len(sys.argv) > 1:
    d.ctrl_transfer(0x21, 0x20, 0, 0, bytes.fromhex(sys.argv[1]))
'''

BACKEND = '''
import sys
from usbip_backend import get_backend
import usb.core
with get_backend(sys.argv[1], port=int(sys.argv[2])) as backend:
    d = usb.core.find(backend=backend, idVendor=0x1209)
    d.default_timeout = 60000
    print(bytes(d.ctrl_transfer(0xa1, 0x21, 0, 0, 7)).hex())
'''

URL = '''
import sys, serial
import usbip_backend._hook
with serial.serial_for_url(f'usbip://{sys.argv[1]}:{sys.argv[2]}/1-1', timeout=60) as p:
    p.write(b'by url')
    assert p.read(6) == b'by url'
'''


def test_what_programs_leave_the_next_one_finds():
    """Under `run`, on the drop-in alone, and in Python: one program after the other."""
    python = need_module('usb.core')
    direct = {**ENV, 'LD_LIBRARY_PATH': os.path.join(BUILD, 'src', 'libusb')}
    package = {**ENV, 'PYTHONPATH': os.path.join(os.path.dirname(__file__), '../../python'),
               'USBWIRE_LIBRARY': os.path.join(BUILD, 'src', 'libusbwire.so.0')}

    def plain(env, *words):
        return succeeded(subprocess.run([python, '-c', *words], env=env, capture_output=True,
                                        text=True, check=False, timeout=PATIENCE)).split()[-1:]

    with Board('daplink') as bench, held(bench, *BOARD):
        place = bench.address.split(':')
        direct['USBWIRE_SERVERS'] = bench.address
        succeeded(bench.run(python, '-c', PYUSB, '80250000000008', options=BOARD))
        out = succeeded(bench.run(python, '-c', PYUSB, '00960000000008', options=BOARD))
        assert out == '80250000000008\n', out
        assert plain(direct, PYUSB, '00c20000000008') == ['00960000000008']
        assert plain(package, BACKEND, *place) == ['00c20000000008']
        plain(package, URL, *place)
        assert bench.counts() == [1, 0, 0]


def test_run_takes_over_what_was_held():
    """What runs keeps the devices that it was given, also when their holder ends before it."""
    python = need_module('usb.core')
    script = f'{PYUSB}\nsys.stdin.readline()\n{PYUSB}'
    with Board('daplink') as bench, contextlib.ExitStack() as stack:
        with held(bench):
            program = stack.enter_context(
                bench.start(python, '-u', '-c', script, options=BOARD, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE))
            said = Lines(program.stderr)
            assert program.stdout.readline()
        said.wait('shared again')
        program.stdin.write('\n')
        program.stdin.flush()
        assert program.stdout.readline()
        assert program.wait(PATIENCE) == 0, said.to_the_end()
        assert bench.counts()[0] == 2


main(sys.modules[__name__])
