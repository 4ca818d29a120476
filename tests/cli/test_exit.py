#!/usr/bin/env python3
"""Exit codes, and the one sentence that goes with each: it names the server and device, what was
tried, what came back and what to do."""
import os
import shlex
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import PATIENCE, expect, expect_equal, main, test  # noqa: E402


def _says(output, *parts):
    """One sentence on standard error, with these parts in this order."""
    lines = output.errors.splitlines()
    expect(lines and lines[0].startswith('usbwire: '), output)
    at = 0
    for part in parts:
        at = lines[-1 if len(parts) > 1 else 0].find(part, at)
        expect(at >= 0, f'"{part}" is not in it, or not in its place:', output)


class Server:
    """A server that answers every connection with the same bytes; the context closes it."""

    def __init__(self, answer, linger=False):
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.host = f'127.0.0.1:{self.socket.getsockname()[1]}'
        self.answer, self.linger = answer, linger
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(self.answer)
                while self.linger and connection.recv(4096):
                    pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@test
def done_is_0(lab):
    with lab.bench('--device', 'esp') as bench:
        bench('list')
        bench('probe')
        bench('control', '--direction', 'in', '--b-request', '6', '--w-value', '0x100', '--length',
              '18')


@test
def a_failed_transfer_is_1(lab):
    with lab.bench('--device', 'faulty') as bench:
        name = f'{bench.host} 1-1 (1209:0006): '
        _says(bench('read', '-e', '0x81', status=1), name, 'bulk IN 0x81, 512 bytes: ', 'stall',
              'status -32 (EPIPE', 'clear-halt')
        _says(bench('write', '-e', '1', '00', status=1), name, 'bulk OUT 0x01, 1 byte: ', 'stall',
              'status -32')
        _says(bench('read', '-e', '0x82', '--timeout', '1', status=1), name,
              'bulk IN 0x82, 512 bytes: ', 'no answer in time', 'allow more time')
        _says(bench('write', '-e', '2', '00', '--timeout', '1', status=1), name, 'bulk OUT 0x02',
              'no answer in time', 'allow more time')
        _says(bench('read', '-e', '0x83', status=1), name, 'bulk IN 0x83', 'more than was asked',
              'status -75 (EOVERFLOW', 'multiple')
        vendor = ['control', '--direction', 'out', '--bm-request-type', '0x40', '--b-request']
        _says(bench(*vendor, '0x13', status=1), name,
              'control OUT 40 13 wValue 0000 wIndex 0000, 0 bytes: ', 'status -32',
              'does not know this request')
        _says(bench(*vendor, '0x12', '--timeout', '1', status=1), name, 'control OUT 40 12',
              'no answer in time', 'allow more time')
        _says(bench(*vendor, '0x10', status=1), name, 'control OUT 40 10', 'gone', 'status -108',
              'find it again')


@test
def several_reads_that_bring_nothing_are_1(lab):
    with lab.bench('--device', 'faulty') as bench:
        done = bench('read', '-e', '0x82', '-c', '2', '--timeout', '1', status=1)
        _says(done, 'bulk IN 0x82, 512 bytes: ', 'no answer in time', '--timeout')


@test
def a_command_line_without_sense_is_2(lab):
    with open(os.path.join(lab.root, 'tests/cli/usage.txt'), encoding='utf-8') as table:
        rows = [line.rstrip('\n').split(' => ') for line in table if line[0] not in '#\n']
    expect(len(rows) > 40, rows)
    for arguments, sentence in rows:
        done = lab.usbwire(*shlex.split(arguments), status=2, host='127.0.0.1:1')
        if sentence.endswith('...'):
            expect(done.errors.startswith(f'usbwire: {sentence[:-3]}'), done)
        else:
            expect_equal(done.errors, f'usbwire: {sentence}\n', arguments)
        expect_equal(done.text, '', arguments)


@test
def no_server_named_is_2(lab):
    _says(lab.usbwire('list', status=2), 'no server is named', '--host', 'USBWIRE_HOST')
    _says(lab.usbwire('list', status=2, environment={'USBWIRE_HOST': ''}), 'no server is named')


@test
def what_the_device_does_not_have_is_2(lab):
    with lab.bench('--device', 'loopback') as bench:
        name = f'{bench.host} 1-1 (1209:0003) has no '
        _says(bench('read', '-e', '0x8f', status=2), name, 'endpoint 0x8f; it has ', '0x81 (bulk)',
              '0x82 (interrupt)', '0x83 (isochronous, --alt 1)')
        _says(bench('read', '-e', '0x83', '--alt', '7', status=2), name, 'alternate setting 7')
        _says(bench('set-config', '9', status=2), name, 'configuration 9; it has 0 (unconfigured), '
              '1')


@test
def no_connection_is_3(lab):
    for host, parts in (
            ('127.0.0.1:1', ['no connection could be made', 'Connection refused', 'check']),
            ('localhost:1', ['no connection could be made', 'Connection refused', 'check']),
            ('[::1]:1', ['no connection could be made', 'Connection refused', 'check']),
            ('unix:/nowhere/at/all', ['no connection could be made', 'No such file', 'check']),
            ('nowhere.invalid', ['the host name has no address', 'check the spelling'])):
        done = lab.usbwire('-H', host, 'list', status=3)
        _says(done, host, ': list devices: ', *parts)


