#!/usr/bin/env python3
"""scripts/summary.py counts what really happened, with the logs of a real meson: subtests of TAP
programs, programs that end badly after their last subtest passed, hang, or are skipped."""
import os
import subprocess
import sys
import tempfile

import tree

PROJECT = '''
project('sample', meson_version: '>= 1.0')
sh = find_program('sh')
test('tap-good', sh, args: ['-c', 'echo 1..2; echo ok 1 - a; echo ok 2 - b'], protocol: 'tap',
     suite: 'one')
test('tap-one-bad', sh, args: ['-c', 'echo 1..2; echo ok 1 - a; echo not ok 2 - b'],
     protocol: 'tap', suite: 'one')
test('tap-leaks', sh, args: ['-c', 'echo 1..1; echo ok 1 - a; exit 23'], protocol: 'tap',
     suite: 'one')
test('tap-dies-early', sh, args: ['-c', 'echo 1..3; echo ok 1 - a; kill -9 $$'], protocol: 'tap',
     suite: 'one')
test('plain-good', sh, args: ['-c', 'exit 0'], suite: 'one')
test('plain-bad', sh, args: ['-c', 'exit 1'], suite: 'one')
test('plain-skipped', sh, args: ['-c', 'exit 77'], suite: 'one')
test('plain-hangs', sh, args: ['-c', 'exec sleep 60'], suite: 'one', timeout: 1)
test('tap-skipped', sh, args: ['-c', 'echo "1..0 # SKIP no reason"'], protocol: 'tap',
     suite: 'two')
'''

# Passed: 2 + 1 + 1 + 1 subtests, 1 program. Failed: a subtest, the leak, the kill, two programs.
EXPECTED = {'one': ('6 passed, 5 failed, 1 skipped', 1), 'two': ('0 passed, 0 failed, 1 skipped', 0)}


def summary(*arguments):
    run = subprocess.run([sys.executable, os.path.join(tree.ROOT, 'scripts/summary.py'),
                          *arguments], capture_output=True, text=True, check=False)
    return run.stdout.splitlines()[-1], run.returncode


def main():
    errors = []

    def expect(what, got, want):
        if got != want:
            errors.append(f'{what}: {got}, not {want}')

    with tempfile.TemporaryDirectory() as scratch:
        build = os.path.join(scratch, 'build')
        with open(os.path.join(scratch, 'meson.build'), 'w', encoding='utf-8') as f:
            f.write(PROJECT)
        subprocess.run(['meson', 'setup', build, scratch], check=True, stdout=subprocess.DEVNULL)
        for suite, expected in EXPECTED.items():
            subprocess.run(['meson', 'test', '-C', build, '--suite', suite, '--logbase', suite],
                           check=False, stdout=subprocess.DEVNULL)
            expect(suite, summary(f'{build}/meson-logs/{suite}'), expected)
        base = f'{build}/meson-logs/two'
        expect('a stage that did not build', summary('--broken', 'gcc', base),
               ('0 passed, 1 failed, 1 skipped', 1))
        expect('what meson did not run',
               summary('--passed', '3', '--failed', 'a', '--failed', 'b', base),
               ('3 passed, 2 failed, 1 skipped', 1))
        expect('a stage without a log', summary(f'{build}/meson-logs/none', base),
               ('0 passed, 1 failed, 1 skipped', 1))
    tree.finish(errors)


main()
