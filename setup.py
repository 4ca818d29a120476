"""Builds the library with meson and puts it beside the Python package.

A wheel holds package, library, command and the .pth file by which pySerial finds usbip:// URLs. An
editable install uses the build folder of the checkout.
"""
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel
from setuptools.dist import Distribution

ROOT = Path(__file__).resolve().parent
LIBRARY = 'libusbwire.so.0'
PTH = 'python/usbip_backend.pth'


def version():
    """The project's version, which meson.build has."""
    return re.search(r"version: '([^']+)'", (ROOT / 'meson.build').read_text()).group(1)


def build_library(folder):
    """Library and command, built in `folder`."""
    for tool in ('meson', 'ninja'):
        if not shutil.which(tool):
            raise SystemExit(f'{tool} is not installed: usbip_backend builds its C library with it '
                             '("make deps" installs what is needed)')
    if not (folder / 'build.ninja').exists():
        # The command stands beside the library in a wheel.
        subprocess.run(['meson', 'setup', str(folder), str(ROOT), '-Dtests=disabled',
                        '-Dc_link_args=-Wl,-rpath,$ORIGIN'], check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(['ninja', '-C', str(folder)], check=True, stdout=subprocess.DEVNULL)


class BuildPackage(build_py):
    """The package with what is built in C."""

    def run(self):
        super().run()
        if getattr(self, 'editable_mode', False):
            build_library(ROOT / 'build')
            return
        folder = ROOT / 'build' / 'wheel'
        build_library(folder)
        package = Path(self.build_lib) / 'usbip_backend'
        shutil.copy2(folder / 'src' / LIBRARY, package / LIBRARY)
        shutil.copy2(folder / 'usbwire', package / 'usbwire')
        shutil.copy2(ROOT / PTH, self.build_lib)


class BinaryDistribution(Distribution):
    """It has code for one machine in it."""

    def has_ext_modules(self):
        return True

    def has_data(self):
        """What an editable install asks before it installs data files."""
        return bool(self.data_files)


class EditableWheel(editable_wheel):
    """An editable install, which needs the .pth file in site-packages all the same."""

    def run(self):
        paths = sysconfig.get_paths()
        place = os.path.relpath(paths['purelib'], paths['data'])
        self.distribution.data_files = [(place, [PTH])]
        super().run()


setup(version=version(), distclass=BinaryDistribution,
      cmdclass={'build_py': BuildPackage, 'editable_wheel': EditableWheel})
