"""What people who work with ESP bridges, and with other servers, want of a serial port before they trust
it: it opens at once, is alive after it was idle, is theirs alone, and free again when its user died."""
import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from bench import BUILD, ENV, PATIENCE, USBWIRE, Bench, main, held, need_module, succeeded
from ports import Port, Terminal, echoes, open_port, pty_port
from test_boards import reset_usb_jtag
from test_serial import Loader

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, 'capture'))
import strict  # pylint: disable=wrong-import-position

CONTROL, BULK = 2, 3  # usbmon's numbers for them
ALL = os.environ.get('USBWIRE_TEST_SERIAL') == 'all'

# Servers on which the bridges' users want this, and others that have habits of their own.
SERVERS = ('linux', 'linux-late', 'windows', 'g0', 'g0-virtual', 'g1', 'g3', 'p4', 'pyusbip', 'jiegec')
CONSOLES = ('acm-echo', 'cp2102n', 'ft232r', 'ch340', 'pl2303hx')
FACES = ('--rfc2217', '--tcp', '--pty', 'usbip')


def together(work, cases):
    """Does the work for all cases at a time; what failed is told with the case."""
    wrong = []

    def one(case):
        try:
            work(*case)
        except Exception:  # pylint: disable=broad-exception-caught
            wrong.append(f'{case}: {traceback.format_exc()}')

    threads = [threading.Thread(target=one, args=(case,)) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, '\n'.join(wrong)


def served(server, device):
    return Bench(device, options=['--personality', server])


@contextlib.contextmanager
def console_on(face, bench, *options):
    """A port on one of the ways to it, opened by pySerial."""
    if face == 'usbip':
        with open_usbip(bench) as console:
            yield console
    elif face == '--pty':
        with pty_port(bench, *options) as link, open_port(link) as console:
            yield console
    else:
        with Port(bench, face, '0', *options) as port, open_port(port.where) as console:
            yield console


def open_usbip(bench):
    """By the Python package, out of the source and with the library of this build."""
    os.environ['USBWIRE_LIBRARY'] = os.path.join(BUILD, 'src', 'libusbwire.so.0')
    package = os.path.join(HERE, os.pardir, os.pardir, 'python')
    if package not in sys.path:
        sys.path.insert(0, package)
    importlib.import_module('usbip_backend._hook')
    return open_port(f'usbip://{bench.address}')


# Round trips from the import to the first read: two descriptors, the configuration asked for and set, the
# language and the serial number; then what the chip is asked and told.
OPENING = {'acm-echo': 6 + 2, 'cp2102n': 6 + 7, 'ft232r': 6 + 6, 'ch340': 6 + 7, 'pl2303hx': 6 + 14}


def test_opening_takes_what_it_has_to():
    """On a bridge each request is a round trip; and nothing is waited for but their answers."""
    with tempfile.TemporaryDirectory() as folder:
        for device, least in OPENING.items():
            path = os.path.join(folder, device)
            with served('linux', device) as bench, \
                    console_on('--tcp', bench, '--dtr', '1', '--pcap', path) as console:
                echoes(console, b'open')
            with open(path, 'rb') as f:
                submitted = [r.type for r in strict.Capture(f.read()).records if r.kind == 'S']
            asked = submitted[:submitted.index(BULK)].count(CONTROL)
            assert asked == least, f'{device}: {asked} requests'


def test_idle():
    """Then it echoes, and again after a shorter while."""
    pauses = (25, 10) if ALL else (6, 2)

    def one(server, device, face):
        with served(server, device) as bench, console_on(face, bench) as console:
            echoes(console, b'before')
            for pause in pauses:
                time.sleep(pause)  # that is what is tried
                echoes(console, b'after %d s' % pause)

    together(one, [(s, d, FACES[(i + k) % 4]) for i, s in enumerate(SERVERS) for k, d in enumerate(CONSOLES)])


def test_a_board_that_speaks_unasked():
    """On the first bridges an open read is in everybody's way: it has to be asked for, and that is said."""
    for face in ('--rfc2217', '--pty'):
        with served('g0', 'acm-echo:far=source') as bench, \
                console_on(face, bench, '--dtr', '1', '--read-ahead') as console:
            said = console.read(200)
            assert len(said) == 200, said
    with served('g0', 'acm-echo') as bench, Port(bench, '--tcp', '0') as port:
        port.said('--read-ahead reads all the time')


def test_a_console_through_a_hold():
    """An open read is in everybody's way there, too."""
    for device in ('acm-echo', 'ch340', 'cp2102n'):
        with served('g0', device) as bench, held(bench, '-b', '1-2'), console_on('--tcp', bench) as console:
            echoes(console, b'held')
            echoes(console, b'and again')


READ = '''
import sys, time
import usb.core
seconds = float(sys.argv[1])
device = usb.core.find(idVendor=0x1209, idProduct=1)
start = time.monotonic()
try:
    device.read(0x82, 64, int(seconds * 1000))
    raise AssertionError('something came')
except usb.core.USBTimeoutError:
    took = time.monotonic() - start
assert seconds <= took < seconds + 20, took
'''


def test_a_long_read_of_libusb():
    """It times out when it is to, whatever time-outs the server has, and is in no console's way. On the first
    bridges it is: they know no end of a read."""
    python, seconds = need_module('usb'), 20 if ALL else 6

    def one(server):
        with served(server, 'acm-echo') as bench:
            succeeded(bench.run(python, '-c', READ, str(seconds)))
            with console_on('--rfc2217', bench, '--wait', str(PATIENCE)) as console:
                echoes(console, b'afterwards')

    together(one, [(s,) for s in SERVERS if s != 'g0'])


def catch(port):
    """Gets a board whose application crashes into its loader, where it stays."""
    end = time.monotonic() + PATIENCE
    caught = False
    port.timeout = 1
    while not caught:
        assert time.monotonic() < end, 'the loader was never met'
        reset_usb_jtag(port)
        caught = port.read_until(b'waiting for download\r\n').endswith(b'download\r\n')
    time.sleep(3)  # longer than the application lives
    Loader(port).sync()
    assert Loader(port).register(0x3fcdf07c) == 3


LOOPS = 'esp32c3:crashes=2700'
FOLLOW = ('--wait', str(PATIENCE), '--reconnect', str(PATIENCE))
CATCH = '''
import sys
sys.argv[1:] = [sys.argv[2], sys.argv[1], *sys.argv[3:]]
sys.path.insert(0, sys.argv[3])
import test_acceptance
with test_acceptance.open_port(sys.argv[2]) as port:
    test_acceptance.catch(port)
'''


def test_a_board_that_crashes_is_caught():
    with Bench(LOOPS) as bench, Port(bench, '--rfc2217', '0', *FOLLOW) as where, \
            open_port(where.where) as port:
        catch(port)
    with Bench(LOOPS) as bench:
        succeeded(bench.run(need_module('serial'), '-c', CATCH, '{tty}', sys.argv[1], HERE,
                            options=('--tty', *FOLLOW)))
    with Bench('esp32c3:crashes=20000') as bench, \
            Terminal(USBWIRE, 'serial', '-H', bench.address, *FOLLOW) as terminal:
        terminal.sees(b'hello')
        terminal.types(b'\x14l', b'waiting for download')
        terminal.types(b'\x1d')
        terminal.ends()


def test_a_board_that_crashes_is_opened_at_any_time():
    with Bench(LOOPS) as bench:
        for _ in range(6):
            with Port(bench, '--tcp', '0', '--wait', str(PATIENCE)):
                time.sleep(0.4)


def refused(words, code):
    done = subprocess.run(words, env=ENV, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == code and 'in use' in done.stderr, (words, done)


def test_a_second_client_is_refused():
    """With what it is about, at once, and without any harm to the first."""
    def one(server):
        with served(server, 'cp2102n') as bench, console_on('--rfc2217', bench) as console:
            echoes(console, b'first')
            refused([USBWIRE, 'serial', '-H', bench.address, '--tcp', '0'], 4 if server == 'jiegec' else 5)
            refused([USBWIRE, 'run', '--tty', '-H', bench.address, '--', 'true'], 125)
            echoes(console, b'still the first')

    together(one, [(s,) for s in SERVERS])


def killed(words):
    """A program that was told to go while it had the port."""
    process = subprocess.Popen(words, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    line = process.stdout.readline()
    assert line, words
    process.kill()
    process.wait()
    process.stdout.close()


def test_whoever_is_killed_leaves_the_port_free():
    def one(server):
        with served(server, 'cp2102n') as bench:
            host = ('-H', bench.address, '--wait', str(PATIENCE))
            killed([USBWIRE, 'serial', *host, '--rfc2217', '0'])
            # Opened before it says so: the name may be another terminal's by the time of the kill.
            killed([USBWIRE, 'run', '--tty', *host, '--', 'sh', '-c', 'exec <{tty}; echo mine; exec cat'])
            with console_on('--pty', bench, '--wait', str(PATIENCE)) as console:
                echoes(console, b'free')

    together(one, [(s,) for s in SERVERS])


def test_a_touched_board_is_waited_for_as_its_bootloader():
    with Bench('acm-echo:touch1200=1') as bench:
        with subprocess.Popen([USBWIRE, 'wait', '-H', bench.address, '--vid', '1209', '--pid', '00b1', '--wait',
                               str(PATIENCE)], env=ENV, stdout=subprocess.PIPE, text=True) as waiting:
            with console_on('--rfc2217', bench, '--reconnect', str(PATIENCE)) as console:
                console.baudrate = 1200
                console.dtr = False
            assert waiting.stdout.read() == '1-1\n' and waiting.wait(PATIENCE) == 0


if __name__ == '__main__':
    main(sys.modules[__name__])
