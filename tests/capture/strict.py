"""A strict reader of captures, independent of the writer and of Wireshark.

Every block, option and record is held against draft-ietf-opsawg-pcapng and Linux's usbmon; what is
allowed is only what usbwire means to write. `Capture(bytes).errors` lists what is wrong.
"""
import struct
import sys

SECTION, INTERFACE, NAMES, STATISTICS, PACKET = 0x0a0d0d0a, 1, 4, 5, 6
BLOCK_MAX, SNAPLEN = 262144, 261120
COUNT = 8  # a counter or time

# Option codes allowed in a block: their length, None for text.
OPTIONS = {
    SECTION: {1: None, 2: None, 3: None, 4: None},
    INTERFACE: {2: None, 3: None, 9: 1, 12: None},
    PACKET: {1: None},
    STATISTICS: {2: COUNT, 3: COUNT, 4: COUNT, 5: COUNT, 8: COUNT},
}


class Record:
    """One usbmon record."""
    HEADER = struct.Struct('<QcBBBHBBqiiII8siiII')

    def __init__(self, data):
        (self.id, kind, self.type, self.endpoint, self.address, self.bus, self.flag_setup,
         self.flag_data, self.seconds, self.microseconds, self.status, self.length,
         self.data_length, self.setup, self.interval, self.start_frame, self.flags,
         self.packets) = self.HEADER.unpack_from(data)
        self.kind = kind.decode('latin1')
        self.is_in = bool(self.endpoint & 0x80)
        table = self.packets * 16
        self.iso = [struct.unpack_from('<iIII', data, 64 + 16 * i) for i in range(self.packets)]
        self.payload = data[64 + table:]
        self.comment = ''
        self.interface = 0


