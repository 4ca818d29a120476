"""A capture says what the kernel's own usbmon said of the same transfers.

usbip-host gives each URB to the kernel that exports the device; what usbmon sees there is compared
with what the client captured, per endpoint and in order: setup packet, lengths, status, first 32
bytes. Requests that usbip-host does not pass on as they came are left out on both sides.
"""
import contextlib
import os
import struct
import sys

from harness.cases import test
from harness.guest import GuestError, wait_until
from harness.lab import PATIENCE, Failure, expect

from test_transfers import endpoints

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'capture'))
from strict import Capture  # noqa: E402

# (request type, request): what usbip-host does by other means.
NOT_PASSED_ON = {(0x00, 9), (0x01, 11), (0x02, 1), (0x23, 3), (0x23, 1)}

START = '''
mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
modprobe usbmon
exec 3<%s
echo open
exec cat <&3 >/tmp/usbmon
'''


def kernel_events(text, device):
    """[(endpoint, event)] of one device in usbmon's text (Documentation/usb/usbmon.rst)."""
    events = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 6:
            continue
        _, _, kind, address, *rest = words
        name, _, number, endpoint = address.split(':')
        if int(number) != device:
            continue
        event = {'kind': kind}
        if rest[0] == 's':
            event['setup'] = tuple(int(w, 16) for w in rest[1:6])
            rest = rest[6:]
        else:
            event['status'] = int(rest[0].split(':')[0])
            rest = rest[1:]
            if name[0] == 'Z':
                rest = rest[1 + min(int(rest[0]), 5):]
        event['length'] = int(rest[0])
        event['data'] = bytes.fromhex(''.join(rest[2:])) if rest[1:2] == ['='] else b''
        events.append((int(endpoint) | (0x80 if name[1] == 'i' else 0), event))
    return events


def captured_events(records):
    """The same of a capture."""
    events = []
    for r in records:
        event = {'kind': r.kind, 'length': r.length, 'data': r.payload[:32]}
        if r.kind == 'S' and r.type == 2:
            event['setup'] = struct.unpack('<BBHHH', r.setup)
        else:
            event['status'] = r.status
        events.append((r.endpoint, event))
    return events


def passed_on(events):
    """{what is in order at both ends: its events}, without the requests that are not passed on. On
    other endpoints than 0 that is submissions, and completions: with several under way the server
    may complete the second before it hears of the third, which we sent after the first."""
    result, left_out = {}, False
    for endpoint, event in events:
        if endpoint & 0x7f == 0:
            # Requests come one after another, so an answer belongs to the last one.
            if event['kind'] == 'S':
                left_out = event.get('setup', (0, 0))[:2] in NOT_PASSED_ON
            if left_out:
                continue
        number = endpoint & 0x7f
        result.setdefault((number, event['kind']) if number else 0, []).append((endpoint, event))
    return result


def first_missing(ours, theirs, with_others):
    """The first of our events that is not among theirs, in order. `with_others`: between them there
    may be more; the kernel enumerates a device for itself when an import ends."""
    at = 0
    for event in ours:
        while with_others and at < len(theirs) and theirs[at] != event:
            at += 1
        if at == len(theirs) or theirs[at] != event:
            return event
        at += 1
    return None


@contextlib.contextmanager
def compared(lab, busid):
    """A file for a capture, which is compared with what usbmon saw meanwhile."""
    file = lab.path('usbmon.pcapng')
    bus = lab.guest.run(f'cat /sys/bus/usb/devices/{busid}/busnum').text.strip()
    with lab.guest.start(START % f'/sys/kernel/debug/usb/usbmon/{bus}u') as reader:
        reader.wait_for('open')
        yield file
        with open(file, 'rb') as data:
            capture = Capture(data.read(), allow_open=False)
        expect(not capture.errors, capture.errors)
        expect(len(capture.records) > 4, capture.records)
        ours = passed_on(captured_events(capture.records))
        device = capture.records[0].address  # may be a new one since the last import

        def missing():
            """(where, the first of our events there that usbmon did not see), or None."""
            text = lab.guest.run('cat /tmp/usbmon').text
            seen = passed_on(kernel_events(text, device))
            for where, events in ours.items():
                gap = first_missing(events, seen.get(where, []), where == 0)
                if gap:
                    return where, gap, seen.get(where, [])
            return None

        try:  # usbmon's reader is a little behind
            wait_until('usbmon', PATIENCE, lambda: not missing())
        except GuestError as late:
            where, gap, seen = missing()
            raise Failure(f'usbmon did not see {gap} in {where}; it saw '
                          f'{seen}') from late
    lab.guest.run('rm -f /tmp/usbmon')


def compare(lab, busid, *command, status=0):
    with compared(lab, busid) as file:
        lab.usbwire('--pcap', file, *command, '--busid', busid, check=status)


@test('server-gadget')
def capture_agrees_with_usbmon_on_gadgets(lab):
    busid = lab.busid['ffs']
    out = endpoints(lab, busid)['bulk', 'out']
    compare(lab, busid, 'probe')
    compare(lab, busid, 'control', '--direction', 'in', '--bm-request-type', '0xc0', '--b-request',
            '2', '--length', '8', status=1)  # a stall
    compare(lab, busid, 'write', '--endpoint', out, '--text',
            'forty bytes, so that not all are in usbmon')
    busid = lab.busid['acm-count']
    end = endpoints(lab, busid)['bulk', 'in']
    compare(lab, busid, 'read', '--endpoint', end, '--length', '4096', '--count', '3')


@test('server-qemu')
def capture_agrees_with_usbmon_on_devices(lab):
    for busid in (lab.KEYBOARD, lab.FTDI, lab.DISK_SUPER):
        compare(lab, busid, 'probe')


@test('server-qemu')
def capture_agrees_with_usbmon_on_an_unlink(lab):
    with compared(lab, lab.KEYBOARD) as file:
        with lab.reading(lab.KEYBOARD, '0x81', '--length', '8', '--pcap', file) as reader:
            reader.interrupt()
            reader.finish()
