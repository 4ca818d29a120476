#!/usr/bin/env python3
"""usbwire list."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import expect, expect_equal, main, test  # noqa: E402

# The keys of a device, and their types: vid and pid are text, all else that counts is a number.
DEVICE = {'busid': str, 'path': str, 'busnum': int, 'devnum': int, 'speed': int, 'vid': str,
          'pid': str, 'bcd_device': int, 'class': int, 'subclass': int, 'protocol': int,
          'configuration_value': int, 'num_configurations': int, 'interfaces': list, 'held': bool}
INTERFACE = {'class': int, 'subclass': int, 'protocol': int}


def _has_shape(value, shape):
    return list(value) == list(shape) and all(type(value[k]) is t for k, t in shape.items())


@test
def one_line_a_device(lab):
    with lab.bench('--device', 'esp', '--device', 'loopback') as bench:
        lines = bench('list').text.splitlines()
        expect_equal(len(lines), 2)
        expect(lines[0].startswith('1-1          303a:4004  full    Vendor Specific Class'), lines)
        expect(lines[1].startswith('1-2          1209:0003  high    Vendor Specific Class'), lines)


@test
def verbose_shows_interfaces(lab):
    with lab.bench('--device', 'disk') as bench:
        lines = bench('list', '-v').text.splitlines()
        expect_equal(lines[1:], [
            '    path /sys/devices/pci0000:00/0000:00:14.0/usb1/1-1, bus 1 device 2, bcdDevice '
            '1.00, configuration 1 of 1',
            '    interface 0: 08/06/50  Mass Storage, SCSI, Bulk-Only'])


@test
def json_has_the_promised_shape(lab):
    with lab.bench() as bench:
        devices = bench('list', '--json').json()
        expect_equal(len(devices), len(bench.devices))
        for device in devices:
            expect(_has_shape(device, DEVICE), device)
            expect(device['interfaces'], device)
            for interface in device['interfaces']:
                expect(_has_shape(interface, INTERFACE), device)
        esp = devices[0]
        expect_equal([esp['vid'], esp['pid'], esp['speed'], esp['bcd_device']],
                     ['303a', '4004', 2, 0x100])


@test
def only_what_matches(lab):
    with lab.bench() as bench:
        for choice, count in ((['--vid', '0x1209'], 5), (['--vid', '1209', '--pid', '0003'], 1),
                              (['--busid', '1-2'], 1), (['--vid', 'ffff'], 0)):
            expect_equal(len(bench('list', '--json', *choice).json()), count, choice)
        nothing = bench('list', '--vid', 'ffff')
        expect_equal([nothing.text, nothing.errors],
                     ['', f'usbwire: {bench.host} exports no such device\n'])


@test
def a_server_without_devices_is_no_failure(lab):
    with lab.bench('--device', 'esp', '--fail', 'gone') as bench:
        bench('probe', status=None)
        nothing = bench('list')
        expect_equal([nothing.text, nothing.errors],
                     ['', f'usbwire: {bench.host} exports no devices\n'])
        expect_equal(bench('list', '-q').errors, '')
        expect_equal(bench('list', '--json').json(), [])


@test
def five_hundred_devices(lab):
    with lab.bench('--device', 'esp:count=500') as bench:
        expect_equal(len(bench('list').text.splitlines()), 500)
        expect_equal(bench('probe', '--serial', 'esp-250', '--json').json()['busid'], '1-250')


@test
def ways_to_name_the_server(lab):
    with lab.bench('--device', 'esp') as bench:
        port = str(bench.port)
        for arguments in (['-H', f'127.0.0.1:{port}', 'list'], ['list', '-H', f'127.0.0.1:{port}'],
                          ['--host=127.0.0.1', '--port', port, 'list'],
                          ['list', f'--host=usbip://127.0.0.1:{port}'],
                          ['-Husbip://127.0.0.1', 'list', '--port', port],
                          ['-H', f'localhost:{port}', 'list'],
                          ['-H', f'usbip://127.0.0.1:{port}/1-1', 'list']):
            told = lab.usbwire(*arguments).text
            expect(told.startswith('1-1 '), arguments, told)
        told = lab.usbwire('list', environment={'USBWIRE_HOST': f'usbip://127.0.0.1:{port}'}).text
        expect(told.startswith('1-1 '), told)
        # The option is stronger than the environment.
        told = lab.usbwire('-H', bench.host, 'list', environment={'USBWIRE_HOST': '127.0.0.1:1'})
        expect(told.text.startswith('1-1 '), told)


@test
def ipv6_in_brackets(lab):
    with lab.bench('--device', 'esp', '--bind', '::1') as bench:
        expect_equal(bench.host, f'[::1]:{bench.port}')
        for address in (bench.host, f'usbip://{bench.host}', f'usbip://{bench.host}/1-1'):
            expect(lab.usbwire('-H', address, 'list').text.startswith('1-1 '), address)
        told = lab.usbwire('-H', '::1', '--port', str(bench.port), 'list').text
        expect(told.startswith('1-1 '), told)


@test
def a_url_chooses_the_device_too(lab):
    with lab.bench('--device', 'esp:count=3') as bench:
        told = lab.usbwire('-H', f'usbip://{bench.host}/1-2', 'probe', '--get-device-desc').text
        expect(f'{bench.host} 1-2 (303a:4004)' in told, told)


main(__name__)
