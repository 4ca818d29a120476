"""The C interface of libusbwire as ctypes sees it: structs and functions of include/usbwire.

tests/python/test_abi.py holds every struct here against the C compiler.
"""
import ctypes as c

from . import _library

_u8, _u16, _u32, _u64, _i32 = c.c_uint8, c.c_uint16, c.c_uint32, c.c_uint64, c.c_int32


class Usec(c.Structure):
    """struct uw_usec: a duration in microseconds."""
    _fields_ = [('us', _u64)]


NEVER = Usec(0xffffffffffffffff)


class Fault(c.Structure):
    """struct uw_fault: an error with the whole story."""
    _fields_ = [('code', c.c_int), ('raw', c.c_int), ('on', c.c_char * 256),
                ('tried', c.c_char * 160), ('came', c.c_char * 256), ('advice', c.c_char * 256)]


class Extra(c.Structure):
    """struct uw_extra: class- and vendor-specific descriptors."""
    _fields_ = [('bytes', c.c_void_p), ('size', c.c_size_t)]


class DeviceDescriptor(c.Structure):
    """struct uw_device_descriptor."""
    _fields_ = [('bLength', _u8), ('bDescriptorType', _u8), ('bcdUSB', _u16),
                ('bDeviceClass', _u8), ('bDeviceSubClass', _u8), ('bDeviceProtocol', _u8),
                ('bMaxPacketSize0', _u8), ('idVendor', _u16), ('idProduct', _u16),
                ('bcdDevice', _u16), ('iManufacturer', _u8), ('iProduct', _u8),
                ('iSerialNumber', _u8), ('bNumConfigurations', _u8)]


class Endpoint(c.Structure):
    """struct uw_endpoint."""
    _fields_ = [('bLength', _u8), ('bDescriptorType', _u8), ('bEndpointAddress', _u8),
                ('bmAttributes', _u8), ('wMaxPacketSize', _u16), ('bInterval', _u8),
                ('bRefresh', _u8), ('bSynchAddress', _u8), ('has_companion', _u8),
                ('bMaxBurst', _u8), ('ss_bmAttributes', _u8), ('wBytesPerInterval', _u16),
                ('extra', Extra)]


class Altsetting(c.Structure):
    """struct uw_altsetting."""
    _fields_ = [('bLength', _u8), ('bDescriptorType', _u8), ('bInterfaceNumber', _u8),
                ('bAlternateSetting', _u8), ('bNumEndpoints', _u8), ('bInterfaceClass', _u8),
                ('bInterfaceSubClass', _u8), ('bInterfaceProtocol', _u8), ('iInterface', _u8),
                ('endpoints', c.POINTER(Endpoint)), ('extra', Extra)]


class Interface(c.Structure):
    """struct uw_interface."""
    _fields_ = [('altsettings', c.POINTER(Altsetting)), ('num_altsettings', c.c_uint)]


class Config(c.Structure):
    """struct uw_config."""
    _fields_ = [('bLength', _u8), ('bDescriptorType', _u8), ('wTotalLength', _u16),
                ('bNumInterfaces', _u8), ('bConfigurationValue', _u8), ('iConfiguration', _u8),
                ('bmAttributes', _u8), ('bMaxPower', _u8),
                ('interfaces', c.POINTER(Interface)), ('associations', c.c_void_p),
                ('num_associations', c.c_uint), ('extra', Extra)]


class DeviceInfo(c.Structure):
    """struct uw_device_info: a record of a device list."""
    _fields_ = [('path', c.c_char * 256), ('busid', c.c_char * 32), ('busnum', _u32),
                ('devnum', _u32), ('speed', _u32), ('vid', _u16), ('pid', _u16),
                ('bcd_device', _u16), ('device_class', _u8), ('device_subclass', _u8),
                ('device_protocol', _u8), ('configuration_value', _u8),
                ('num_configurations', _u8), ('num_interfaces', _u8), ('interfaces', c.c_void_p)]


class IsoPacket(c.Structure):
    """struct uw_iso_packet."""
    _fields_ = [('offset', _u32), ('length', _u32), ('actual', _u32), ('status', _i32)]


class SyslogMessage(c.Structure):
    """struct uw_syslog_message."""
    _fields_ = [('raw', c.c_void_p), ('raw_size', c.c_size_t), ('flags', c.c_uint),
                ('priority', c.c_int), ('timestamp', c.c_char_p), ('hostname', c.c_char_p),
                ('app_name', c.c_char_p), ('procid', c.c_char_p), ('msgid', c.c_char_p),
                ('structured_data', c.c_char_p), ('level', c.c_char), ('uptime', c.c_char_p),
                ('tag', c.c_char_p), ('text', c.c_char_p), ('when', Usec), ('wall_us', _u64),
                ('source', c.c_char_p), ('from_', c.c_void_p), ('to', c.c_void_p)]


class SyslogOptions(c.Structure):
    """struct uw_syslog_options."""
    _fields_ = [('size', c.c_size_t), ('message', c.c_void_p), ('state', c.c_void_p),
                ('data', c.c_void_p)]


