"""The log of a board: messages of its syslog port.

    syslog = SyslogReceiver('192.168.1.20')
    syslog.start()

prints what the board logs on standard error; `callback` gets each SyslogMessage instead.
"""
from __future__ import annotations

import ctypes as c
import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

from . import _abi, _errors, _session
from ._abi import lib

DEFAULT_PORT = 1514

if TYPE_CHECKING:
    from .pcap import PcapWriter

# How long stop() may have to wait for the thread to look.
_SLICE = _abi.Usec(100000)


@dataclass(frozen=True)
class SyslogMessage:
    """One message. Strings are cleaned: no control characters, no escape sequences."""
    raw: bytes      # as received, without the framing
    priority: int   # facility * 8 + severity; -1: none
    hostname: str
    level: str      # E, W, I, D or V; '': not known
    uptime: str     # as ESP-IDF prints it
    tag: str
    text: str
    time: float     # when it was received, seconds since 1970
    source: str     # the board, as it was named
    line: str       # all of it, for a terminal


class SyslogReceiver:
    """Receives the log of a board on a thread of its own, from start() to stop().

    host      the board, also "HOST:PORT"
    port      where `host` names none
    pcap      a PcapWriter that gets every message, too
    callback  called with each SyslogMessage, on the receiver's thread; None: printed on stderr

    Connects again by itself when it loses the board. What was logged before it connected is lost.
    """

    def __init__(self, host: str, port: int = DEFAULT_PORT, pcap: PcapWriter | None = None,
                 callback: Callable[[SyslogMessage], object] | None = None) -> None:
        self.host, self.port = host, port
        self._pcap = pcap
        self._callback = callback or print_line
        self._thread = None
        self._stop = threading.Event()

    def start(self) -> None:
        """Begins to receive; USBError when the address makes no sense."""
        if self._thread:
            return
        self._stop.clear()
        receiver = _Receiver(self.host, self.port)
        self._thread = threading.Thread(
            target=_receive, args=(receiver, self._stop, self._callback, self._pcap),
            name=f'syslog of {self.host}', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends receiving; messages that have arrived are still delivered. May be called again."""
        thread, self._thread = self._thread, None
        self._stop.set()
        if thread and thread is not threading.current_thread():
            thread.join()

    def __enter__(self) -> SyslogReceiver:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __del__(self):
        self._stop.set()


def print_line(message: SyslogMessage) -> None:
    """What a receiver without a callback does."""
    print(message.line, file=sys.stderr, flush=True)


class _Receiver:
    """The library's receiver and an inbox for what it gets."""

    def __init__(self, host, port):
        loop = _session.loop()
        self.receiver, self.inbox = c.c_void_p(), c.c_void_p()
        code = lib.uw_syslog_inbox_new(loop, c.byref(self.inbox))
        if code < 0:
            raise _errors.from_code(code, f'receiving the log of {host}')
        options = _abi.SyslogOptions(
            size=c.sizeof(_abi.SyslogOptions), data=self.inbox.value,
            message=c.cast(lib.uw_syslog_inbox_put, c.c_void_p).value)
        fault = _abi.Fault()
        code = lib.uw_syslog_connect(loop, host.encode(), port, c.byref(options),
                                     c.byref(self.receiver), c.byref(fault))
        if code < 0:
            lib.uw_syslog_inbox_free(self.inbox)
            raise _errors.from_fault(fault)

    def end(self):
        """No more is received; the inbox stays."""
        lib.uw_syslog_free(self.receiver)

    def next(self, timeout):
        """The next message as the library has it, valid until the next call; or None."""
        message = _abi.SyslogMessage()
        if lib.uw_syslog_inbox_next(self.inbox, timeout, c.byref(message)) == 1:
            return message
        return None

    def free(self):
        """Frees all of it."""
        lib.uw_syslog_inbox_free(self.inbox)


def _receive(receiver, stop, callback, pcap):
    while not stop.is_set():
        _deliver(receiver.next(_SLICE), callback, pcap)
    receiver.end()
    while _deliver(receiver.next(_abi.Usec(0)), callback, pcap):
        pass
    receiver.free()


def _deliver(message, callback, pcap):
    """Hands a message on. A callback that fails is reported as any thread's failure is."""
    if message is None:
        return False
    if pcap is not None:
        pcap.write_syslog(message)
    try:
        callback(_copy(message))
    except Exception:
        threading.excepthook(threading.ExceptHookArgs(
            (*sys.exc_info(), threading.current_thread())))
    return True


def _copy(message):
    room = c.create_string_buffer(3 * 8192)
    lib.uw_syslog_line(c.byref(message), _has_colour(), room, len(room))
    return SyslogMessage(
        raw=c.string_at(message.raw, message.raw_size), priority=message.priority,
        hostname=_text(message.hostname), level=_text(message.level.rstrip(b'\0')),
        uptime=_text(message.uptime), tag=_text(message.tag), text=_text(message.text),
        time=message.wall_us / 1e6, source=_text(message.source), line=_text(room.value))


def _text(value):
    return (value or b'').decode('utf-8', 'replace')


def _has_colour():
    return int(not os.environ.get('NO_COLOR') and sys.stderr is not None and sys.stderr.isatty())
