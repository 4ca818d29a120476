"""Lets pySerial find usbip:// URLs, in every process, without registering anything.

serial.serial_for_url() imports serial.urlhandler.protocol_SCHEME. Imported by usbip_backend.pth when
Python starts, this answers for that one name, and costs nothing until it is asked for.
"""
import os
import sys

NAME = 'serial.urlhandler.protocol_usbip'


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != NAME:
            return None
        from importlib.util import spec_from_file_location

        folder = os.path.dirname(os.path.abspath(__file__))
        return spec_from_file_location(name, os.path.join(folder, 'protocol_usbip.py'))


if _Finder not in sys.meta_path:
    sys.meta_path.append(_Finder)