class CaptureStats(c.Structure):
    """struct uw_capture_stats."""
    _fields_ = [('records', _u64), ('dropped', _u64), ('bytes', _u64), ('reader', c.c_int),
                ('readers', c.c_uint)]


class SerialConfig(c.Structure):
    """struct uw_serial_config; -1 in a field: leave it as it is."""
    _fields_ = [('size', c.c_size_t), ('baud', c.c_int), ('data_bits', c.c_int),
                ('parity', c.c_int), ('stop_bits', c.c_int), ('flow', c.c_int), ('xon', c.c_int),
                ('xoff', c.c_int), ('dtr', c.c_int), ('rts', c.c_int), ('latency', c.c_int),
                ('interface', c.c_int), ('buffer', c.c_int), ('poll_lines', c.c_int),
                ('hang_up', c.c_int), ('read_ahead', c.c_int)]


class SerialCounts(c.Structure):
    """struct uw_serial_counts."""
    _fields_ = [('received', _u64), ('sent', _u64), ('lost', _u64), ('cts', _u32), ('dsr', _u32),
                ('dcd', _u32), ('ri', _u32), ('breaks', _u32), ('framing', _u32),
                ('parity', _u32), ('overrun', _u32)]


class DiscoveredTxt(c.Structure):
    """struct uw_discovered_txt."""
    _fields_ = [('key', c.c_char_p), ('value', c.c_char_p)]


class Discovered(c.Structure):
    """struct uw_discovered."""
    _fields_ = [('instance', c.c_char_p), ('host', c.c_char_p), ('address', c.c_char_p),
                ('links', c.c_char_p), ('port', _u16), ('num_addresses', c.c_uint),
                ('addresses', c.POINTER(c.c_char_p)), ('num_txt', c.c_uint),
                ('txt', c.POINTER(DiscoveredTxt))]


class DiscoverEvent(c.Structure):
    """struct uw_discover_event."""
    _fields_ = [('change', c.c_int), ('server', c.POINTER(Discovered))]


STRUCTS = {'uw_usec': Usec, 'uw_fault': Fault, 'uw_extra': Extra,
           'uw_device_descriptor': DeviceDescriptor, 'uw_endpoint': Endpoint,
           'uw_altsetting': Altsetting, 'uw_interface': Interface, 'uw_config': Config,
           'uw_device_info': DeviceInfo, 'uw_iso_packet': IsoPacket,
           'uw_syslog_message': SyslogMessage, 'uw_syslog_options': SyslogOptions,
           'uw_capture_stats': CaptureStats, 'uw_serial_config': SerialConfig,
           'uw_serial_counts': SerialCounts,
           'uw_discovered_txt': DiscoveredTxt, 'uw_discovered': Discovered,
           'uw_discover_event': DiscoverEvent}

_obj, _out, _int, _str = c.c_void_p, c.POINTER(c.c_void_p), c.c_int, c.c_char_p
_fault = c.POINTER(Fault)

