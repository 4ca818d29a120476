"""Test suites of other projects, fetched when they are wanted."""
import os
import subprocess
import sys

from bench import SOURCE


def fetch(package):
    """The folder of a Debian package's source. Ends the program as skipped where it is not to be
    had."""
    folder = os.environ.get('USBWIRE_SOURCES', os.path.join(SOURCE, 'build/sources'))
    out = subprocess.run([os.path.join(SOURCE, 'scripts/debian-source.sh'), package, folder],
                         stdout=subprocess.PIPE, text=True, check=False)
    if out.returncode:
        sys.exit(out.returncode)
    return out.stdout.strip()
