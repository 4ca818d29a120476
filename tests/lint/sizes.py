#!/usr/bin/env python3
"""Files over 600 lines and functions over 80 usually hold two ideas. Those that do not are listed
here with the reason."""
import re

import tree

MAX_FILE = 600
MAX_FUNCTION = 80

# path or path:function -> why it is one idea all the same
EXCEPTIONS = {}


def functions(text):
    """(name, first line, lines) of every function: a name at the start of a line, a body that
    starts and ends in the first column."""
    lines = tree.without_strings(text).splitlines()
    name, start = None, 0
    for number, line in enumerate(lines, 1):
        match = re.match(r'(\w+)\(', line)
        if match and not line.rstrip().endswith(';'):
            name, start = match.group(1), number
        elif line.startswith('}') and name:
            yield name, start, number - start + 1
            name = None


def main():
    errors = []
    for path in tree.files(tree.C_DIRS, '.c', '.h'):
        text = tree.read(path)
        count = text.count('\n')
        if count > MAX_FILE and path not in EXCEPTIONS:
            errors.append(f'{path}: {count} lines')
        for name, start, length in functions(text):
            if length > MAX_FUNCTION and f'{path}:{name}' not in EXCEPTIONS:
                errors.append(f'{path}:{start}: {name} has {length} lines')
    tree.finish(errors)


main()
