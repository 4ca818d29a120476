"""The guests' kernel and initramfs, made from Debian packages in the build directory.

One image serves all guests. It is made anew when anything that goes into it changes.
"""
import fcntl
import glob
import hashlib
import lzma
import os
import re
import shutil
import subprocess

GUEST_FILES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'guest')

# Kernel modules of the guests, with what they depend on.
MODULES = '''
    virtio_pci virtio_net
    usbip-host vhci-hcd usbip-vudc dummy_hcd libcomposite
    usb_f_ss_lb usb_f_acm usb_f_serial usb_f_mass_storage usb_f_fs usb_f_midi usb_f_hid usb_f_ncm
    usb_f_uac2
    xhci-pci ehci-pci uhci-hcd
    usb-storage uas sd_mod usbhid hid-generic evdev mousedev
    usbserial ftdi_sio cp210x ch341 pl2303 cdc-acm usbtest usbmon
    snd-usb-audio snd-pcm-oss
    vfat nls_cp437 nls_iso8859-1 nls_ascii nls_utf8
'''.split()

PROGRAMS = ['/usr/sbin/usbip', '/usr/sbin/usbipd', '/usr/bin/lsusb']
TOOLS = ['qemu-system-x86_64', 'cpio', 'modprobe', 'depmod', 'dpkg-deb', 'apt-get', 'apt-cache',
         'certutil']


class Unavailable(Exception):
    """Why there can be no guest on this machine: a reason to skip."""


def _run(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options).stdout


def _try(*command, **options):
    try:
        return _run(*command, **options)
    except subprocess.CalledProcessError:
        return ''


def _tool(name):
    return shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')


def _check_tools():
    missing = [t for t in TOOLS if not _tool(t)]
    missing += [p for p in ['/bin/busybox', *PROGRAMS] if not os.path.exists(p)]
    if missing:
        raise Unavailable(f'not installed: {" ".join(missing)} (make deps)')


def _kernel_package():
    """The package behind linux-image-amd64; '' when the package lists do not know it."""
    depends = _try('apt-cache', 'depends', 'linux-image-amd64')
    match = re.search(r'Depends: (linux-image-[0-9]\S*)', depends)
    return match.group(1) if match else ''


def _fetch_kernel(folder):
    """Unpacks Debian's kernel package to `folder`/kernel; returns that."""
    kernel = os.path.join(folder, 'kernel')
    if os.path.exists(os.path.join(kernel, 'vmlinux')):
        return kernel
    package = _kernel_package()
    if not package and os.geteuid() == 0:
        _try('apt-get', 'update', '-q')
        package = _kernel_package()
    if not package:
        raise Unavailable('apt knows no linux-image-amd64 (apt-get update)')
    work = os.path.join(folder, 'kernel.new')
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    # As root apt-get would become _apt, who may not write here.
    options = ['-q', '-o', 'APT::Sandbox::User=root'] if os.geteuid() == 0 else ['-q']
    try:
        _run('apt-get', *options, 'download', package, cwd=work)
    except subprocess.CalledProcessError as error:
        last = error.stdout.strip().splitlines()[-1:]
        raise Unavailable(f'cannot download {package}: {" ".join(last)}') from error
    deb = glob.glob(os.path.join(work, '*.deb'))[0]
    _run('dpkg-deb', '-x', deb, work)
    os.remove(deb)
    version = os.listdir(os.path.join(work, 'lib/modules'))[0]
    _unpack_kernel(os.path.join(work, f'boot/vmlinuz-{version}'), os.path.join(work, 'vmlinux'))
    _run(_tool('depmod'), '-b', work, version)
    shutil.rmtree(kernel, ignore_errors=True)
    os.rename(work, kernel)
    return kernel


def _unpack_kernel(compressed, plain):
    """The ELF file inside a bzImage: QEMU boots it, which spares the guest the decompression."""
    with open(compressed, 'rb') as f:
        data = f.read()
    start = data.find(b'\xfd7zXZ\0')
    if start < 0:
        raise Unavailable('the kernel image is not compressed with xz')
    elf = lzma.LZMADecompressor().decompress(data[start:])
    with open(plain, 'wb') as f:
        f.write(elf)


