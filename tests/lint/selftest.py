#!/usr/bin/env python3
"""The project's own checks find what they are there to find: each is run on a copy of the tree with
one thing wrong in it."""
import os
import shutil
import subprocess
import sys
import tempfile

import tree

COPIED = ['include', 'src', 'docs', 'man', 'tests/lint', 'tests/unit', 'tests/faults', 'ARCHITECTURE.md', 'fuzz', 'examples']

# (check, file to spoil, text to append or (old, new) to replace, what the check has to say)
SPOILED = [
    ('include_matrix', 'src/engine/profile.c', '#include "client/import.h"\n',
     'engine may include only'),
    ('include_matrix', 'src/sim/new.c', '#include "engine/engine.h"\n', 'sim may include only'),
    ('include_matrix', 'src/cli/new.c', '#include "base/bytes.h"\n', 'cli may include only'),
    ('include_matrix', 'src/engine/profile.c', '#include <sys/epoll.h>\n', 'sys/epoll.h'),
    ('include_matrix', 'src/other/new.c', '\n', 'is not a layer'),
    ('include_matrix', 'examples/new.c', '#include "engine/engine.h"\n', 'only public headers'),
    ('include_matrix', 'ARCHITECTURE.md', ('    wire ', '    weird '), 'ARCHITECTURE.md lists'),
    ('forbidden', 'src/engine/profile.c', 'x = ntohl(y);\n', 'base/bytes.h'),
    ('forbidden', 'src/cli/new.c', 'sprintf(x, "y");\n', 'snprintf'),
    ('forbidden', 'src/usb/new.c', 'printf("x");\n', 'a library prints nothing'),
    ('forbidden', 'src/wire/new.h', 'struct x { int y; } __attribute__((packed));\n', 'laid over'),
    ('forbidden', 'src/client/new.c', 'signal(SIGINT, f);\n', 'sigaction'),
    ('forbidden', 'src/engine/profile.c', '/* TODO later */\n', 'leave it out'),
    ('must', 'docs/must.md', ('test_header,', 'test_hedder,'), 'runs no test_hedder'),
    ('must', 'docs/must.md', ('| 22 |', '| 23 |'), 'numbered from 1 to 22'),
    ('sizes', 'src/base/new.c', '\n' * 601, '601 lines'),
    ('sizes', 'src/base/new.c', 'int\nlong_one(void)\n{\n' + '    x++;\n' * 80 + '}\n',
     'long_one has 83 lines'),
    ('headers', 'include/usbwire/new.h', 'int uw_new(struct nowhere x);\n', 'does not compile'),
    ('headers', 'include/usbwire/new.h', 'extern int class;\n', 'as c++11'),
    ('headers', 'include/usbwire/new.h', '/*\n *     uw_no_such_function();\n */\n',
     'the example does not compile'),
    ('headers', 'src/base/new.h', 'size_t x(void);\n', 'does not compile alone'),
    ('exports', 'include/usbwire/loop.h', 'void uw_extra(void);\n', 'not in src/usbwire.map'),
    ('exports', 'src/usbwire.map', ('local:', '    uw_zzz;\nlocal:'), 'not declared'),
    ('exports', 'src/usbwire.map', ('    uw_version;\n', ''), 'not in src/usbwire.map'),
    ('exports', 'docs/engine.md', 'See uw_no_such_thing.\n', 'uw_no_such_thing does not exist'),
]


def spoil(root, path, how):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    text = ''
    if os.path.exists(path):
        with open(path, encoding='utf-8') as f:
            text = f.read()
    changed = text + how if isinstance(how, str) else text.replace(how[0], how[1], 1)
    assert changed != text, f'{path}: nothing to spoil'
    with open(path, 'w', encoding='utf-8') as f:
        f.write(changed)


def main():
    arguments = {'headers': ['gcc', 'g++'], 'exports': sys.argv[1:]}
    errors = []
    with tempfile.TemporaryDirectory() as scratch:
        clean = os.path.join(scratch, 'clean')
        for name in COPIED:
            source, target = os.path.join(tree.ROOT, name), os.path.join(clean, name)
            if os.path.isdir(source):
                shutil.copytree(source, target)
            elif os.path.exists(source):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(source, target)
        for number, (check, path, how, expected) in enumerate(SPOILED):
            root = os.path.join(scratch, str(number))
            shutil.copytree(clean, root)
            spoil(root, path, how)
            run = subprocess.run([sys.executable, os.path.join(root, 'tests/lint', check + '.py'),
                                  *arguments.get(check, [])], capture_output=True, text=True,
                                 check=False)
            if run.returncode != 1 or expected not in run.stdout:
                errors.append(f'{check} on {path} with {how!r}: no "{expected}" in\n'
                              f'{run.stdout[-500:]}{run.stderr[-500:]}')
            shutil.rmtree(root)
    tree.finish(errors)


main()
