"""The guests that there are, and how each is set up."""
import contextlib
import json
import os
import subprocess

from .guest import Guest
from .lab import Lab, expect_equal

MIB = 1 << 20


# id -> what QEMU emulates. Ports 1 to 4 of the xHCI are SuperSpeed too, 5 to 15 are not.
QEMU_DEVICES = {
    'disk-super': 'usb-storage,bus=xhci.0,port=1,drive=dsuper,serial=interop-super,removable=on',
    'uas': 'usb-uas,bus=xhci.0,port=2',
    'disk-high': 'usb-storage,bus=ehci.0,port=1,drive=dhigh,serial=interop-high',
    'ftdi': 'usb-serial,bus=xhci.0,port=5,chardev=ftdi,always-plugged=on',
    'keyboard': 'usb-kbd,bus=xhci.0,port=7',
    'tablet': 'usb-tablet,bus=xhci.0,port=8,usb_version=1',
    'mtp': 'usb-mtp,bus=xhci.0,port=9,rootdir={folder}/mtp,desc=interop,readonly=off',
    'ccid': 'usb-ccid,bus=xhci.0,port=10',
    'audio': 'usb-audio,bus=xhci.0,port=11,audiodev=sound,buffer=262144',
    'net': 'usb-net,bus=xhci.0,port=12,netdev=un,mac=52:54:00:00:00:07',
    'mouse': 'usb-mouse,bus=xhci.0,port=13',
    'hub': 'usb-hub,bus=xhci.0,port=14',
    'wacom': 'usb-wacom-tablet,bus=xhci.0,port=14.1',
    'braille': 'usb-braille,bus=xhci.0,port=14.2,chardev=braille',
}


class QemuLab(Lab):
    """server-qemu: usbipd exports what QEMU emulates."""

    # busid -> what it is; the controllers' ports are chosen below
    DISK_SUPER, UAS, DISK_HIGH, FTDI = '2-1', '2-2', '3-1', '1-5'
    KEYBOARD, TABLET, MTP, CCID, AUDIO, NETWORK, MOUSE = \
        '1-7', '1-8', '1-9', '1-10', '1-11', '1-12', '1-13'
    WACOM, BRAILLE = '1-14.1', '1-14.2'  # behind a hub
    ALL = [DISK_SUPER, UAS, DISK_HIGH, FTDI, KEYBOARD, TABLET, MTP, CCID, AUDIO, NETWORK, MOUSE,
           WACOM, BRAILLE]

    def unplug(self, name, busid):
        """Pulls a device of QEMU_DEVICES out and waits until the guest knows."""
        monitor = self.guest.monitor
        monitor.run('device_del', id=name)
        monitor.wait_event('DEVICE_DELETED', device=name)
        self.guest.run(f'until_true 60 [ ! -e /sys/bus/usb/devices/{busid} ]')

    def plug(self, name, busid):
        """Plugs it in again and exports it again."""
        device = QEMU_DEVICES[name].format(folder=self.folder)
        expect_equal(self.guest.monitor.human(f'device_add {device},id={name}'), '')
        self.guest.run(f'until_true 60 [ -e /sys/bus/usb/devices/{busid}/idVendor ]; '
                       f'usbip bind -b {busid}')

    @property
    def media(self):
        """The folder that MTP shows."""
        return self.path('mtp')

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


class GadgetLab(Lab):
    """server-gadget and server-vudc: usbipd exports gadgets, which have names."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.busid = {}  # of each gadget

    def ready(self, text):
        self.busid = dict(line.split() for line in text.splitlines())


class ClientLab(Lab):
    """client: a guest that imports from servers on this machine."""

    @contextlib.contextmanager
    def serve(self, *arguments):
        """`usbwire serve` on a free port, a Served, until the end of the block."""
        command = [os.path.join(self.build, 'usbwire'), 'serve', '--port', '0', '--until-eof',
                   '--json', *arguments]
        log = os.path.join(self.folder, 'serve.log')
        with open(log, 'wb') as errors, self.start(*command, stderr=errors) as process:
            yield Served(json.loads(process.stdout.readline()))
            process.stdin.close()
            expect_equal(process.wait(60), 0, 'usbwire serve')

    @contextlib.contextmanager
    def attached(self, served, name):
        """usbip attach; its name in the guest's /sys/bus/usb/devices, until the end of the block."""
        device = self.guest.run(f'attach {served.port} {served.busid[name]}').text.strip()
        yield device
        self.guest.run(f'detach {device}')


    @contextlib.contextmanager
    def relayed(self, served, name):
        """A simulated device that the guest imports and exports again: the kernel's client and its
        server on one way. Its busid at the guest, until the end of the block."""
        with self.attached(served, name) as device:
            self.guest.run(f'export_imported {device}')
            yield device
            self.guest.run(f'until_true 60 released {device}')