# name: (result, parameters...)
_FUNCTIONS = {
    'uw_version': (_str,),
    'uw_error_name': (_str, _int),
    'uw_error_errno': (_int, _int),
    'uw_error_text': (_str, _int),
    'uw_fault_text': (_str, _fault, c.c_char_p, c.c_size_t),
    'uw_loop_new': (_int, _obj, _out),
    'uw_loop_free': (None, _obj),
    'uw_offer_new': (_int, _obj, _out),
    'uw_server_new': (_int, _obj, _str, _u16, _out, _fault),
    'uw_server_free': (None, _obj),
    'uw_server_name': (_str, _obj),
    'uw_server_set_timeouts': (None, _obj, Usec, Usec),
    'uw_find_list': (_int, _obj, Usec, _out, _fault),
    'uw_device_list_free': (None, _obj),
    'uw_device_list_count': (c.c_uint, _obj),
    'uw_device_list_get': (c.POINTER(DeviceInfo), _obj, c.c_uint),
    'uw_device_import': (_int, _obj, _str, Usec, _out, _fault),
    'uw_device_free': (None, _obj),
    'uw_device_info': (c.POINTER(DeviceInfo), _obj),
    'uw_device_name': (_str, _obj),
    'uw_device_bus': (c.c_uint, _obj),
    'uw_device_status': (_int, _obj),
    'uw_device_descriptor': (c.POINTER(DeviceDescriptor), _obj),
    'uw_device_config': (c.POINTER(Config), _obj, c.c_uint),
    'uw_device_configuration': (_int, _obj),
    'uw_device_endpoint': (c.POINTER(Endpoint), _obj, _u8),
    'uw_endpoint_max_packet': (c.c_uint, c.POINTER(Endpoint)),
    'uw_device_set_configuration': (_int, _obj, _int, Usec, _fault),
    'uw_device_set_altsetting': (_int, _obj, c.c_uint, c.c_uint, Usec, _fault),
    'uw_device_claim': (_int, _obj, c.c_uint, _obj),
    'uw_device_release': (_int, _obj, c.c_uint, _obj),
    'uw_device_clear_halt': (_int, _obj, _u8, Usec, _fault),
    'uw_device_reset': (_int, _obj, Usec, _fault),
    'uw_queue_new': (_int, _obj, _out),
    'uw_queue_free': (None, _obj),
    'uw_queue_wait': (_int, _obj, Usec),
    'uw_queue_pop': (_obj, _obj),
    'uw_urb_new': (_int, c.c_uint, _out),
    'uw_urb_free': (None, _obj),
    'uw_urb_set_control': (None, _obj, _obj, _u8, _u8, _u16, _u16, _obj, _u16),
    'uw_urb_set_transfer': (None, _obj, _obj, _u8, _obj, c.c_size_t),
    'uw_urb_set_iso_length': (_int, _obj, c.c_uint, _u32),
    'uw_urb_set_iso_lengths': (_int, _obj, c.c_uint, _u32),
    'uw_urb_set_timeout': (None, _obj, Usec),
    'uw_urb_submit': (_int, _obj, _obj),
    'uw_urb_cancel': (_int, _obj),
    'uw_urb_status': (_int, _obj),
    'uw_urb_actual_length': (c.c_size_t, _obj),
    'uw_urb_iso_packet': (c.POINTER(IsoPacket), _obj, c.c_uint),
    'uw_urb_fault': (None, _obj, _fault),
    'uw_discover_new': (_int, _obj, _str, _out, _fault),
    'uw_discover_free': (None, _obj),
    'uw_discover_next': (_int, _obj, Usec, c.POINTER(DiscoverEvent)),
    'uw_serial_config_init': (None, c.POINTER(SerialConfig)),
    'uw_serial_open': (_int, _obj, _str, c.POINTER(SerialConfig), _out, _fault),
    'uw_serial_free': (None, _obj),
    'uw_serial_reopen': (_int, _obj, Usec, _fault),
    'uw_serial_set_config': (_int, _obj, c.POINTER(SerialConfig), _fault),
    'uw_serial_get_config': (None, _obj, c.POINTER(SerialConfig)),
    'uw_serial_read': (c.c_long, _obj, _obj, c.c_size_t, c.c_size_t, Usec, _fault),
    'uw_serial_input_waiting': (c.c_size_t, _obj),
    'uw_serial_write': (c.c_long, _obj, _obj, c.c_size_t, Usec, _fault),
    'uw_serial_output_waiting': (c.c_size_t, _obj),
    'uw_serial_drain': (_int, _obj, Usec, _fault),
    'uw_serial_flush': (_int, _obj, c.c_uint, _fault),
    'uw_serial_cancel': (None, _obj),
    'uw_serial_set_lines': (_int, _obj, _int, _int, _fault),
    'uw_serial_lines': (_int, _obj, _fault),
    'uw_serial_set_break': (_int, _obj, _int, _fault),
    'uw_serial_fd': (_int, _obj),
    'uw_serial_counts': (None, _obj, c.POINTER(SerialCounts)),
    'uw_capture_new': (_int, _obj, _out),
    'uw_capture_attach': (_int, _obj, _obj),
    'uw_capture_syslog': (_int, _obj, _obj, _obj, _int, _obj, c.c_size_t),
    'uw_capture_pull': (c.c_long, _obj, _obj, c.c_size_t, Usec),
    'uw_capture_stats': (None, _obj, c.POINTER(CaptureStats)),
    'uw_capture_close': (_int, _obj, _fault),
    'uw_capture_free': (None, _obj),
    'uw_syslog_connect': (_int, _obj, _str, _u16, c.POINTER(SyslogOptions), _out, _fault),
    'uw_syslog_free': (None, _obj),
    'uw_syslog_line': (c.c_size_t, c.POINTER(SyslogMessage), _int, c.c_char_p, c.c_size_t),
    'uw_syslog_inbox_new': (_int, _obj, _out),
    'uw_syslog_inbox_free': (None, _obj),
    'uw_syslog_inbox_next': (_int, _obj, Usec, c.POINTER(SyslogMessage)),
    'uw_syslog_inbox_dropped': (_u64, _obj),
}


def _declare(library):
    for name, (result, *parameters) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = parameters
    return library


lib = _declare(_library.load())


def code(name):
    """The number of an error: code('TIMEOUT')."""
    return _CODES['UW_ERROR_' + name]


def duration(milliseconds):
    """A timeout of PyUSB's: milliseconds, 0 or None for no limit."""
    return Usec(int(milliseconds) * 1000) if milliseconds else NEVER


def seconds(value):
    """A duration in seconds; None for no limit."""
    return NEVER if value is None else Usec(max(0, int(value * 1000000)))


def fault_text(fault):
    """A fault as one sentence."""
    room = c.create_string_buffer(1024)
    return lib.uw_fault_text(c.byref(fault), room, len(room)).decode('utf-8', 'replace')


def _codes():
    numbers = {}
    for number in range(-1, -100, -1):
        name = lib.uw_error_name(number).decode()
        if not name.endswith('?'):
            numbers[name] = number
    return numbers


_CODES = _codes()
