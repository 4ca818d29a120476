#!/usr/bin/env python3
"""usbwire serve, and what -v and USBWIRE_TRACE show."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import PATIENCE, expect, expect_equal, main, test  # noqa: E402


@test
def all_but_faulty_when_none_is_named(lab):
    with lab.bench() as bench:
        expect_equal([d['name'] for d in bench.devices],
                     ['esp', 'acm-echo', 'source-sink', 'loopback', 'keyboard', 'disk'])


@test
def keys_of_devices(lab):
    with lab.bench('--device', 'esp:count=2,serial=abc', '--device', 'keyboard:type=q',
                   '--device', 'source-sink:speed=super') as bench:
        listed = bench('list', '--json').json()
        expect_equal([(d['busid'], d['speed']) for d in listed],
                     [('1-1', 2), ('1-2', 2), ('1-3', 1), ('2-1', 5)])
        done = bench('probe', '--serial', 'abc', status=4)
        expect('more than one device' in done.errors, done)
        keys = bench('read', '--pid', '4', '-e', '0x81', '--raw').out
        expect_equal(keys[2], 0x04 + ord('q') - ord('a'))


@test
def a_disk_shows_the_image_it_is_given(lab):
    image = lab.write('image', b'sector'.ljust(512, b'.') * 128)
    with lab.bench('--device', f'disk:image={image}') as bench:
        # READ(10) of one block in a wrapper (USB MSC BOT 5.1), from one command to the next: the
        # data phase follows in the same import only, so the wrapper alone is taken here.
        told = bench('write', '-e', '1', '55534243 01000000 00020000 80 00 0a '
                     '28 00 00000000 00 0001 00 000000000000').text
        expect('31 bytes written' in told, told)
    done = lab.usbwire('serve', '--device', 'disk:image=/nowhere', status=2)
    expect('/nowhere' in done.errors, done)


@test
def personalities_tell_their_paths(lab):
    names = [p['name'] for p in lab.usbwire('serve', '--list', '--json').json()['personalities']]
    expect(len(names) > 20, names)
    for name in names:
        with lab.bench('--device', 'esp', '--personality', name) as bench:
            listed = bench('list', '--json').json()
            expect_equal([listed[0]['vid'], listed[0]['pid']], ['303a', '4004'], name)
            if name in ('g0', 'pyusbip', 'renode'):
                expect(listed[0]['path'].startswith(
                    {'g0': '/esp-usb-host/', 'pyusbip': 'pyusbip/',
                     'renode': '/renode/virtual/'}[name]), listed)


@test
def faults_strike_where_and_when_they_are_told(lab):
    with lab.bench('--device', 'source-sink', '--fail', 'stall:ep=0x81,urb=3') as bench:
        done = bench('--json', 'read', '-e', '0x81', '-n', '512', '-c', '9', status=1)
        expect_equal([done.json()['count'], done.json()['error']['status']], [2, -32])
    with lab.bench('--device', 'source-sink', '--fail', 'short:ep=0x81,every=2') as bench:
        told = bench('--json', 'read', '-e', '0x81', '-n', '512', '-c', '4').json()
        expect_equal([t['actual_length'] for t in told['transfers']], [256, 512, 256, 512])


@test
def until_eof_ends_with_its_input(lab):
    running = lab.start('serve', '--port', '0', '--until-eof', stdout=subprocess.PIPE)
    expect(running.stdout.readline().startswith(b'listening on 127.0.0.1:'))
    running.stdin.close()
    expect_equal(running.wait(PATIENCE), 0)
    running.stdout.close()


@test
def a_port_that_is_taken_is_3(lab):
    with lab.bench('--device', 'esp') as bench:
        done = lab.usbwire('serve', '--port', str(bench.port), status=3)
        expect(re.search(rf'listen on 127.0.0.1 port {bench.port}: .*Address already in use.*free',
                         done.errors), done)
    for address in ('nohost', '192.0.2.1'):
        done = lab.usbwire('serve', '--port', '0', '--bind', address, status=3)
        expect(f'listen on {address}' in done.errors and 'numeric address' in done.errors, done)


@test
def vv_shows_every_message(lab):
    with lab.bench('--device', 'esp') as bench:
        done = bench('-vv', 'control', '--direction', 'in', '--b-request', '8', '--length', '1')
        lines = [line for line in done.errors.splitlines() if re.match(r' +\d+\.\d{6} ', line)]
        words = [line.split()[2] for line in lines]
        expect_equal(words[:4], ['OP_REQ_DEVLIST', 'OP_REP_DEVLIST', 'OP_REQ_IMPORT',
                                 'OP_REP_IMPORT'], done)
        expect_equal(words.count('CMD_SUBMIT'), words.count('RET_SUBMIT'))
        times = [float(line.split()[0]) for line in lines]
        expect_equal(times, sorted(times))
        last = [line for line in lines if 'CMD_SUBMIT' in line][-1]
        expect(re.search(r'-> CMD_SUBMIT seq \d+ ep 0x80 control IN 1 bytes setup '
                         r'80 08 00 00 00 00 01 00 GET_CONFIGURATION \[', last), last)
        expect(re.search(r'<- RET_SUBMIT seq \d+ ep 0x80 control IN status 0 1 bytes \| 01 \[',
                         done.errors), done)


@test
def the_trace_can_go_to_a_file(lab):
    with lab.bench('--device', 'esp') as bench:
        path = lab.path('trace')
        done = bench('probe', environment={'USBWIRE_TRACE': path})
        expect_equal(done.errors, '')
        with open(path, encoding='utf-8') as file:
            text = file.read()
        expect('CMD_SUBMIT' in text and 'detached' in text, text)
        expect('CMD_SUBMIT' in bench('probe', environment={'USBWIRE_TRACE': '1'}).errors)
        expect_equal(bench('probe', environment={'USBWIRE_TRACE': '0'}).errors, '')
        done = bench('probe', environment={'USBWIRE_TRACE': '/nowhere/at/all'}, status=1)
        expect('USBWIRE_TRACE' in done.errors, done)


@test
def v_tells_of_imports(lab):
    running = lab.start('serve', '--port', '0', '--until-eof', '-v', '--device', 'esp',
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    host = running.stdout.readline().split()[-1].decode()
    lab.usbwire('-H', host, 'probe')
    _, errors = running.communicate(timeout=PATIENCE)
    expect(b'import' in errors and b'1-1' in errors, errors)


main(__name__)
