#!/usr/bin/env python3
"""What Wireshark makes of each kind of traffic: fields, not text. And no reader complains."""
from lab import Bench, check_readers, fields, main, path, session

# The fields that most tests compare.
URB = ('usb.urb_type', 'usb.transfer_type', 'usb.endpoint_address', 'usb.urb_len', 'usb.data_len',
       'usb.urb_status')


def capture(*scenes, usb_only=True):
    """The file of a session with these scenes on a bench of its own."""
    file = path('-'.join(s.strip('+') for s in scenes).replace(':', '_') + '.pcapng')
    with Bench() as bench:
        session(file, bench.address, *scenes)
    check_readers(file, usb_only)
    return file


def test_enumeration():
    file = capture('enumerate')
    device, config = fields(file, 'usb.idVendor', 'usb.idProduct', 'usb.bcdUSB',
                            where='usb.bDescriptorType == 1 && usb.idVendor'), \
        fields(file, 'usb.wTotalLength', 'usb.bNumInterfaces', 'usb.bEndpointAddress',
               where='usb.wTotalLength')
    assert device[0] == {'usb.idVendor': '0x303a', 'usb.idProduct': '0x4004',
                         'usb.bcdUSB': '0x0200'}, device
    assert config[0]['usb.bNumInterfaces'] and '0x81' in config[0]['usb.bEndpointAddress'], config
    chosen = fields(file, 'usb.setup.bRequest', 'usb.bConfigurationValue',
                    where='usb.setup.bRequest == 9')
    assert chosen and chosen[0]['usb.bConfigurationValue'] == '1', chosen


def test_requests_and_responses_find_each_other():
    file = capture('enumerate')
    pairs = fields(file, 'frame.number', 'usb.urb_type', 'usb.request_in', 'usb.response_in',
                   'usb.time', two_pass=True)
    assert len(pairs) >= 8
    by_number = {p['frame.number']: p for p in pairs}
    for p in pairs:
        if p['usb.urb_type'] == "'S'":
            assert by_number[p['usb.response_in']]['usb.request_in'] == p['frame.number'], p
        else:
            assert 0 < float(p['usb.time']) < 60, p


def test_cdc():
    file = capture('cdc')
    requests = fields(file, 'usbcom.control.request_code', 'usb.data_fragment',
                      where='usbcom && usb.urb_type == \'S\' && usb.transfer_type == 2')
    assert [r['usbcom.control.request_code'] for r in requests] == ['0x20', '0x22', '0x21'], requests
    data = fields(file, *URB, 'usb.capdata', where='usb.capdata')
    hello = b'hello, board'.hex()
    assert [(d['usb.urb_type'], d['usb.endpoint_address'], d['usb.capdata']) for d in data] == [
        ("'S'", '0x02', hello), ("'C'", '0x82', hello)], data


def check_keys(file):
    keys = fields(file, 'usbhid.data.array', 'usb.transfer_type',
                  where='usb.urb_type == \'C\' && usb.endpoint_address == 0x81')
    assert len(keys) >= 4 and all(k['usb.transfer_type'] == '0x01' for k in keys), keys
    return [k['usbhid.data.array'] for k in keys]


def test_hid():
    assert all(check_keys(capture('hid'))), 'the report descriptor was not understood'


def test_storage():
    file = capture('disk')
    scsi = fields(file, 'scsi_sbc.opcode', where='usbms.dCBWSignature')
    assert [s['scsi_sbc.opcode'] for s in scsi] == ['0x12', '0x25'], scsi
    ends = fields(file, 'usbms.dCSWStatus', 'scsi.status', where='usbms.dCSWStatus')
    assert [e['usbms.dCSWStatus'] for e in ends] == ['0x00', '0x00'], ends


