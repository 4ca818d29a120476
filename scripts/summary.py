#!/usr/bin/env python3
"""Counts what `meson test` ran and prints "N passed, N failed, N skipped" as the last line.

usage: summary.py [--broken STAGE]... [--failed NAME]... [--passed NUMBER] LOGBASE...

LOGBASE.junit.xml has one test case for each subtest of a TAP program. It says nothing of a program
that passed its subtests and then crashed, leaked or hung; LOGBASE.json does, so such a program adds
one failure. A stage that did not get as far as a log counts as one failure, too. What was run without
meson is told by --failed, each by its name, and --passed.
"""
import argparse
import json
import os
import sys
import xml.etree.ElementTree as ElementTree

BAD = {'FAIL', 'ERROR', 'TIMEOUT', 'INTERRUPT', 'UNEXPECTEDPASS'}


def short(name):
    """The test's own name of meson's "project:suite / test"."""
    return name.split(' / ')[-1]


def count_cases(path):
    """{program: [passed, failed, skipped]} of a JUnit file, which of them have no subtests, and
    the names that failed or were skipped."""
    programs, plain, failed, skipped = {}, set(), [], []
    for suite in ElementTree.parse(path).getroot().iter('testsuite'):
        for case in suite.iter('testcase'):
            # A TAP program is a suite; other programs are cases of one suite for the project.
            tap = '.' in suite.get('name')
            name = short(suite.get('name').split('.', 1)[1] if tap else case.get('name'))
            counts = programs.setdefault(name, [0, 0, 0])
            if not tap:
                plain.add(name)
            label = f'{name}: {case.get("name")}' if tap else name
            if case.find('failure') is not None or case.find('error') is not None:
                counts[1] += 1
                failed.append(label)
            elif case.find('skipped') is not None:
                counts[2] += 1
                skipped.append(label)
            else:
                counts[0] += 1
    return programs, plain, failed, skipped


def program_results(path):
    """{test name: result} of the JSON log: one object a line."""
    with open(path, encoding='utf-8', errors='replace') as lines:
        tests = [json.loads(line) for line in lines if line.strip()]
    return {short(t['name']): t['result'] for t in tests}


def count_log(base):
    """[passed, failed, skipped], failures and skips of one log."""
    programs, plain, failed, skipped = count_cases(base + '.junit.xml')
    for name, result in program_results(base + '.json').items():
        counts = programs.setdefault(name, [0, 0, 0])
        if result in BAD and counts[1] == 0:
            # A hang of a program without subtests stands in the JUnit log as if it had passed.
            if name in plain:
                counts[0] -= 1
            counts[1] += 1
            failed.append(f'{name}: the program ended with {result}')
        elif result == 'SKIP' and sum(counts) == 0:
            counts[2] += 1
            skipped.append(name)
    total = [sum(c[i] for c in programs.values()) for i in range(3)]
    return total, failed, skipped


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--broken', action='append', default=[])
    parser.add_argument('--failed', action='append', default=[])
    parser.add_argument('--passed', type=int, default=0)
    parser.add_argument('logs', nargs='*')
    args = parser.parse_args()

    failed = [f'stage {stage}: did not build' for stage in args.broken] + args.failed
    total = [args.passed, len(failed), 0]
    skipped = []
    for base in args.logs:
        stage = os.path.basename(base)
        counts, bad, skips = [0, 0, 0], [], []
        if os.path.exists(base + '.json') and os.path.exists(base + '.junit.xml'):
            counts, bad, skips = count_log(base)
        if sum(counts) == 0:
            counts, bad = [0, 1, 0], ['no test ran']
        total = [a + b for a, b in zip(total, counts)]
        failed += [f'{stage}: {name}' for name in bad]
        skipped += [f'{stage}: {name}' for name in skips]

    for name in skipped:
        print(f'skipped: {name}')
    for name in failed:
        print(f'failed: {name}')
    print(f'{total[0]} passed, {total[1]} failed, {total[2]} skipped')
    return 1 if total[1] else 0


if __name__ == '__main__':
    sys.exit(main())