def _module_files(kernel, version):
    """Paths of the wanted modules and their dependencies, relative to the kernel's folder."""
    listing = _run(_tool('modprobe'), '-d', kernel, '-S', version, '-a', '--show-depends',
                   *MODULES)
    paths = re.findall(r'^insmod (\S+)', listing, flags=re.M)
    return sorted({os.path.relpath(p, kernel) for p in paths})


def _copy(root, source, target):
    path = os.path.join(root, target.lstrip('/'))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(source, path)


def _copy_program(root, path):
    """A program with the libraries that it is linked with."""
    _copy(root, path, path)
    for library in re.findall(r'(/\S+) \(0x', _run('ldd', path)):
        _copy(root, library, library)


def _copy_names(root):
    for names in ('/usr/share/misc/usb.ids', '/var/lib/usbutils/usb.ids'):
        if os.path.exists(names):
            for target in ('/usr/share/misc/usb.ids', '/var/lib/usbutils/usb.ids',
                           '/usr/share/hwdata/usb.ids'):
                _copy(root, names, target)
            return


def _fill_root(root, kernel, version, programs):
    for folder in ('bin', 'sbin', 'usr/bin', 'usr/sbin', 'etc', 'dev', 'proc', 'sys'):
        os.makedirs(os.path.join(root, folder))
    _copy(root, '/bin/busybox', '/bin/busybox')
    for applet in _run('/bin/busybox', '--list').split():
        if applet != 'busybox':
            os.symlink('busybox', os.path.join(root, 'bin', applet))
    os.symlink('../bin/busybox', os.path.join(root, 'sbin/modprobe'))  # what the kernel calls
    for program in PROGRAMS:
        _copy_program(root, program)
    for program in programs:
        _copy(root, program, '/interop/' + os.path.basename(program))
    for script in glob.glob(os.path.join(GUEST_FILES, '*.sh')):
        _copy(root, script, '/interop/' + os.path.basename(script))
    _copy(root, os.path.join(GUEST_FILES, 'init'), '/init')
    os.chmod(os.path.join(root, 'init'), 0o755)
    _copy_names(root)
    with open(os.path.join(root, 'etc/passwd'), 'w', encoding='ascii') as f:
        f.write('root:x:0:0:root:/:/bin/sh\n')
    modules = f'lib/modules/{version}'
    for path in _module_files(kernel, version):
        _copy(root, os.path.join(kernel, path), path)
    for name in ('modules.builtin', 'modules.builtin.modinfo', 'modules.order'):
        _copy(root, os.path.join(kernel, modules, name), f'{modules}/{name}')
    _run(_tool('depmod'), '-b', root, version)


def _digest(kernel, programs):
    """Changes when anything changes that goes into the initramfs."""
    digest = hashlib.sha256(kernel.encode())
    inputs = [os.path.abspath(__file__), os.path.join(GUEST_FILES, 'init'), *programs]
    inputs += sorted(glob.glob(os.path.join(GUEST_FILES, '*.sh')))
    for path in inputs:
        with open(path, 'rb') as f:
            digest.update(path.encode() + f.read())
    for path in ['/bin/busybox', *PROGRAMS]:
        digest.update(f'{path} {os.path.getmtime(path)}'.encode())
    return digest.hexdigest()[:16]


def prepare(folder, programs):
    """Paths of kernel and initramfs, made in `folder` if need be. `programs` are files of the build
    that go to /interop. Raises Unavailable."""
    _check_tools()
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'lock'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kernel = _fetch_kernel(folder)
        version = os.listdir(os.path.join(kernel, 'lib/modules'))[0]
        initramfs = os.path.join(folder, f'initramfs-{_digest(kernel, programs)}.cpio')
        if not os.path.exists(initramfs):
            for old in glob.glob(os.path.join(folder, 'initramfs-*')):
                os.remove(old)
            root = os.path.join(folder, 'root')
            shutil.rmtree(root, ignore_errors=True)
            os.makedirs(root)
            _fill_root(root, kernel, version, programs)
            _run('sh', '-c', 'find . | LC_ALL=C sort | cpio -o -H newc --quiet >"$0"',
                 initramfs + '.new', cwd=root)
            os.rename(initramfs + '.new', initramfs)
            shutil.rmtree(root)
        return os.path.join(kernel, 'vmlinux'), initramfs
