#!/usr/bin/env python3
"""usbwire probe, against what it said when every line of it had been compared with the USB
specifications: golden/*.txt. `test_probe.py BUILD --renew` writes the files anew, to be read before
they are committed."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import Lab, expect, expect_equal, main, test  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'golden')
DEVICES = ('esp', 'acm-echo', 'source-sink', 'loopback', 'keyboard', 'disk', 'faulty')


def _probe(lab, name):
    """What is said of a device, without the port that nobody chose."""
    with lab.bench('--device', name) as bench:
        return bench('probe').text.replace(bench.host, 'HOST')


def _golden(name):
    with open(os.path.join(GOLDEN, f'{name}.txt'), encoding='utf-8') as file:
        return file.read()


@test
def every_device_as_in_the_golden_files(lab):
    for name in DEVICES:
        expect_equal(_probe(lab, name).splitlines(), _golden(name).splitlines(), name)


@test
def super_speed(lab):
    with lab.bench('--device', 'source-sink:speed=super') as bench:
        told = bench('probe').text
        for part in ('super speed', 'bMaxBurst', 'Binary Object Store', 'SuperSpeed USB Device '
                     'Capability'):
            expect(part in told, f'no "{part}" in:', told)


@test
def only_the_device_descriptor(lab):
    with lab.bench('--device', 'esp') as bench:
        lines = bench('probe', '--vid', '0x303a', '--pid', '0x4004', '--get-device-desc').text
        expect_equal(lines.replace(bench.host, 'HOST').splitlines(),
                     _golden('esp').splitlines()[:16])
        quiet = bench('-q', 'probe', '--get-device-desc').text.splitlines()
        expect_equal(quiet[0], 'Device Descriptor:')


@test
def json_says_the_same(lab):
    with lab.bench('--device', 'acm-echo') as bench:
        told = bench('probe', '--json').json()
        listed = bench('list', '--json').json()[0]
        for key, value in listed.items():
            if key not in ('interfaces', 'configuration_value', 'held'):
                expect_equal(told[key], value, key)
        expect_equal(told['device']['idVendor'], 0x1209)
        expect_equal(told['device']['iProduct_string'], 'usbwire simulated serial port')
        interfaces = told['configurations'][0]['interfaces']
        expect_equal([i['bInterfaceClass'] for i in interfaces], [2, 10])
        expect_equal([e['bEndpointAddress'] for e in interfaces[1]['endpoints']], [0x02, 0x82])
        only = bench('probe', '--json', '--get-device-desc').json()
        expect('configurations' not in only and only['device'] == told['device'], only)


@test
def nothing_of_a_device_reaches_the_terminal_unprintable(lab):
    with lab.bench('--device', 'esp:serial=a\x1b[31mb\x07\u202ec') as bench:
        for command in (['probe'], ['-v', 'list'], ['probe', '--serial', 'x\x1by']):
            done = bench(*command, status=None)
            for text in (done.text, done.errors):
                bad = [c for c in text if ord(c) < 32 and c != '\n' or 127 <= ord(c) < 160]
                expect(not bad, repr(text))


@test
def a_device_that_dies_meanwhile_is_no_success(lab):
    with lab.bench('--device', 'disk', '--fail', 'gone:ep=0x80,urb=9') as bench:
        done = bench('probe', status=1)
        expect('the device is gone' in done.errors, done)


if '--renew' in sys.argv:
    for device in DEVICES:
        with open(os.path.join(GOLDEN, f'{device}.txt'), 'w', encoding='utf-8') as out:
            out.write(_probe(Lab(os.path.abspath(sys.argv[1]), '/tmp'), device))
    sys.exit()

main(__name__)
