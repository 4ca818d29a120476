"""The pySerial handler of usbip:// URLs: serial.serial_for_url('usbip://192.168.1.20/1-2.3').

    usbip://HOST[:PORT][/BUSID][?KEY=VALUE&...]

Keys choose the device (vid, pid, serial, wait) and its port (interface), set it up (baud, format,
flow, latency, readahead), or, with reconnect=SECONDS, have a device that was lost looked for that long before
SerialException is raised; each time that happens a warning is logged.
"""
import ctypes as c
import logging
import math
import threading
import time
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from serial.serialutil import (PARITY_EVEN, PARITY_MARK, PARITY_NONE, PARITY_ODD, PARITY_SPACE,
                               STOPBITS_ONE, STOPBITS_ONE_POINT_FIVE, STOPBITS_TWO,
                               PortNotOpenError, SerialBase, SerialException,
                               SerialTimeoutException, to_bytes)

from usbip_backend import _abi, _session
from usbip_backend._abi import lib

_log = logging.getLogger('usbip_backend')

_PARITIES = {PARITY_NONE: 0, PARITY_ODD: 1, PARITY_EVEN: 2, PARITY_MARK: 3, PARITY_SPACE: 4}
_STOP_BITS = {STOPBITS_ONE: 0, STOPBITS_ONE_POINT_FIVE: 1, STOPBITS_TWO: 2}
_FLOW_NONE, _FLOW_RTS_CTS, _FLOW_XON_XOFF = 0, 1, 2
_INPUT, _OUTPUT = 1, 2
_CTS, _DSR, _DCD, _RI = 4, 8, 16, 32

_CANCELLED = _abi.code('CANCELLED')
_TIMEOUT = _abi.code('TIMEOUT')
_LOST = {_abi.code(name) for name in ('NO_DEVICE', 'CONNECTION_LOST', 'REENUMERATE')}

# How long a call may keep Python from looking at signals.
_SLICE = 0.2

# The library's output buffer, and what is put there at a time.
_BUFFER, _PART = 65536, 16384

# How long a transfer may take to a server that does one thing at a time.
_TRANSFER = 5.0


