"""`usbwire run --tty`: what a pseudo-terminal of usbwire has that the kernel's have not, as unmodified
programs see it. Debian's interpreter runs this, and what is tried, too."""
import os
import subprocess
import sys
import tempfile

from bench import BUILD, ENV, PATIENCE, USBWIRE, Bench, main, need, need_module, succeeded
from place import kept_port
from ports import Port

# What every program of a test begins with.
HEAD = '''
import errno, fcntl, os, signal, struct, sys, termios, threading, time
import serial
def until(condition, what):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)
def lines(fd):
    return struct.unpack('I', fcntl.ioctl(fd, termios.TIOCMGET, bytes(4)))[0]
def fails(call, *codes):
    try:
        call()
    except (OSError, termios.error) as error:
        assert error.args[0] in codes, error
        return
    raise AssertionError('it succeeded')
def open_port(**settings):
    return serial.Serial(sys.argv[1], timeout=60, **settings)
'''


def tried(bench, program, *options, words=('{tty}',), **more):
    """The program, with the pseudo-terminal's name as its first argument, succeeds; its output."""
    python = need_module('serial')
    return succeeded(bench.run(python, '-c', HEAD + program, *words, options=('--tty', *options),
                               **more))


def test_lines():
    for device in ('cp2102n', 'ft232r', 'ch340', 'pl2303hx'):
        with Bench(device) as bench:
            tried(bench, '''
with open_port() as p:
    for bits in (termios.TIOCM_DTR, termios.TIOCM_RTS, termios.TIOCM_DTR | termios.TIOCM_RTS, 0):
        fcntl.ioctl(p.fd, termios.TIOCMSET, struct.pack('I', bits))
        until(lambda: p.dsr == p.cd == bool(bits & termios.TIOCM_DTR), 'DSR and DCD follow DTR')
        until(lambda: p.cts == bool(bits & termios.TIOCM_RTS), 'CTS follows RTS')
        assert lines(p.fd) & (termios.TIOCM_DTR | termios.TIOCM_RTS) == bits
    p.dtr = True
    assert lines(p.fd) & termios.TIOCM_DTR
''')


TIGHT_RESET = '''
def both(fd, dtr, rts):
    bits = (termios.TIOCM_DTR if dtr else 0) | (termios.TIOCM_RTS if rts else 0)
    fcntl.ioctl(fd, termios.TIOCMSET, struct.pack('I', bits))
with open_port(baudrate=115200) as p:
    for _ in range(3):
        p.reset_input_buffer()
        for dtr, rts, pause in ((0, 0, 0), (1, 1, 0), (0, 1, 0.1), (1, 0, 0.05), (0, 0, 0)):
            both(p.fd, dtr, rts)
            time.sleep(pause)
        assert p.read_until(b'waiting for download\\r\\n').endswith(b'waiting for download\\r\\n')
'''


def test_both_lines_move_at_once():
    """The reset circuit of a board far away sees it that way."""
    with Bench('cp2102n:far=esp32', options=['--latency', '20ms']) as bench:
        tried(bench, TIGHT_RESET)


def test_frame():
    for device in ('cp2102n', 'ft232r', 'ch340', 'pl2303hx'):
        with Bench(f'{device}:baud=9600,format=7E1') as bench:
            tried(bench, '''
with open_port(baudrate=9600, bytesize=7, parity='E') as p:
    p.write(b'seven bits')
    assert p.read(10) == b'seven bits'
    settings = termios.tcgetattr(p.fd)
    assert settings[2] & (termios.CSIZE | termios.PARENB) == termios.CS7 | termios.PARENB
    raw = bytearray(60)
    fcntl.ioctl(p.fd, termios.TCGETS, raw)
    assert struct.unpack_from('I', raw, 8)[0] & termios.CSIZE == termios.CS7
    p.parity = 'O'
    p.timeout = 0.3
    p.write(b'lost')
    assert p.read(4) != b'lost'
''')


