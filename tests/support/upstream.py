"""libusb's own programs, out of Debian's source package; what is younger than that, out of the libusb
that npm's usb@2 contains. Compiled on this machine, unmodified.

Both are fetched into the build folder; nothing of them is ours to keep.
"""
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

PROGRAMS = {
    'listdevs': ['examples/listdevs.c'],
    'testlibusb': ['examples/testlibusb.c'],
    'xusb': ['examples/xusb.c'],
    'hotplugtest': ['examples/hotplugtest.c'],
    'fxload': ['examples/fxload.c', 'examples/ezusb.c'],
    'stress': ['tests/stress.c', 'tests/testlib.c'],
    'stress_mt': ['tests/stress_mt.c'],
}


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


def fetch(build):
    """The unpacked source, fetched once a build folder."""
    folder = folder_of(build)
    found = glob.glob(os.path.join(folder, 'libusb-1.0.*/examples'))
    if found:
        return os.path.dirname(found[0])
    os.makedirs(folder, exist_ok=True)
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
    return fetch(build)


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
    with open(os.path.join(folder, 'config.h'), 'w', encoding='ascii') as f:
        f.write(CONFIG)
    done = subprocess.run(
        ['gcc', '-O1', '-w', f'-I{folder}', '-Itests', '-Iexamples', f'-I{header}', '-o', path,
         *PROGRAMS[name], library, '-lpthread'],
        cwd=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f'{name} does not compile here: {done.stderr.splitlines()[:1]}')
    return path
