#!/usr/bin/env python3
"""usbwire serial as a person meets it: the keys of the terminal, boards that reset themselves off the
bus, which port is which, and what cannot be."""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from place import kept_port  # noqa: E402
from simbench import PATIENCE, expect, expect_equal, main, test  # noqa: E402
from simterm import Terminal  # noqa: E402

EXIT, MENU = b'\x1d', b'\x14'


def _console(lab, bench, *options):
    terminal = Terminal(lab, [lab.command, 'serial', *options], bench.host)
    terminal.until(rb'Ctrl-\] ends, Ctrl-T h shows the other keys\r\n')
    return terminal


def _leave(terminal):
    """Ends it; a terminal in raw mode was given whole lines throughout."""
    terminal.type(EXIT)
    expect_equal(terminal.end(), 0)


def _settings(terminal):
    return terminal.answers(MENU + b'i', rb'--- (.*)\r\n(?:.*\r\n)*.*overrun errors\r\n').group(0)


@test
def a_board_on_its_own_usb_is_reset_and_found_again(lab):
    with lab.bench('--device', 'esp32c3') as bench:
        t = _console(lab, bench, '--reconnect', '20')
        t.answers(MENU + b'e', rb'(?s)looking for it for 20 s\r\n.*back after .*hello\r\n')
        expect(b'bulk IN' not in t.shown.split(b'looking')[0].split(b'usbwire:')[0], t.shown)
        expect(not re.search(rb'(?<!\r)\n', t.shown), 'lines that do not begin at the left', t.shown)
        t.answers(MENU + b'l', rb'(?s)back after .*waiting for download\r\n')
        # Both lines were set in the beginning, and are again: some devices say nothing without.
        expect(b'+DTR +RTS' in _settings(t), t.shown)
        _leave(t)


@test
def a_touched_board_keeps_its_rate(lab):
    """1200 bits/s was a wish, no setting: put back, it would be one again."""
    with lab.bench('--device', 'acm-echo:touch1200=1') as bench:
        t = _console(lab, bench, '--reconnect', '20', '--baud', '57600')
        t.answers(MENU + b'l', rb'(?s)looking for it.*1209:00b1.*back after .*\r\n')
        now = _settings(t)
        expect(b'1209:00b1' in now and b'57600 bits/s' in now and b'+DTR' in now, now)
        t.answers(MENU + b'e', rb'resetting')
        t.answers(b'still there', rb'still there')
        expect(b'+DTR +RTS' in _settings(t), t.shown)
        _leave(t)


@test
def what_is_lost_is_said_with_what_helps(lab):
    with lab.bench('--device', 'esp32c3') as bench:
        t = _console(lab, bench)
        t.answers(b'half a line', rb'half a line')
        t.type(MENU + b'e')
        expect_equal(t.end(), 1)
        expect(re.search(rb'half a line\r\n--- resetting the board\r\nusbwire: .*the device is gone',
                         t.shown), t.shown)
        expect(b'--reconnect' in t.shown, t.shown)
        expect(not re.search(rb'(?<!\r)\n', t.shown), t.shown)


@test
def keys_while_the_port_is_away(lab):
    """A line that was set meanwhile would hold the board in reset when it is back."""
    with lab.bench('--device', 'ft232r') as bench:
        t = _console(lab, bench, '--reconnect', '60')
    t.until(rb'looking for it for 60 s\r\n')
    for key in (b'd', b'r', b'b', b'e', b'l', b's'):
        t.answers(MENU + key, rb'the port is away, and being looked for\r\n')
    expect(b'it is away' in _settings(t), t.shown)
    _leave(t)


@test
def keys_while_the_port_takes_nothing(lab):
    with lab.bench('--device', 'ft232r') as bench:
        t = _console(lab, bench, '--flow', 'xonxoff')
        t.type(b'\x13')  # comes back, and stops the chip
        while b'what is typed is dropped' not in t.shown:
            t.answers(b'x' * 2000 + MENU + b't', rb'timestamps are')
        long = lab.write('long', b'0123456789' * 100000)
        t.answers(MENU + b's', rb'file to send')
        t.answers(long.encode() + b'\r', rb'long\r\n')
        t.answers(MENU + b's', rb'long: stopped after 0 of 1000000 bytes')
        _leave(t)


@test
def colours_and_plain_line_feeds_are_the_boards_own(lab):
    with lab.bench('--device', 'cp2102n') as bench:
        t = _console(lab, bench)
        t.answers(b'\x1b[0;32mI (42) main: up\x1b[0m\r\n', rb'\x1b\[0;32mI \(42\) main: up\x1b\[0m\r\n')
        t.answers(b'a\nb\r\nc', rb'a\nb\r\nc')
        t.answers(MENU + b't', rb'timestamps are on\r\n')
        t.answers(b'x\r\n\x1b[31my\r\n', rb'\[[\d:.]+\] x\r\n\[[\d:.]+\] \x1b\[31my\r\n')
        t.answers(MENU + b't', rb'timestamps are off\r\n')
        t.answers(MENU + b'x', rb'in hexadecimal\r\n')
        t.answers(b'\xff', rb'ff {3,}.*\|\.\|\r\n')
        _leave(t)


