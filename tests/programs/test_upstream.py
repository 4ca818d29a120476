"""libusb's own tests and examples, unmodified, out of Debian's source package; what is younger than
that, out of the libusb that npm's usb@2 contains.

Both are fetched into the build folder; nothing of them is ours to keep.
"""
import glob
import os
import subprocess
import sys
import tarfile
import time

from bench import BUILD, ENV, USBWIRE, Bench, Skip, main, need_module, node_usb, succeeded

FOLDER = os.path.join(BUILD, 'libusb-source')

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


def apt(*words, timeout=120):
    lists = os.path.join(FOLDER, 'lists')
    os.makedirs(os.path.join(lists, 'partial'), exist_ok=True)
    return subprocess.run(
        ['apt-get', '-qq', '-o', f'Dir::Etc::SourceList={FOLDER}/sources.list', '-o',
         'Dir::Etc::SourceParts=/dev/null', '-o', f'Dir::State::Lists={lists}', *words],
        cwd=FOLDER, capture_output=True, text=True, timeout=timeout, env=ENV, check=False)


def fetch():
    """The unpacked source, fetched once a build folder."""
    found = glob.glob(os.path.join(FOLDER, 'libusb-1.0.*/examples'))
    if found:
        return os.path.dirname(found[0])
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, 'sources.list'), 'w', encoding='ascii') as f:
        f.write('\n'.join(sources()) + '\n')
    try:
        for words in (['update'], ['source', '--download-only', 'libusb-1.0']):
            done = apt(*words)
            if done.returncode:
                raise Skip(f'apt-get {words[0]}: {done.stderr.strip().splitlines()[-1:]}')
    except (OSError, subprocess.TimeoutExpired) as reason:
        raise Skip(f'the source cannot be fetched: {reason}') from None
    archive = glob.glob(os.path.join(FOLDER, '*.orig.tar.*'))
    if not archive:
        raise Skip('the source package has no upstream archive')
    with tarfile.open(archive[0]) as tar:
        tar.extractall(FOLDER)
    return fetch()


def has(source, name):
    return all(os.path.exists(os.path.join(source, f)) for f in PROGRAMS[name])


def source_of(name):
    """The folder of libusb's source that has the program, and the header and library it needs."""
    source = fetch()
    if has(source, name):
        return source, '/usr/include/libusb-1.0', '-lusb-1.0'
    source = os.path.join(node_usb(), 'libusb')
    if has(source, name):
        return source, 'libusb', os.path.join(BUILD, 'src', 'libusb', 'libusb-1.0.so.0')
    raise Skip(f'no source at hand has {PROGRAMS[name][0]}')


def build(name):
    """The program, compiled against the header and library that belong to it."""
    source, header, library = source_of(name)
    program = os.path.join(FOLDER, name)
    with open(os.path.join(FOLDER, 'config.h'), 'w', encoding='ascii') as f:
        f.write(CONFIG)
    done = subprocess.run(
        ['gcc', '-O1', '-w', f'-I{FOLDER}', '-Itests', '-Iexamples', f'-I{header}', '-o', program,
         *PROGRAMS[name], library, '-lpthread'],
        cwd=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skip(f'{name} does not compile here: {done.stderr.splitlines()[:1]}')
    return program


def test_listdevs():
    with Bench('loopback', 'keyboard') as bench:
        out = succeeded(bench.run(build('listdevs')))
        assert '1209:0003 (bus 101, device 2) path: 1' in out, out
        assert out.count('1209:') == 2


def test_testlibusb():
    with Bench('loopback', 'keyboard') as bench:
        out = succeeded(bench.run(build('testlibusb'), '-v'))
        assert 'usbwire simulated keyboard' in out, out
        assert out.count('bEndpointAddress') == 7, out


def test_xusb_reads_the_disk():
    program = build('xusb')
    with Bench('disk') as bench:
        out = succeeded(bench.run(program, '-b', 'first-blocks', '1209:0005', cwd=FOLDER))
    assert 'Reading Capacity' in out, out
    with open(os.path.join(FOLDER, 'first-blocks'), 'rb') as f:
        block = f.read()
    assert block[510:512] == b'\x55\xaa' and b'FAT16' in block, block[:64]


def test_xusb_reads_a_keyboard():
    with Bench('keyboard') as bench:
        out = succeeded(bench.run(build('xusb'), '1209:0004'))
        assert 'keyboard-1' in out, out


def test_stress():
    with Bench('loopback', 'keyboard', 'disk') as bench:
        done = bench.run(build('stress'))
        assert 'Passed 4 tests' in done.stdout + done.stderr, done


def test_stress_mt():
    """Eight threads, each with contexts of its own, and twelve fields of every descriptor compared."""
    with Bench('loopback', 'keyboard', 'disk') as bench:
        out = succeeded(bench.run(build('stress_mt')))
        assert 'discovered 3 devices (0 not opened)' in out and ', 0 errors' in out, out


READ_BACK = """
import usb.core
d = usb.core.find(idVendor=0x04b4)
print(bytes(d.ctrl_transfer(0xc0, 0xa0, 0x0100, 0, 4)).hex(), d.ctrl_transfer(0xc0, 0xa0, 0xe600, 0, 1)[0])
"""


def test_fxload():
    """Loads a firmware in Intel's format, and starts it."""
    program = build('fxload')
    firmware = os.path.join(FOLDER, 'firmware.ihx')
    with open(firmware, 'w', encoding='ascii') as f:
        f.write(':04010000DEADBEEFC3\n:00000001FF\n')
    with Bench('loopback', 'fx2') as bench:
        words = [program, '-v', '-t', 'fx2', '-d', '04b4:8613', '-i', firmware]
        script = ' && '.join([' '.join(words), f'{need_module("usb.core")} -c "$1"'])
        out = succeeded(bench.run('sh', '-c', script, 'sh', READ_BACK))
        assert 'deadbeef 0' in out, out


def test_hotplugtest():
    """A device that goes and comes back as another one: both are seen."""
    program = build('hotplugtest')
    with Bench('faulty') as bench:
        env = {**ENV, 'LD_LIBRARY_PATH': os.path.join(BUILD, 'src', 'libusb'),
               'USBWIRE_SERVERS': bench.address, 'USBWIRE_DEVICES': 'all'}
        running = subprocess.Popen(['stdbuf', '-oL', program, '0x1209', '-1'], env=env, stdout=subprocess.PIPE,
                                   text=True)
        try:
            until = time.monotonic() + 30
            while subprocess.run([USBWIRE, '-H', bench.address, 'probe'], env=ENV,
                                 capture_output=True, check=False).returncode != 5:
                assert time.monotonic() < until, 'the program never looks at the device'
            # The device goes in the middle of the request: that fails, and shall.
            done = subprocess.run([USBWIRE, '-H', bench.address, '--wait', '20', 'control',
                                   '--direction', 'out', '--bm-request-type', '0x40',
                                   '--b-request', '0x11'],
                                  env=ENV, capture_output=True, text=True, check=False, timeout=30)
            assert done.returncode == 1, done
            out, _ = running.communicate(timeout=30)
        finally:
            running.kill()
        assert 'Device detached' in out and 'Device attached: 1209:00b0' in out, out


main(sys.modules[__name__])