def test_frame_that_the_chip_cannot():
    """The rate is done all the same, and what is in force can be seen."""
    with Bench('ft232r:baud=9600') as bench:
        tried(bench, '''
with open_port(baudrate=9600, bytesize=5) as p:
    p.write(b'still here')
    assert p.read(10) == b'still here'
    assert termios.tcgetattr(p.fd)[2] & termios.CSIZE == termios.CS8
''')


def test_stty():
    with Bench('ft232r') as bench:
        out = succeeded(bench.run(
            'sh', '-c', 'stty -F {tty} 9600 parenb -parodd cs7 && stty -F {tty} -a',
            options=('--tty',)))
        assert 'speed 9600 baud' in out and ' cs7 ' in out, out
        assert ' parenb ' in out.replace('\n', ' '), out


def test_break_and_counts():
    with Bench('ft232r') as bench:
        tried(bench, '''
def counts(fd):
    return struct.unpack('11i', fcntl.ioctl(fd, 0x545d, bytes(80))[:44])
with open_port() as p:
    before = counts(p.fd)
    p.send_break(0.01)
    termios.tcsendbreak(p.fd, 0)
    fcntl.ioctl(p.fd, 0x5427)
    fcntl.ioctl(p.fd, 0x5428)
    until(lambda: counts(p.fd)[9] - before[9] >= 3, 'three breaks')
    p.reset_input_buffer()
    p.write(b'12345')
    assert p.read(5) == b'12345'
    after = counts(p.fd)
    assert after[5] - before[5] == 5 and after[4] > before[4], (before, after)
''')


def test_waiting_for_a_line():
    for device in ('cp2102n', 'ft232r'):
        with Bench(device) as bench:
            tried(bench, '''
with open_port() as p:
    p.dtr = False
    until(lambda: not p.dsr, 'DSR')
    seen = []
    def wait():
        fcntl.ioctl(p.fd, 0x545c, termios.TIOCM_DSR)
        seen.append('DSR')
    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.3)
    p.rts = not p.rts
    time.sleep(0.1)
    assert not seen
    def moved():
        p.dtr = not p.dtr # again for a thread that waits only now
        thread.join(1)
        return seen
    until(moved, 'the end of waiting')
    class Alarm(Exception):
        pass
    def ring(*_):
        raise Alarm
    signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        fcntl.ioctl(p.fd, 0x545c, termios.TIOCM_RNG)
        raise AssertionError('nothing rang')
    except Alarm:
        pass
''')


def test_drain_and_flush_reach_the_device():
    with Bench('cp2102n', options=['--latency', '20ms']) as bench:
        tried(bench, '''
def sent(fd):
    return struct.unpack('11i', fcntl.ioctl(fd, 0x545d, bytes(80))[:44])[5]
with open_port() as p:
    before = sent(p.fd)
    p.write(b'x' * 3000)
    p.flush()
    assert sent(p.fd) - before == 3000
    until(lambda: p.in_waiting == 3000, 'all of it is back')
    p.reset_input_buffer()
    p.write(b'new')
    assert p.read(3) == b'new'
    p.write(b'x' * 3000)
    termios.tcsetattr(p.fd, termios.TCSADRAIN, termios.tcgetattr(p.fd))
    assert sent(p.fd) - before == 6003
''')


def test_what_waits():
    """Bytes that the device has not taken yet, wherever they are, and those that can be read."""
    with Bench('ft232r:baud=1200,pace=1') as bench:
        tried(bench, '''
with open_port(baudrate=1200) as p:
    p.write(bytes(2000))
    first = p.out_waiting
    assert 500 < first <= 2000, first
    until(lambda: p.out_waiting < first, 'they go out')
    p.reset_output_buffer()
    until(lambda: p.out_waiting == 0, 'none is left')
    p.reset_input_buffer()
    p.write(b'abc')
    until(lambda: p.in_waiting >= 3, 'they come back')
''')


