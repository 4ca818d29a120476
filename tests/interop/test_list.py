"""What a server exports, as usbwire and the guest's own files tell it."""
from harness.cases import test
from harness.lab import expect_equal

SPEEDS = {'1.5': 1, '12': 2, '480': 3, '5000': 5}


def _sysfs(lab):
    """{busid: record} of the devices of a guest, from its /sys."""
    fields = 'busnum devnum speed idVendor idProduct bcdDevice bDeviceClass bDeviceSubClass ' \
             'bDeviceProtocol bNumConfigurations'
    text = lab.guest.run(f'for d in $(own_devices); do cd /sys/bus/usb/devices/$d; '
                         f'echo $d $(pwd -P) $(cat {fields}); done').text
    records = {}
    for line in text.splitlines():
        busid, path, *values = line.split()
        v = dict(zip(fields.split(), values))
        records[busid] = {
            'busid': busid, 'path': path, 'busnum': int(v['busnum']), 'devnum': int(v['devnum']),
            'speed': SPEEDS[v['speed']], 'vid': v['idVendor'], 'pid': v['idProduct'],
            'bcd_device': int(v['bcdDevice'], 16), 'class': int(v['bDeviceClass'], 16),
            'subclass': int(v['bDeviceSubClass'], 16),
            'protocol': int(v['bDeviceProtocol'], 16),
            'num_configurations': int(v['bNumConfigurations'])}
    return records


@test('server-qemu', 'server-gadget')
def list_agrees_with_sysfs(lab):
    found = {d['busid']: d for d in lab.usbwire('list', '--json').json()}
    wanted = _sysfs(lab)
    expect_equal(sorted(found), sorted(wanted))
    for busid, record in wanted.items():
        expect_equal({k: found[busid][k] for k in record}, record, busid)


@test('server-qemu', 'server-gadget')
def list_for_people_has_a_line_a_device(lab):
    lines = lab.usbwire('list').text.splitlines()
    expect_equal(sorted(line.split()[0] for line in lines), sorted(_sysfs(lab)))
