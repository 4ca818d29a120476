"""The drop-in's binary interface against libusb's own, by abidiff: symbols, and what debug information
says of types."""
import os
import subprocess
import sys

from bench import BUILD, PATIENCE, Skip, main, need

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
import upstream  # noqa: E402  pylint: disable=wrong-import-position

OURS = os.path.join(BUILD, 'src', 'libusb', 'libusb-1.0.so.0')
SYSTEM_HEADERS = '/usr/include/libusb-1.0'


def differences(theirs, *options):
    """What abidiff finds that a program compiled for `theirs` would notice: its exit code, its words."""
    done = subprocess.run([need('abidiff'), '--no-added-syms', *options, theirs, OURS],
                          capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode & 3 == 0, done  # it could not compare
    return done.returncode, done.stdout


def compare_types(change):
    """Only what the header shows: what is behind its pointers is each library's own affair."""
    need('abidiff')
    try:
        folder = upstream.library(BUILD, change)
    except upstream.Missing as reason:
        raise Skip(str(reason)) from None
    return differences(os.path.join(folder, 'libusb-1.0.so.0'), '--headers-dir1', folder,
                       '--headers-dir2', SYSTEM_HEADERS)


def test_no_symbol_of_the_systems_library_is_missing():
    found = subprocess.run(['gcc', '-print-file-name=libusb-1.0.so'], capture_output=True, text=True,
                           check=False).stdout.strip()
    if not os.path.isabs(found):
        raise Skip('no libusb-1.0-0-dev')
    code, words = differences(os.path.realpath(found))
    assert code == 0, words


def test_no_type_is_another():
    code, words = compare_types(lambda header: header)
    assert code == 0, words


def test_another_type_would_be_seen():
    field = 'unsigned int timeout;'
    code, words = compare_types(lambda header: header.replace(field, field + ' unsigned int more;'))
    assert code & 4 and "'unsigned int more'" in words, words


main(sys.modules[__name__])
