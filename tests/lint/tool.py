#!/usr/bin/env python3
"""Runs one of the checkers that come from Debian over the files that are its business.

usage: tool.py NAME BUILD_DIR          NAME: a function below without its leading "run_"
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

import tree

SKIP = 77  # meson's exit code for a skipped test


def run(*command, **options):
    """Output and status of a command in the root of the tree."""
    done = subprocess.run(command, cwd=tree.ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **options)
    return done.stdout, done.returncode


def show(output, status):
    sys.stdout.write(output)
    return 1 if status else 0


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            print(f'{tool} is not installed (make deps)')
            sys.exit(SKIP)


def run_format(_):
    need('clang-format-14')
    sources = tree.files(tree.C_DIRS, '.c', '.h')
    return show(*run('clang-format-14', '--dry-run', '-Werror', *sources))


def run_tidy(build):
    """src only: the tests' macros are not ours to please."""
    need('clang-tidy-14')
    sources = tree.files(['src'], '.c')
    chunks = [sources[i::os.cpu_count() * 4] for i in range(os.cpu_count() * 4)]
    status = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(run, 'clang-tidy-14', '-p', build, '--quiet', *chunk)
                for chunk in chunks if chunk]
        for job in jobs:
            output, bad = job.result()
            # "N warnings generated", and what system headers said, are no findings.
            findings = '\n'.join(line for line in output.splitlines()
                                 if not re.match(r'\d+ warnings? (generated|treated)|Suppressed|'
                                                 r'Use -header-filter', line))
            if bad or re.search(r'(warning|error):', findings):
                status = 1
                print(findings)
    return status


def run_cppcheck(_):
    need('cppcheck')
    return show(*run('cppcheck', '--quiet', '--std=c11', '--enable=warning,performance,portability',
                     '--inline-suppr', '--error-exitcode=1', '-j', str(os.cpu_count()),
                     '-Iinclude', '-Isrc', '-D_GNU_SOURCE', '-DUW_PROJECT_VERSION="0"',
                     # System headers are not read, and this is no function.
                     '-Djson_array_foreach(a,i,v)=while((v=json_array_get(a,i++)))',
                     '--suppressions-list=tests/lint/cppcheck.txt', 'src', 'examples'))


def run_codespell(_):
    need('codespell')
    pages = [p for p in tree.files(['.'], '.md') if '/' not in p]
    return show(*run('codespell', '--ignore-words=tests/lint/codespell.txt',
                     '--skip=*/corpus/*,*.png,*.svg,*/out/*,*/.rig/*,*/__pycache__/*,*.dat', *pages,
                     *[d for d in (*tree.C_DIRS, 'man', 'docs', 'data', 'scripts')
                       if os.path.isdir(os.path.join(tree.ROOT, d))]))


def run_shellcheck(_):
    need('shellcheck')
    scripts = tree.files(['scripts', 'tests', 'bench', 'examples'], '.sh') + ['.ci/run']
    return show(*run('shellcheck', '-x', *scripts))


def run_mandoc(_):
    need('mandoc')
    pages = tree.files(['man'], '.1', '.3', '.5', '.7')
    if not pages:
        print('no man pages')
        return 1
    output, _ = run('mandoc', '-T', 'lint', '-W', 'style', *pages)
    # Which other manuals this machine has, and whether it has an index of them, is no finding.
    findings = [line for line in output.splitlines(keepends=True)
                if not re.search(r'referenced manual not found|outdated mandoc\.db', line)]
    return show(''.join(findings), len(findings))


def run_doxygen(_):
    """Comments are plain text with names in them; doxygen checks what it takes for markup."""
    need('doxygen')
    settings = '\n'.join([
        f'INPUT = {os.path.join(tree.ROOT, "include")}', 'RECURSIVE = YES',
        f'INCLUDE_PATH = {os.path.join(tree.ROOT, "include")}', 'FILE_PATTERNS = *.h',
        'QUIET = YES', 'WARNINGS = YES', 'WARN_AS_ERROR = FAIL_ON_WARNINGS',
        'WARN_IF_UNDOCUMENTED = NO', 'WARN_NO_PARAMDOC = NO', 'JAVADOC_AUTOBRIEF = YES',
        'GENERATE_HTML = NO', 'GENERATE_LATEX = NO', 'GENERATE_XML = YES',
        'OPTIMIZE_OUTPUT_FOR_C = YES', 'MACRO_EXPANSION = YES'])
    with tempfile.TemporaryDirectory() as scratch:
        return show(*run('doxygen', '-', input=f'{settings}\nOUTPUT_DIRECTORY = {scratch}\n'))


def main():
    sys.exit(globals()['run_' + sys.argv[1]](sys.argv[2]))


main()
