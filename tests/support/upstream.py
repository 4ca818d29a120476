"""libusb's own programs and library, out of Debian's source package; what is younger than that, out of the libusb
that npm's usb@2 contains. Compiled on this machine, unmodified.

Both are fetched into the build folder; nothing of them is ours to keep.
"""
import fcntl
import glob
import os
import subprocess
import tarfile


class Missing(Exception):
    """A program cannot be had here; the text says why."""


# What ./configure would have found.
CONFIG = '''#define _GNU_SOURCE 1
#define PLATFORM_POSIX 1
#define DEFAULT_VISIBILITY
#define PRINTF_FORMAT(a, b) __attribute__((__format__(__printf__, a, b)))
#define HAVE_SYS_TIME_H 1
'''

# And for the library itself, which has no need of udev here.
LIBRARY_CONFIG = CONFIG.replace('DEFAULT_VISIBILITY',
                                'DEFAULT_VISIBILITY __attribute__((visibility("default")))') + \
    '''#define HAVE_CLOCK_GETTIME 1
#define HAVE_NFDS_T 1
#define HAVE_ASM_TYPES_H 1
#define ENABLE_LOGGING 1
'''
LIBRARY = ['core.c', 'descriptor.c', 'hotplug.c', 'io.c', 'strerror.c', 'sync.c', 'os/events_posix.c',
           'os/threads_posix.c', 'os/linux_usbfs.c', 'os/linux_netlink.c']

PROGRAMS = {
    'listdevs': ['examples/listdevs.c'],
    'testlibusb': ['examples/testlibusb.c'],
    'xusb': ['examples/xusb.c'],
    'hotplugtest': ['examples/hotplugtest.c'],
    'fxload': ['examples/fxload.c', 'examples/ezusb.c'],
    'stress': ['tests/stress.c', 'tests/testlib.c'],
    'stress_mt': ['tests/stress_mt.c'],
    'set_option': ['tests/set_option.c', 'tests/testlib.c'],
    'init_context': ['tests/init_context.c', 'tests/testlib.c'],
}

# Two of them look into a context, and find the drop-in's.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INSIDES = '''#include "libusb/context.h"
#define log_handler log_cb
#define UNUSED(x) (void)(x)
'''
KNOWN = [f'-DHAVE_LIBUSB_1_0_{version}' for version in (27, 28, 30)]


def sources():
    """The suites of this system's own package source, as a source list."""
    lines = []
    for path in glob.glob('/etc/apt/sources.list.d/*.sources'):
        with open(path, encoding='utf-8') as f:
            for stanza in f.read().split('\n\n'):
                fields = dict(l.split(':', 1) for l in stanza.splitlines()
                              if ':' in l and not l.startswith('#'))
                if 'URIs' in fields and 'security' not in fields.get('Suites', ''):
                    suite = fields['Suites'].split()[0]
                    lines.append(f'deb-src {fields["URIs"].strip()} {suite} main')
    for path in glob.glob('/etc/apt/sources.list'):
        with open(path, encoding='utf-8') as f:
            lines += ['deb-src ' + l[4:].strip() for l in f
                      if l.startswith('deb ') and 'security' not in l]
    return lines


def apt(folder, *words, timeout=120):
    lists = os.path.join(folder, 'lists')
    os.makedirs(os.path.join(lists, 'partial'), exist_ok=True)
    return subprocess.run(
        ['apt-get', '-qq', '-o', f'Dir::Etc::SourceList={folder}/sources.list', '-o',
         'Dir::Etc::SourceParts=/dev/null', '-o', f'Dir::State::Lists={lists}', *words],
        cwd=folder, capture_output=True, text=True, timeout=timeout, check=False,
        env={**os.environ, 'LC_ALL': 'C.UTF-8'})


def folder_of(build):
    return os.path.join(build, 'libusb-source')


def download(folder):
    with open(os.path.join(folder, 'sources.list'), 'w', encoding='ascii') as f:
        f.write('\n'.join(sources()) + '\n')
    try:
        for words in (['update'], ['source', '--download-only', 'libusb-1.0']):
            done = apt(folder, *words)
            if done.returncode:
                raise Missing(f'apt-get {words[0]}: {done.stderr.strip().splitlines()[-1:]}')
    except (OSError, subprocess.TimeoutExpired) as reason:
        raise Missing(f'the source cannot be fetched: {reason}') from None
    archive = glob.glob(os.path.join(folder, '*.orig.tar.*'))
    if not archive:
        raise Missing('the source package has no upstream archive')
    with tarfile.open(archive[0]) as tar:
        tar.extractall(folder)


def fetch(build):
    """The unpacked source, fetched once a build folder, by the first of several tests at a time."""
    folder = folder_of(build)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'lock'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = os.path.join(folder, 'libusb-1.0.*/examples')
        if not glob.glob(wanted):
            download(folder)
        return os.path.dirname(glob.glob(wanted)[0])


def has(source, name):
    return all(os.path.exists(os.path.join(source, f)) for f in PROGRAMS[name])


def source_of(build, name, newer):
    """The folder of libusb's source that has the program, and the header and library it needs.
    `newer`, if any, gives the folder of a package with a younger libusb."""
    source = fetch(build)
    if has(source, name):
        return source, '/usr/include/libusb-1.0', '-lusb-1.0'
    younger = os.path.join(newer(), 'libusb') if newer else source
    if has(younger, name):
        return younger, 'libusb', os.path.join(build, 'src', 'libusb', 'libusb-1.0.so.0')
    raise Missing(f'no source at hand has {PROGRAMS[name][0]}')


def program(build, name, newer=None):
    """The program's path, compiled against the header and library that belong to it."""
    source, header, library = source_of(build, name, newer)
    folder = folder_of(build)
    path = os.path.join(folder, name)
    for file, text in (('config.h', CONFIG + '#define ENABLE_LOGGING 1\n'), ('libusbi.h', INSIDES)):
        with open(os.path.join(folder, file), 'w', encoding='ascii') as f:
            f.write(text)
    done = subprocess.run(
        ['gcc', '-O1', '-w', f'-I{folder}', '-Itests', '-Iexamples', f'-I{header}', f'-I{ROOT}/src',
         f'-I{ROOT}/include', *KNOWN, '-o', path, *PROGRAMS[name], library, '-lpthread'],
        cwd=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f'{name} does not compile here: {done.stderr.splitlines()[:1]}')
    return path


def library(build, change=lambda header: header):
    """The folder with libusb itself and its header, compiled with all that a debugger wants to know.
    `change` may edit the header before that."""
    source = os.path.join(fetch(build), 'libusb')
    folder = os.path.join(folder_of(build), 'library')
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(source, 'libusb.h'), encoding='utf-8') as f:
        header = change(f.read())
    for name, text in (('config.h', LIBRARY_CONFIG), ('libusb.h', header)):
        with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
            f.write(text)
    # Its own header lies beside the sources; the other one comes first by force.
    done = subprocess.run(
        ['gcc', '-g', '-O1', '-w', '-shared', '-fPIC', '-fvisibility=hidden', f'-I{folder}', '-I.',
         '-include', os.path.join(folder, 'config.h'), '-include', os.path.join(folder, 'libusb.h'),
         '-Wl,-soname,libusb-1.0.so.0', '-o', os.path.join(folder, 'libusb-1.0.so.0'), *LIBRARY,
         '-lpthread'],
        cwd=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f'libusb does not compile here: {done.stderr.splitlines()[:1]}')
    return folder
