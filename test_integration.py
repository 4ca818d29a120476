#!/usr/bin/env python3
"""Checks a USB/IP server and a board on it, end to end, through PyUSB.

    python3 test_integration.py HOST [--pcap FILE] [--syslog]
                                [--vid HEX --pid HEX | --busid ID | --serial TEXT]
                                [--read IN] [--echo OUT:IN]

An endpoint that has nothing to say is read with --read only: a server that does one transfer at a time,
as ESP bridges do, would serve nobody until it has. Nothing is written to the board but standard requests
and, with --echo OUT:IN, data to a pair of bulk or interrupt endpoints that echo. One line a check; the
exit status is 0 when none failed.
"""
import argparse
import os
import sys
import time

try:
    import usbip_backend
except ImportError:
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'python'))
    import usbip_backend

import usb.control
import usb.core
import usb.util
from usbip_backend.pcap import PcapWriter
from usbip_backend.syslog import SyslogReceiver

READ_MS = 200
READ_SIZE = 1024  # a multiple of every packet size there is


class Skipped(Exception):
    """A check that this board gives no opportunity for."""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('host', help='server, also HOST:PORT')
    parser.add_argument('--port', type=int, default=3240)
    parser.add_argument('--pcap', metavar='FILE', help='capture for Wireshark; a FIFO is fine')
    parser.add_argument('--syslog', nargs='?', const='', metavar='HOST[:PORT]',
                        help="show the board's log; its port is 1514 where none is named")
    parser.add_argument('--timeout', type=float, default=5, help='seconds, for each step')
    parser.add_argument('--vid', type=lambda s: int(s, 16))
    parser.add_argument('--pid', type=lambda s: int(s, 16))
    parser.add_argument('--busid')
    parser.add_argument('--serial')
    parser.add_argument('--read', metavar='IN', type=lambda s: int(s, 0),
                        help='endpoint to read, as 0x81; a quiet one holds a server that does one transfer '
                             'at a time')
    parser.add_argument('--echo', metavar='OUT:IN', help='endpoints that echo, as 0x01:0x81')
    return parser.parse_args()


def choose(backend, args):
    """The board: the one that is meant, or the first that nobody else has."""
    fits = {'custom_match': lambda d: args.serial in (None, _string(d, d.iSerialNumber))}
    device = usb.core.find(backend=backend, **fits)
    if device is None:
        raise SystemExit(f'{args.host}: no such device; "usbwire -H {args.host} list" shows what '
                         'there is')
    return device


def _string(device, index):
    try:
        return usb.util.get_string(device, index)
    except (usb.core.USBError, ValueError):
        return None


def check_device_descriptor(device, args):
    """The descriptor as enumerated is the device's own."""
    raw = bytes(usb.control.get_descriptor(device, 18, usb.util.DESC_TYPE_DEVICE, 0))
    assert len(raw) == 18, f'{len(raw)} bytes'
    ids = int.from_bytes(raw[8:10], 'little'), int.from_bytes(raw[10:12], 'little')
    assert ids == (device.idVendor, device.idProduct), 'VID:PID %04x:%04x' % ids
    return '%04x:%04x' % ids


def check_configurations(device, args):
    """Each configuration is as long as it says, and parsed whole."""
    for config in device:
        raw = usb.control.get_descriptor(device, config.wTotalLength, usb.util.DESC_TYPE_CONFIG,
                                         config.index)
        assert len(raw) == config.wTotalLength, f'{len(raw)} of {config.wTotalLength} bytes'
        settings = {i.bInterfaceNumber for i in config}
        assert len(settings) == config.bNumInterfaces, f'interfaces {sorted(settings)}'
    return f'{device.bNumConfigurations} configuration(s)'


def check_strings(device, args):
    """Every string that the device descriptor names can be read."""
    found = []
    for index in (device.iManufacturer, device.iProduct, device.iSerialNumber):
        if index:
            found.append(usb.util.get_string(device, index))
            assert found[-1], f'string {index} is empty'
    if not found:
        raise Skipped('it names none')
    return ', '.join(found)


