#!/usr/bin/env python3
"""The public headers, src/usbwire.map and the built library name the same functions; and every
uw_... name that documents use exists.

usage: exports.py NM LIBRARY
"""
import re
import subprocess
import sys

import tree

PAGES = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md']


def mapped():
    """Names of the map's global part, and whether everything else is local."""
    text = tree.without_comments(tree.read('src/usbwire.map'))
    node = re.search(r'USBWIRE_0 \{\s*global:(.*?)local:\s*\*;\s*\};', text, flags=re.S)
    return re.findall(r'^\s*(\w+);', node.group(1), flags=re.M)


def exported(nm, library):
    out = subprocess.run([nm, '-D', '--defined-only', library], check=True, capture_output=True,
                         text=True).stdout
    symbols = [line.split() for line in out.splitlines()]
    return {s[-1].split('@')[0] for s in symbols if s[-2] in 'TDBRVW'}


def differences(what, left, where, right):
    return [f'{name} is {what} and not {where}' for name in sorted(left - right)]


def known_names():
    """Every uw_... word of headers and sources, comments left out."""
    names = set()
    for path in tree.files(['include', 'src', 'tests', 'fuzz'], '.h', '.c', '.def'):
        names.update(re.findall(r'\buw_\w+', tree.without_comments(tree.read(path))))
    return names


def check_documents(errors):
    names = known_names()
    documents = [p for p in tree.files(['.'], '.md') if p in PAGES]
    documents += tree.files(['docs', 'man'], '.md', '.1', '.3', '.5', '.7')
    documents += tree.files(['include', 'src'], '.h')
    for path in documents:
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            # A trailing underscore or star stands for a family: uw_server_..., uw_loop_*.
            for name in re.findall(r'\buw_\w*[a-z0-9](?!\w|\*|\.\.)|\buw_\w+(?=\()', line):
                if name not in names and not any(n.startswith(name + '_') for n in names):
                    errors.append(f'{path}:{number}: {name} does not exist')


def main():
    declared = set(tree.public_functions())
    listed = mapped()
    errors = []
    if listed != sorted(set(listed)):
        errors.append('src/usbwire.map is not sorted, or names something twice')
    listed = set(listed)
    built = exported(sys.argv[1], sys.argv[2])
    errors += differences('declared', declared, 'in src/usbwire.map', listed)
    errors += differences('in src/usbwire.map', listed, 'declared in a public header', declared)
    errors += differences('declared', declared, 'exported by the library', built)
    errors += differences('exported by the library', built, 'declared in a public header', declared)
    check_documents(errors)
    tree.finish(errors)


main()
