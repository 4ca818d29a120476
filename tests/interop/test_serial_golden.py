"""What the kernel's own drivers ask of each serial chip, request by request, for settings that ours
have to bring about as well: tests/vectors/serial/CHIP.txt.

`run.py client BUILD golden --renew` writes the files anew, to be read before they are committed;
without it the kernel still has to say what they say. tests/unit/serial/test_golden.c compares our
drivers with them.
"""
import os

from harness.cases import test
from harness.lab import expect_equal

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../vectors/serial')

# name of the simulated chip: the kernel's driver, how many ports it has
CHIPS = {'cp2102': ('cp210x', 1), 'cp2102n': ('cp210x', 1), 'cp2104': ('cp210x', 1),
         'cp2105': ('cp210x', 2), 'cp2108': ('cp210x', 4), 'ft232r': ('ftdi_sio', 1),
         'ft2232h': ('ftdi_sio', 2), 'ft4232h': ('ftdi_sio', 4), 'ft232h': ('ftdi_sio', 1),
         'ft230x': ('ftdi_sio', 1), 'ch340': ('ch341', 1), 'ch341': ('ch341', 1),
         'pl2303hx': ('pl2303', 1), 'pl2303gc': ('pl2303', 1), 'acm-echo': ('cdc_acm', 1)}

STEPS = ['9600:7E1', '115200:8N1', '921600:8N1', '9600:8N1', '9600:8O2', '115200:8N1', 'both=0',
         'dtr=1', 'rts=1', 'dtr=0', 'rts=0', 'both=1', 'break=1', 'break=0', 'rtscts', 'noflow',
         'xonxoff', 'noflow']

HEAD = '''\
# What the kernel's driver asks of the last port of this chip (`usbwire serve --device {chip}`), as
# usbmon saw it: bmRequestType bRequest wValue wIndex wLength, then "=" and what was sent or ">" and
# what came. A section is a step of tests/interop/guest/serial.c.
# Written by `tests/interop/run.py client BUILD golden --renew`.
# source: Linux {kernel}, {driver}
'''

# The driver binds while usbmon already runs; a terminal's settings outlive its closing, so it gets
# known ones first. $1 the device, $2 the interface of the port, $3 the steps.
TRACE = '''
mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
tty_of() { ls -d /sys/bus/usb/devices/%(interface)s/ttyUSB* /sys/bus/usb/devices/%(interface)s/tty/tty* 2>/dev/null |
    head -n 1 | sed 's|.*/||'; }
has_tty() { [ -n "$(tty_of)" ] && [ -c /dev/$(tty_of) ]; }
until_true 60 has_tty
serial /dev/$(tty_of) echo 0 9600 8N1
driver=$(readlink -f /sys/bus/usb/devices/%(interface)s/driver)
echo %(interface)s >$driver/unbind
exec 3</sys/kernel/debug/usb/usbmon/$(cat /sys/bus/usb/devices/%(device)s/busnum)u
echo %(interface)s >$driver/bind
until_true 60 has_tty
basename $driver
cat /sys/bus/usb/devices/%(device)s/devnum
exec serial /dev/$(tty_of) trace %(steps)s
'''


def requests(text, devnum):
    """The control requests in usbmon's text (Documentation/usb/usbmon.rst), as lines of a vector."""
    lines, asked = [], {}
    for line in text.splitlines():
        words = line.split()
        if line.startswith('['):
            lines.append(line)
        if len(words) < 5 or words[3].split(':')[0] not in ('Co', 'Ci') or \
                int(words[3].split(':')[2]) != devnum:
            continue
        tag, kind, rest = words[0], words[2], words[4:]
        data = ''.join(rest[rest.index('=') + 1:]) if '=' in rest else ''
        if kind == 'S':
            asked[tag] = len(lines)
            lines.append(' '.join(rest[1:6]) + (f' = {data}' if data else ''))
        elif rest[0] != '0':
            lines[asked[tag]] += f' ! {rest[0]}'
        elif data:
            lines[asked[tag]] += f' > {data}'
    return lines


def vector(lab, chip, driver, ports):
    """The lines of a vector, without its head."""
    with lab.serve('--device', chip) as served, lab.attached(served, chip) as device:
        text = lab.guest.run(TRACE % {'device': device, 'interface': f'{device}:1.{ports - 1}',
                                      'steps': ' '.join(STEPS)}).text
    found, devnum, text = text.split('\n', 2)
    expect_equal(found, driver, chip)
    return requests(text, int(devnum))


@test('client')
def golden_requests_of_the_kernels_serial_drivers(lab):
    kernel = lab.guest.run('uname -r').text.strip()
    for chip, (driver, ports) in CHIPS.items():
        path = os.path.join(VECTORS, f'{chip}.txt')
        lines = vector(lab, chip, driver, ports)
        if lab.renew:
            with open(path, 'w', encoding='ascii') as file:
                file.write(HEAD.format(chip=chip, kernel=kernel, driver=driver) +
                           ''.join(f'{line}\n' for line in lines))
        with open(path, encoding='ascii') as file:
            golden = [line for line in file.read().splitlines() if not line.startswith('#')]
        expect_equal(lines, golden, f'{chip}, Linux {kernel}')
