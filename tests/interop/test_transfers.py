"""Bulk, interrupt and control transfers with the kernel's gadgets."""
import hashlib

from harness.cases import test
from harness.lab import expect, expect_equal

# name of the guest's gadget -> (configuration, OUT, IN) of its loopback
LOOPBACKS = {'zero-high': 2, 'zero-super': 1, 'zero-full': 1, 'zero': 2}


def endpoints(lab, busid, configuration=1, interface=None):
    """{(type, direction): address} of a device's configuration, or one interface of it."""
    found = {}
    tree = lab.usbwire('probe', '--busid', busid, '--json').json()
    for config in tree['configurations']:
        if config['bConfigurationValue'] != configuration:
            continue
        for setting in config['interfaces']:
            if interface in (None, setting['bInterfaceNumber']):
                for endpoint in setting['endpoints']:
                    address = endpoint['bEndpointAddress']
                    kind = 'ctrl iso bulk int'.split()[endpoint['bmAttributes'] & 3]
                    found.setdefault((kind, 'in' if address & 0x80 else 'out'), hex(address))
    return found


def mod63(size, packet):
    """What gadget zero sends and expects with pattern 1."""
    return bytes(i % packet % 63 for i in range(size))


@test('server-gadget', 'server-vudc')
def functionfs_echoes_whatever_the_size(lab):
    ends = endpoints(lab, lab.busid['ffs'])
    for size, message in ((1, 64), (100000, 1000), (100000, 512), (500000, 16384), (300000, 60000)):
        lab.program('exchange', lab.busid['ffs'], '1', ends['bulk', 'out'], ends['bulk', 'in'],
                    str(size), str(message), '0')


@test('server-gadget', 'server-vudc')
def loopback_sends_back_what_it_got(lab):
    for name, configuration in LOOPBACKS.items():
        if name in lab.busid:
            ends = endpoints(lab, lab.busid[name], configuration, 1 if configuration == 1 else 0)
            lab.program('exchange', lab.busid[name], str(configuration), ends['bulk', 'out'],
                        ends['bulk', 'in'], '200000', '4096', '0')


@test('server-gadget', 'server-vudc')
def source_and_sink_check_each_other(lab):
    """Gadget zero halts the endpoint when what it gets is not the pattern."""
    for name, packet in (('zero-high', 512), ('zero-super', 1024), ('zero-full', 64),
                         ('zero', 512)):
        if name not in lab.busid:
            continue
        # usbip-host leaves the configuration of the last import in force.
        lab.usbwire('set-config', '--busid', lab.busid[name], '1')
        ends = endpoints(lab, lab.busid[name], 1, 0)
        data = lab.usbwire('read', '--busid', lab.busid[name], '--endpoint', ends['bulk', 'in'],
                           '--length', '4096', '--count', '64', '--raw').out
        expect_equal(hashlib.md5(data).hexdigest(),
                     hashlib.md5(mod63(4096, packet) * 64).hexdigest(), f'{name}: read')
        done = lab.usbwire('write', '--busid', lab.busid[name], '--endpoint', ends['bulk', 'out'],
                           '--data-file', '-', '--json', stdin=mod63(1 << 20, packet)).json()
        expect_equal(done['actual_length'], 1 << 20, f'{name}: write')
        bad = bytearray(mod63(4096, packet))
        bad[2000] ^= 1
        refused = lab.usbwire('write', '--busid', lab.busid[name], '--endpoint',
                              ends['bulk', 'out'], '--data-file', '-', stdin=bytes(bad) * 40,
                              check=1)
        expect(b'stall' in refused.err, f'{name}: no word of a stall', refused)


