"""The kernel's serial drivers on the simulated chips: what makes their registers right makes ours right."""
from harness.cases import test
from harness.lab import expect, expect_equal

# name of the simulated chip: the kernel's driver
CHIPS = {'cp2102n': 'cp210x', 'ft232r': 'ftdi_sio', 'ft232h': 'ftdi_sio',
         'ch341': 'ch341-uart', 'pl2303hx': 'pl2303', 'pl2303gc': 'pl2303'}

LINES = [('9600', '8N1'), ('115200', '8N1'), ('921600', '8N1'), ('9600', '7E1')]


def _tty(lab, device):
    return '/dev/' + lab.guest.run(f'wait_node {device} "ttyUSB*"').text.strip()


def _driver(lab, tty):
    return lab.guest.run('basename $(readlink '
                         f'/sys/class/tty/{tty[5:]}/device/driver)').text.strip()


@test('client')
def kernel_drivers_agree_with_the_chips_on_rates_and_formats(lab):
    for chip, driver in CHIPS.items():
        for baud, form in LINES:
            with lab.serve('--device', f'{chip}:baud={baud},format={form}') as served, \
                    lab.attached(served, chip) as device:
                tty = _tty(lab, device)
                expect_equal(_driver(lab, tty), driver, chip)
                found = lab.guest.run(f'serial {tty} echo 65536 {baud} {form}', check=False)
                expect(found.status == 0, f'{chip} {baud} {form}:', found.err)


@test('client')
def kernel_drivers_move_lines_and_send_breaks(lab):
    for model in (*CHIPS, 'ch341:limited=1'):
        chip = model.split(':')[0]
        with lab.serve('--device', model) as served, lab.attached(served, chip) as device:
            tty = _tty(lab, device)
            for dtr, rts in ((1, 0), (0, 1), (1, 1), (0, 0)):
                wanted = (['dtr'] if dtr else []) + (['rts', 'cts'] if rts else []) + \
                    (['dsr', 'dcd'] if dtr else [])
                found = lab.guest.run(f'serial {tty} set dtr={dtr} rts={rts} '
                                      f'signals={len(wanted)}').text.split()
                expect_equal(sorted(found), sorted(wanted), f'{chip} dtr={dtr} rts={rts}')
            lab.guest.run(f'serial {tty} break')
            lab.guest.run(f'serial {tty} echo 1000')


@test('client')
def kernel_drivers_tell_ports_apart(lab):
    for chip, ports in (('cp2105', 2), ('cp2108', 4), ('ft2232h', 2), ('ft4232h', 4)):
        with lab.serve('--device', chip) as served, lab.attached(served, chip) as device:
            _tty(lab, device)
            names = lab.guest.run(f'until_true 60 sh -c "[ \\$(ls -d /sys/bus/usb/devices/{device}:1.*/'
                                  f'ttyUSB* | wc -l) = {ports} ]"; ls -d /sys/bus/usb/devices/{device}'
                                  ':1.*/ttyUSB*').text.split()
            for name in names:
                lab.guest.run(f'serial /dev/{name.rsplit("/", 1)[1]} echo 5000')
