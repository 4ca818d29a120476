#!/usr/bin/env python3
"""usbwire hold: several commands share a device."""
import contextlib
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import PATIENCE, expect, expect_equal, main, test  # noqa: E402


def _runtime(lab):
    folder = lab.path('run')
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return {'XDG_RUNTIME_DIR': folder}


@contextlib.contextmanager
def _held(lab, bench, *options):
    """A running hold: what it says of the device."""
    process = bench.start('hold', '--json', *options, environment=_runtime(lab),
                          stdout=subprocess.PIPE)
    try:
        line = process.stdout.readline()
        expect(line, 'hold did not start')
        yield json.loads(line)
    finally:
        process.send_signal(signal.SIGTERM)
        expect_equal(process.wait(PATIENCE), 0, 'hold ended badly')
        process.stdin.close()
        process.stdout.close()


@test
def commands_share_it(lab):
    with lab.bench('--device', 'acm-echo') as bench, _held(lab, bench) as told:
        expect_equal(told['busid'], '1-1')
        expect(told['address'].startswith('unix:' + lab.path('run')), told)
        run = {'environment': _runtime(lab)}
        # It has the name that it has at its server.
        line = bench('probe', '--get-device-desc', **run).text.splitlines()[0]
        expect(line.startswith(f'{bench.host} 1-1 (1209:0001)'), line)
        # The port forgets what it was told when an import ends: here none does.
        bench('control', '--direction', 'out', '--bm-request-type', '0x21', '--b-request', '0x20',
              '--data', '802500000000 08', **run)
        coding = bench('control', '--direction', 'in', '--bm-request-type', '0xa1', '--b-request',
                       '0x21', '--length', '7', '--raw', **run)
        expect_equal(coding.out, bytes.fromhex('80250000000008'))
        bench('write', '-e', '0x02', '--text', 'hello', **run)
        expect_equal(bench('read', '-e', '0x82', '-n', '5', '--raw', **run).out, b'hello')


@test
def a_terminal_that_hangs_up_leaves_nothing_behind(lab):
    """The kernel says so, and then the shell once more."""
    with lab.bench('--device', 'esp') as bench:
        process = bench.start('hold', environment=_runtime(lab), stdout=subprocess.PIPE)
        with process.stdout, process.stdin:
            expect(process.stdout.readline(), 'hold did not start')
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGHUP)
            expect_equal(process.wait(PATIENCE), 0)
        expect_equal(os.listdir(lab.path('run/usbwire')), ['taps'])


@test
def without_it_the_device_is_busy(lab):
    elsewhere = {'environment': {'XDG_RUNTIME_DIR': lab.path('elsewhere')}}
    os.makedirs(lab.path('elsewhere'), mode=0o700)
    with lab.bench('--device', 'esp') as bench:
        with _held(lab, bench):
            expect('in use elsewhere' in bench('probe', status=5, **elsewhere).errors, 'not busy')
        bench('probe', **elsewhere)


@test
def one_hold_a_device(lab):
    with lab.bench('--device', 'esp') as bench, _held(lab, bench):
        bench('hold', status=5, environment=_runtime(lab))


_ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
try:
    s.sendall(bytes.fromhex('0111800500000000'))  # OP_REQ_DEVLIST
    print(s.recv(8).hex() or 'closed')
except (BrokenPipeError, ConnectionResetError):
    print('closed')
"""


@test
def other_users_are_refused(lab):
    """By who they are, even where the folder's rights would let them in."""
    if os.geteuid():
        return  # nobody else can be played
    with lab.bench('--device', 'esp') as bench, _held(lab, bench) as told:
        path = told['address'][len('unix:'):]
        os.chmod(path, 0o666)
        folder = os.path.dirname(path)
        while folder.startswith(lab.folder):
            os.chmod(folder, 0o711)
            folder = os.path.dirname(folder)
        said = [subprocess.run(['/usr/bin/python3', '-c', _ASK, path], capture_output=True,
                               text=True, timeout=PATIENCE, check=True, **who).stdout.strip()
                for who in ({}, {'user': 65534, 'group': 65534, 'extra_groups': []})]
    expect_equal(said, ['0111000500000000', 'closed'])


