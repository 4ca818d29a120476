"""Finds and loads libusbwire.

Looked for, in this order: the file that $USBWIRE_LIBRARY names, the package's own folder (a wheel
brings the library along), the build folder of a checkout, where `meson install` put it, and wherever
the system's dynamic linker looks.
"""
import ctypes
import os
from pathlib import Path

NAME = 'libusbwire.so.0'

_HERE = Path(__file__).resolve().parent


def candidates():
    """What is tried, in order. A bare name is for the dynamic linker to find."""
    chosen = os.environ.get('USBWIRE_LIBRARY')
    if chosen:
        return [chosen]
    checkout = _HERE.parent.parent
    found = [_HERE / NAME]
    if (checkout / 'meson.build').exists():
        found.append(checkout / 'build' / 'src' / NAME)
    try:
        from ._place import LIBRARY
        found.append(LIBRARY)
    except ImportError:
        pass
    return [str(path) for path in found] + [NAME]


def load():
    """The library. ImportError says which files were tried and how to make one."""
    tried = []
    for name in candidates():
        if '/' in name and not os.path.exists(name):
            tried.append(f'{name}: no such file')
            continue
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            tried.append(f'{name}: {error}')
    raise ImportError(
        'usbip_backend needs the library of usbwire, and none could be loaded. Tried:\n  '
        + '\n  '.join(tried)
        + '\nBuild it in a checkout of usbwire with "make deps && make" (or install it with '
        '"make install"), or name the file in the environment variable USBWIRE_LIBRARY.')
