"""Captures for Wireshark: USB traffic and syslog messages as pcapng.

    pcap = PcapWriter(open('capture.pcapng', 'wb'))
    backend = get_backend('192.168.1.20', pcap=pcap)
"""
from __future__ import annotations

import ctypes as c
import threading
import weakref
from typing import Any

from . import _abi, _errors, _session
from ._abi import lib


class PcapWriter:
    """Writes what this process exchanges with USB/IP servers into a file object.

    fileobj  anything with write(bytes); whole pcapng blocks are given to it, by a thread of the
             writer's, which also flushes it

    It captures from its first use (get_backend, SyslogReceiver) until close(), at the latest until
    the process ends. The file object stays open. Devices used before are introduced by their
    descriptors.
    """

    def __init__(self, fileobj: Any) -> None:
        self._capture = c.c_void_p()
        code = lib.uw_capture_new(None, c.byref(self._capture))
        if code < 0:
            raise _errors.from_code(code, 'making a capture')
        self._errors = []
        self._thread = threading.Thread(target=_write, args=(self._capture, fileobj, self._errors),
                                        name='pcapng writer', daemon=True)
        self._thread.start()
        self._attached = False
        self._lock = threading.Lock()
        self._finish = weakref.finalize(self, _end, self._capture, self._thread)

    def attach(self) -> None:
        """Begins to capture; get_backend does it."""
        with self._lock:
            if self._attached or not self._finish.alive:
                return
            code = lib.uw_capture_attach(self._capture, _session.loop())
            if code < 0:
                raise _errors.from_code(code, 'capturing')
            self._attached = True

    def write_syslog(self, message: _abi.SyslogMessage) -> None:
        """Puts a message of the library's into the capture; a SyslogReceiver does it."""
        with self._lock:
            if self._finish.alive:
                protocol = _UDP if message.flags & _SYSLOG_UDP else _TCP
                lib.uw_capture_syslog(self._capture, message.from_, message.to, protocol,
                                      message.raw, message.raw_size)

    @property
    def dropped(self) -> int:
        """Records left out because the file object was too slow."""
        stats = _abi.CaptureStats()
        with self._lock:
            if self._finish.alive:
                lib.uw_capture_stats(self._capture, c.byref(stats))
        return stats.dropped

    def close(self) -> None:
        """Writes what is left, with statistics. Raises what the file object raised, if it did."""
        with self._lock:
            self._finish()
        if self._errors:
            raise self._errors.pop()

    def __enter__(self) -> PcapWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write(capture, fileobj, errors):
    room = c.create_string_buffer(1 << 20)
    while True:
        size = lib.uw_capture_pull(capture, room, len(room), _abi.NEVER)
        if size <= 0:
            return
        if errors:
            continue  # pulled all the same, so that nothing waits for it
        try:
            fileobj.write(room.raw[:size])
            if hasattr(fileobj, 'flush'):
                fileobj.flush()
        except Exception as error:
            errors.append(error)


def _end(capture, thread):
    fault = _abi.Fault()
    lib.uw_capture_close(capture, c.byref(fault))
    if thread is not threading.current_thread():
        thread.join()
    lib.uw_capture_free(capture)


_TCP, _UDP = 6, 17
_SYSLOG_UDP = 4