class Served:
    """A simulated bench that runs."""

    def __init__(self, announced):
        self.port = announced['port']
        self.busid = {d['name']: d['busid'] for d in announced['devices']}


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
    """Certificates of the emulated smart card."""
    database = os.path.join(cache, 'card')
    if not os.path.exists(os.path.join(database, 'done')):
        os.makedirs(database, exist_ok=True)
        noise, empty = os.path.join(folder, 'noise'), os.path.join(folder, 'empty')
        with open(noise, 'wb') as f:
            f.write(os.urandom(512))
        with open(empty, 'wb'):
            pass
        where = ['-d', f'sql:{database}']
        subprocess.run(['certutil', '-N', *where, '--empty-password'], check=True)
        for number, name in enumerate(('id', 'signing', 'encryption'), 1):
            subprocess.run(['certutil', '-S', *where, '-f', empty, '-s', f'CN={name}', '-n',
                            f'{name}-cert', '-x', '-t', 'CT,CT,CT', '-z', noise, '-m',
                            str(number)], check=True, capture_output=True)
        with open(os.path.join(database, 'done'), 'wb'):
            pass
    return database


def _qemu_devices(folder, cache):
    """QEMU's arguments."""
    arguments = ['-device', 'qemu-xhci,id=xhci,p2=15,p3=4', '-device', 'usb-ehci,id=ehci']
    for name in ('super', 'high', 'uas'):
        image = os.path.join(folder, f'disk-{name}.img')
        _make_disk(image)
        arguments += ['-drive', f'if=none,id=d{name},format=raw,file={image},cache=unsafe']
    _make_media(folder)
    arguments += [
        '-chardev', f'socket,id=ftdi,path={folder}/ftdi,server=on,wait=off',
        '-chardev', f'file,id=braille,path={folder}/braille.log',
        '-audiodev', f'wav,id=sound,path={folder}/audio.wav,out.frequency=48000',
        '-netdev', 'user,id=un,restrict=on,net=10.0.9.0/24']
    for name, device in QEMU_DEVICES.items():
        arguments += ['-device', f'{device.format(folder=folder)},id={name}']
    arguments += [
        '-device', 'scsi-hd,bus=uas.0,drive=duas',
        '-device', 'ccid-card-emulated,bus=ccid.0,backend=certificates,'
                   f'db=sql:{_make_card(folder, cache)},cert1=id-cert,cert2=signing-cert,'
                   'cert3=encryption-cert']
    return arguments


def _boot_qemu(image, build, folder, cache):
    guest = Guest(*image, folder, _qemu_devices(folder, cache))
    return QemuLab(guest, build, folder), f'server-qemu.sh {len(QemuLab.ALL)}'


def _boot_gadget(image, build, folder, _):
    return GadgetLab(Guest(*image, folder), build, folder), 'server-gadget.sh'


def _boot_vudc(image, build, folder, _):
    return GadgetLab(Guest(*image, folder), build, folder), 'server-vudc.sh'


def _boot_client(image, build, folder, _):
    return ClientLab(Guest(*image, folder), build, folder), 'client.sh'


GUESTS = {
    'server-qemu': _boot_qemu,
    'server-gadget': _boot_gadget,
    'server-vudc': _boot_vudc,
    'client': _boot_client,
}


@contextlib.contextmanager
def boot(name, image, build, folder, cache):
    """A Lab with a guest that is up. `image`: kernel and initramfs; `folder`: for this run;
    `cache`: for what the next run can use."""
    lab, setup = GUESTS[name](image, build, folder, cache)
    try:
        lab.ready(lab.guest.run(f'sh /interop/{setup}').text)
        yield lab
    finally:
        lab.guest.stop()
