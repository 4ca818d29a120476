"""What the style tests share: the source tree, its files, comments, and how to report."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
C_DIRS = ('include', 'src', 'tests', 'examples', 'bench', 'fuzz')


def files(dirs, *suffixes):
    """Paths relative to the root, sorted, of the files below `dirs` that end in a suffix."""
    found = []
    for top in dirs:
        for folder, subdirs, names in os.walk(os.path.join(ROOT, top)):
            subdirs[:] = [d for d in subdirs if not d.startswith('.') and d != 'corpus']
            found += [os.path.relpath(os.path.join(folder, n), ROOT) for n in names
                      if n.endswith(suffixes)]
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as f:
        return f.read()


def _blank(match):
    return re.sub(r'[^\n]', ' ', match.group())


def without_comments(text):
    """C text with comments as blanks, so that line numbers stay."""
    pattern = r'/\*.*?\*/|//[^\n]*|("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')'
    return re.sub(pattern, lambda m: m.group() if m.group(1) else _blank(m), text, flags=re.S)


def without_strings(text):
    """C text without comments and with string contents as blanks."""
    return re.sub(r'"(?:\\.|[^"\\\n])*"', lambda m: '"' + ' ' * (len(m.group()) - 2) + '"',
                  without_comments(text))


def public_functions():
    """{name: header} of every function that a public header declares and does not define."""
    found = {}
    for header in files(['include'], '.h'):
        text = re.sub(r'#ifdef __cplusplus.*?#endif', '', without_comments(read(header)),
                      flags=re.S)
        text = re.sub(r'^[ \t]*#.*(?:\\\n.*)*', '', text, flags=re.M)
        depth, outer = 0, []
        for char in text:
            depth += char == '{'
            if depth == 0:
                outer.append(char)
            depth -= char == '}'
            if char == '}' and depth == 0:
                outer.append('{}')
        for statement in ''.join(outer).split(';'):
            # What a body precedes is the static inline in front of the declaration.
            declaration = statement.rsplit('{}', 1)[-1]
            match = re.search(r'\b(uw_\w+)\s*\(', declaration)
            if match:
                found[match.group(1)] = header
    return found


def finish(errors):
    for error in errors:
        print(error)
    print(f'{len(errors)} problem(s)')
    sys.exit(1 if errors else 0)
