"""QEMU's devices, whose other ends are files and sockets here."""
import hashlib
import os
import socket
import struct
import threading

from harness.cases import test
from harness.guests import disk_contents
from harness.lab import PATIENCE, expect, expect_equal

BLOCK = 512


def _md5(data):
    return hashlib.md5(data).hexdigest()


def _disk(lab, busid, name):
    wanted = disk_contents()
    found = lab.program('disk', busid, 'read', '0x81', '0x02', '0', str(len(wanted) // BLOCK)).out
    expect_equal(_md5(found), _md5(wanted), 'the first MiB')
    data = os.urandom(700 * BLOCK)
    first = 8192
    lab.program('disk', busid, 'write', '0x81', '0x02', str(first), '700', stdin=data)
    with open(lab.disk_image(name), 'rb') as image:
        image.seek(first * BLOCK)
        expect_equal(_md5(image.read(len(data))), _md5(data), 'written to the image')
    found = lab.program('disk', busid, 'read', '0x81', '0x02', str(first), '700').out
    expect_equal(_md5(found), _md5(data), 'read again')


@test('server-qemu')
def super_speed_disk_reads_and_writes_blocks(lab):
    _disk(lab, lab.DISK_SUPER, 'super')


@test('server-qemu')
def high_speed_disk_reads_and_writes_blocks(lab):
    _disk(lab, lab.DISK_HIGH, 'high')


def _ftdi(lab):
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(PATIENCE)
    line.connect(lab.ftdi_socket)
    return line


def _receive(line, size):
    data = b''
    while len(data) < size:
        part = line.recv(size - len(data))
        expect(part, 'the line was closed')
        data += part
    return data


@test('server-qemu')
def ftdi_sends(lab):
    data = os.urandom(20000)
    with _ftdi(lab) as line:
        received = []
        reader = threading.Thread(target=lambda: received.append(_receive(line, len(data))))
        reader.start()
        lab.usbwire('write', '--busid', lab.FTDI, '--endpoint', '0x02', '--data-file', '-',
                    stdin=data)
        reader.join()
    expect_equal(_md5(received[0]), _md5(data), 'at the far end')


@test('server-qemu')
def ftdi_receives(lab):
    """Each packet starts with two bytes of modem and line status. The reader ends when the line has
    been silent for its timeout."""
    data = os.urandom(3000)
    with _ftdi(lab) as line, lab.reading(lab.FTDI, '0x81', '--length', '64', '--count', '0',
                                         '--timeout', '6', '--json') as reader:
        line.sendall(data)
        output = reader.finish()
    expect_equal(output.status, 1, output)
    expect_equal(output.json()['error']['name'], 'UW_ERROR_TIMEOUT')
    packets = [bytes.fromhex(t['data']) for t in output.json()['transfers']]
    expect_equal(_md5(b''.join(p[2:] for p in packets)), _md5(data), 'at this end')


@test('server-qemu')
def keyboard_reports_keys_until_interrupted(lab):
    with lab.reading(lab.KEYBOARD, '0x81', '--length', '8', '--count', '0', '--json') as reader:
        lab.guest.monitor.human('sendkey a')
        reader.wait_for_data(2)
        reader.interrupt()
        output = reader.finish()
    reports = [t['data'] for t in output.json()['transfers']]
    expect_equal(reports, ['0000040000000000', '0000000000000000'])
    expect_equal(output.status, 130)


@test('server-qemu')
def tablet_reports_where_it_is(lab):
    with lab.reading(lab.TABLET, '0x81', '--length', '8', '--count', '1', '--json') as reader:
        lab.guest.monitor.run('input-send-event', events=[
            {'type': 'abs', 'data': {'axis': 'x', 'value': 0x1234}},
            {'type': 'abs', 'data': {'axis': 'y', 'value': 0x2345}}])
        output = reader.finish()
    # Buttons, x and y of 16 bits each, wheel.
    expect_equal(output.json()['transfers'][0]['data'], '003412452300')


@test('server-qemu')
def audio_arrives_in_the_wav_file(lab):
    """Isochronous OUT: a second of samples, of which each says which it is. QEMU may drop some when
    this machine is busy, but what it plays is ours, in order."""
    set_current, volume, unit, most = '0x01', 0x0200, '0x0200', '0008'
    for channel in (1, 2):
        lab.usbwire('control', '--busid', lab.AUDIO, '--direction', 'out', '--bm-request-type',
                    '0x21', '--b-request', set_current, '--w-value', str(volume | channel),
                    '--w-index', unit, '--data', most)
    count = 30000
    samples = b''.join(struct.pack('<hh', n, -n) for n in range(1, count + 1))
    silence = bytes(48000 * 4)
    done = lab.usbwire('write', '--busid', lab.AUDIO, '--endpoint', '0x01', '--alt', '1',
                       '--data-file', '-', '--json', stdin=samples + silence).json()
    expect_equal((done['type'], done['actual_length'], done['packets_failed']),
                 ('isochronous', len(samples + silence), 0))
    lab.unplug('audio', lab.AUDIO)  # which makes QEMU write the file
    with open(lab.wav, 'rb') as f:
        played = f.read()[44:]
    lab.plug('audio', lab.AUDIO)
    pairs = [p for p in struct.iter_unpack('<hh', played[:len(played) // 4 * 4]) if p != (0, 0)]
    expect(all(left == -right for left, right in pairs), 'foreign samples')
    lefts = [left for left, _ in pairs]
    expect(all(a < b for a, b in zip(lefts, lefts[1:])), 'samples out of order')
    expect(len(lefts) > count * 8 // 10, f'{len(lefts)} of {count} samples')


@test('server-qemu')
def unplugged_in_mid_transfer(lab):
    """Whatever is in flight ends, with a status that says why; the busid is gone, then back."""
    for name, busid in (('keyboard', lab.KEYBOARD), ('ftdi', lab.FTDI)):
        with lab.start(lab.program_path('unplug'), lab.address, busid, '0x81') as program:
            expect_equal(program.stdout.readline(), b'in flight\n')
            lab.unplug(name, busid)
            out, err = program.communicate(timeout=2 * PATIENCE)
        expect_equal((program.returncode, err), (0, b''))
        expect(busid.encode() in out, out)
        expect(busid not in [d['busid'] for d in lab.usbwire('list', '--json').json()])
        lab.plug(name, busid)
        lab.usbwire('probe', '--busid', busid, '--get-device-desc')


@test('server-qemu')
def unplugged_while_the_command_reads(lab):
    with lab.reading(lab.MOUSE, '0x81', '--length', '4', '--count', '0') as reader:
        lab.unplug('mouse', lab.MOUSE)
        output = reader.finish()
    lab.plug('mouse', lab.MOUSE)
    # Linux may answer "gone" or close the connection at once: the command asks which it was.
    said = [line for line in output.err.splitlines() if line.startswith(b'usbwire: ')][-1]
    expect_equal((output.status, b'the device is gone' in said), (1, True), output)
    expect(lab.MOUSE.encode() in said, said)


@test('server-qemu')
def wait_finds_a_device_that_comes(lab):
    lab.unplug('mouse', lab.MOUSE)
    absent = lab.usbwire('probe', '--busid', lab.MOUSE, check=4)
    expect(lab.MOUSE.encode() in absent.err, absent)
    with lab.start(*lab.command, 'probe', '--busid', lab.MOUSE, '--wait', str(PATIENCE),
                   '--get-device-desc') as waiting:
        lab.plug('mouse', lab.MOUSE)
        out, err = waiting.communicate(timeout=2 * PATIENCE)
    expect_equal(waiting.returncode, 0, err)
    expect(b'idVendor' in out, out)


def _talk(lab, busid, out, into, *messages):
    lines = lab.program('talk', busid, out, into, *[m.hex() for m in messages]).text.split()
    return [bytes.fromhex(line) for line in lines]


def _ccid(kind, sequence, data=b''):
    """A CCID command (CCID 1.1, 6.1) to slot 0."""
    return struct.pack('<BIBB3x', kind, len(data), 0, sequence) + data


@test('server-qemu')
def card_reader_powers_its_card(lab):
    status, atr, answer = _talk(
        lab, lab.CCID, '0x03', '0x82', _ccid(0x65, 1), _ccid(0x62, 2),
        _ccid(0x6f, 3, bytes.fromhex('00a4040007a0000000790100')))  # SELECT of a CAC applet
    expect_equal((status[0], status[6]), (0x81, 1), 'GetSlotStatus')
    expect_equal((atr[0], atr[6], atr[10] in (0x3b, 0x3f)), (0x80, 2, True), 'IccPowerOn')
    expect_equal((answer[0], answer[6], len(answer) >= 12), (0x80, 3, True), 'XfrBlock')


def _mtp(code, transaction, *parameters):
    """An MTP command container (PTP over USB)."""
    return struct.pack('<IHHI', 12 + 4 * len(parameters), 1, code, transaction) + \
        b''.join(struct.pack('<I', p) for p in parameters)


@test('server-qemu')
def mtp_opens_a_session_and_says_what_it_is(lab):
    opened, information = _talk(lab, lab.MTP, '0x02', '0x81', _mtp(0x1002, 0, 1), _mtp(0x1001, 1))
    expect_equal(struct.unpack_from('<HH', opened, 4), (3, 0x2001), 'OpenSession')
    expect_equal(struct.unpack_from('<HH', information, 4), (2, 0x1001), 'GetDeviceInfo')
    expect('QEMU'.encode('utf-16-le') in information, information)


@test('server-qemu', 'server-gadget')
def all_devices_at_once_in_one_loop(lab):
    lab.program('all', '40')