@test
def what_is_no_usbip_server_is_3(lab):
    http = b'HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n' + b'<html>' * 20
    for answer, parts in ((b'', ['closed the connection without an answer']),
                          (b'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', ['is it a USB/IP server']),
                          (http, ['is it a USB/IP server'])):
        with Server(answer) as server:
            for command in (['list'], ['probe'], ['probe', '--busid', '1-1']):
                done = lab.usbwire('-H', server.host, *command, status=3)
                _says(done, server.host, *parts)


@test
def a_server_that_says_nothing_is_3_in_time(lab):
    with Server(b'', linger=True) as server:
        done = lab.usbwire('-H', server.host, '--timeout', '1', 'list', status=3)
        _says(done, server.host, 'list devices: no answer in time (connected, but no answer came)')


@test
def a_server_that_dies_is_3(lab):
    with lab.bench('--device', 'source-sink', '--fail', 'close:ep=0x81,urb=3,at=header') as bench:
        done = bench('read', '-e', '0x81', '-c', '0', '--raw', status=3)
        _says(done, f'{bench.host} 1-1 (1209:0002): bulk IN 0x81', 'connection to the server was '
              'lost', 'in the middle of a message', 'see whether the server is up')


@test
def no_such_device_is_4(lab):
    with lab.bench('--device', 'esp', '--device', 'disk') as bench:
        _says(bench('probe', '--vid', '0x303a', '--pid', '0x1234', status=4),
              f'{bench.host}: find a device: --vid 0x303a --pid 0x1234: not found',
              '1-1 303a:4004, 1-2 1209:0005', '--wait')
        _says(bench('probe', '--busid', '9-9', status=4), f'{bench.host}: import 9-9',
              'status 4', 'list')
        _says(bench('probe', '--serial', 'none', status=4), '--serial none', 'not found')


@test
def an_ambiguous_choice_is_4_and_lists_the_candidates(lab):
    with lab.bench('--device', 'esp:count=2', '--device', 'disk') as bench:
        done = bench('probe', '--vid', '303a', status=4)
        lines = done.errors.splitlines()
        expect('more than one device matches' in lines[0] and '--busid' in lines[0], done)
        expect_equal([line.split()[:3] for line in lines[1:]],
                     [['--busid', '1-1', '303a:4004'], ['--busid', '1-2', '303a:4004']])
        for choice in (['--busid', '1-2'], ['--serial', 'esp-2'],
                       ['--vid', '303a', '--serial', 'esp-2']):
            told = bench('probe', '--json', *choice).json()
            expect_equal(told['busid'], '1-2', choice)
        expect_equal(bench('probe', '--json', '--pid', '5').json()['busid'], '1-3')


def _hold(bench, *arguments):
    """A command that keeps a device of the bench until it is told to stop."""
    holder = bench.start('-v', 'read', '-e', '0x82', '--timeout', '0', *arguments,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         environment={'USBWIRE_TRACE': '1'})
    for line in holder.stderr:
        if b'CMD_SUBMIT' in line and b'0x82' in line:
            return holder
    raise AssertionError('the device could not be held')


@test
def in_use_is_5(lab):
    with lab.bench('--device', 'faulty') as bench:
        holder = _hold(bench)
        try:
            _says(bench('probe', status=5), f'{bench.host}: import 1-1: in use elsewhere',
                  'status 2', '--wait')
            _says(bench('probe', '--wait', '0.3', status=5), 'in use elsewhere')
        finally:
            holder.terminate()
            holder.communicate()
        bench('probe')


@test
def wait_gets_a_device_as_soon_as_it_is_free(lab):
    with lab.bench('--device', 'faulty') as bench:
        holder = _hold(bench)
        waiter = bench.start('probe', '--wait', '50', '--get-device-desc', stdout=subprocess.PIPE)
        holder.terminate()
        holder.communicate()
        told, _ = waiter.communicate(timeout=PATIENCE)
        expect_equal(waiter.returncode, 0)
        expect(b'1-1 (1209:0006)' in told, told)


@test
def wait_is_over_when_the_time_is(lab):
    with lab.bench('--device', 'esp') as bench:
        _says(bench('probe', '--vid', '1234', '--wait', '0.3', status=4), 'not found')


@test
def the_error_is_in_the_json_too(lab):
    with lab.bench('--device', 'faulty') as bench:
        for command in (['read', '-e', '0x81'], ['write', '-e', '1', '00'],
                        ['control', '--direction', 'in', '--b-request', '99', '--length', '1']):
            done = bench('--json', *command, status=1)
            error = done.json()['error']
            expect_equal([error['code'], error['name'], error['status']],
                         [-6, 'UW_ERROR_STALL', -32])
            expect_equal(done.errors.splitlines()[-1], f'usbwire: {error["text"]}')


main(__name__)
