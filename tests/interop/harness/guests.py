"""The guests that there are, and how each is set up."""
import contextlib
import os
import subprocess

from .guest import Guest
from .lab import Lab

MIB = 1 << 20


class QemuLab(Lab):
    """server-qemu: usbipd exports what QEMU emulates."""

    # busid -> what it is; the controllers' ports are chosen below
    DISK_SUPER, UAS, DISK_HIGH, FTDI = '2-1', '2-2', '3-1', '1-5'
    KEYBOARD, TABLET, MTP, CCID, AUDIO, NETWORK, MOUSE = \
        '1-7', '1-8', '1-9', '1-10', '1-11', '1-12', '1-13'
    WACOM, BRAILLE = '1-14.1', '1-14.2'  # behind a hub
    ALL = [DISK_SUPER, UAS, DISK_HIGH, FTDI, KEYBOARD, TABLET, MTP, CCID, AUDIO, NETWORK, MOUSE,
           WACOM, BRAILLE]

    def disk_image(self, name):
        """The file behind a disk: 'super', 'high' or 'uas'."""
        return self.path(f'disk-{name}.img')

    @property
    def ftdi_socket(self):
        """The far end of the FTDI's serial line, a Unix socket."""
        return self.path('ftdi')

    @property
    def wav(self):
        """What the audio device played."""
        return self.path('audio.wav')


def disk_contents():
    """The first MiB of each disk: 16-byte lines with their numbers."""
    return b''.join(b'%015d\n' % n for n in range(1, MIB // 16 + 1))


def _make_disk(path):
    with open(path, 'wb') as f:
        f.write(disk_contents())
        f.truncate(32 * MIB)


def _make_media(folder):
    """What MTP shows."""
    os.makedirs(os.path.join(folder, 'mtp/folder'))
    with open(os.path.join(folder, 'mtp/hello.txt'), 'w', encoding='ascii') as f:
        f.write('hello from the host\n')
    with open(os.path.join(folder, 'mtp/folder/numbers.txt'), 'w', encoding='ascii') as f:
        f.write(''.join(f'{n}\n' for n in range(1, 20001)))


def _make_card(folder, cache):
    """Certificates of the emulated smart card; '' where they cannot be made."""
    database = os.path.join(cache, 'card')
    if not os.path.exists(os.path.join(database, 'done')):
        os.makedirs(database, exist_ok=True)
        noise, empty = os.path.join(folder, 'noise'), os.path.join(folder, 'empty')
        with open(noise, 'wb') as f:
            f.write(os.urandom(512))
        with open(empty, 'wb'):
            pass
        where = ['-d', f'sql:{database}']
        try:
            subprocess.run(['certutil', '-N', *where, '--empty-password'], check=True)
            for number, name in enumerate(('id', 'signing', 'encryption')):
                subprocess.run(['certutil', '-S', *where, '-f', empty, '-s', f'CN={name}', '-n',
                                f'{name}-cert', '-x', '-t', 'CT,CT,CT', '-z', noise, '-m',
                                str(number + 1)], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return ''
        with open(os.path.join(database, 'done'), 'wb'):
            pass
    return database


def _qemu_devices(folder, cache):
    """QEMU's arguments. Ports 1 to 4 of the xHCI are SuperSpeed too, 5 to 15 are not."""
    arguments = ['-device', 'qemu-xhci,id=xhci,p2=15,p3=4', '-device', 'usb-ehci,id=ehci']
    for name in ('super', 'high', 'uas'):
        image = os.path.join(folder, f'disk-{name}.img')
        _make_disk(image)
        arguments += ['-drive', f'if=none,id=d{name},format=raw,file={image},cache=unsafe']
    _make_media(folder)
    arguments += [
        '-chardev', f'socket,id=ftdi,path={folder}/ftdi,server=on,wait=off',
        '-chardev', f'file,id=braille,path={folder}/braille.log',
        '-audiodev', f'wav,id=sound,path={folder}/audio.wav',
        '-netdev', 'user,id=un,restrict=on,net=10.0.9.0/24']
    devices = [
        'usb-storage,id=disk-super,bus=xhci.0,port=1,drive=dsuper,serial=interop-super,'
        'removable=on',
        'usb-uas,id=uas,bus=xhci.0,port=2',
        'scsi-hd,bus=uas.0,drive=duas',
        'usb-storage,id=disk-high,bus=ehci.0,port=1,drive=dhigh,serial=interop-high',
        'usb-serial,id=ftdi,bus=xhci.0,port=5,chardev=ftdi,always-plugged=on',
        'usb-kbd,id=keyboard,bus=xhci.0,port=7',
        'usb-tablet,id=tablet,bus=xhci.0,port=8,usb_version=1',
        f'usb-mtp,id=mtp,bus=xhci.0,port=9,rootdir={folder}/mtp,desc=interop',
        'usb-ccid,id=ccid,bus=xhci.0,port=10',
        'usb-audio,id=audio,bus=xhci.0,port=11,audiodev=sound',
        'usb-net,id=net,bus=xhci.0,port=12,netdev=un,mac=52:54:00:00:00:07',
        'usb-mouse,id=mouse,bus=xhci.0,port=13',
        'usb-hub,bus=xhci.0,port=14',
        'usb-wacom-tablet,id=wacom,bus=xhci.0,port=14.1',
        'usb-braille,id=braille,bus=xhci.0,port=14.2,chardev=braille']
    card = _make_card(folder, cache)
    if card:
        devices.append('ccid-card-emulated,bus=ccid.0,backend=certificates,'
                       f'db=sql:{card},cert1=id-cert,cert2=signing-cert,cert3=encryption-cert')
    for device in devices:
        arguments += ['-device', device]
    return arguments


def _boot_qemu(image, build, folder, cache):
    guest = Guest(*image, folder, _qemu_devices(folder, cache))
    return QemuLab(guest, build, folder), f'sh /interop/server-qemu.sh {len(QemuLab.ALL)}'


GUESTS = {
    'server-qemu': _boot_qemu,
}


@contextlib.contextmanager
def boot(name, image, build, folder, cache):
    """A Lab with a guest that is up. `image`: kernel and initramfs; `folder`: for this run;
    `cache`: for what the next run can use."""
    lab, setup = GUESTS[name](image, build, folder, cache)
    try:
        lab.guest.run(setup)
        yield lab
    finally:
        lab.guest.stop()
