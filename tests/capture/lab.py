"""What the tests of captures share: programs that make them, and readers."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'programs'))
from bench import (BUILD, ENV, PATIENCE, USBWIRE, Bench, Skip, main, need,  # noqa: E402,F401
                   need_module, succeeded)
from strict import Capture  # noqa: E402

SESSION = os.path.join(BUILD, 'tests', 'capture', 'capture-session')

# Folders of a test program, gone with it.
_FOLDER = tempfile.TemporaryDirectory(prefix='usbwire-capture-')
FOLDER = _FOLDER.name
HOME = os.path.join(FOLDER, 'home')
RUNTIME = os.path.join(FOLDER, 'run')
os.mkdir(HOME)
os.mkdir(RUNTIME, 0o700)
ENV.update(HOME=HOME, XDG_RUNTIME_DIR=RUNTIME, TZ='UTC')


def path(name):
    return os.path.join(FOLDER, name)


def session(target, *words, **more):
    """A capture by capture-session; what it wrote to standard error."""
    done = subprocess.run([SESSION, target, *words], env=ENV, capture_output=True, text=True,
                          timeout=PATIENCE, check=False, **more)
    assert done.returncode == 0, done.stderr
    return done.stderr


def usbwire(*words, **more):
    more.setdefault('stdin', subprocess.DEVNULL)
    return subprocess.run([USBWIRE, *words], env=ENV, capture_output=True, text=True, timeout=PATIENCE,
                          check=False, **more)


def fields(file, *names, where=None, two_pass=False):
    """What tshark dissects: a list of {field: text} of the packets that match."""
    words = [need('tshark'), '-r', file, '-T', 'fields', '-E', 'occurrence=a', '-E',
             'separator=\x1f']
    words += ['-2'] if two_pass else []
    words += ['-Y', where] if where else []
    for name in names:
        words += ['-e', name]
    out = succeeded(subprocess.run(words, env=ENV, capture_output=True, text=True, timeout=PATIENCE,
                                   check=False))
    return [dict(zip(names, line.split('\x1f'))) for line in out.splitlines()]


def check_readers(file, usb_only=True, torn=False):
    """Every reader takes the file without a complaint; the strict one's result."""
    with open(file, 'rb') as data:
        capture = Capture(data.read(), allow_torn=torn)
    assert not capture.errors, '\n'.join(capture.errors)
    bad = fields(file, 'frame.number', '_ws.expert.message', where='_ws.malformed || '
                 '_ws.expert.severity == "Error"')
    # Wireshark calls a status that is an error an expert's error: those are the server's.
    bad = [b for b in bad if 'URB status' not in b['_ws.expert.message']]
    assert not bad, bad
    assert len(fields(file, 'frame.number')) == len(capture.records) + len(capture.logs)
    if torn:
        return capture
    fixed = subprocess.run([need('pcapfix'), '-v', file], env=ENV, capture_output=True, text=True,
                           timeout=PATIENCE, check=False, cwd=FOLDER)
    assert 'Nothing to fix' in fixed.stdout + fixed.stderr, fixed.stdout
    if usb_only:
        # libpcap holds no packet of a capture to be longer than its largest snapshot.
        dump = subprocess.run([need('tcpdump'), '-n', '-r', file], env=ENV, capture_output=True,
                              text=True, timeout=PATIENCE, check=False)
        lines = re.findall(r'USB .*(?:SUBMIT|COMPLETE|ERROR)|len\(\d+\) > 262144',
                           succeeded(dump))
        assert len(lines) == len(capture.records), (len(lines), len(capture.records))
    return capture
