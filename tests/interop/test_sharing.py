"""Who has a device, and who does not."""
import time

from harness.cases import test
from harness.lab import PATIENCE, expect, expect_equal


@test('server-qemu')
def a_second_client_is_told_that_the_device_is_busy(lab):
    with lab.reading(lab.KEYBOARD, '0x81', '--length', '8', '--count', '0') as reader:
        refused = lab.usbwire('probe', '--busid', lab.KEYBOARD, check=5)
        for word in (lab.address, lab.KEYBOARD):
            expect(word.encode() in refused.err, f'"{word}" is not in:', refused)
        start = time.monotonic()
        lab.usbwire('probe', '--busid', lab.KEYBOARD, '--wait', '1', check=5)
        expect(time.monotonic() - start >= 1, 'it did not wait')
        # Other devices of the server are not affected.
        lab.usbwire('probe', '--busid', lab.MOUSE, '--get-device-desc')
        reader.interrupt()
        reader.finish()


@test('server-qemu')
def wait_gets_a_device_that_is_given_back(lab):
    with lab.reading(lab.KEYBOARD, '0x81', '--length', '8', '--count', '0') as reader:
        with lab.start(*lab.command, 'probe', '--busid', lab.KEYBOARD, '--wait', str(PATIENCE),
                       '--get-device-desc', '-v') as waiting:
            reader.interrupt()
            reader.finish()
            _, err = waiting.communicate(timeout=2 * PATIENCE)
    expect_equal(waiting.returncode, 0, err)


@test('server-qemu')
def a_killed_client_leaves_the_device_free(lab):
    with lab.reading(lab.KEYBOARD, '0x81', '--length', '8', '--count', '0') as reader:
        reader.kill()
    lab.usbwire('probe', '--busid', lab.KEYBOARD, '--wait', str(PATIENCE), '--get-device-desc')


@test('server-qemu')
def by_serial_number_and_by_ids(lab):
    found = lab.usbwire('probe', '--serial', 'interop-high', '--get-device-desc', '--json').json()
    expect_equal(found['busid'], lab.DISK_HIGH)
    found = lab.usbwire('probe', '--vid', '0403', '--pid', '6001', '--json').json()
    expect_equal(found['busid'], lab.FTDI)
    ambiguous = lab.usbwire('probe', '--vid', '0x46f4', '--pid', '0x0001', check=4)
    for busid in (lab.DISK_SUPER, lab.DISK_HIGH):
        expect(busid.encode() in ambiguous.err, ambiguous)
    absent = lab.usbwire('probe', '--vid', 'dead', '--pid', 'beef', check=4)
    expect(b'dead' in absent.err, absent)


@test('server-qemu')
def a_busid_that_is_not_there(lab):
    absent = lab.usbwire('probe', '--busid', '9-9', check=4)
    expect(b'9-9' in absent.err and lab.address.encode() in absent.err, absent)


@test('server-qemu')
def timeouts_hold_while_the_server_is_frozen(lab):
    """The whole guest stands still; what was asked of it ends in its own time, and the next works."""
    with lab.reading(lab.KEYBOARD, '0x81', '--length', '8', '--timeout', '1') as reader:
        start = time.monotonic()
        lab.guest.monitor.run('stop')
        try:
            output = reader.finish()
        finally:
            lab.guest.monitor.run('cont')
    took = time.monotonic() - start
    expect(output.status == 1 and b'no answer in time' in output.err, output)
    expect(took < 30, f'it took {took:.1f} s')
    lab.usbwire('probe', '--busid', lab.KEYBOARD, '--wait', str(PATIENCE), '--get-device-desc')


@test('server-qemu')
def unbound_at_the_server_in_mid_transfer(lab):
    with lab.reading(lab.MOUSE, '0x81', '--length', '4', '--count', '0') as reader:
        lab.guest.run(f'usbip unbind -b {lab.MOUSE}')
        output = reader.finish()
    lab.guest.run(f'usbip bind -b {lab.MOUSE}')
    expect(output.status in (1, 3), output)
    lab.usbwire('probe', '--busid', lab.MOUSE, '--get-device-desc')