class Capture:
    """All of a capture: sections, interfaces, records, what is wrong."""

    def __init__(self, data, allow_torn=False, allow_open=True):
        self.errors, self.sections, self.interfaces = [], 0, []
        self.records, self.logs, self.names, self.statistics = [], [], [], []
        self.torn, self.ends, self.where = False, [], 0
        self.last = {}
        self.open = {}
        self.read_blocks(data, allow_torn)
        if not allow_open and self.open:
            self.error(f'{len(self.open)} URBs have no end')

    def error(self, text):
        self.errors.append(f'@{self.where:#x}: {text}')

    # ---- blocks

    def read_blocks(self, data, allow_torn):
        handlers = {SECTION: self.section, INTERFACE: self.interface, NAMES: self.name,
                    STATISTICS: self.statistic, PACKET: self.packet}
        while self.where < len(data):
            left = len(data) - self.where
            kind, size = struct.unpack_from('<II', data, self.where) if left >= 8 else (0, 0)
            if left < 12 or size > left:
                self.torn = True
                if not allow_torn:
                    self.error('torn block')
                if left >= 8 and size > BLOCK_MAX:
                    self.error(f'block of {size} bytes')
                return
            if size % 4 or size < 12 or size > BLOCK_MAX:
                self.error(f'block of {size} bytes')
                return
            if struct.unpack_from('<I', data, self.where + size - 4)[0] != size:
                self.error('the lengths of a block differ')
                return
            if kind not in handlers:
                self.error(f'block of type {kind:#x}')
            elif not self.sections and kind != SECTION:
                self.error('no section header')
                return
            else:
                handlers[kind](data[self.where + 8:self.where + size - 4])
            self.where += size
            self.ends.append(self.where)

    def options(self, kind, data):
        """{code: value}"""
        values, at, known = {}, 0, OPTIONS[kind]
        while at + 4 <= len(data):
            code, size = struct.unpack_from('<HH', data, at)
            value = data[at + 4:at + 4 + size]
            at += 4 + size + -size % 4
            if code == 0:
                if size or at != len(data):
                    self.error('bytes behind the last option')
                return values
            if at > len(data):
                self.error(f'option {code} runs out of its block')
                return values
            if any(data[at - (-size % 4):at]):
                self.error(f'padding of option {code} is not zero')
            if code not in known or code in values:
                self.error(f'option {code} does not belong here')
            elif known[code] is not None and size != known[code]:
                self.error(f'option {code} has {size} bytes')
            elif known[code] is None:
                try:
                    value = value.decode()
                except UnicodeDecodeError:
                    self.error(f'option {code} is not UTF-8')
                if not value or '\0' in str(value):
                    self.error(f'option {code} is no text: {value!r}')
            values[code] = value
        if data:
            self.error('the options do not end')
        return values

    def section(self, body):
        magic, major, minor, length = struct.unpack_from('<IHHq', body)
        if (magic, major, minor, length) != (0x1a2b3c4d, 1, 0, -1):
            self.error('section header')
        self.options(SECTION, body[16:])
        self.sections += 1
        self.interfaces, self.last, self.open = [], {}, {}

    def interface(self, body):
        link_type, reserved, snaplen = struct.unpack_from('<HHI', body)
        options = self.options(INTERFACE, body[8:])
        if reserved or snaplen != SNAPLEN or link_type not in (220, 252):
            self.error('interface description')
        if options.get(9) != b'\x09' or 2 not in options or 3 not in options:
            self.error('interface without name, description or nanoseconds')
        self.interfaces.append((link_type, options.get(2), options.get(3)))

    def name(self, body):
        kind, size = struct.unpack_from('<HH', body)
        length = {1: 4, 2: 16}.get(kind)
        value = body[4:4 + size]
        if not length or not value.endswith(b'\0') or body[4 + size + -size % 4:] != bytes(4):
            self.error('name resolution')
            return
        self.names.append((value[:length], value[length:-1].decode()))

    def statistic(self, body):
        number, high, low = struct.unpack_from('<III', body)
        options = self.options(STATISTICS, body[12:])
        if number >= len(self.interfaces) or set(options) != set(OPTIONS[STATISTICS]):
            self.error('statistics')
            return
        start, end = (h << 32 | l for h, l in (struct.unpack('<II', options[c]) for c in (2, 3)))
        received, dropped, delivered = (struct.unpack('<Q', options[c])[0] for c in (4, 5, 8))
        there = sum(1 for r in self.records + self.logs
                    if r.interface == (self.sections, number))
        if not start <= end == high << 32 | low or received - dropped != delivered:
            self.error('statistics contradict themselves')
        if delivered != there:
            self.error(f'{delivered} were delivered, {there} are there')
        self.statistics.append((received, dropped))

    def packet(self, body):
        number, high, low, captured, original = struct.unpack_from('<IIIII', body)
        stamp, end = high << 32 | low, 20 + captured + -captured % 4
        if number >= len(self.interfaces) or captured > original or captured > SNAPLEN:
            self.error('packet')
            return
        if stamp <= self.last.get(number, 0):
            self.error('time does not go on')
        self.last[number] = stamp
        if end > len(body) or any(body[20 + captured:end]):
            self.error('packet or its padding')
            return
        comment = self.options(PACKET, body[end:]).get(1, '') if end < len(body) else ''
        read = self.usb if self.interfaces[number][0] == 220 else self.log
        read(body[20:20 + captured], original, stamp, comment, (self.sections, number))

    # ---- packets

    def usb(self, data, original, stamp, comment, interface):
        if len(data) < 64:
            self.error('record without a header')
            return
        r = Record(data)
        r.comment, r.interface, r.stamp = comment, interface, stamp
        self.records.append(r)
        wrong = [text for bad, text in self.rules(r, data, original, stamp) if bad]
        for text in wrong:
            self.error(f'{r.kind} of {r.bus}.{r.address} {r.endpoint:#x}: {text}')
        key = (r.bus, r.address, r.endpoint & 15, r.id)
        if r.kind == 'S':
            if key in self.open:
                self.error('submitted twice')
            self.open[key] = r
        elif key not in self.open:
            self.error('ended without having begun')
        else:
            if self.open[key].endpoint != r.endpoint or self.open[key].type != r.type:
                self.error('changed between beginning and end')
            del self.open[key]

    @staticmethod
    def rules(r, data, original, stamp):
        """(is broken, what) for each rule of usbmon."""
        setup = r.kind == 'S' and r.type == 2
        payload = r.data_length - 16 * r.packets
        has_data = (r.kind, r.is_in) in (('S', False), ('C', True))
        mark = 0 if has_data else {'S': ord('<'), 'C': ord('>'), 'E': ord('E')}[r.kind]
        whole = 64 + r.data_length if has_data else 64 + 16 * r.packets + r.length
        errors, packets = struct.unpack('<iI', r.setup)
        yield r.kind not in 'SCE', 'kind'
        yield r.type > 3, 'type'
        yield r.endpoint & 0x70, 'endpoint'
        yield not 1 <= r.address <= 127, f'address {r.address}'
        yield r.seconds * 10**6 + r.microseconds != stamp // 1000, 'stamps differ'
        yield not 0 <= r.microseconds < 10**6, 'microseconds'
        yield r.flag_setup != (0 if setup else ord('-')), 'flag_setup'
        yield r.flag_data != mark, f'flag_data {r.flag_data:#x}'
        yield r.kind == 'S' and r.status != -115, f'status {r.status}'
        yield r.status > 0, f'status {r.status}'
        yield payload < 0, 'data_length'
        yield r.packets and r.type != 0, 'packets of what is not isochronous'
        yield not setup and r.kind != 'E' and packets != r.packets, 'two numbers of packets'
        yield errors and r.type != 0 and not setup, 'error count'
        yield not has_data and payload, 'payload where none belongs'
        yield has_data and r.type != 0 and payload != r.length, 'payload is not the length'
        yield original != max(whole, len(data)), f'original length {original}, not {whole}'
        yield len(data) != min(64 + r.data_length, SNAPLEN) and r.kind != 'S', 'captured length'
        yield r.kind == 'E' and (r.length or r.data_length), 'lengths of what was not sent'
        if setup:
            kind, _, _, _, length = struct.unpack('<BBHHH', r.setup)
            yield length != r.length, 'wLength'
            yield r.is_in != bool(kind & 0x80 and length), 'direction'
        for status, offset, length, zero in r.iso:
            yield zero != 0, 'isochronous packet'
            yield r.kind == 'C' and r.is_in and length and offset + length > payload, \
                'isochronous data outside of the payload'
            yield status > 0 or (r.kind == 'S' and status != -18), 'isochronous status'

    def log(self, data, original, stamp, comment, interface):
        tags, at, tag = {}, 0, None
        while tag != 0:
            if at + 4 > len(data):
                self.error('exported PDU: the tags do not end')
                return
            tag, size = struct.unpack_from('>HH', data, at)
            if size % 4 or tag in tags:
                self.error(f'exported PDU: tag {tag}')
            tags[tag] = data[at + 4:at + 4 + size]
            at += 4 + size
        text = data[at:]
        if tags.get(12) != b'syslog\0\0' or not ({20, 21} <= set(tags) or {22, 23} <= set(tags)):
            self.error('exported PDU: dissector or addresses')
        if not text.startswith(b'<') or text.endswith((b'\n', b'\r', b'\0')):
            self.error(f'exported PDU: framing was left in {text!r}')
        record = Record(bytes(64))
        record.interface, record.payload, record.tags = interface, text, tags
        record.comment, record.stamp = comment, stamp
        if original != len(data):
            self.error('exported PDU: length')
        self.logs.append(record)


def main():
    with open(sys.argv[-1], 'rb') as file:
        capture = Capture(file.read(), '--allow-torn' in sys.argv)
    for error in capture.errors:
        print(error)
    print(f'{capture.sections} sections, {len(capture.records)} records, '
          f'{len(capture.logs)} log messages, {len(capture.open)} open')
    sys.exit(1 if capture.errors else 0)


if __name__ == '__main__':
    main()
