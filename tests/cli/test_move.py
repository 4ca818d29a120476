#!/usr/bin/env python3
"""usbwire control, read, write, reset, set-config, clear-halt, bench: what moves, and what is said."""
import json
import os
import random
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import PATIENCE, expect, expect_equal, main, test  # noqa: E402

DESCRIPTOR = '12010002000000403a30044000010102' '0301'
VENDOR_OUT = ('control', '--direction', 'out', '--bm-request-type', '0x40', '--b-request', '1')
VENDOR_IN = ('control', '--direction', 'in', '--bm-request-type', '0xc0', '--b-request', '1',
             '--length', '4096')


@test
def control_in_as_dump_raw_and_json(lab):
    get = ['control', '--vid', '0x303a', '--pid', '0x4004', '--direction', 'in',
           '--bm-request-type', '0x80', '--b-request', '0x06', '--w-value', '0x0100', '--length',
           '18']
    with lab.bench('--device', 'esp') as bench:
        expect_equal(bench(*get).text,
                     '00000000  12 01 00 02 00 00 00 40  3a 30 04 40 00 01 01 02  '
                     '|.......@:0.@....|\n'
                     '00000010  03 01                                             |..|\n')
        expect_equal(bench(*get, '--raw').out.hex(), DESCRIPTOR)
        expect_equal(bench(*get, '--json').json(), {
            'bm_request_type': 0x80, 'b_request': 6, 'w_value': 0x100, 'w_index': 0, 'length': 18,
            'actual_length': 18, 'data': DESCRIPTOR, 'error': None})


@test
def the_type_follows_from_the_direction(lab):
    with lab.bench('--device', 'esp') as bench:
        short = ['--b-request', '6', '--w-value', '0x100', '--length', '18', '--raw']
        for how in (['--direction', 'in'], ['--bm-request-type', '0x80']):
            expect_equal(bench('control', *how, *short).out.hex(), DESCRIPTOR, how)


@test
def control_out_from_everywhere(lab):
    with lab.bench('--device', 'esp') as bench:
        file = lab.write('data', bytes(range(200)))
        for how, stdin, wanted in (
                (['--data', '01 02:03'], b'', b'\1\2\3'), (['--data', '0xfF00'], b'', b'\xff\0'),
                (['--text', 'hello'], b'', b'hello'), (['--data-file', file], b'', bytes(range(200))),
                (['--data-file', '-'], b'piped', b'piped')):
            told = bench(*VENDOR_OUT, *how, stdin=stdin).text
            size = '1 byte' if len(wanted) == 1 else f'{len(wanted)} bytes'
            expect_equal(told, f'{bench.host} 1-1 (303a:4004): {size} sent\n')
            expect_equal(bench(*VENDOR_IN, '--raw').out, wanted, how)
        expect_equal(bench('-q', *VENDOR_OUT, '--text', 'x').text, '')


@test
def an_answer_without_data_is_remarked(lab):
    with lab.bench('--device', 'esp') as bench:
        done = bench(*VENDOR_IN)
        expect_equal([done.text, done.errors],
                     ['', f'usbwire: {bench.host} 1-1 (303a:4004): the device answered with no '
                          'data\n'])


@test
def bulk_there_and_back(lab):
    data = random.Random(1).randbytes(300000)
    with lab.bench('--device', 'esp') as bench:
        file = lab.write('data', data)
        bench('write', '-e', '0x01', '--data-file', file)
        back = b''
        while len(back) < len(data):
            back += bench('read', '--endpoint', '0x81', '--length', '65536', '--raw').out
        expect(back == data, 'what came back is not what was sent')
        told = bench('write', '-e', '0x01', '--text', 'hello, board')
        expect_equal(told.text, f'{bench.host} 1-1 (303a:4004): 12 bytes written to 0x01\n')
        expect_equal(bench('read', '-e', '0x81').text,
                     '00000000  68 65 6c 6c 6f 2c 20 62  6f 61 72 64              '
                     '|hello, board|\n')


