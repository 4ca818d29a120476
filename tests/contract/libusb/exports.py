#!/usr/bin/env python3
"""The drop-in exports the functions of libusb 1.0.31, plain and without a version, and nothing else;
the system's own library, where there is one, has none that it lacks.

usage: exports.py NM DROPIN
"""
import ctypes.util
import os
import subprocess
import sys


def exported(nm, library):
    out = subprocess.run([nm, '-D', '--defined-only', library], check=True, capture_output=True,
                         text=True).stdout
    return {line.split()[-1] for line in out.splitlines()}


def system_library():
    """The path of the system's libusb-1.0, or None."""
    name = ctypes.util.find_library('usb-1.0')
    folders = ['/usr/lib/' + d for d in os.listdir('/usr/lib')] + ['/usr/lib', '/lib']
    return next((os.path.join(f, name) for f in folders
                 if name and os.path.exists(os.path.join(f, name))), None)


def main():
    nm, dropin = sys.argv[1:]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'exports.txt'),
              encoding='ascii') as f:
        wanted = set(f.read().split())
    ours = exported(nm, dropin)
    errors = [f'{name} is missing' for name in sorted(wanted - ours)]
    errors += [f'{name} must not be visible' for name in sorted(ours - wanted)]
    system = system_library()
    if system:
        theirs = {n for n in exported(nm, system) if n.startswith('libusb_')}
        if len(theirs) < 80:
            errors.append(f'only {len(theirs)} functions found in {system}')
        errors += [f'{system} has {name}' for name in sorted(theirs - ours)]
    for error in errors:
        print(error)
    sys.exit(1 if errors else 0)


if __name__ == '__main__':
    main()
