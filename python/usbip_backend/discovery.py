"""Servers that make themselves known by multicast DNS."""
from __future__ import annotations

import ctypes as c
import time
from typing import Any

from . import _abi, _errors, _session
from ._abi import lib

_REMOVED = 2
_SLICE = 0.2


def discover_usbip_servers(timeout: float = 3.0, interface: str | None = None,
                           ) -> list[dict[str, Any]]:
    """The servers that answer within `timeout` seconds, one dict each:

    host       its name, "usbip-a1b2c3.local"
    address    its best numeric address; addresses has all, the best first
    port       TCP port
    name       what it calls itself, for people
    txt        what it says of itself, a dict of str: state, count, vid, pid, board_id, ...

    What they say is a hint; the device list is the truth. get_backend takes address and port.
    """
    found: dict[str, dict[str, Any]] = {}
    discover, fault = c.c_void_p(), _abi.Fault()
    _errors.check(lib.uw_discover_new(_session.loop(), interface.encode() if interface else None,
                                      c.byref(discover), c.byref(fault)), fault)
    event, end = _abi.DiscoverEvent(), time.monotonic() + timeout
    try:
        while (left := end - time.monotonic()) > 0:
            got = lib.uw_discover_next(discover, _abi.seconds(min(left, _SLICE)), c.byref(event))
            if got == _abi.code('NO_MEMORY'):
                raise _errors.from_code(got, 'looking for servers')
            if got != 1:
                continue
            server = event.server.contents
            if event.change == _REMOVED:
                found.pop(_text(server.host), None)
            else:
                found[_text(server.host)] = _describe(server)
    finally:
        lib.uw_discover_free(discover)
    return list(found.values())


def _describe(server):
    addresses = [_text(server.addresses[i]) for i in range(server.num_addresses)]
    return {'host': _text(server.host), 'address': addresses[0], 'addresses': addresses,
            'port': server.port, 'name': _text(server.instance),
            'txt': {_text(server.txt[i].key): _text(server.txt[i].value)
                    for i in range(server.num_txt)}}


def _text(value):
    return (value or b'').decode('utf-8', 'replace')