def test_isochronous():
    file = capture('iso')
    packets = fields(file, *URB, 'usb.iso.numdesc', 'usb.iso.iso_off', 'usb.iso.iso_len',
                     'usb.iso.iso_status', 'usb.iso.data', where='usb.transfer_type == 0')
    assert [(p['usb.urb_type'], p['usb.endpoint_address']) for p in packets] == [
        ("'S'", '0x03'), ("'C'", '0x03'), ("'S'", '0x83'), ("'C'", '0x83')], packets
    out, _, _, back = packets
    assert out['usb.iso.iso_off'] == '0,10,20' and out['usb.iso.iso_len'] == '10,10,10', out
    assert out['usb.iso.data'] == ','.join(bytes(range(i, i + 10)).hex() for i in (0, 10, 20)), out
    # What comes back lies at the offsets of the packets asked for, though the wire had it compacted.
    assert back['usb.iso.numdesc'] == '4,4' and back['usb.iso.iso_off'] == '0,16,32,48', back
    lengths = [int(n) for n in back['usb.iso.iso_len'].split(',')]
    data = back['usb.iso.data'].split(',')
    assert sum(lengths) == int(back['usb.urb_len']) > 0, back
    assert [len(d) // 2 for d in data] == [n for n in lengths if n], back
    assert ''.join(data) == bytes(range(sum(lengths))).hex(), back


def test_stall():
    file = capture('stall')
    ended = fields(file, 'usb.urb_status', where='usb.urb_type == \'C\' && usb.urb_status < 0')
    assert ended == [{'usb.urb_status': '-32'}], ended


def test_unlink():
    file = capture('unlink')
    ended = fields(file, 'usb.urb_status', 'usb.endpoint_address', 'usb.urb_len', 'frame.comment',
                   where='usb.urb_status == -104')
    assert ended == [{'usb.urb_status': '-104', 'usb.endpoint_address': '0x82', 'usb.urb_len': '0',
                      'frame.comment': 'ended by an unlink'}], ended


def test_large():
    file = capture('large')
    large = fields(file, 'usb.urb_len', 'usb.data_len', 'frame.len', 'frame.cap_len',
                   where='usb.urb_type == \'C\' && usb.transfer_type == 3')
    assert sum(int(p['usb.urb_len']) for p in large) == 512 * 1024, large
    for p in large:
        assert int(p['frame.cap_len']) == min(int(p['frame.len']), 261120), p


def test_syslog():
    file = capture('enumerate', 'syslog', usb_only=False)
    logs = fields(file, 'frame.interface_name', 'ip.src', 'ipv6.src', 'ipv6.dst', 'ip.dst',
                  'syslog.facility', 'syslog.level', '_ws.col.Info', '_ws.col.Source',
                  where='syslog')
    assert [p['frame.interface_name'] for p in logs] == ['syslog0', 'syslog0'], logs
    assert [p['_ws.col.Source'] for p in logs] == ['192.168.4.20', 'fe80::20'], logs
    assert [(p['syslog.facility'], p['syslog.level']) for p in logs] == [('1', '6'), ('1', '3')]
    assert 'I (1500) main: up' in logs[0]['_ws.col.Info'], logs
    names = {p['frame.interface_name'] for p in fields(file, 'frame.interface_name')}
    assert names == {'usbip0', 'syslog0'}, names


def test_late_capture_is_dissected():
    """Descriptors come before the data, though the device was imported before the capture."""
    file = path('late.pcapng')
    with Bench() as bench:
        session(file, bench.address, 'late', 'disk')
    result = check_readers(file)
    replayed = [r for r in result.records if 'synthetic' in r.comment]
    assert [r.kind for r in replayed] == ['S', 'C', 'S', 'C'], replayed
    assert fields(file, 'frame.number', where='usbms.dCBWSignature && scsi_sbc.opcode == 0x12')
    file = path('late-cdc.pcapng')
    with Bench() as bench:
        session(file, bench.address, 'late', 'cdc')
    check_readers(file)
    codes = fields(file, 'usbcom.control.request_code', where='usbcom && usb.urb_type == \'S\'')
    assert [c['usbcom.control.request_code'] for c in codes] == ['0x20', '0x22', '0x21'], codes


def test_two_servers():
    """The same bus ids on two servers: interfaces, buses and dissection stay apart."""
    file = path('two.pcapng')
    with Bench('disk') as one, Bench('acm-echo') as two:
        session(file, one.address, 'disk', f'+{two.address}', 'cdc', f'+{one.address}', 'disk')
    result = check_readers(file)
    assert len(result.interfaces) == 3, result.interfaces  # each uw_server is one
    buses = {(p['frame.interface_name'], p['usb.bus_id'])
             for p in fields(file, 'frame.interface_name', 'usb.bus_id')}
    assert len({bus for _, bus in buses}) == len(buses), buses
    assert len(fields(file, 'frame.number', where='usbms.dCSWStatus == 0')) == 4
    assert len(fields(file, 'frame.number', where='usbcom && usb.urb_type == \'S\'')) == 3


if __name__ == '__main__':
    import __main__
    main(__main__)
