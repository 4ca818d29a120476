"""Descriptors as PyUSB wants them: objects with the specification's names, copied out of the library's
structs so that they outlive the import they were read from."""
import ctypes as c

from . import _abi
from ._abi import lib

# Kernel numbers of speeds (in device lists) to the libusb numbers that PyUSB has.
_SPEEDS = {1: 1, 2: 2, 3: 3, 5: 4, 6: 5}


class Descriptor:
    """One descriptor: the fields of a struct as attributes, `extra_descriptors` as PyUSB has it."""

    def __init__(self, struct):
        for name, kind in struct._fields_:
            if name == 'extra':
                self.extra_descriptors = list(_bytes(struct.extra))
            elif issubclass(kind, c._SimpleCData):
                setattr(self, name, getattr(struct, name))


class Descriptors:
    """All of a device: `device`, and `configs` whose interfaces hold altsettings hold endpoints."""

    def __init__(self, pointer):
        self.device = Descriptor(lib.uw_device_descriptor(pointer).contents)
        self.device.bus = lib.uw_device_bus(pointer)
        _place(self.device, lib.uw_device_info(pointer).contents)
        self.configs = []
        for index in range(self.device.bNumConfigurations):
            config = lib.uw_device_config(pointer, index)
            if config:
                self.configs.append(_config(config.contents))

    @classmethod
    def from_record(cls, record):
        """Of a device that somebody else has: what its server says of it, no configurations."""
        self = cls.__new__(cls)
        device = _abi.DeviceDescriptor(
            bLength=18, bDescriptorType=1, bDeviceClass=record.device_class,
            bDeviceSubClass=record.device_subclass, bDeviceProtocol=record.device_protocol,
            idVendor=record.vid, idProduct=record.pid, bcdDevice=record.bcd_device,
            bNumConfigurations=record.num_configurations)
        self.device = Descriptor(device)
        self.device.bus = record.busnum
        _place(self.device, record)
        self.configs = []
        return self


def _place(device, record):
    path = record.busid.decode('ascii', 'replace').partition('-')[2]
    ports = tuple(int(part) for part in path.split('.') if part.isdigit())
    device.address = record.devnum
    device.speed = _SPEEDS.get(record.speed, 0)
    device.port_numbers = ports or None
    device.port_number = ports[-1] if ports else None


def _config(struct):
    config = Descriptor(struct)
    config.bNumInterfaces = struct.bNumInterfaces
    config.interfaces = []
    for i in range(struct.bNumInterfaces):
        interface = struct.interfaces[i]
        config.interfaces.append([_altsetting(interface.altsettings[a])
                                  for a in range(interface.num_altsettings)])
    return config


def _altsetting(struct):
    altsetting = Descriptor(struct)
    altsetting.endpoints = [Descriptor(struct.endpoints[e]) for e in range(struct.bNumEndpoints)]
    return altsetting


def _bytes(extra):
    return c.string_at(extra.bytes, extra.size) if extra.size else b''