@test('server-gadget', 'server-vudc')
def large_transfers(lab):
    """Each a few MiB in one go for the caller."""
    name = 'zero-super' if 'zero-super' in lab.busid else 'zero'
    packet = 1024 if name == 'zero-super' else 512
    ends = endpoints(lab, lab.busid[name], 1, 0)
    lab.usbwire('set-config', '--busid', lab.busid[name], '1')
    data = lab.usbwire('read', '--busid', lab.busid[name], '--endpoint', ends['bulk', 'in'],
                       '--length', str(4 << 20), '--raw').out
    expect_equal(len(data), 4 << 20)
    expect(data == mod63(4096, packet) * 1024, 'other bytes')
    done = lab.usbwire('write', '--busid', lab.busid[name], '--endpoint', ends['bulk', 'out'],
                       '--data-file', '-', '--json', stdin=mod63(8 << 20, packet)).json()
    expect_equal(done['actual_length'], 8 << 20)


@test('server-gadget', 'server-vudc')
def more_than_was_asked_for_is_an_overflow(lab):
    name = 'zero-high' if 'zero-high' in lab.busid else 'zero'
    ends = endpoints(lab, lab.busid[name], 1, 0)
    lab.usbwire('set-config', '--busid', lab.busid[name], '1')
    refused = lab.usbwire('read', '--busid', lab.busid[name], '--endpoint', ends['bulk', 'in'],
                          '--length', '100', check=1)
    expect(b'more than was asked for' in refused.err, refused)
    data = lab.usbwire('read', '--busid', lab.busid[name], '--endpoint', ends['bulk', 'in'],
                       '--length', '512', '--raw').out
    expect_equal(data, mod63(512, 512), 'afterwards')


@test('server-gadget', 'server-vudc')
def acm_echoes(lab):
    ends = endpoints(lab, lab.busid['acm'])
    lab.program('exchange', lab.busid['acm'], '1', ends['bulk', 'out'], ends['bulk', 'in'],
                '65536', '500', '0')


@test('server-gadget')
def acm_counts_without_a_gap(lab):
    ends = endpoints(lab, lab.busid['acm-count'])
    data = lab.usbwire('read', '--busid', lab.busid['acm-count'], '--endpoint', ends['bulk', 'in'],
                       '--length', '16384', '--count', '40', '--raw').out
    numbers = [int.from_bytes(data[i:i + 4], 'little') for i in range(0, len(data) - 3, 4)]
    expect(len(numbers) > 10000, f'{len(numbers)} numbers')
    # What was on its way to a host before us may be missing, but only at the start.
    start = next(i for i in range(len(numbers)) if i + 1 == len(numbers) or
                 all(b == a + 1 for a, b in zip(numbers[i:i + 9000], numbers[i + 1:])))
    expect(start < 9000, 'gaps all over', numbers[:20])
    expect_equal(numbers[start:], list(range(numbers[start], numbers[start] + len(numbers) - start)))


@test('server-gadget', 'server-vudc')
def hid_reports_come_back_by_interrupt(lab):
    ends = endpoints(lab, lab.busid['hid'], 1, 0)
    lab.program('exchange', lab.busid['hid'], '1', ends['int', 'out'], ends['int', 'in'], '640',
                '64', '0')


@test('server-gadget', 'server-vudc')
def mouse_reports_come_by_interrupt(lab):
    end = endpoints(lab, lab.busid['hid'], 1, 1)['int', 'in']
    # An empty packet may follow a report that fills one: so more transfers than reports.
    data = lab.usbwire('read', '--busid', lab.busid['hid'], '--endpoint', end, '--length', '4',
                       '--count', '12', '--raw').out
    reports = [data[i:i + 4] for i in range(0, len(data), 4)]
    expect(len(reports) >= 6 and set(reports) == {b'\0\1\0\0', b'\0\xff\0\0'}, reports)
    expect(all(a != b for a, b in zip(reports, reports[1:])), 'a report is lost:', reports)


@test('server-gadget', 'server-vudc')
def functionfs_counts_by_interrupt(lab):
    end = endpoints(lab, lab.busid['ffs'])['int', 'in']
    data = lab.usbwire('read', '--busid', lab.busid['ffs'], '--endpoint', end, '--length', '8',
                       '--count', '5', '--raw').out
    numbers = [int.from_bytes(data[i:i + 8], 'little') for i in range(0, 40, 8)]
    expect_equal(numbers, list(range(numbers[0], numbers[0] + 5)))