class Serial(SerialBase):
    """A serial port of a USB/IP server, as pySerial's own classes are.

    Any number of threads may use it; close() ends the calls of others.
    """

    BAUDRATES = SerialBase.BAUDRATES + (1500000, 2000000, 3000000)

    def __init__(self, *args, **kwargs):
        self._serial = None  # the library's
        self._changed = threading.Condition()
        self._calls = 0
        self._reopening = threading.Lock()
        self._reopened = 0
        self._reconnect = 0.0
        self._read_cancelled = self._write_cancelled = False
        self._polled = False
        super().__init__(*args, **kwargs)

    # ---- opening and closing ----

    @SerialBase.port.setter
    def port(self, port):
        SerialBase.port.fset(self, port)
        # esptool moves DTR and RTS by ioctl unless the name says that this is no terminal.
        self.name = f'rfc2217:{port}'

    def open(self):
        """Opens the port that `port` names. DTR and RTS are set in one request."""
        if self._port is None:
            raise SerialException('Port must be configured before it can be used.')
        if self.is_open:
            raise SerialException('Port is already open.')
        url, self._reconnect = _take_reconnect(self._port)
        config = self._config()
        config.dtr, config.rts = int(self._dtr_state), int(self._rts_state)
        pointer, fault = c.c_void_p(), _abi.Fault()
        _check(lib.uw_serial_open(_session.loop(), url.encode(), c.byref(config),
                                  c.byref(pointer), c.byref(fault)), fault)
        self._read_cancelled = self._write_cancelled = False
        self._serial = pointer
        self.is_open = True
        lib.uw_serial_get_config(pointer, c.byref(config))
        self._baudrate = config.baud  # the URL may have said another

    def close(self):
        """Closes it; calls of other threads end. May be called again."""
        with self._changed:
            if not self.is_open:
                return
            self.is_open = False
            pointer, self._serial = self._serial, None
            while self._calls:
                # One that is only about to wait is cancelled the next time round.
                lib.uw_serial_cancel(pointer)
                self._changed.wait(0.01)
        lib.uw_serial_free(pointer)

    def _config(self):
        config = _abi.SerialConfig()
        lib.uw_serial_config_init(c.byref(config))
        config.baud = self._baudrate
        config.data_bits = self._bytesize
        config.parity = _PARITIES[self._parity]
        config.stop_bits = _STOP_BITS[self._stopbits]
        config.flow = (_FLOW_RTS_CTS if self._rtscts else
                       _FLOW_XON_XOFF if self._xonxoff else _FLOW_NONE)
        return config

    def _reconfigure_port(self):
        self._call(lib.uw_serial_set_config, c.byref(self._config()))

    # ---- calling the library ----

    def _enter(self):
        with self._changed:
            if not self.is_open:
                raise PortNotOpenError()
            self._calls += 1
            return self._serial

    def _leave(self):
        with self._changed:
            self._calls -= 1
            self._changed.notify_all()

    def _call(self, function, *args):
        """Calls with port and fault, once more after a reconnection; the result, not negative."""
        port = self._enter()
        try:
            while True:
                fault, before = _abi.Fault(), self._reopened
                code = function(port, *args, c.byref(fault))
                if self._polled:
                    # Whoever polls wants to know of data, not of lines that changed.
                    lib.uw_serial_counts(port, c.byref(_abi.SerialCounts()))
                if code not in _LOST or not self._find_again(port, fault, before):
                    return _check(code, fault)
        finally:
            self._leave()

    def _find_again(self, port, fault, before):
        """Whether a lost port is back. One thread looks for it, others wait for that one."""
        if not self._reconnect or not self.is_open:
            return False
        with self._reopening:
            if self._reopened != before:
                return True
            _log.warning('%s; looking for it for %g s', _abi.fault_text(fault), self._reconnect)
            again = _abi.Fault()
            if lib.uw_serial_reopen(port, _abi.seconds(self._reconnect), c.byref(again)) < 0:
                _log.warning('%s', _abi.fault_text(again))
                return False
            self._reopened += 1
            _log.warning('%s is back', self.portstr)
            return True

    # ---- data ----

    @property
    def in_waiting(self):
        """Bytes that can be read at once."""
        return self._call(lambda port, fault: lib.uw_serial_input_waiting(port))

    @property
    def out_waiting(self):
        """Bytes that the device has not taken yet."""
        return self._call(lambda port, fault: lib.uw_serial_output_waiting(port))

    def read(self, size=1):
        """Up to `size` bytes, as the timeout says."""
        data, deadline, gap = b'', _Deadline(self._timeout), _Deadline(None)
        room = c.create_string_buffer(max(size, 1))
        if not self.is_open:
            raise PortNotOpenError()
        while len(data) < size:
            if self._read_cancelled:
                self._read_cancelled = False
                break
            left = min(deadline.left(), gap.left())
            part = self._read_part(room, size - len(data), left)
            data += part
            if part:
                gap = _Deadline(self._inter_byte_timeout)
            elif left <= _SLICE:
                break
        return data

    def _read_part(self, room, size, left):
        """What comes within `left` seconds, or a slice of them."""
        least = size if self._inter_byte_timeout is None else 1
        try:
            got = self._call(lib.uw_serial_read, room, size, least,
                             _abi.seconds(min(left, _SLICE)))
        except _Cancelled:
            got = 0
        return room.raw[:got]

    def write(self, data):
        """Puts `data` into the output buffer; how much was taken."""
        data = to_bytes(data)
        deadline, done = _Deadline(self._write_timeout), 0
        while True:
            part, taken = data[done:done + _PART], 0
            # What has room is not waited for, unless its server does one thing at a time: there this
            # is the transfer's own timeout, after which it is given up.
            has_room = self.out_waiting + len(part) <= _BUFFER
            left = min(deadline.left(), _TRANSFER if has_room else _SLICE)
            try:
                taken = self._call(lib.uw_serial_write, part, len(part), _abi.seconds(left))
            except _Cancelled:
                pass
            done += taken
            if done == len(data) or (self._write_timeout == 0 and taken < len(part)):
                return done
            if self._write_cancelled:
                self._write_cancelled = False
                return done
            if deadline.is_over():
                raise SerialTimeoutException(f'{self.portstr}: write: {done} of {len(data)} bytes '
                                             'were taken within the write timeout')

    def flush(self):
        """Waits until the device has taken everything."""
        deadline = _Deadline(self._write_timeout)
        while True:
            try:
                self._call(lib.uw_serial_drain, _abi.seconds(min(deadline.left(), _SLICE)))
                return
            except (_Cancelled, _TimedOut):
                if deadline.is_over():
                    raise SerialTimeoutException(f'{self.portstr}: flush: {self.out_waiting} bytes '
                                                 'were not taken within the write timeout') from None

    def cancel_read(self):
        """Ends a read of another thread, or the next one."""
        self._read_cancelled = True
        self._cancel()

    def cancel_write(self):
        """Ends a write of another thread, or the next one."""
        self._write_cancelled = True
        self._cancel()

    def _cancel(self):
        with self._changed:
            if self.is_open:
                lib.uw_serial_cancel(self._serial)

    def reset_input_buffer(self):
        """Throws away what was received, the chip's buffer included."""
        self._call(lib.uw_serial_flush, _INPUT)

    def reset_output_buffer(self):
        """Throws away what was not sent yet, the chip's buffer included."""
        self._call(lib.uw_serial_flush, _OUTPUT)

    def fileno(self):
        """A descriptor for select and poll: readable while there is something to read."""
        self._polled = True
        return self._call(lambda port, fault: lib.uw_serial_fd(port))

    # ---- lines ----

    def set_dtr_rts(self, dtr, rts):
        """Sets both lines in one request; boards with a reset circuit look at both."""
        self._dtr_state, self._rts_state = bool(dtr), bool(rts)
        if self.is_open:
            self._call(lib.uw_serial_set_lines, int(self._dtr_state), int(self._rts_state))

    def _update_dtr_state(self):
        self._call(lib.uw_serial_set_lines, int(self._dtr_state), -1)

    def _update_rts_state(self):
        self._call(lib.uw_serial_set_lines, -1, int(self._rts_state))

    def _update_break_state(self):
        self._call(lib.uw_serial_set_break, int(self._break_state))

    def _line(self, bit):
        return bool(self._call(lib.uw_serial_lines) & bit)

    @property
    def cts(self):
        """Clear to send."""
        return self._line(_CTS)

    @property
    def dsr(self):
        """Data set ready."""
        return self._line(_DSR)

    @property
    def ri(self):
        """Ring indicator."""
        return self._line(_RI)

    @property
    def cd(self):
        """Carrier detect."""
        return self._line(_DCD)


