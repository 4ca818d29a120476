#!/usr/bin/env python3
"""The drop-in answers as the system's own libusb does, where there is no device: the same program runs
with both. Of messages it counts which reach whom, in which shape, not what they say.

usage: alike.py PROGRAM FOLDER      the program, linked with the drop-in that lies in the folder
"""
import os
import re
import subprocess
import sys

from exports import system_library

CALLS = [['answers']]
LOGS = [words.split() for words in (
    '', 'debug', 'warning', 'own debug', 'own warning', 'global debug', 'global own debug',
    'debug own none', 'global', 'own')]
LEVELS = ('1', '2', '3', '4', '9', '3x')  # what else there is, versions see differently

SHAPES = ((r'\[timestamp\] ', 'header'), (r'-{80}$', 'rule'), (r'libusb: \w+ \[\w+\] ', 'plain'),
          (r'\[ *\d+\.\d{6}\] \[[0-9a-f]{8}\] libusb: \w+ \[\w+\] ', 'timed'))


def shape(line):
    """What a line on standard error looks like, with its level."""
    level = re.search(r'libusb: (\w+)', line)
    name = next((name for pattern, name in SHAPES if re.match(pattern, line)), line)
    return f'{name} {level.group(1) if level else ""}'


def run(program, words, folder, level=None):
    """What it says: the lines, in order; of messages, each kind once."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(('USBWIRE_', 'LIBUSB_', 'LD_'))}
    env.update(LD_LIBRARY_PATH=folder, USBWIRE_SERVERS='')
    if level is not None:
        env['LIBUSB_DEBUG'] = level
    done = subprocess.run([program, *words], env=env, capture_output=True, text=True, timeout=60,
                          check=False)
    if done.returncode:
        return [f'{words} ended with {done.returncode}', *done.stderr.splitlines()]
    if words[0] != 'log':
        return done.stdout.splitlines() + done.stderr.splitlines()
    said = set(done.stdout.splitlines()) | {shape(line) for line in done.stderr.splitlines()}
    # Versions warn of different things.
    return sorted(line for line in said if 'warning' not in line and ': 2, ' not in line)


def compare(what, real, ours):
    """How many lines differ; they are shown."""
    if real == ours:
        return 0
    print(f'{what}:')
    for line in [f'  - {line}' for line in real if line not in ours] + \
                [f'  + {line}' for line in ours if line not in real]:
        print(line)
    return 1


def main():
    program, folder = sys.argv[1:]
    system = system_library()
    if not system:
        print('no libusb to compare with')
        sys.exit(77)
    system = os.path.dirname(system)
    differ = 0
    for words, level in [(words, None) for words in CALLS] + \
                        [(['log', *words], None) for words in LOGS] + \
                        [(['log', 'debug'], level) for level in LEVELS]:
        differ += compare(f'{" ".join(words)} LIBUSB_DEBUG={level}',
                          run(program, words, system, level), run(program, words, folder, level))
    sys.exit(1 if differ else 0)


main()