@test
def files(lab):
    """Progress is what the device has taken, not what waits for it."""
    with lab.bench('--device', 'ch340:pace=1,baud=9600') as bench:
        t = _console(lab, bench, '--baud', '9600')
        for name, why in ((lab.path('none'), rb'No such file'), (lab.folder, rb'that is no file')):
            t.answers(MENU + b's', rb'file to send')
            t.answers(name.encode() + b'\r', why)
        t.answers(MENU + b's', rb'file to send')
        t.answers(b'wrong\x03', rb'never mind')
        t.answers(MENU + b's', rb'file to send')
        t.answers(b'\r', rb'\r\n')
        short = lab.write('short', b'0123456789' * 30)
        t.answers(MENU + b's', rb'file to send')
        t.answers(short.encode() + b'\r', rb'(?s)short: sent 300 of 300 bytes\r\n')
        long = lab.write('long', b'0123456789' * 100000)
        t.answers(MENU + b's', rb'file to send')
        t.answers(long.encode() + b'\r', rb'0123456789')
        stopped = t.answers(MENU + b's', rb'long: stopped after (\d+) of 1000000 bytes')
        expect(int(stopped.group(1)) < 500000, stopped)
        empty = lab.write('empty', b'')
        t.answers(MENU + b's', rb'file to send')
        t.answers(empty.encode() + b'\r', rb'empty: sent 0 of 0 bytes')
        _leave(t)


@test
def another_rate(lab):
    with lab.bench('--device', 'ft232r:baud=9600,format=8N1') as bench:
        t = _console(lab, bench)
        for typed, shown in ((b'9600', rb'FT232R, interface 0: 9600 bits/s, 8N1'),
                             (b'x', rb'--- x is no rate'), (b'-1', rb'--- -1 is no rate'),
                             (b'50000000', rb'no divisor of its clock makes that rate'),
                             (b'99999999999999', rb'give 1 to 100000000'),
                             (b'12\x7f\x7f9600', rb': 9600 bits/s')):
            t.answers(MENU + b'u', rb'bits a second')
            t.answers(typed + b'\r', shown)
        t.answers(MENU + b'u', rb'bits a second')
        t.answers(b'1200\x1b', rb'never mind')
        t.answers(b'at 9600', rb'at 9600')
        _leave(t)


@test
def the_wrong_one_of_several_ports(lab):
    with lab.bench('--device', 'ft2232h', '--device', 'cp2105') as bench:
        ftdi, cp2105 = bench.busid('ft2232h'), bench.busid('cp2105')
        t = _console(lab, bench, '-b', ftdi, '--interface', '1')
        for key in (b'e', b'l'):
            t.answers(MENU + key,
                      rb'by the lines of interface 1, one of 2 ports; --interface chooses\r\n')
        _leave(t)
        for options in ((), ('--interface', '7')):
            output = bench('serial', '-b', cp2105, *options, '--tcp', '0', status=4)
            for number in (0, 1):
                expect(f'  --busid {cp2105}      --interface {number}  CP210x\n' in output.errors,
                       output)
        output = lab.usbwire('run', '--tty', '-b', ftdi, '--', 'true', '{tty}', host=bench.host,
                             status=125)
        expect(f'--busid {ftdi}      --interface 1  FT2232H\n' in output.errors, output)


