#!/usr/bin/env python3
"""`make install`: what it puts where, and that programs can be built and run with it."""
import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import expect, expect_equal, main, test  # noqa: E402

# Seconds for all of the library, on a machine that is busy.
COMPILING = 600

EXAMPLES = ('list', 'transfer', 'many')


def _configure(lab):
    """A build directory as `make` sets it up, of the product alone."""
    build = lab.path('build')
    lab.run('meson', 'setup', '-Dtests=disabled', build, cwd=lab.root)
    return build


def _install(lab, build, prefix, destdir=''):
    told = lab.run('make', '--no-print-directory', 'install', f'BUILD={build}',
                   f'PREFIX={prefix}', f'DESTDIR={destdir}', cwd=lab.root,
                   patience=COMPILING).text
    expect(f'installed under {destdir}{prefix}\n' in told, told)
    return destdir + prefix


def _check_files(lab, place):
    """The public headers, all of them and nothing else, and the rest of what a person expects."""
    wanted = sorted(os.path.basename(p)
                    for p in glob.glob(os.path.join(lab.root, 'include/usbwire/*.[hd]*')))
    expect_equal(sorted(os.listdir(f'{place}/include/usbwire')), wanted)
    for page in glob.glob(os.path.join(lab.root, 'man/*.[1-9]')):
        section = page[-1]
        expect(os.path.exists(f'{place}/share/man/man{section}/{os.path.basename(page)}'), page)
    expect(glob.glob(f'{place}/lib/**/libusbwire.so', recursive=True), 'no library')
    expect(not glob.glob(f'{place}/**/*internal*', recursive=True), 'internal parts are installed')


def _build_examples(lab, place, sysroot=''):
    """Builds the examples out of their tree as a user would; {name: program}."""
    pkgconfig = os.path.dirname(glob.glob(f'{place}/**/usbwire.pc', recursive=True)[0])
    environment = {'PKG_CONFIG_PATH': pkgconfig, 'PKG_CONFIG_SYSROOT_DIR': sysroot}
    flags = lab.run('pkg-config', '--cflags', '--libs', 'usbwire',
                    environment=environment).text.split()
    programs = {}
    for name in EXAMPLES:
        source = shutil.copy(os.path.join(lab.root, 'examples', f'{name}.c'), lab.folder)
        programs[name] = lab.path(name)
        lab.run('cc', '-std=c99', '-D_POSIX_C_SOURCE=200809L', '-Wall', '-Wextra', '-Werror',
                '-pedantic', source, '-o', programs[name], *flags)
    return programs


@test
def a_program_builds_and_runs_against_the_installed_tree(lab):
    place = _install(lab, _configure(lab), lab.path('prefix'))
    _check_files(lab, place)
    programs = _build_examples(lab, place)
    libraries = os.path.dirname(glob.glob(f'{place}/lib/**/libusbwire.so', recursive=True)[0])
    expect(lab.run(f'{place}/bin/usbwire', '--version').text.startswith('usbwire '))
    lab.command = f'{place}/bin/usbwire'
    with lab.bench() as bench:
        for name, program in programs.items():
            lab.run(program, bench.host, '0.1', environment={'LD_LIBRARY_PATH': libraries})
            expect(os.path.getsize(program), name)


@test
def destdir_holds_a_tree_for_a_package(lab):
    build, root = _configure(lab), lab.path('root')
    place = _install(lab, build, '/opt/usbwire', root)
    _check_files(lab, place)
    expect_equal(os.listdir(root), ['opt'], 'something is outside the prefix')
    with open(glob.glob(f'{place}/**/usbwire.pc', recursive=True)[0], encoding='utf-8') as file:
        text = file.read()
    expect('prefix=/opt/usbwire\n' in text and root not in text, text)
    _build_examples(lab, place, root)


@test
def python_finds_its_package(lab):
    """Below the usual prefix, where Debian's interpreter looks."""
    root = _install(lab, _configure(lab), '/usr/local', lab.path('root'))[:-len('/usr/local')]
    folders = lab.run('/usr/bin/python3', '-c',
                      'import site; print(*site.getsitepackages())').text.split()
    for name in ('usbip_backend.pth', 'usbip_backend/__init__.py', 'usbip_backend/_place.py'):
        expect([f for f in folders if os.path.exists(f'{root}{f}/{name}')], name)


main(__name__)