@test('server-gadget', 'server-vudc')
def control_stores_and_returns(lab):
    data = bytes(range(256)) * 2
    vendor = ['control', '--busid', lab.busid['ffs'], '--b-request', '1']
    lab.usbwire(*vendor, '--direction', 'out', '--bm-request-type', '0x40', '--data-file', '-',
                stdin=data)
    # The gadget keeps it; a short answer is what the device has.
    for length in (100, 512, 4000):
        found = lab.usbwire(*vendor, '--direction', 'in', '--bm-request-type', '0xc0', '--length',
                            str(length), '--raw').out
        expect_equal(found, data[:length])


@test('server-gadget', 'server-vudc')
def control_refused_is_one_sentence_and_exit_code_1(lab):
    refused = lab.usbwire('control', '--busid', lab.busid['ffs'], '--direction', 'in',
                          '--bm-request-type', '0xc0', '--b-request', '2', '--length', '8', check=1)
    expect_equal(len(refused.err.splitlines()), 1)
    for word in (lab.address, lab.busid['ffs'], '-32', 'EPIPE'):
        expect(word.encode() in refused.err, f'"{word}" is not in:', refused)


@test('server-gadget', 'server-vudc')
def halts_and_clear_halt(lab):
    lab.program('halts', lab.busid['ffs'])


@test('server-gadget', 'server-vudc')
def reads_that_time_out_lose_nothing(lab):
    lab.program('parked', lab.busid['ffs'])


@test('server-gadget', 'server-vudc')
def impatient_readers_get_every_byte(lab):
    """Timeouts of up to 3 ms while data comes at any time: no byte is lost, none comes twice."""
    for name, message in (('ffs', 1000), ('ffs', 20000), ('acm', 500)):
        ends = endpoints(lab, lab.busid[name])
        lab.program('exchange', lab.busid[name], '1', ends['bulk', 'out'], ends['bulk', 'in'],
                    '200000', str(message), '3000')


@test('server-gadget', 'server-vudc')
def a_write_that_times_out_says_what_went(lab):
    lab.program('writes', lab.busid['ffs'], 'timeout')


@test('server-vudc')
def a_write_that_stalls_says_what_went(lab):
    lab.program('writes', lab.busid['zero'], 'stall')


@test('server-gadget', 'server-vudc')
def a_waiting_read_holds_up_nobody(lab):
    lab.program('threads', lab.busid['ffs'])


@test('server-gadget', 'server-vudc')
def set_config_takes_the_second(lab):
    name = 'zero-high' if 'zero-high' in lab.busid else 'zero'
    lab.usbwire('set-config', '--busid', lab.busid[name], '2')
    found = lab.usbwire('set-config', '--busid', lab.busid[name], '9', check=None)
    expect(found.status == 2 and b'9' in found.err, found)


@test('server-gadget')
def reset_leaves_a_device_that_works(lab):
    lab.usbwire('reset', '--busid', lab.busid['ffs'])
    lab.program('halts', lab.busid['ffs'])


@test('server-vudc')
def reset_that_the_server_cannot_do_is_said(lab):
    refused = lab.usbwire('reset', '--busid', lab.busid['ffs'], check=1)
    expect(b'not supported (the server passed the request on' in refused.err, refused)


@test('server-vudc')
def cancels_race_with_messages(lab):
    lab.program('unlink', lab.busid['ffs'], 'messages')


@test('server-vudc')
def cancels_race_with_a_stream(lab):
    lab.program('unlink', lab.busid['zero'], 'stream')


@test('server-vudc')
def cancels_race_with_large_writes(lab):
    lab.program('unlink', lab.busid['zero'], 'large')


@test('server-vudc')
def what_one_client_left_behind_does_not_hurt_the_next(lab):
    """vudc gives a new connection the answers that it did not get rid of on the last one."""
    end = endpoints(lab, lab.busid['ffs'])['bulk', 'in']
    for _ in range(6):
        with lab.reading(lab.busid['ffs'], end, '--length', '512', '--count', '20') as reader:
            reader.interrupt()
            expect_equal(reader.finish().status, 130)
        lab.usbwire('probe', '--busid', lab.busid['ffs'], '--get-device-desc')