def _places(bench, *options):
    """The ports that are shown when all are opened; standard error."""
    process = bench.start('serial', '--all', '--json', *options, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    text = b''
    while b']\n' not in text:
        line = process.stdout.readline()
        expect(line, text)
        text += line
    process.terminate()
    _, errors = process.communicate(timeout=PATIENCE)
    return text.decode(), errors.decode()


@test
def boards_with_the_same_serial_number(lab):
    """All of them are told apart by their places: who is there does not change another's name."""
    with lab.bench('--device', 'cp2102:serial=0001,count=2', '--device', 'ch340:serial=0001',
                   '--device', 'cp2105:serial=dual', '--device', 'ft232r:serial=a b/c') as bench:
        os.mkdir(lab.path('ttys'))
        text, _ = _places(bench, '--pty', lab.path('ttys'))
        expect_equal(re.findall(r'"label": "(.*)"', text),
                     ['0001@1-1', '0001@1-2', '0001@1-3', 'dual-if0', 'dual-if1', 'a_b_c'], text)
        expect_equal(len(set(re.findall(r'"where": "(\S+) ->', text))), 6, text)


@test
def all_ports_of_a_server_that_is_to_come(lab):
    holder, port = kept_port()
    with holder:
        host = f'127.0.0.1:{port}'
        waiting = lab.start('serial', '--all', '--tcp', '0', '--vid', '1a86', '--wait', '60', host=host,
                            stdout=subprocess.PIPE)
        listing = lab.start('serial', '--list', '--wait', '60', host=host, stdout=subprocess.PIPE)
        expect_equal(lab.usbwire('serial', '--all', '--tcp', '0', host=host, status=3).text, '')
        with lab.bench('--device', 'loopback', '--device', 'ch340', port=port):
            expect(b'CH340' in waiting.stdout.readline(), 'the port')
            waiting.terminate()
            expect(b'CH340' in listing.communicate(timeout=PATIENCE)[0], 'the list')
            waiting.communicate(timeout=PATIENCE)


@test
def opening_is_a_question_and_the_settings(lab):
    """So many round trips: what goes out in a row, without an answer between, is one."""
    for device, trips in (('acm-echo', 1), ('ft232r', 1), ('pl2303hx', 1), ('cp2102n', 2),
                          ('ch340', 2), ('pl2303gc', 2)):
        with lab.bench('--device', device) as bench:
            seen = bench('-vv', 'serial', '--tcp', '0', '--seconds', '0.01').errors
        requests = rows = in_row = 0  # of those to the chip itself
        for line in seen.split('CMD_UNLINK')[0].splitlines():
            if re.search(r'-> CMD_SUBMIT .* setup (40|41|c0|c1|21|a1) ', line):
                requests += 1
                rows += not in_row
                in_row = True
            elif 'RET_SUBMIT' in line:
                in_row = False
        expect(requests >= 2, seen)
        expect_equal(rows, trips, device, seen)


@test
def more_ports_than_fit(lab):
    with lab.bench('--device', 'ft4232h:count=9') as bench:
        text, errors = _places(bench, '--tcp', '0')
        expect_equal(text.count('"where"'), 32, text)
        expect('1-9 (0403:6011) is left out: 32 ports are open, and that is all' in errors, errors)


@test
def a_name_that_json_cannot_have(lab):
    with lab.bench('--device', 'ch340') as bench:
        output = bench('serial', '--json', '--pty', lab.path(os.fsdecode(b'\xff')), status=1)
        expect('JSON can name nothing that is not UTF-8' in output.errors and not output.out, output)
        expect_equal(os.listdir(lab.folder), [])


@test
def one_end_for_all_that_is_looked_for(lab):
    with lab.bench('--device', 'ft4232h:count=3') as bench:
        process = bench.start('serial', '--all', '--tcp', '0', '--reconnect', '600',
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        expect(process.stdout.readline(), 'no port')
    lost = 0
    while lost < 12:
        lost += b'looking for it' in process.stderr.readline()
    process.terminate()
    process.communicate(timeout=PATIENCE)
    expect_equal(process.returncode, 130)


@test
def a_full_disk(lab):
    with lab.bench('--device', 'ft232r') as bench, open('/dev/full', 'wb') as full:
        process = bench.start('serial', stdout=full, stderr=subprocess.PIPE)
        _, errors = process.communicate(b'comes back', timeout=PATIENCE)
        expect(b'standard output could not be written: No space left' in errors, errors)
        expect_equal(process.returncode, 1)


@test
def what_does_not_go_together(lab):
    with lab.bench('--device', 'ch340') as bench:
        for words, code, text in (
                (('--pty', 'x', '--tcp', '0'), 2, 'exclude each other'),
                (('--all',), 2, 'needs a place'),
                (('--all', '--interface', '0', '--tcp', '0'), 2, 'give either'),
                (('--log', 'x', '--tcp', '0'), 2, '--log is for the port on this terminal'),
                (('--hex', '--pty', 'x'), 2, '--hex is for the port on this terminal'),
                (('--timestamps', '--rfc2217', '0'), 2, '--timestamps is for the port'),
                (('--format', '8N'), 2, "--format '8N' is none"),
                (('--format', '8N3'), 2, "--format '8N3' is none"),
                (('--baud', '2500000'), 1, 'the nearest rate that it makes is 3000000 bits/s'),
                (('--baud', '45'), 1, 'it does 46 to 3000000 bits/s'),
                (('--flow', 'xonxoff'), 1, 'it has no XON/XOFF of its own'),
                (('--all', '--pty', lab.path('none/of/these')), 1,
                 'none/of/these could not be made: No such file')):
            output = bench('serial', *words, status=code)
            expect(text in output.errors, words, output)


main(__name__)
