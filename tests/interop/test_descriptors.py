"""All descriptors of all devices, against the guest's own `lsusb -v` and its /sys."""
import difflib

from harness import lsusb
from harness.cases import test
from harness.lab import Failure, expect, expect_equal

# usbutils takes the feature unit of QEMU's audio device for a selector unit: its interface says
# protocol 4, which audio 1.0 does not know. busid -> names that are not compared
MISREAD = {'1-11': {'bNrInPins', 'baSourceID(0)', 'iSelector', 'bSourceID', 'bControlSize',
                    'bmaControls(0)', 'bmaControls(1)', 'bmaControls(2)', 'iFeature'}}


def _same_fields(busid, ours, theirs):
    if lsusb.QUALIFIER not in theirs:
        ours = lsusb.without_qualifier(ours)
    left_out = MISREAD.get(busid, ())
    found = [f for f in lsusb.fields(ours) if f[0] not in left_out]
    wanted = [f for f in lsusb.fields(theirs) if f[0] not in left_out]
    expect(len(wanted) > 20, f'{busid}: lsusb said next to nothing:', theirs)
    if found != wanted:
        lines = [[f'{name} {value}' for name, value in f] for f in (wanted, found)]
        raise Failure('\n'.join([f'{busid}:', *difflib.unified_diff(
            *lines, 'lsusb -v', 'usbwire probe', lineterm='')]))


@test('server-qemu', 'server-gadget')
def probe_says_what_lsusb_says(lab):
    theirs = lsusb.split(lab.guest.run('cat /tmp/lsusb').text)
    for device in lab.usbwire('list', '--json').json():
        ours = lab.usbwire('probe', '--busid', device['busid']).text
        _same_fields(device['busid'], ours, theirs[device['busnum'], device['devnum']])


@test('server-qemu', 'server-gadget')
def descriptors_are_the_bytes_of_sysfs(lab):
    for device in lab.usbwire('list', '--json').json():
        wanted = lab.guest.run(f'cat /sys/bus/usb/devices/{device["busid"]}/descriptors').out
        found = _descriptor(lab, device['busid'], 0x0100, 18)
        for index in range(device['num_configurations']):
            found += _descriptor(lab, device['busid'], 0x0200 | index, 4096)
        expect_equal(found, wanted, device['busid'])


def _descriptor(lab, busid, value, length):
    return lab.usbwire('control', '--busid', busid, '--direction', 'in', '--bm-request-type',
                       '0x80', '--b-request', '6', '--w-value', str(value), '--length',
                       str(length), '--raw').out
