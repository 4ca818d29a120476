#!/usr/bin/env python3
"""What is different on a terminal: progress, --raw, Ctrl-C, headings, the demo."""
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import PATIENCE, expect, expect_equal, main, test  # noqa: E402
from simterm import Terminal  # noqa: E402

CTRL_C = b'\x03'


def _on_terminal(lab, bench, *arguments, **environment):
    return Terminal(lab, [lab.command, *arguments], bench.host, **environment)


@test
def raw_is_refused_unless_forced(lab):
    with lab.bench('--device', 'source-sink') as bench:
        read = ('read', '-e', '0x81', '-n', '512', '--raw')
        terminal = _on_terminal(lab, bench, *read)
        expect_equal(terminal.end(), 2)
        expect(b'--raw would write bytes as they are to the terminal' in terminal.shown,
               terminal.shown)
        terminal = _on_terminal(lab, bench, *read, '--force')
        expect_equal(terminal.end(), 0)
        expect(b'ABCDEFGHIJKLMNOPQRSTUVWXYZ' in terminal.shown, terminal.shown)


@test
def a_long_transfer_shows_progress(lab):
    with lab.bench('--device', 'source-sink') as bench:
        file = lab.write('data', bytes(1000))
        terminal = _on_terminal(lab, bench, 'write', '-e', '1', '--data-file', file, '-c',
                                '4000000000')
        terminal.until(rb'write [0-9.]+ [kMG]?B of 4.0 TB \(0 %\), [0-9.]+ [kMG]?B/s')
        terminal.type(CTRL_C)
        expect_equal(terminal.end(), 130)
        expect(b'write interrupted after ' in terminal.shown, terminal.shown)


@test
def progress_is_for_terminals_and_not_with_q(lab):
    with lab.bench('--device', 'source-sink', '--latency', '400ms') as bench:
        terminal = _on_terminal(lab, bench, '-q', 'read', '-e', '0x81', '-n', '512', '-c', '4')
        expect_equal(terminal.end(), 0)
        expect(b'\r\x1b[K' not in terminal.shown, terminal.shown)
        done = bench('read', '-e', '0x81', '-n', '512', '-c', '4')
        expect_equal(done.errors, '')


@test
def ctrl_c_while_nothing_comes(lab):
    with lab.bench('--device', 'faulty') as bench:
        terminal = _on_terminal(lab, bench, '-vv', 'read', '-e', '0x82', '--timeout', '0')
        terminal.until(rb'CMD_SUBMIT.*0x82')
        terminal.type(CTRL_C)
        expect_equal(terminal.end(), 130)
        expect(b'read interrupted after 0 transfers, 0 bytes' in terminal.shown, terminal.shown)
        bench('probe', '--get-device-desc')


@test
def ctrl_c_while_waiting_for_a_device(lab):
    with lab.bench('--device', 'esp') as bench:
        terminal = _on_terminal(lab, bench, '-vv', 'probe', '--vid', '9999', '--wait', '1000')
        terminal.until(rb'OP_REP_DEVLIST')
        terminal.type(CTRL_C)
        expect_equal(terminal.end(), 130)


@test
def headings_are_bold_unless_no_color(lab):
    with lab.bench('--device', 'esp') as bench:
        terminal = _on_terminal(lab, bench, 'list')
        expect_equal(terminal.end(), 0)
        expect(b'\x1b[1m1-1' in terminal.shown, terminal.shown)
        terminal = _on_terminal(lab, bench, 'list', NO_COLOR='1')
        expect_equal(terminal.end(), 0)
        expect(b'\x1b' not in terminal.shown, terminal.shown)
        expect('\x1b' not in bench('list').text)


@test
def the_server_ends_at_ctrl_c(lab):
    terminal = Terminal(lab, [lab.command, 'serve', '--port', '0'])
    terminal.until(rb'listening on 127.0.0.1:\d+\r\n(  \S+ .*\r\n){6}')
    terminal.type(CTRL_C)
    expect_equal(terminal.end(), 0)


@test
def the_demo_stays_until_enter(lab):
    terminal = Terminal(lab, ['scripts/demo.sh', lab.build])
    host = terminal.until(rb'export USBWIRE_HOST=(\S+)').group(1).decode()
    terminal.until(rb'Enter ends')
    expect(len(lab.usbwire('list', host=host).text.splitlines()) >= 6)
    for trial in re.findall(rb'^  \S*/usbwire (.*?)(?:   .*)?\r$', terminal.shown, re.M):
        words = trial.decode().split()
        if not {'-c', '--help'} & set(words):  # those go on until Ctrl-C, or need no server
            lab.usbwire(*words, host=host)
    terminal.type(b'\n')
    expect_equal(terminal.end(), 0)
    lab.usbwire('list', host=host, status=3)


@test
def the_demo_ends_without_a_terminal(lab):
    done = lab.run(os.path.join(lab.root, 'scripts/demo.sh'), lab.build)
    for word in ('list', 'probe', 'control', 'write', 'read', 'bench'):
        expect(re.search(rf'^\$ usbwire (\S+ )?{word}', done.text, re.M), word, done)
    expect('|hello, board|' in done.text, done)
    host = re.search(r'listens on (\S+),', done.text).group(1)
    lab.usbwire('list', host=host, status=3)


@test
def the_demo_leaves_no_server_when_it_is_killed(lab):
    terminal = Terminal(lab, ['scripts/demo.sh', lab.build])
    host = terminal.until(rb'export USBWIRE_HOST=(\S+)').group(1).decode()
    terminal.until(rb'Enter ends')
    os.kill(terminal.pid, signal.SIGKILL)
    terminal.end()
    end = time.monotonic() + PATIENCE
    while lab.usbwire('list', host=host, status=None).status == 0:
        expect(time.monotonic() < end, 'the server is still there')


main(__name__)
