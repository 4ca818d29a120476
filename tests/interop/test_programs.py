"""Programs of other people on QEMU's devices, by the drop-in libusb: nobody at either end knows of us."""
import difflib
import filecmp
import itertools
import os
import re
import socket
import sys
import threading

from harness import lsusb
from harness.cases import test
from harness.lab import Failure, PATIENCE, Skip, expect, expect_equal, need

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import upstream  # noqa: E402  pylint: disable=wrong-import-position

# What lsusb takes from a database, which is the machine's affair and not the device's.
_NAMED = re.compile(r'^( *(?:idVendor|idProduct|b(?:Device|Interface|Function)(?:Class|SubClass|Protocol)'
                    r') +\S+).*$', flags=re.M)
# What it takes from the kernel: the strings of the device itself.
_KERNELS = re.compile(r'^(  i(?:Manufacturer|Product|Serial) +\d+).*$', flags=re.M)


# Bus and device numbers of what usbip-host has, when it has got all of it back.
_EXPORTED = '''cd /sys/bus/usb/drivers/usbip-host
for d in *-*; do
    until_true 20 grep -q 1 $d/usbip_status
    echo $(cat $d/busnum $d/devnum)
done'''


def _comparable(text):
    return _KERNELS.sub(r'\1', _NAMED.sub(r'\1', text)).strip().splitlines()


@test('server-qemu', 'server-gadget')
def lsusb_says_what_it_says_at_the_server(lab):
    """Every line of `lsusb -v`, of all devices."""
    all_there = lsusb.split(lab.guest.run('cat /tmp/lsusb').text)
    exported = [tuple(map(int, line.split())) for line in
                lab.guest.run(_EXPORTED).text.splitlines()]
    theirs = [_comparable(all_there[number]) for number in exported]
    output = lab.through([], need('lsusb'), '-v')
    found = lsusb.split(output.text)
    expect_equal(len(found), len(theirs), output)
    expect_equal(output.err, b'')
    for ours in map(_comparable, found.values()):
        expect(len(ours) > 20, 'lsusb said next to nothing:', ours)
        if ours in theirs:
            theirs.remove(ours)
            continue
        nearest = max(theirs, key=lambda t: difflib.SequenceMatcher(None, t, ours).ratio())
        raise Failure('\n'.join(difflib.unified_diff(nearest, ours, 'at the server', 'here',
                                                     lineterm='')))


@test('server-qemu')
def xusb_reads_a_disk(lab):
    """libusb's own example: INQUIRY, READ CAPACITY, READ."""
    try:
        program = upstream.program(lab.build, 'xusb')
    except upstream.Missing as reason:
        raise Skip(str(reason)) from None
    for busid, name in ((lab.DISK_SUPER, 'super'), (lab.DISK_HIGH, 'high')):
        output = lab.through([busid], program, '-b', 'xusb-block', '46f4:0001', cwd=lab.folder)
        expect('VID:PID:REV "QEMU    ":"QEMU HAR":' in output.text, output)
        expect('Max LBA: 0000FFFF, Block Size: 00000200' in output.text, output)
        with open(lab.path('xusb-block'), 'rb') as read, open(lab.disk_image(name), 'rb') as image:
            found = read.read()
            expect_equal(found, image.read(len(found)), 'the first block')
        expect_equal(len(found), 512)


@test('server-qemu')
def usbhid_dump_shows_keys(lab):
    """The report descriptor, then reports by asynchronous transfers until it is told to end."""
    with lab.start(*lab.command, 'run', '--wait', str(PATIENCE), '--busid', lab.KEYBOARD, '--',
                   'stdbuf', '-oL', need('usbhid-dump'), '-e', 'all') as program:
        expect_equal(program.stderr.readline(), b'Starting dumping interrupt transfer stream\n')
        lab.guest.monitor.human('sendkey b')
        released = b' 00 00 00 00 00 00 00 00\n'
        lines = list(itertools.islice(iter(program.stdout.readline, released), 20))
        program.terminate()
        program.wait(PATIENCE)
    expect(b' 05 01 09 06 A1 01 75 01 95 08 05 07 19 E0 29 E7\n' in lines, lines)
    expect(b' 00 00 05 00 00 00 00 00\n' in lines, lines)
    expect(len(lines) < 20, 'it did not go on until the key was released:', lines)


class Echo:
    """The far end of the FTDI's line: sends back what comes."""

    def __init__(self, path):
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(path)
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while data := self._line.recv(4096):
            self._line.sendall(data)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._line.close()


@test('server-qemu')
def libftdi_talks_over_a_serial_line(lab):
    program = os.path.join(lab.build, 'tests/programs/programs_ftdi')
    if not os.path.exists(program):
        raise Skip('libftdi1-dev was not there when this was configured')
    with Echo(lab.ftdi_socket):
        output = lab.through([lab.FTDI], program, '0403', '6001', '50000')
    expect(output.text.startswith('QEMU, QEMU USB SERIAL, '), output)
    expect('50000 bytes, checksum 808f92ac' in output.text, output)