class _Cancelled(SerialException):
    """A wait was ended by somebody who wanted this one or another to end."""


class _TimedOut(SerialException):
    """A wait was over."""


_KINDS = {_CANCELLED: _Cancelled, _TIMEOUT: _TimedOut}


def _check(code, fault):
    if code >= 0:
        return code
    kind = _KINDS.get(code, SerialException)
    raise kind(lib.uw_error_errno(code), _abi.fault_text(fault))


class _Deadline:
    """The end of a timeout of pySerial's: None for never."""

    def __init__(self, timeout):
        self._end = math.inf if timeout is None else time.monotonic() + timeout

    def left(self):
        """Seconds until then."""
        return max(0.0, self._end - time.monotonic())

    def is_over(self):
        """Whether it has come."""
        return self.left() == 0.0


def _take_reconnect(url):
    """The URL without the key that is ours, and its value."""
    parts = urlsplit(url)
    keys = parse_qsl(parts.query, keep_blank_values=True)
    try:
        seconds = max([float(v) for k, v in keys if k == 'reconnect'], default=0.0)
    except ValueError:
        raise SerialException(f'{url}: reconnect wants a number of seconds') from None
    rest = urlencode([(k, v) for k, v in keys if k != 'reconnect'], quote_via=quote)
    return urlunsplit(parts._replace(query=rest)), seconds