@test
def it_is_listed_where_the_server_hides_it(lab):
    run = {'environment': _runtime(lab)}
    with lab.bench('--personality', 'linux-hiding', '--device', 'cp2102:count=2') as bench, \
            _held(lab, bench, '--busid', '1-2'):
        lines = bench('list', **run).text.splitlines()
        expect_equal([(line.split()[0], line.endswith('(held)')) for line in lines],
                     [('1-1', False), ('1-2', True)])
        expect_equal([(d['busid'], d['held']) for d in bench('list', '--json', **run).json()],
                     [('1-1', False), ('1-2', True)])
        expect_equal(bench('list', '--vid', 'dead', **run).text, '')
        ports = bench('serial', '--list', '--json', **run).json()
        expect_equal([p['busid'] for p in ports], ['1-1', '1-2'])
        for choice, busid in ((['--serial', ports[1]['serial']], '1-2'), (['-b', '1-2'], '1-2')):
            expect_equal(bench('probe', '--json', *choice, **run).json()['busid'], busid)
        # Of two that match, none is taken because somebody holds it.
        for command in (['probe'], ['probe', '--vid', '10c4'], ['hold']):
            told = bench(*command, status=4, **run).errors
            expect('--busid 1-1' in told and '--busid 1-2' in told, told)


@test
def two_held_devices(lab):
    with lab.bench('--device', 'esp:count=2') as bench:
        run = {'environment': _runtime(lab)}
        with _held(lab, bench, '--busid', '1-1'), _held(lab, bench, '--busid', '1-2'):
            for busid in ('1-1', '1-2'):
                found = bench('probe', '--json', '--busid', busid, **run).json()
                expect_equal(found['busid'], busid)


def _follows(lab, personality, where):
    run = {'environment': _runtime(lab)}
    with lab.bench('--personality', personality, '--device', f'dfu:runtime={where}') as bench:
        process = bench.start('hold', '--json', stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              **run)
        before = json.loads(process.stdout.readline())
        expect_equal(before['pid'], '0017')
        bench('control', '--direction', 'out', '--bm-request-type', '0x21', '--b-request', '0',
              '--w-value', '1000', **run)  # DETACH
        after = json.loads(process.stdout.readline())
        expect_equal(after['pid'], '0007')
        expect_equal(after['address'], before['address'])
        found = bench('probe', '--json', '--busid', after['busid'], **run).json()
        expect_equal(found['pid'], '0007')
        process.send_signal(signal.SIGTERM)
        expect('looking for it' in process.communicate(timeout=PATIENCE)[1].decode(), 'silent')
        expect_equal(process.returncode, 0)
    return before['busid'] == after['busid']


@test
def it_follows_a_device_that_comes_back(lab):
    """As a boot loader, in its place and in another one: told in a line more, shared as before. Servers
    differ: in whether they say that it went away, hide it meanwhile, let the next import in, and in how
    they call it then."""
    for personality in ('linux', 'linux-hiding', 'g0', 'g1', 'jiegec', 'hq'):
        expect(_follows(lab, personality, 'stays'), personality)
        expect(not _follows(lab, personality, 'moves'), personality)
    for where in ('stays', 'moves'):
        expect(_follows(lab, 'poc', where), 'a server that has one name for all')


@test
def it_ends_when_the_device_is_gone(lab):
    with lab.bench('--device', 'faulty') as bench:
        process = bench.start('hold', '--json', '--wait', '1', environment=_runtime(lab), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        expect(process.stdout.readline(), 'hold did not start')
        bench('control', '--direction', 'out', '--bm-request-type', '0x40', '--b-request', '0x10',
              status=1, environment=_runtime(lab))
        errors = process.communicate(timeout=PATIENCE)[1].decode()
        expect_equal(process.returncode, 1)
        expect('the device is gone' in errors, errors)
        left = [f for f in os.listdir(lab.path('run/usbwire')) if f.endswith('.device')]
        expect_equal(left, [])


if __name__ == '__main__':
    sys.exit(main(__name__))
