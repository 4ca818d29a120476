"""The PyUSB backend.

    backend = get_backend('192.168.1.20')
    dev = usb.core.find(backend=backend, idVendor=0x303A, idProduct=0x4004)

Threads: any number may use one backend, its devices and its handles. close() ends the transfers of
other threads.
"""
from __future__ import annotations

import ctypes as c
import errno
import logging
import math
import threading
import weakref

import usb.backend
import usb.core

from . import _abi, _errors, _session
from ._abi import lib
from ._descriptors import Descriptors

_log = logging.getLogger('usbip_backend')


class _Device:
    """A device of the server, as enumerated: its record, and what was read of it."""

    def __init__(self, backend, record):
        self._backend = weakref.ref(backend)
        self.server = backend.server
        self.timeout = backend.timeout
        self.record = record
        self.busid = record.busid.decode('ascii', 'replace')
        self.key = (self.busid, record.vid, record.pid, record.bcd_device, record.devnum)
        self.peek = None  # an import nobody has opened yet

    def descriptors(self):
        """Read from the device once; importing it, if it is not."""
        known = self.server.descriptors.get(self.key)
        if known is None:
            try:
                self.peek = self._import()
            except usb.core.USBError as error:
                if error.errno not in (errno.EBUSY, errno.EACCES):
                    raise
                _log.warning('%s; shown as its server describes it', error.strerror)
                return Descriptors.from_record(self.record)
            known = self.server.descriptors[self.key]
        return known

    def take(self):
        """An import for a handle: the one that is there, or a new one."""
        peek, self.peek = self.peek, None
        return peek or self._import()

    def let_go(self):
        """Nobody opened it: others may have it."""
        peek, self.peek = self.peek, None
        if peek:
            peek.free()

    def _import(self):
        made = _session.Import(self.server, self.busid, self.timeout)
        self.server.descriptors[self.key] = Descriptors(made.pointer)
        return made


