"""USB devices of USB/IP servers for PyUSB and pySerial, on libusbwire.

    import usb.core
    from usbip_backend import get_backend

    with get_backend('192.168.1.20') as backend:
        dev = usb.core.find(backend=backend, idVendor=0x303A, idProduct=0x4004)
        print(bytes(dev.ctrl_transfer(0x80, 0x06, 0x0100, 0, 18)))
"""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import USBIPBackend
    from .pcap import PcapWriter

__all__ = ['discover_usbip_servers', 'get_backend']


def get_backend(host: str | None = None, port: int = 3240, *, timeout: float | None = None,
                pcap: PcapWriter | None = None, busid: str | None = None, vid: int | None = None,
                pid: int | None = None) -> USBIPBackend:
    """The backend for a server: for usb.core.find(backend=...).

    host     name or address, also "HOST:PORT"; None: $USBWIRE_HOST
    port     TCP port where `host` names none
    timeout  seconds for each of connecting, listing and importing; None: the library's own
    pcap     a PcapWriter that gets all USB traffic of this process from now on
    busid, vid, pid  enumerate only such devices, and leave others alone

    Raises usb.core.USBError when the address makes no sense. Nothing is sent yet.
    """
    from .backend import USBIPBackend

    host = host or os.environ.get('USBWIRE_HOST')
    if not host:
        raise ValueError('no server is named: give a host, or set USBWIRE_HOST')
    if pcap is not None:
        pcap.attach()
    return USBIPBackend(host, port, timeout=timeout, busid=busid, vid=vid, pid=pid)


def discover_usbip_servers(timeout: float = 3.0, interface: str | None = None,
                           ) -> list[dict[str, Any]]:
    """The servers that multicast DNS finds within `timeout` seconds: usbip_backend.discovery."""
    from . import discovery

    return discovery.discover_usbip_servers(timeout, interface)
