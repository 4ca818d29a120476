"""Errors of the library as PyUSB's exceptions: errno as its own backends give it, the whole story as
the message."""
import ctypes as c

import usb.core

from . import _abi
from ._abi import lib


def from_fault(fault):
    """The exception for a struct uw_fault."""
    return _exception(fault.code, _abi.fault_text(fault))


def from_code(code, what):
    """The exception for a bare code; `what` was tried."""
    return _exception(code, f'{what}: {lib.uw_error_text(code).decode()}')


def from_urb(urb):
    """The exception for a transfer that failed."""
    fault = _abi.Fault()
    lib.uw_urb_fault(urb, c.byref(fault))
    return from_fault(fault)


def check(code, fault):
    """Raises what a negative code means; else returns the code."""
    if code < 0:
        raise from_fault(fault)
    return code


def _exception(code, text):
    kind = usb.core.USBTimeoutError if code in _TIMEOUTS else usb.core.USBError
    return kind(text, code, lib.uw_error_errno(code))


_TIMEOUTS = {_abi.code('TIMEOUT'), _abi.code('HELD'), _abi.code('WEDGED')}
