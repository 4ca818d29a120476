"""The process's one loop, its servers, imports, and transfers that run on them.

One loop for all backends of a process means one import a device and one server object an address,
so that limits of a server (some do one transfer at a time for all their devices) hold across
backends. The loop is made at first use and lives as long as the process.
"""
import ctypes as c
import threading
import weakref

from . import _abi, _errors
from ._abi import lib

_lock = threading.Lock()
_loop = None
_servers = weakref.WeakValueDictionary()

# How long a wait may keep Python from looking at signals.
_SLICE = _abi.Usec(200000)


def loop():
    """The loop's pointer."""
    global _loop
    with _lock:
        if _loop is None:
            pointer = c.c_void_p()
            code = lib.uw_loop_new(None, c.byref(pointer))
            if code < 0:
                raise _errors.from_code(code, 'making the event loop')
            # For usbwire monitor and Wireshark; where the user has no folder for it, for nobody.
            lib.uw_offer_new(pointer, c.byref(c.c_void_p()))
            _loop = pointer
        return _loop


class Server:
    """An address and what is known of who listens there."""

    def __init__(self, host, port):
        self.pointer = c.c_void_p()
        fault = _abi.Fault()
        _errors.check(lib.uw_server_new(loop(), host.encode(), port, c.byref(self.pointer),
                                        c.byref(fault)), fault)
        self.descriptors = {}  # what was read of a device: {record key: Descriptors}

    # Functions as defaults: at the end of the process modules are emptied before objects.
    def __del__(self, free=lib.uw_server_free):
        free(self.pointer)

    @property
    def name(self):
        """HOST:PORT."""
        return lib.uw_server_name(self.pointer).decode()

    def records(self, timeout):
        """The records of the device list, as copies."""
        found, fault = c.c_void_p(), _abi.Fault()
        _errors.check(lib.uw_find_list(self.pointer, timeout, c.byref(found), c.byref(fault)),
                      fault)
        try:
            return [copy_record(lib.uw_device_list_get(found, i).contents)
                    for i in range(lib.uw_device_list_count(found))]
        finally:
            lib.uw_device_list_free(found)


def server(host, port):
    """The server at an address; the same object for the same address while it is in use."""
    with _lock:
        known = _servers.get((host, port))
    if known is None:
        known = Server(host, port)
        with _lock:
            known = _servers.setdefault((host, port), known)
    return known


def copy_record(info):
    """A record that does not depend on the list it was in."""
    record = _abi.DeviceInfo.from_buffer_copy(info)
    record.interfaces = None
    return record


class Import:
    """One use of an imported device; the library shares the import between all of them."""

    def __init__(self, owner, busid, timeout):
        self.pointer = c.c_void_p()
        self.server = owner  # stays as long as its imports
        fault = _abi.Fault()
        _errors.check(lib.uw_device_import(owner.pointer, busid.encode(), timeout,
                                           c.byref(self.pointer), c.byref(fault)), fault)

    def free(self, free=lib.uw_device_free):
        """Gives the use back; the last one ends the import."""
        pointer, self.pointer = self.pointer, None
        free(pointer)

    def __del__(self):
        self.free()


class _Waiter(threading.local):
    """What a thread waits with: a queue, and URBs to use again."""

    def __init__(self):
        super().__init__()
        self.queue = c.c_void_p()
        self.spare = []
        code = lib.uw_queue_new(loop(), c.byref(self.queue))
        if code < 0:
            raise _errors.from_code(code, 'making a queue')

    def __del__(self, free_urb=lib.uw_urb_free, free_queue=lib.uw_queue_free):
        for urb in self.spare:
            free_urb(urb)
        free_queue(self.queue)


_waiter = _Waiter()


def take_urb(packets=0):
    """A URB for one transfer; give_urb takes it back."""
    if not packets and _waiter.spare:
        return _waiter.spare.pop()
    urb = c.c_void_p()
    code = lib.uw_urb_new(packets, c.byref(urb))
    if code < 0:
        raise _errors.from_code(code, 'making a transfer')
    return urb


def give_urb(urb, packets=0):
    """Takes a URB back that take_urb gave for as many packets."""
    if packets:
        lib.uw_urb_free(urb)
    else:
        _waiter.spare.append(urb)


def run_urb(urb):
    """Submits a URB and waits for it; its status. KeyboardInterrupt cancels it."""
    queue = _waiter.queue
    code = lib.uw_urb_submit(urb, queue)
    if code < 0:
        return code
    try:
        while not lib.uw_queue_pop(queue):
            lib.uw_queue_wait(queue, _SLICE)
    except BaseException:
        # The buffer is the library's until the URB came out.
        lib.uw_urb_cancel(urb)
        while not lib.uw_queue_pop(queue):
            lib.uw_queue_wait(queue, _SLICE)
        raise
    return lib.uw_urb_status(urb)
