#!/usr/bin/env python3
"""Every command and option has its help, its place in a manual and in the README, and the manuals
speak of none that does not exist."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import expect, main, test  # noqa: E402


# Wireshark asks in these words (its extcap interface); people do not.
WIRESHARKS = re.compile('--(extcap-.*|capture|fifo)')


def _read(lab, name):
    with open(os.path.join(lab.root, name), encoding='utf-8') as file:
        return file.read()


def _manuals(lab):
    """All manuals as plain text: macros and escapes gone, one blank between words."""
    text = ''
    for name in sorted(os.listdir(os.path.join(lab.root, 'man'))):
        if re.search(r'\.\d$', name):
            text += _read(lab, f'man/{name}')
    text = re.sub(r'\bFl -', '--', text.replace('\\-', '-'))
    return re.sub(r'\bFl (\w)\b', r'-\1', text)


def _commands(lab):
    lines = lab.usbwire('--help').text.split('Commands:\n')[1].split('\n\n')[0].splitlines()
    return [line.split()[0] for line in lines]


def _options(text):
    return set(re.findall(r'^ +(?:-\w, )?(--[\w-]+)', text, re.M))


@test
def every_command_has_help_a_manual_and_a_place_in_the_readme(lab):
    manual, readme = _manuals(lab), _read(lab, 'README.md')
    commands = _commands(lab)
    expect('list' in commands and 'serve' in commands, commands)
    for command in commands:
        told = lab.usbwire(command, '--help').text
        expect(told.startswith(f'usage: usbwire {command} '), told)
        expect(re.search(rf'^\.It Cm {command}\b', manual, re.M), f'{command} is in no manual')
        expect(f'`{command}`' in readme or f'usbwire {command}' in readme,
               f'{command} is not in README.md')


@test
def every_option_is_in_a_manual(lab):
    manual = _manuals(lab)
    for command in _commands(lab):
        for option in _options(lab.usbwire(command, '--help').text):
            if WIRESHARKS.fullmatch(option):
                continue
            expect(re.search(rf'{option}\b(?!-)', manual), f'{command} {option} is in no manual')


@test
def every_option_of_a_manual_exists(lab):
    known = set()
    for command in _commands(lab):
        known |= _options(lab.usbwire(command, '--help').text)
    for option in set(re.findall(r'(?<![\w-])--[a-z][\w-]+', _manuals(lab))):
        expect(option in known, f'{option} does not exist')


main(__name__)
