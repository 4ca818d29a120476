#!/usr/bin/env python3
"""Every header stands on its own: public ones as strict C11 and as C++11, internal ones as C17. The
examples in the public headers' comments compile.

usage: headers.py CC CXX
"""
import os
import re
import subprocess
import sys
import tempfile

import tree

STRICT = ['-fsyntax-only', '-Wall', '-Wextra', '-Werror', '-Wno-unused']

# What the examples take for granted, as a reader does.
PRELUDE = '''
#include <poll.h>
#include <stdio.h>
#include <usbwire/usbwire.h>
void example(struct uw_loop *loop, struct uw_server *server, struct uw_device *device,
             struct uw_queue *queue, struct uw_urb *urb, struct uw_device_list *list,
             struct uw_capture *capture);
void example(struct uw_loop *loop, struct uw_server *server, struct uw_device *device,
             struct uw_queue *queue, struct uw_urb *urb, struct uw_device_list *list,
             struct uw_capture *capture)
{
    unsigned char buffer[512];
    char buf[512];
    long n;
    void print(void *data, const struct uw_syslog_message *message);
    struct uw_fault fault;
    struct uw_choice choice;
    struct uw_usec timeout = uw_never();
    struct uw_broker *broker;
    struct uw_serial *port;
    struct uw_syslog *log;
    struct uw_discover *discover;
    struct uw_discover_event event;
    (void)loop, (void)server, (void)device, (void)queue, (void)urb, (void)list, (void)buffer;
'''


def system_flags():
    """Where the system's libusb.h is, which the drop-in is compiled against."""
    run = subprocess.run(['pkg-config', '--cflags', 'libusb-1.0'], capture_output=True, text=True,
                         check=False)
    return run.stdout.split()


def compile_text(compiler, text, options):
    """The compiler's complaint, or nothing."""
    run = subprocess.run(compiler + options + STRICT + ['-'], input=text, text=True,
                         capture_output=True, cwd=tree.ROOT, check=False)
    return run.stderr if run.returncode else ''


def examples(header):
    """Code in the opening comment: lines indented by four or more, with a statement in them."""
    page = re.match(r'/\*(.*?)\*/', tree.read(header), flags=re.S)
    block = []
    for line in (page.group(1).splitlines() if page else []) + [' *']:
        if re.match(r' \* {5,}\S', line):
            block.append(line[3:])
        elif block:
            if any(re.search(r'[;{]\s*$', b) for b in block):
                yield '\n'.join(block)
            block = []


def check_public(header, cc, cxx, errors):
    name = header.split('/', 1)[1]
    once = f'#include <{name}>\n#include <{name}>\n'
    for compiler, language, standard in ((cc, 'c', 'c11'), (cxx, 'c++', 'c++11')):
        complaint = compile_text(compiler, once + 'extern int nothing;\n',
                                 ['-x', language, '-std=' + standard, '-pedantic', '-Iinclude'])
        if complaint:
            errors.append(f'{header} does not compile alone as {standard}:\n{complaint}')


def check_examples(header, cc, errors):
    for code in examples(header):
        # "...;" is what the reader fills in.
        body = PRELUDE + '{\n' + code.replace('...;', '(void)urb;') + '\n}\n}\n'
        complaint = compile_text(cc, body, ['-x', 'c', '-std=c17', '-D_GNU_SOURCE', '-Iinclude'])
        if complaint:
            errors.append(f'{header}: the example does not compile:\n{code}\n{complaint}')


def main():
    cc, cxx = sys.argv[1].split(), sys.argv[2].split()
    errors = []
    found = 0
    with tempfile.TemporaryDirectory() as scratch:
        os.environ['TMPDIR'] = scratch
        for header in tree.files(['include'], '.h'):
            check_public(header, cc, cxx, errors)
            check_examples(header, cc, errors)
            found += len(list(examples(header)))
        for header in tree.files(['src'], '.h'):
            complaint = compile_text(cc, f'#include "{header[4:]}"\nextern int nothing;\n',
                                     ['-x', 'c', '-std=c17', '-D_GNU_SOURCE', '-Iinclude', '-Isrc']
                                     + system_flags())
            if complaint:
                errors.append(f'{header} does not compile alone:\n{complaint}')
    if found < 3:
        errors.append(f'only {found} examples found in the public headers: is the pattern right?')
    tree.finish(errors)


main()