class _Handle:
    """An open device. Its transfers end when it is closed, whatever thread they are in."""

    def __init__(self, device):
        self.imported = device.take()
        self.device = self.imported.pointer
        self.owner = c.c_void_p(id(self))
        self._changed = threading.Condition()
        self._active = []  # URBs under way
        self._calls = 0    # threads inside the library with this device
        self._claims = set()
        self._closed = False

    def __enter__(self):
        with self._changed:
            if self._closed:
                raise usb.core.USBError('the device has been closed', None, errno.EBADF)
            self._calls += 1
        return self

    def __exit__(self, *_):
        with self._changed:
            self._calls -= 1
            self._changed.notify_all()

    def run(self, urb, timeout):
        """Runs a URB that is set; the bytes it moved. Its fault needs the device, too."""
        lib.uw_urb_set_timeout(urb, _abi.duration(timeout))
        with self:
            self._active.append(urb)
            try:
                status = _session.run_urb(urb)
            finally:
                self._active.remove(urb)
            moved = lib.uw_urb_actual_length(urb)
            # A transfer that was cut short by its time has moved what it has moved.
            if status < 0 and not (moved and status == _TIMEOUT):
                raise _errors.from_urb(urb)
            return moved

    def claim(self, interface):
        """Takes an interface for this handle."""
        with self:
            code = lib.uw_device_claim(self.device, interface, self.owner)
            if code < 0:
                raise _errors.from_code(code, f'claiming interface {interface}')
            self._claims.add(interface)

    def release(self, interface):
        """Gives an interface back."""
        with self:
            code = lib.uw_device_release(self.device, interface, self.owner)
            if code < 0:
                raise _errors.from_code(code, f'releasing interface {interface}')
            self._claims.discard(interface)

    def close(self):
        """Ends transfers, gives interfaces back and the device, too. May be called again."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            while self._calls:
                # One that is only about to be submitted is cancelled the next time round.
                for urb in list(self._active):
                    lib.uw_urb_cancel(urb)
                self._changed.wait(0.01)
        for interface in self._claims:
            lib.uw_device_release(self.device, interface, self.owner)
        self.imported.free()

    def __del__(self):
        if hasattr(self, '_closed'):
            self.close()


class USBIPBackend(usb.backend.IBackend):
    """Devices of one USB/IP server. get_backend makes one.

    Reading the descriptors of a device imports it for a moment, once; a device in use elsewhere is
    enumerated with what its server says of it, and cannot be opened. With `busid`, `vid` or `pid`
    only such devices are enumerated, and no other is ever touched.
    """

    def __init__(self, host: str, port: int = 3240, *, timeout: float | None = None,
                 busid: str | None = None, vid: int | None = None, pid: int | None = None) -> None:
        super().__init__()
        self._handles = weakref.WeakSet()
        self._peeked = None  # weak reference to the device enumerated last
        self._only = {'busid': busid, 'vid': vid, 'pid': pid}
        self.timeout = _abi.seconds(timeout)
        self.server = _session.server(host, port)

    def close(self) -> None:
        """Closes every device of this backend. May be called again."""
        for handle in list(self._handles):
            handle.close()
        self._let_go()

    def __enter__(self) -> USBIPBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finalize_object(self):
        self.close()

    def _let_go(self):
        device = self._peeked() if self._peeked else None
        self._peeked = None
        if device is not None:
            device.let_go()

    # ---- devices and descriptors ----

    def enumerate_devices(self):
        for record in self.server.records(self.timeout):
            self._let_go()
            wanted = {'busid': record.busid.decode('ascii', 'replace'), 'vid': record.vid,
                      'pid': record.pid}
            if any(v is not None and v != wanted[k] for k, v in self._only.items()):
                continue
            device = _Device(self, record)
            self._peeked = weakref.ref(device)
            yield device

    def get_parent(self, dev):
        return None

    def get_device_descriptor(self, dev):
        return dev.descriptors().device

    def get_configuration_descriptor(self, dev, config):
        return _at(dev.descriptors().configs, config, 'configuration')

    def get_interface_descriptor(self, dev, intf, alt, config):
        interfaces = self.get_configuration_descriptor(dev, config).interfaces
        return _at(_at(interfaces, intf, 'interface'), alt, 'alternate setting')

    def get_endpoint_descriptor(self, dev, ep, intf, alt, config):
        return _at(self.get_interface_descriptor(dev, intf, alt, config).endpoints, ep, 'endpoint')

    # ---- handles ----

    def open_device(self, dev):
        handle = _Handle(dev)
        self._handles.add(handle)
        return handle

    def close_device(self, dev_handle):
        dev_handle.close()

    def get_configuration(self, dev_handle):
        with dev_handle:
            return lib.uw_device_configuration(dev_handle.device)

    def set_configuration(self, dev_handle, config_value):
        self._call(lib.uw_device_set_configuration, dev_handle, config_value, self.timeout)

    def set_interface_altsetting(self, dev_handle, intf, altsetting):
        self._call(lib.uw_device_set_altsetting, dev_handle, intf, altsetting, self.timeout)

    def claim_interface(self, dev_handle, intf):
        dev_handle.claim(intf)

    def release_interface(self, dev_handle, intf):
        dev_handle.release(intf)

    def clear_halt(self, dev_handle, ep):
        self._call(lib.uw_device_clear_halt, dev_handle, ep, self.timeout)

    def reset_device(self, dev_handle):
        self._call(lib.uw_device_reset, dev_handle, self.timeout)

    def is_kernel_driver_active(self, dev_handle, intf):
        return False

    def detach_kernel_driver(self, dev_handle, intf):
        raise usb.core.USBError('no kernel driver is bound to a device that is used over USB/IP',
                                None, errno.ENODATA)

    def attach_kernel_driver(self, dev_handle, intf):
        raise usb.core.USBError('no kernel driver can be bound to a device that is used over USB/IP',
                                None, errno.ENODATA)

    @staticmethod
    def _call(function, handle, *args):
        fault = _abi.Fault()
        with handle:
            _errors.check(function(handle.device, *args, c.byref(fault)), fault)

    # ---- transfers ----

    def ctrl_transfer(self, dev_handle, bmRequestType, bRequest, wValue, wIndex, data, timeout):
        address, items = data.buffer_info()
        urb = _session.take_urb()
        try:
            lib.uw_urb_set_control(urb, dev_handle.device, bmRequestType, bRequest, wValue, wIndex,
                                   address, items * data.itemsize)
            return dev_handle.run(urb, timeout)
        finally:
            _session.give_urb(urb)

    def _transfer(self, handle, ep, buffer, timeout):
        address, items = buffer.buffer_info()
        urb = _session.take_urb()
        try:
            lib.uw_urb_set_transfer(urb, handle.device, ep, address, items * buffer.itemsize)
            return handle.run(urb, timeout)
        finally:
            _session.give_urb(urb)

    def _isochronous(self, handle, ep, buffer, timeout):
        address, items = buffer.buffer_info()
        length = items * buffer.itemsize
        with handle:
            endpoint = lib.uw_device_endpoint(handle.device, ep)
            size = lib.uw_endpoint_max_packet(endpoint) if endpoint else 0
        if not size or not length:
            raise usb.core.USBError(f'isochronous transfer of {length} bytes on endpoint '
                                    f'0x{ep:02x}: there is no such endpoint in the active '
                                    'alternate settings, or nothing to move', None, errno.EINVAL)
        packets = math.ceil(length / size)
        urb = _session.take_urb(packets)
        try:
            lib.uw_urb_set_transfer(urb, handle.device, ep, address, length)
            lib.uw_urb_set_iso_lengths(urb, packets, size)
            if length % size:
                lib.uw_urb_set_iso_length(urb, packets - 1, length % size)
            handle.run(urb, timeout)
            return sum(lib.uw_urb_iso_packet(urb, i).contents.actual for i in range(packets))
        finally:
            _session.give_urb(urb, packets)

    def bulk_write(self, dev_handle, ep, intf, data, timeout):
        return self._transfer(dev_handle, ep, data, timeout)

    def bulk_read(self, dev_handle, ep, intf, buff, timeout):
        return self._transfer(dev_handle, ep, buff, timeout)

    def intr_write(self, dev_handle, ep, intf, data, timeout):
        return self._transfer(dev_handle, ep, data, timeout)

    def intr_read(self, dev_handle, ep, intf, buff, timeout):
        return self._transfer(dev_handle, ep, buff, timeout)

    def iso_write(self, dev_handle, ep, intf, data, timeout):
        return self._isochronous(dev_handle, ep, data, timeout)

    def iso_read(self, dev_handle, ep, intf, buff, timeout):
        return self._isochronous(dev_handle, ep, buff, timeout)


def _at(items, index, what):
    if not 0 <= index < len(items):
        raise IndexError(f'Invalid {what} index {index}')
    return items[index]


_TIMEOUT = _abi.code('TIMEOUT')
