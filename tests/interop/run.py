#!/usr/bin/env python3
"""Boots one guest and runs its tests; prints TAP.

usage: run.py GUEST BUILD_DIR [WORD]...    only the tests whose names contain every WORD
       run.py GUEST BUILD_DIR [WORD]... --renew
                                           golden files are written anew instead of compared with
       run.py GUEST BUILD_DIR --hand       no tests: says how to reach the guest and waits for Enter
"""
import os
import shutil
import signal
import sys
import tempfile

from harness import cases, guests, image
from harness.guest import GuestError

HERE = os.path.dirname(os.path.abspath(__file__))


def by_hand(lab):
    """A guest for a person: where everything is, then a shell of sorts."""
    print(f'usbipd:   {" ".join(lab.command)} list\nfiles:    {lab.folder}\n'
          f'console:  {lab.path("console.log")}\n'
          'Commands for the guest, one a line; an empty line ends it.')
    for line in sys.stdin:
        if not line.strip():
            break
        result = lab.guest.run(line, check=False)
        sys.stdout.write((result.out + result.err).decode(errors='replace'))


def guest_programs(build):
    """What meson built of guest/*.c."""
    folder = os.path.join(build, 'tests/interop/guest')
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return [p for p in paths if os.path.isfile(p) and os.access(p, os.X_OK)]


def run(name, build, words, folder):
    """The exit status."""
    cases.load(HERE)
    cache = os.path.join(build, 'tests/interop/image')
    try:
        images = image.prepare(cache, guest_programs(build))
        with guests.boot(name, images, build, folder, cache) as lab:
            if words == ['--hand']:
                by_hand(lab)
                return 0
            lab.renew = '--renew' in words
            chosen = cases.select(name, [w for w in words if w != '--renew'])
            return 1 if cases.run(chosen, lab) else 0
    except image.Unavailable as reason:
        print(f'1..0 # SKIP {reason}')
        return 0
    except GuestError as error:
        print(f'1..1\nnot ok 1 - {name} boots')
        print(''.join(f'# {line}\n' for line in str(error).splitlines()), end='')
        return 1


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in guests.GUESTS:
        sys.exit(f'{__doc__}\nguests: {" ".join(guests.GUESTS)}')
    # meson ends a test that takes too long with SIGTERM: the guest has to go, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix='usbwire-interop-')
    try:
        sys.exit(run(sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3:], folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    main()
