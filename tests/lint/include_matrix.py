#!/usr/bin/env python3
"""Each folder includes only what ARCHITECTURE.md allows it to.

The list of layers is the one of ARCHITECTURE.md, in its order; a layer may include itself and what
stands above it, unless ONLY names fewer.
"""
import re

import tree

LAYERS = ['base', 'wire', 'mdns', 'engine', 'transport', 'client', 'usb', 'serial', 'capture', 'syslog', 'discover',
          'export', 'broker', 'sim', 'libusb', 'libusb01', 'tty', 'cli']

# The other end of the cable shares the codec and nothing else.
ONLY = {
    'export': {'export', 'base', 'wire'},
    'sim': {'sim', 'export', 'base', 'wire', 'mdns', 'transport'},
    'transport': {'transport', 'base'},
    'libusb': {'libusb', 'base'},
    'libusb01': {'libusb01'},
    'tty': {'tty', 'base'},
    'cli': {'cli', 'tty'},
}

# Where only public headers may be used.
PUBLIC_ONLY = ['examples', 'bench']

# System headers that belong to one file or layer: who else includes them does its work.
SYSTEM = {
    'sys/epoll.h': {'src/client', 'src/sim', 'src/libusb', 'bench'},
    'sys/timerfd.h': {'src/client', 'src/sim', 'src/libusb'},
    'sys/eventfd.h': {'src/client', 'src/sim', 'src/capture'},
    'pthread.h': {'src/base', 'src/client', 'src/capture', 'src/libusb', 'src/tty', 'src/cli', 'examples', 'tests', 'bench'},
    'sys/socket.h': {'src/tty', 'src/transport', 'src/client', 'src/capture', 'src/sim', 'src/cli', 'include', 'tests', 'bench'},
    'poll.h': {'src/libusb', 'src/client', 'src/capture', 'src/sim', 'src/cli', 'src/transport', 'examples', 'tests', 'bench'},
    'time.h': {'src/tty', 'src/libusb', 'src/base', 'src/capture', 'src/cli', 'src/sim', 'examples', 'tests', 'bench'},
}


def allowed(layer):
    return ONLY.get(layer) or set(LAYERS[:LAYERS.index(layer) + 1])


def includes(path):
    """(line number, "x" or <x>, x) of every include in a file."""
    for number, line in enumerate(tree.without_comments(tree.read(path)).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if match:
            yield number, match.group(1), match.group(2)


def check_layer(path, errors):
    layer = path.split('/')[1]
    if layer not in LAYERS:
        errors.append(f'{path}: src/{layer} is not a layer of ARCHITECTURE.md')
        return
    for number, kind, name in includes(path):
        place = f'{path}:{number}: includes'
        if name.startswith('usbwire/'):
            if kind != '<':
                errors.append(f'{place} the public {name} with quotes, not <>')
        elif kind == '"':
            target = name.split('/')[0] if '/' in name else layer
            if target not in LAYERS:
                errors.append(f'{place} {name}, which is in no layer')
            elif target not in allowed(layer):
                errors.append(f'{place} {name}: {layer} may include only '
                              + ', '.join(sorted(allowed(layer))))


def check_system(path, errors):
    for number, _, name in includes(path):
        homes = SYSTEM.get(name)
        if homes and not any(path.startswith(home + '/') for home in homes):
            errors.append(f'{path}:{number}: includes <{name}>, which is for '
                          + ', '.join(sorted(homes)))


def check_public(path, errors):
    for number, kind, name in includes(path):
        if kind == '"' and '/' in name:
            errors.append(f'{path}:{number}: includes {name}; only public headers here')


def documented_layers():
    """The order of layers as ARCHITECTURE.md has it: the indented block after "## Layers"."""
    text = tree.read('ARCHITECTURE.md').split('## Layers', 1)[1]
    return re.findall(r'^    (\w+) {2,}\S', text.split('\n## ', 1)[0], flags=re.M)


def main():
    errors = []
    if documented_layers() != LAYERS:
        errors.append(f'ARCHITECTURE.md lists {documented_layers()}, this test {LAYERS}')
    for path in tree.files(['src'], '.c', '.h', '.def'):
        check_layer(path, errors)
        check_system(path, errors)
    for path in tree.files(PUBLIC_ONLY, '.c', '.h'):
        check_public(path, errors)
        check_system(path, errors)
    for path in tree.files(['include'], '.h'):
        for number, kind, name in includes(path):
            if kind == '"':
                errors.append(f'{path}:{number}: a public header includes {name} with quotes')
    tree.finish(errors)


main()
