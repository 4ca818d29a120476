"""Terminal programs and servers of Debian, unmodified, on the ports of `usbwire serial` and `usbwire run --tty`.
Each sends and gets back bytes, and changes what it can: a simulated chip tells what its wire saw."""
import contextlib
import os
import subprocess
import sys
import tempfile

from bench import ENV, USBWIRE, main, need, need_module
from place import kept_port
from ports import TEXT, Chip, Port, Terminal, echoes, open_port, pty_port, until

CTRL_A, CTRL_T = b'\x01', b'\x14'


def sends(terminal, chip, rate, form='8N1'):
    """Bytes go there and back, so."""
    terminal.types(b'ping %d ' % rate, b'ping %d ' % rate)
    chip.saw(f'bytes at {rate} bits/s, {form}')


def breaks(chip):
    chip.saw('a break begins', 'the break ends')


def on_a_pty(session, *words, **env):
    """A session of a program on a pseudo-terminal as the kernel has it, and on one with lines."""
    def names(place):
        return [place if w == '{tty}' else w for w in words]

    with Chip('cp2102n') as chip, pty_port(chip) as link, Terminal(*names(link), **env) as t:
        session(t, chip, False)
    with Chip('cp2102n') as chip, Terminal(USBWIRE, 'run', '--tty', '-H', chip.address, '--', *words,
                                           **env) as t:
        session(t, chip, True)


def test_picocom():
    def session(t, chip, lined):
        t.sees(b'Terminal ready')
        sends(t, chip, 9600)
        t.types(CTRL_A + b'\x15', b'baud: 19200')
        sends(t, chip, 19200)
        if lined:
            t.types(CTRL_A + b'\x19', b'parity: even')
            sends(t, chip, 19200, '8E1')
            t.types(CTRL_A + b'\x14', b'DTR: up')
            chip.saw('DTR')
            t.types(CTRL_A + b'\x07', b'RTS: up')
            chip.saw('DTR and RTS')
            t.types(CTRL_A + b'\x1c', b'break sent')
            breaks(chip)
        t.types(CTRL_A + b'\x18', b'Thanks')
        t.ends()

    on_a_pty(session, need('picocom'), '-b', '9600', '{tty}')


def test_tio():
    def session(t, chip, lined):
        t.sees(b'Connected')
        sends(t, chip, 19200)
        if lined:
            for key, line, seen in ((b'0', b'DTR', 'DTR'), (b'1', b'RTS', 'DTR and RTS')):
                t.types(CTRL_T + b'g', rb'RI  \(5\)')
                t.types(key, b'Setting ' + line)
                chip.saw(seen)
            t.types(CTRL_T + b'b')
            breaks(chip)
        t.types(CTRL_T + b'q', b'Disconnected')
        t.ends()

    with tempfile.TemporaryDirectory() as home:
        on_a_pty(session, need('tio'), '-b', '19200', '{tty}', HOME=home)


def test_minicom():
    def session(t, chip, lined):
        t.sees(b'Welcome')
        sends(t, chip, 9600)
        t.types(CTRL_A + b'p', b'Current:')
        t.types(b'a', b'19200')
        t.types(b'\r')
        sends(t, chip, 19200)
        if lined:
            t.types(CTRL_A + b'f')
            breaks(chip)
        t.types(CTRL_A + b'x', b'Leave Minicom')
        t.types(b'\r')
        t.ends()

    with tempfile.TemporaryDirectory() as home:
        on_a_pty(session, need('minicom'), '-o', '-b', '9600', '-D', '{tty}', HOME=home)


def test_screen():
    def session(t, chip, lined):
        t.sees(b'')
        sends(t, chip, 19200)
        if lined:
            t.types(CTRL_A + b'b')
            breaks(chip)
        t.types(CTRL_A + b'k', b'kill this window')
        t.types(b'y', b'terminating')
        t.ends()

    with tempfile.TemporaryDirectory() as folder:
        on_a_pty(session, need('setsid'), '--ctty', need('screen'), '-c', '/dev/null', '{tty}', '19200',
                 SCREENDIR=folder)


def test_cu():
    """Debian's is uucp's, whoever calls it, so it has to be let in; and the preloaded library stays out."""
    with Chip('cp2102n') as chip, pty_port(chip) as link:
        os.chmod(os.path.dirname(link), 0o755)
        os.chmod(link, 0o666)
        with Terminal(need('setsid'), '--ctty', need('cu'), '--nostop', '-s', '19200', '-l', link) as t:
            t.sees(b'Connected')
            sends(t, chip, 19200)
            t.types(b'\r~.', b'Disconnected')
            t.ends()