@test('server-qemu')
def mtp_detect_knows_the_device(lab):
    output = lab.through([lab.MTP], need('mtp-detect'))
    for line in ('   bcdUSB: 512', '   Model: QEMU filesharing',
                 '   OUT endpoint maxpacket: 512 bytes', '   1009: Get object'):
        expect(line in output.text.splitlines(), f'no {line!r} in', output)


@test('server-qemu')
def mtp_tools_move_files(lab):
    """Lists, gets, sends and deletes."""
    listed = lab.through([lab.MTP], need('mtp-files')).text
    files = dict(re.findall(r'File ID: (\d+)\n +Filename: (.+)\n', listed))
    numbers = {name: number for number, name in files.items()}
    expect_equal(sorted(numbers), ['hello.txt', 'numbers.txt'], listed)
    got, sent = lab.path('got'), lab.path('sent.bin')
    lab.through([lab.MTP], 'mtp-getfile', numbers['numbers.txt'], got)
    expect(filecmp.cmp(got, os.path.join(lab.media, 'folder/numbers.txt'), shallow=False),
           'numbers.txt is another one')
    with open(sent, 'wb') as f:
        f.write(os.urandom(1234567))
    arrived = os.path.join(lab.media, 'sent.bin')
    lab.through([lab.MTP], 'mtp-sendfile', sent, 'sent.bin')
    expect(filecmp.cmp(sent, arrived, shallow=False), 'what was sent is another file')
    lab.through([lab.MTP], 'mtp-delfile', '-f', 'sent.bin')
    expect(not os.path.exists(arrived), 'sent.bin is still there')


@test('server-qemu')
def gphoto2_lists_and_gets_files(lab):
    """The same device as any camera that speaks PTP."""
    camera = [need('gphoto2'), '--camera', 'USB PTP Class Camera', '--port', 'usb:']
    listed = lab.through([lab.MTP], *camera, '--list-files').text
    number = re.search(r'^#(\d+) +numbers\.txt ', listed, flags=re.M)
    expect(number, 'numbers.txt is missing in', listed)
    got = lab.path('got-by-gphoto2')
    lab.through([lab.MTP], *camera, '--get-file', number.group(1), '--filename', got)
    expect(filecmp.cmp(got, os.path.join(lab.media, 'folder/numbers.txt'), shallow=False),
           'numbers.txt is another one')


# It has no use for a reader without T=1, but looks at all it is.
_SCDAEMON = '/usr/lib/gnupg/scdaemon'
_SCDAEMON_LISTS = 'echo "GETINFO reader_list" | "$0" --homedir "$1" --server'


@test('server-qemu')
def scdaemon_finds_the_reader(lab):
    """GnuPG's, which brings a driver of its own."""
    if not os.path.exists(_SCDAEMON):
        raise Skip('scdaemon is not installed')
    output = lab.through([lab.CCID], 'sh', '-c', _SCDAEMON_LISTS, _SCDAEMON, lab.folder)
    expect(re.search('^D 08E6:4433:', output.text, flags=re.M), output)


_READER = '''FRIENDLYNAME "QEMU"
DEVICENAME usb:08e6/4433
LIBPATH {driver}
CHANNELID 1
'''
_DRIVER = '/usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Linux/libccid.so'
# In a mount namespace of its own, since the daemon's socket has one place. Whatever its clients do,
# the daemon is ended and waited for.
_CARD = '''mount -t tmpfs none /run || exit 77
"$@" >"$LOG" 2>&1 &
until [ -S /run/pcscd/pcscd.comm ]; do kill -0 $! || exit 1; sleep 0.05; done
opensc-tool -l && opensc-tool -a && opensc-tool -s 00:a4:04:00:07:a0:00:00:00:79:01:00
status=$?
kill $! && wait $! && exit $status
'''


@test('server-qemu')
def pcscd_reads_a_smart_card(lab):
    """Debian's daemon and its driver; a card's answer to reset and to a SELECT."""
    daemon = need('pcscd')
    need('opensc-tool')
    if not os.path.exists(_DRIVER):
        raise Skip('libccid is not installed')
    configuration, log = lab.path('reader.conf.d'), lab.path('pcscd.log')
    os.mkdir(configuration)
    with open(os.path.join(configuration, 'qemu'), 'w', encoding='ascii') as f:
        f.write(_READER.format(driver=_DRIVER))
    output = lab.run('unshare', '-rm', 'sh', '-c', _CARD, 'sh', *lab.command, 'run', '--wait',
                     str(PATIENCE), '--busid', lab.CCID, '--', daemon, '-f', '-c', configuration,
                     check=None, environment={'LOG': log})
    if output.status == 77 or b'unshare failed' in output.err:
        raise Skip('no mount namespaces here')
    with open(log, encoding='utf-8', errors='replace') as f:
        said = f.read()
    expect_equal(output.status, 0, f'{output}{said}')
    expect('Yes   PIN pad   QEMU 00 00' in output.text, output, said)
    expect(re.search('^3b(:[0-9a-f]{2})+$', output.text, flags=re.M), output, said)
    expect('Received (SW1=0x90, SW2=0x00)' in output.text, output, said)
