#!/usr/bin/env python3
"""What is written about the command is true of it: help, manual, README, completion."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import expect, expect_equal, main, test  # noqa: E402


def _read(lab, name):
    with open(os.path.join(lab.root, name), encoding='utf-8') as file:
        return file.read()


def _manuals(lab):
    """All manuals as plain text: macros and escapes gone, one blank between words."""
    text = ''
    for name in sorted(os.listdir(os.path.join(lab.root, 'man'))):
        if re.search(r'\.\d$', name):
            text += _read(lab, f'man/{name}')
    text = re.sub(r'\bFl -', '--', text.replace('\\-', '-'))
    return re.sub(r'\bFl (\w)\b', r'-\1', text)


def _commands(lab):
    lines = lab.usbwire('--help').text.split('Commands:\n')[1].split('\n\n')[0].splitlines()
    return [line.split()[0] for line in lines]


@test
def manuals_refer_to_manuals_that_are_there(lab):
    for name, section in re.findall(r'^\.Xr (usbwire\S*) (\d)', _manuals(lab), re.M):
        expect(os.path.exists(os.path.join(lab.root, f'man/{name}.{section}')),
               f'{name}({section}) is not there')


@test
def the_manual_of_serve_is_complete(lab):
    manual = _read(lab, 'man/usbwire-serve.1')
    told = lab.usbwire('serve', '--list', '--json').json()
    for what in told['devices'] + told['personalities']:
        expect(re.search(rf'^\.It Cm {what["name"]}$', manual, re.M),
               f'{what["name"]} is not in usbwire-serve(1)')
    kinds = lab.usbwire('serve', '--fail', 'x', status=2).errors
    for kind in re.findall(r'[a-z-]+', kinds.split('expected is ')[1].split(', as in')[0]):
        expect(kind == 'or' or re.search(rf'^\.It Cm {kind}\b', manual, re.M),
               f'the fault {kind} is not in usbwire-serve(1)')


@test
def exit_codes_are_the_same_everywhere(lab):
    readme = re.findall(r'^\| (\d+) \| (.*) \|$', _read(lab, 'README.md'), re.M)
    manual = _read(lab, 'man/usbwire.1').split('.Sh EXIT STATUS')[1].split('.Sh')[0]
    manual = re.findall(r'^\.It (\d+)\n(.*)', manual, re.M)
    expect_equal([code for code, _ in readme], ['0', '1', '2', '3', '4', '5', '130'])
    expect_equal([code for code, _ in manual], [code for code, _ in readme])


@test
def the_program_in_the_readme_builds_and_runs(lab):
    program = re.search(r'```c\n(.*?)```', _read(lab, 'README.md'), re.S).group(1)
    source, built = lab.write('program.c', program.encode()), lab.path('program')
    libraries = os.path.join(lab.build, 'src')
    flags = ['-fsanitize=address,undefined'] if _is_sanitized(lab) else []
    lab.run('cc', '-std=c99', '-Wall', '-Wextra', '-Werror', *flags, '-I',
            os.path.join(lab.root, 'include'), source, '-o', built, '-L', libraries, '-lusbwire',
            f'-Wl,-rpath,{libraries}')
    with lab.bench('--device', 'esp') as bench:
        bench('write', '-e', '1', '--text', 'hello')
        expect_equal(lab.run(built, bench.host).text,
                     f'{bench.host} 1-1 (303a:4004): usbwire simulated ESP board\n5 bytes read\n')
        done = lab.run(built, bench.host, status=1)
        expect('no answer in time' in done.errors, done)


def _is_sanitized(lab):
    with open(os.path.join(lab.build, 'src/libusbwire.so'), 'rb') as file:
        return b'__asan_init' in file.read()


@test
def the_tour_of_the_readme_is_true(lab):
    """Every command shown, with what it is said to answer, in order."""
    tour = _read(lab, 'README.md').split('## Five minutes')[1].split('### With Linux')[0]
    blocks = re.findall(r'(?:^    .*\n)+', tour, re.M)
    with lab.bench() as bench:
        for block in blocks:
            text = re.sub(r'^    ', '', block, flags=re.M).replace('\\\n', '')
            for shown in re.split(r'^\$ ', text, flags=re.M)[1:]:
                command, *answer = shown.strip('\n').split('\n')
                if command.startswith(('export', 'usbwire serve')):
                    continue
                done = lab.run('bash', '-c', command.replace('usbwire', '"$0"', 1), lab.command,
                               host=bench.host, status=None)
                found = (done.text + done.errors).replace(bench.host, '127.0.0.1:3240')
                for line in answer:
                    expect(line.strip() == '...' or line in found.splitlines(),
                           f'$ {command}\n{line}\nis not in:', found)


@test
def profiles_of_servers_are_in_the_readme(lab):
    table = _read(lab, 'README.md').split('## Servers')[1].split('\n## ')[0]
    texts = re.findall(r'^UW_PROFILE_X\(\w+, "[^"]+", "([^"]+)"', _read(
        lab, 'src/engine/profiles.def'), re.M)
    expect(len(texts) > 10, texts)
    for text in texts:
        repository = re.match(r'(\w[\w-]*/[\w-]+)', text)
        expect(not repository or repository.group(1).split('/')[-1] in table,
               f'README.md does not know {text}')


@test
def completion_offers_commands_options_and_words(lab):
    script = lab.write('completion', lab.usbwire('completion').out)

    def complete(line):
        words = line.split(' ')
        array = ' '.join(f"'{word}'" for word in words)
        return lab.run('bash', '-c', f'. {script}; COMP_WORDS=({array}); '
                       f'COMP_CWORD={len(words) - 1}; _usbwire usbwire "{words[-1]}" '
                       f'"{words[-2]}"; printf "%s\\n" "${{COMPREPLY[@]}}"').text.split()

    expect_equal(complete('usbwire pro'), ['probe'])
    expect_equal(complete('usbwire probe --get'), ['--get-device-desc'])
    expect_equal(complete('usbwire control --direction '), ['in', 'out'])
    expect_equal(complete('usbwire list --end'), [])
    expect('--host' in complete('usbwire --'), complete('usbwire --'))
    for command in _commands(lab):
        expect(command in complete('usbwire '), command)


@test
def version(lab):
    told = lab.usbwire('--version').text
    expect(re.fullmatch(r'usbwire \d+\.\d+\.\d+\n', told), told)
    expect_equal(lab.usbwire('-V').text, told)


main(__name__)