def test_miniterm():
    def session(t, chip, lined):
        t.sees(b'Miniterm on')
        sends(t, chip, 9600)
        if lined:
            t.types(CTRL_T + b'b', b'Baudrate:')
            until(t.is_as_before, 'it reads no line')  # it throws away what was typed before
            t.types(b'19200\n', b'hardware flow control')  # the last line of its settings
            sends(t, chip, 19200)
            t.types(CTRL_T + b'\x04', b'DTR inactive')
            chip.saw('RTS')
            t.types(CTRL_T + b'\x12', b'RTS inactive')
            chip.saw('neither DTR nor RTS')
            t.types(CTRL_T + b'\x02', b'BREAK active')
            chip.saw('a break begins')
            t.types(CTRL_T + b'\x02', b'BREAK inactive')
            chip.saw('the break ends')
        t.types(b'\x1d', b'exit')
        t.ends()

    words = [need_module('serial'), '-m', 'serial.tools.miniterm', '--raw']
    on_a_pty(session, *words, '{tty}', '9600')
    with Chip('cp2102n') as chip, Port(chip, '--rfc2217', '0') as port, \
            Terminal(*words, port.where, '9600') as t:
        session(t, chip, True)


def rfc2217(port):
    """A port as gensio's library names it."""
    return 'telnet(rfc2217),tcp,{},{}'.format(*port.place)


def test_gensiot():
    with Chip('cp2102n') as chip, Port(chip, '--rfc2217', '0') as port, \
            Terminal(need('gensiot'), '-e', '0x1c', rfc2217(port)) as t:
        for keys, form in ((b's9600\n', '9600 bits/s, 8N1'), (b's19200\n', '19200 bits/s, 8N1'),
                           (b'e', '19200 bits/s, 8E1'), (b'7', '19200 bits/s, 7E1'),
                           (b'2', '19200 bits/s, 7E2')):
            t.types(b'\x1c' + keys)
            t.types(b'ping', b'ping')
            chip.saw('bytes at ' + form)
        t.types(b'\x1cbafter it', b'after it')
        breaks(chip)
        t.types(b'\x1cq')
        t.ends()


@contextlib.contextmanager
def running(*words):
    """A server that ends with the block."""
    with subprocess.Popen(words, env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def listens(number):
    """Without a connection, which would be one of two clients."""
    with open('/proc/net/tcp', encoding='ascii') as f:
        return any(f':{number:04X} 00000000:0000 0A' in line for line in f)


def test_ser2net():
    """It offers our port as one of its own, which pySerial opens."""
    holder, number = kept_port()
    place = '127.0.0.1', int(number)
    with holder, Chip('cp2102n') as chip, Port(chip, '--rfc2217', '0') as port, \
            tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, 'ser2net.yaml')
        with open(config, 'w', encoding='ascii') as f:
            f.write('connection: &ours\n'
                    '  accepter: telnet(rfc2217),tcp,{},{}\n'.format(*place) +
                    f'  connector: {rfc2217(port)}\n')
        with running(need('ser2net'), '-n', '-c', config):
            until(lambda: listens(place[1]), 'ser2net listens')
            with open_port('rfc2217://{}:{}'.format(*place), baudrate=19200, parity='E') as p:
                echoes(p, TEXT)
                chip.saw('bytes at 19200 bits/s, 8E1')
                p.dtr, p.rts = False, True
                chip.saw('RTS')
                p.dtr, p.rts = True, False
                chip.saw('DTR')
                p.send_break(0.1)
                breaks(chip)


def test_socat():
    """From the TCP port to a pseudo-terminal of its own, and from ours to its standard output."""
    socat = need('socat')
    with Chip('cp2102n') as chip, Port(chip, '--tcp', '0', '--baud', '19200') as port, \
            tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, 'socat')
        with running(socat, f'PTY,link={link},rawer', 'TCP:{}:{}'.format(*port.place)):
            until(lambda: os.path.exists(link), "socat's pseudo-terminal")
            with open_port(link) as p:
                echoes(p, TEXT)
        chip.saw('bytes at 19200 bits/s, 8N1')
    with Chip('cp2102n') as chip, pty_port(chip) as link, \
            Terminal(socat, 'STDIO,rawer', f'FILE:{link},rawer,b9600,cstopb=1') as t:
        t.types(b'ping', b'ping')
        chip.saw('bytes at 9600 bits/s, 8N2')


if __name__ == '__main__':
    main(sys.modules[__name__])
