#!/usr/bin/env python3
"""Every test that docs/must.md names exists and is run, and every row names one."""
import re

import tree

ROWS = 22


def tests_of(path):
    """Names of the tests that a program has and runs: a function, and another mention of it."""
    try:
        text = tree.without_comments(tree.read(path))
    except FileNotFoundError:
        return set()
    defined = re.findall(r'^(test_\w+)\(', text, flags=re.M)
    return {name for name in defined if len(re.findall(rf'\b{name}\b', text)) > 1}


def main():
    errors = []
    rows = re.findall(r'^\| (\d+) \|.*\| (.*) \|$', tree.read('docs/must.md'), flags=re.M)
    if [int(number) for number, _ in rows] != list(range(1, ROWS + 1)):
        errors.append(f'docs/must.md: the rows are not numbered from 1 to {ROWS}')
    for number, cell in rows:
        for part in cell.split(';'):
            match = re.match(r'\s*`([\w/.]+)` (.+)', part)
            if not match:
                errors.append(f'docs/must.md: row {number}: no test in "{part.strip()}"')
                continue
            path = 'tests/' + match.group(1)
            known = tests_of(path)
            for name in re.split(r',\s*', match.group(2).strip()):
                if name not in known:
                    errors.append(f'docs/must.md: row {number}: {path} runs no {name}')
    tree.finish(errors)


main()