def test_serial_struct():
    """What setserial and pySerial set: an FTDI's latency, and rates that have no name."""
    with Bench('ft232r:baud=31250') as bench:
        tried(bench, '''
GET, SET = 0x541e, 0x541f
def settings(fd):
    return list(struct.unpack('32i', fcntl.ioctl(fd, GET, bytes(128))))
with open_port(baudrate=38400) as p:
    assert settings(p.fd)[4:8:3] == [0, 24000000]
    p.set_low_latency_mode(True)
    assert settings(p.fd)[4] == 0x2000
    p.set_low_latency_mode(False)
    assert settings(p.fd)[4] == 0
    want = settings(p.fd)
    want[4], want[6] = 0x30, want[7] // 31250
    fcntl.ioctl(p.fd, SET, struct.pack('32i', *want))
    assert settings(p.fd)[4:8] == want[4:8]
    p.write(b'31250 bits/s')
    assert p.read(12) == b'31250 bits/s'
    p.baudrate = 9600
    p.timeout = 0.3
    p.write(b'lost')
    assert p.read(4) != b'lost'
''')


def test_low_latency_reaches_the_chip():
    setserial = need('setserial')
    with Bench('ft232r') as bench, tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, 'tty')
        with Port(bench, '-vv', '--pty', link) as port:
            for option, latency in (('low_latency', 1), ('^low_latency', 2)):
                succeeded(subprocess.run([USBWIRE, 'run', '--tty', '--', setserial, link, option], env=ENV,
                                         capture_output=True, text=True, check=False, timeout=PATIENCE))
                port.said(f'setup 40 09 0{latency} 00 00 00 00 00')
            told = succeeded(subprocess.run([USBWIRE, 'run', '--tty', '--', setserial, '-a', link], env=ENV,
                                            capture_output=True, text=True, check=False, timeout=PATIENCE))
            assert 'Baud_base: 24000000' in told, told


def test_threads_forks_and_descriptors():
    with Bench('ft232r') as bench:
        tried(bench, '''
def descriptors():
    return len(os.listdir('/proc/self/fd'))
with open_port() as p:
    p.dtr, p.rts = True, False
    until(lambda: p.dsr, 'DSR')
    before, wrong = descriptors(), []
    def look(fd):
        for _ in range(200):
            if not lines(fd) & termios.TIOCM_DSR:
                wrong.append(fd)
    copies = [p.fd, os.dup(p.fd), os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)]
    threads = [threading.Thread(target=look, args=(fd,)) for fd in copies * 4]
    for t in threads:
        t.start()
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            os.close(copies[1])
            look(copies[2])
            os._exit(len(wrong))
        children.append(child)
    for t in threads:
        t.join()
    assert [os.waitpid(c, 0)[1] for c in children] == [0] * 4 and not wrong, wrong
    assert descriptors() == before + 2
''')


def test_everything_else_is_as_it_was():
    with Bench('ft232r') as bench:
        tried(bench, '''
import array, pty, socket, tty
master, slave = pty.openpty()
for fd in (master, slave):
    fails(lambda: lines(fd), errno.ENOTTY)
    fails(lambda: fcntl.ioctl(fd, termios.TIOCMSET, struct.pack('I', 2)), errno.ENOTTY)
tty.setraw(slave)
termios.tcsendbreak(slave, 0)
termios.tcflush(slave, termios.TCIOFLUSH)
termios.tcdrain(slave)
os.write(master, b'abc')
until(lambda: struct.unpack('I', fcntl.ioctl(slave, termios.FIONREAD, bytes(4)))[0] == 3, 'three bytes')
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('4H', 20, 30, 0, 0))
assert struct.unpack('4H', fcntl.ioctl(master, termios.TIOCGWINSZ, bytes(8)))[:2] == (20, 30)
r, w = os.pipe()
fails(lambda: lines(r), errno.ENOTTY)
fails(lambda: termios.tcgetattr(r), errno.ENOTTY)
os.close(r)
fails(lambda: lines(r), errno.EBADF)
fails(lambda: termios.tcdrain(r), errno.EBADF)
s = socket.socket()
fcntl.ioctl(s, termios.FIONBIO, struct.pack('I', 1))
''')


def test_lines_are_dropped_by_the_last_close():
    with Bench('cp2102n') as bench:
        tried(bench, '''
p = open_port()
p.dtr = p.rts = True
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
p.close()
time.sleep(0.2)
assert lines(fd) & termios.TIOCM_DTR
os.close(fd)
def dropped():
    fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
    try:
        return not lines(fd) & (termios.TIOCM_DTR | termios.TIOCM_RTS)
    finally:
        os.close(fd)
until(dropped, 'DTR and RTS')
''')


