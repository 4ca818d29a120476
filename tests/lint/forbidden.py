#!/usr/bin/env python3
"""Calls and constructs that have one place, or none, in this project."""
import re

import tree

LIBRARY = ('src/base', 'src/wire', 'src/mdns', 'src/engine', 'src/transport', 'src/client', 'src/usb',
           'src/serial', 'src/capture', 'src/syslog', 'src/discover', 'src/export', 'src/sim')
OURS = ('src', 'examples', 'fuzz')

# (what, where it is looked for, where it may stand all the same, why not)
RULES = [
    (r'\b(ntoh|hton)[sl]\s*\(|\b(be|le)(16|32|64)toh\s*\(|\bhto(be|le)(16|32|64)\s*\(',
     OURS, ('src/base/bytes.h', 'src/transport/', 'src/client/resolve', 'src/sim/server'),
     'bytes are read and written by base/bytes.h'),
    (r'__attribute__\s*\(\(.*\bpacked\b', ('src', 'include', 'examples', 'fuzz', 'tests'), (),
     'no struct is laid over bytes'),
    (r'\bgethostby(name|addr)\s*\(', OURS, (), 'not thread safe; getaddrinfo'),
    (r'\bv?sprintf\s*\(|\bstrcpy\s*\(|\bstrcat\s*\(|\bgets\s*\(|\bstrtok\s*\(',
     OURS, (), 'not bounded or not thread safe; snprintf and friends'),
    (r'\bato[if]\s*\(|\batol\s*\(', OURS, (), 'says nothing about errors; strtoul'),
    (r'\bsignal\s*\((?!SIGPIPE, SIG_IGN\))', OURS, (), 'sigaction'),
    (r'\b(alloca|strdupa)\s*\(', OURS, (), 'the stack has no error to return'),
    (r'\bf?printf\s*\(|\bputs\s*\(|\bputchar\s*\(|\bperror\s*\(|\bstd(out|err)\b', LIBRARY, (),
     'a library prints nothing'),
    (r'\b(abort|_?exit)\s*\(', LIBRARY, (), 'a library does not end the program'),
    (r'\b(clock_gettime|gettimeofday|time)\s*\(', LIBRARY, ('src/base/', 'src/capture/'),
     'time is an argument; uw_now'),
    (r'\b(u|nano)?sleep\s*\(', LIBRARY, (), 'only the loop waits'),
    (r'\brand(om)?\s*\(|\bsrand\s*\(', OURS, (), 'shared hidden state'),
    (r'\bpthread_(mutex|cond|rwlock)_', ('src',), ('src/base/cond.h', 'src/client/', 'src/libusb/', 'src/capture/'),
     "the only locks are the loop's, a capture's and the drop-in's"),
    (r'\bgetenv\s*\(', LIBRARY, (), 'the environment is read by programs, not by the library'),
    (r'\bTODO\b|\bFIXME\b|\bXXX\b', ('src', 'include', 'tests', 'examples', 'bench', 'fuzz'), (),
     'finish it or leave it out'),
    (r'(?<!struct )(?<!\w)typedef\b', ('src', 'include'), (), 'structs and enums keep their names'),
    (r'\bskip\s*\(\s*\)', ('tests/unit', 'tests/faults', 'tests/contract'), (),
     'cmocka prints a skip as a failure'),
]


def main():
    errors = []
    texts = {p: tree.read(p) for p in tree.files(tree.C_DIRS, '.c', '.h', '.def')}
    bare = {p: tree.without_strings(t) for p, t in texts.items()}
    for pattern, where, excepted, why in RULES:
        marks = 'TODO' in pattern
        for path, text in (texts if marks else bare).items():
            if not path.startswith(tuple(w + '/' for w in where)) or path.startswith(excepted):
                continue
            for number, line in enumerate(text.splitlines(), 1):
                match = re.search(pattern, line)
                if match:
                    errors.append(f'{path}:{number}: {match.group().strip()}: {why}')
    tree.finish(errors)


main()