@test
def a_stream_of_reads_is_in_order(lab):
    with lab.bench('--device', 'source-sink') as bench:
        got = bench('read', '-e', '0x81', '-n', '16384', '-c', '100', '--raw').out
        expect_equal(len(got), 100 * 16384)
        expect(got == bytes(range(256)) * (len(got) // 256), 'bytes are lost or out of order')


@test
def what_was_written_is_counted(lab):
    with lab.bench('--device', 'source-sink') as bench:
        file = lab.write('data', bytes(3000000))
        for options, stdin, size in ((['--data-file', file], b'', 3000000),
                                     (['--data-file', '-'], bytes(70000), 70000),
                                     (['--count', '3', '01 02 03'], b'', 9)):
            told = bench('--json', 'write', '-e', '1', *options, stdin=stdin).json()
            expect_equal([told['actual_length'], told['endpoint'], told['type'], told['error']],
                         [size, 1, 'bulk', None])
        told = bench('write', '-e', '1', '--data-file', file).text
        expect('3.0 MB written to 0x01' in told, told)


@test
def interrupt_and_isochronous_by_the_endpoints_own_type(lab):
    with lab.bench('--device', 'loopback', '--device', 'keyboard') as bench:
        told = bench('--json', 'read', '--pid', '4', '-e', '0x81', '-n', '8', '-c', '2').json()
        expect_equal([told['type'], told['count'], told['actual_length'], told['error']],
                     ['interrupt', 2, 16, None])
        expect_equal([t['actual_length'] for t in told['transfers']], [8, 8])
        told = bench('--json', 'write', '--pid', '3', '-e', '3', '--alt', '1', '00 01').json()
        expect_equal([told['type'], told['actual_length'], told['packets_failed']],
                     ['isochronous', 2, 0])
        told = bench('--json', 'read', '--pid', '3', '-e', '0x83', '--alt', '1').json()
        expect_equal([told['type'], len(told['transfers'][0]['packets'])], ['isochronous', 8])
        told = bench('write', '--pid', '3', '-e', '2', '05').text
        expect('1 byte written to 0x02' in told, told)


@test
def what_came_before_an_error_is_shown(lab):
    with lab.bench('--device', 'source-sink', '--fail', 'stall:ep=0x81,urb=4') as bench:
        done = bench('read', '-e', '0x81', '-n', '512', '-c', '10', '--raw', status=1)
        expect_equal(done.out, bytes(range(256)) * 6)
        lines = done.errors.splitlines()
        expect('read failed after 3 transfers, 1.5 kB' in lines[0] and 'stall' in lines[1], done)


@test
def halts_and_configurations(lab):
    with lab.bench('--device', 'source-sink') as bench:
        name = f'{bench.host} 1-1 (1209:0002): '
        expect_equal(bench('clear-halt', '-e', '0x81').text,
                     f'{name}the halt of endpoint 0x81 is cleared\n')
        expect_equal(bench('set-config', '2').text, f'{name}configuration 2 is set\n')
        expect_equal(bench('reset').text, f'{name}reset\n')
        expect_equal(bench('--json', 'set-config', '2').json(),
                     {'busid': '1-1', 'configuration_value': 2})
        expect_equal(bench('--json', 'clear-halt', '-e', '1').json(),
                     {'busid': '1-1', 'endpoint': 1})
        expect_equal(bench('--json', 'reset').json(), {'busid': '1-1', 'reset': True})


@test
def bench_says_how_fast(lab):
    with lab.bench('--device', 'source-sink') as bench:
        for options in (['--mode', 'ctrl'], ['--mode', 'in', '--size', '4096', '--depth', '4'],
                        ['--mode', 'out', '--endpoint', '0x01', '--depth', '2']):
            told = bench('--json', 'bench', '--seconds', '0.2', *options).json()
            expect_equal(sorted(told), sorted([
                'mode', 'endpoint', 'size', 'depth', 'seconds', 'urbs', 'urbs_per_s', 'mb_per_s',
                'lat_us_p50', 'lat_us_p99', 'cpu_us_per_urb']))
            expect(told['urbs'] > 0 and told['lat_us_p50'] <= told['lat_us_p99'], told)
            expect_equal(told['mode'], options[1])
        expect('URBs/s' in bench('bench', '--seconds', '0.1').text)


@test
def latency_is_seen(lab):
    with lab.bench('--device', 'esp', '--latency', '30ms') as bench:
        told = bench('--json', 'bench', '--seconds', '0.2').json()
        expect(told['lat_us_p50'] >= 30000, told)


def _interrupt(bench, sign, *command):
    """Ctrl-C as soon as data has come: (status, standard error)."""
    running = bench.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    expect(os.read(running.stdout.fileno(), 1), 'nothing came')
    running.send_signal(sign)
    _, errors = running.communicate(timeout=PATIENCE)
    return running.returncode, errors.decode()


@test
def ctrl_c_ends_cleanly_and_says_how_far_it_came(lab):
    with lab.bench('--device', 'source-sink') as bench:
        for sign in (signal.SIGINT, signal.SIGTERM):
            status, errors = _interrupt(bench, sign, 'read', '-e', '0x81', '-c', '0', '-n', '512')
            expect_equal(status, 130)
            expect(f'{bench.host} 1-1 (1209:0002): read interrupted after ' in errors, errors)
            bench('probe', '--get-device-desc')  # given back


@test
def a_json_document_is_whole_after_ctrl_c(lab):
    with lab.bench('--device', 'keyboard') as bench:
        running = bench.start('--json', 'read', '-e', '0x81', '-c', '0', stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        first = os.read(running.stdout.fileno(), 80)
        running.send_signal(signal.SIGINT)
        rest, _ = running.communicate(timeout=PATIENCE)
        told = json.loads(first + rest)
        expect_equal(told['count'], len(told['transfers']))


@test
def a_reader_that_goes_away_ends_it(lab):
    with lab.bench('--device', 'source-sink') as bench:
        running = bench.start('read', '-e', '0x81', '-n', '512', '-c', '0', '--raw',
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.stdout.read(10)
        running.stdout.close()
        errors = running.stderr.read().decode()
        expect_equal(running.wait(PATIENCE), 1)
        expect('standard output could not be written: Broken pipe' in errors, errors)
        running.stderr.close()
        running.stdin.close()


@test
def a_full_disk_is_told(lab):
    with lab.bench('--device', 'esp') as bench:
        with open('/dev/full', 'wb') as full:
            for command in (['list'], ['list', '--json'], ['probe']):
                running = bench.start(*command, stdout=full, stderr=subprocess.PIPE)
                _, errors = running.communicate(timeout=PATIENCE)
                expect_equal(running.returncode, 1, command, errors)
                expect(b'No space left on device' in errors, command, errors)


main(__name__)