def test_a_port_of_somebody_else():
    """Of `usbwire serial --pty`: the shim alone, and a plain program beside it."""
    python = need_module('serial')
    program = HEAD + '''
with open_port() as p:
    p.dtr = True
    until(lambda: p.dsr, 'DSR')
'''
    with tempfile.TemporaryDirectory() as folder, Bench('cp2102n') as bench:
        link = os.path.join(folder, 'tty')
        with Port(bench, '--pty', link):
            words = [USBWIRE, 'run', '--tty', '--', python, '-c', program, link]
            succeeded(subprocess.run(words, env=ENV, capture_output=True, text=True, check=False,
                                     timeout=PATIENCE))
            plain = subprocess.run([python, '-c', HEAD + 'lines(os.open(sys.argv[1], os.O_RDWR))',
                                    link],
                                   env=ENV, capture_output=True, text=True, check=False, timeout=PATIENCE)
            assert 'Inappropriate ioctl' in plain.stderr, plain


def test_names():
    with Bench('cp2105:serial=two') as bench:
        out = succeeded(bench.run('sh', '-c', 'echo $USBWIRE_TTY', options=('--tty',)))
        names = out.strip().split(':')
        assert len(names) == 2 and all(n.startswith('/dev/pts/') for n in names), out
        out = succeeded(bench.run('echo', '<{tty}|{tty}>', options=('--tty', '--interface', '1')))
        first, second = out.strip()[1:-1].split('|')
        assert first == second and first.startswith('/dev/pts/'), out


def test_hang_up():
    """Without --reconnect a program sees the end of a device that is gone."""
    with Bench('cp2102n') as bench:
        running = bench.start('sh', '-c', 'exec <{tty}; echo ready; exec cat', options=('--tty',),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert running.stdout.readline() == 'ready\n'
        bench.process.stdin.close()
        _, errors = running.communicate(timeout=PATIENCE)
        assert 'lost' in errors, errors


def test_reconnect():
    program = '''
with open_port(baudrate=9600) as p:
    p.write(b'one')
    assert p.read(3) == b'one'
    print('ready', flush=True)
    sys.stdin.readline()
    p.dtr = True
    p.write(b'two')
    assert p.read(3) == b'two' and p.dsr
'''
    python = need_module('serial')
    holder, number = kept_port()
    with Bench('cp2102n:baud=9600', port=number) as bench:
        running = bench.start(python, '-c', HEAD + program, '{tty}',
                              options=('--tty', '--reconnect', str(PATIENCE)), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert running.stdout.readline() == 'ready\n', running.stderr.read()
    with holder, Bench('cp2102n:baud=9600', port=number):
        line = ' '
        while line and 'back after' not in line:
            line = running.stderr.readline()
        _, errors = running.communicate('go\n', timeout=PATIENCE)
        assert running.returncode == 0, errors


def test_exports():
    """It stands before nothing else of anybody's."""
    shim = os.path.join(BUILD, 'src', 'tty', 'usbwire-tty.so')
    out = succeeded(subprocess.run([need('nm'), '-D', '--defined-only', shim], capture_output=True,
                                   text=True, check=False))
    names = sorted(line.split()[-1] for line in out.splitlines())
    assert names == ['ioctl', 'tcdrain', 'tcflush', 'tcgetattr', 'tcsendbreak', 'tcsetattr'], names


def test_command_line():
    with Bench('cp2105', 'loopback') as bench:
        for options, words, code, text in (
                (('-b', '1-1', '--tty'), ('echo', '{tty}'), 125, 'have 2 serial ports'),
                (('-b', '1-2', '--tty'), ('true',), 125, 'has a serial port'),
                (('-b', '1-1', '--tty', '--interface', '7'), ('true',), 125, 'interface is none'),
                (('-b', '1-1', '--interface', '1'), ('true',), 2, 'that --tty opens')):
            done = bench.run(*words, options=options)
            assert done.returncode == code and text in done.stderr, (options, done)


main(sys.modules[__name__])