def check_configured(device, args):
    """It is configured, and says so."""
    try:
        active = device.get_active_configuration()
    except usb.core.USBError:
        device.set_configuration()
        active = device.get_active_configuration()
    said = device.ctrl_transfer(0x80, 8, 0, 0, 1)[0]
    assert said == active.bConfigurationValue, f'GET_CONFIGURATION says {said}'
    return f'configuration {said}'


def check_status(device, args):
    """GET_STATUS of the device."""
    return '0x%04x' % usb.control.get_status(device)


def check_latency(device, args):
    """100 control transfers."""
    times = []
    for _ in range(100):
        start = time.perf_counter()
        device.ctrl_transfer(0x80, 6, 0x100, 0, 18)
        times.append((time.perf_counter() - start) * 1000)
    times.sort()
    return f'median {times[50]:.2f} ms, longest {times[-1]:.2f} ms'


def check_read(device, args):
    """A read brings data or ends when its time is over."""
    if args.read is None:
        raise Skipped('no --read IN')
    name = f'endpoint 0x{args.read:02x}'
    start = time.monotonic()
    try:
        got = device.read(args.read, READ_SIZE, READ_MS)
        return f'{name}: {len(got)} bytes'
    except usb.core.USBTimeoutError:
        took = (time.monotonic() - start) * 1000
        assert READ_MS - 1 <= took < READ_MS + 1000 * args.timeout, f'{name}: timed out after {took:.0f} ms'
        return f'{name}: quiet, timed out after {took:.0f} ms'


def check_echo(device, args):
    """Data come back from endpoints that echo."""
    if not args.echo:
        raise Skipped('no --echo OUT:IN')
    out, back = (int(part, 0) for part in args.echo.split(':'))
    for size in (1, 63, 64, 65, 1000, 4096):
        data = os.urandom(size)
        assert device.write(out, data, args.timeout * 1000) == size, f'{size} bytes: short write'
        got = b''
        while len(got) < size:
            got += bytes(device.read(back, 4096, args.timeout * 1000))
        assert got == data, f'{size} bytes came back changed'
    return '6 sizes up to 4096 bytes'


def check_open_again(device, args):
    """Closed and opened again it is the same device."""
    usb.util.dispose_resources(device)
    assert len(device.ctrl_transfer(0x80, 6, 0x100, 0, 18)) == 18
    return ''


CHECKS = [check_device_descriptor, check_configurations, check_strings, check_configured,
          check_status, check_latency, check_read, check_echo, check_open_again]


def run(device, args):
    """Runs all checks; how many failed."""
    failed = 0
    for check in CHECKS:
        try:
            word, remark = 'ok', check(device, args)
        except Skipped as reason:
            word, remark = 'skipped', str(reason)
        except (AssertionError, usb.core.USBError) as error:
            word, remark = 'FAILED', str(error)
            failed += 1
        title = check.__doc__.rstrip('.')
        print(f'{word:8}{title}{": " if remark else ""}{remark}', flush=True)
    return failed


def main():
    args = arguments()
    pcap = PcapWriter(open(args.pcap, 'wb')) if args.pcap else None
    syslog = None
    if args.syslog is not None:
        syslog = SyslogReceiver(args.syslog or args.host.rsplit(':', 1)[0], pcap=pcap)
        syslog.start()
    try:
        with usbip_backend.get_backend(args.host, args.port, timeout=args.timeout, pcap=pcap,
                                       busid=args.busid, vid=args.vid, pid=args.pid) as backend:
            failed = run(choose(backend, args), args)
    except usb.core.USBError as error:
        raise SystemExit(str(error)) from None
    finally:
        if syslog:
            syslog.stop()
        if pcap:
            pcap.close()
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
