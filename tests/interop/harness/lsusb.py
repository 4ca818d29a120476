"""The output of `lsusb -v` and of `usbwire probe` as fields that can be compared.

Both print a line a field: name, number, then words. What follows the number are names from a
database or a reading of the number, so it is left out, but for strings that come from the device.
"""
import re

QUALIFIER = 'Device Qualifier (for other device speed):'
# Fields that only one of them prints. section -> names; None: the whole section
NOT_IN_BOTH = {
    # usbutils prints bMaxBurst only, and MaxStreams as part of the endpoint
    'SuperSpeed Endpoint Companion:': {'bLength', 'bDescriptorType', 'bmAttributes',
                                       'wBytesPerInterval'},
    'Endpoint Descriptor:': {'MaxStreams'},
    QUALIFIER: {'bReserved'},
    'Pipe Usage Descriptor:': None,
}
# usbutils does not give these sections a title of their own.
WITHOUT_TITLE = {'SuperSpeed Endpoint Companion:'}
# usbutils' spelling -> the specification's, which is ours
SPELLING = {'nMaxSlotIndex': 'bMaxSlotIndex'}
WORDS = {'echo': 255, 'none': 0}
# Fields that usbutils prints as hexadecimal numbers without a mark.
BARE_HEX = {'dwSyncProtocols', 'dwMechanical', 'dwFeatures'}
STRINGS = {'iManufacturer', 'iProduct', 'iSerial', 'iConfiguration', 'iInterface', 'iFunction'}

_TITLE = re.compile(r'^ *(\S.*:)$')
_FIELD = re.compile(r'^ *([A-Za-z]\w*(?:\.|\([ \d]+\)|\[[ \d]+\])?) +(\S+) ?(.*)$')
_PREFIX = re.compile(r'(b|w|dw|i|bm|bcd|id|t|n|ba|bma|guid|Max)[A-Z]')
_STATUS = re.compile(r'^(Device Status:) +(0x[0-9a-f]+)$')
_ITEM = re.compile(r'^ *(Item\([^)]*\): [^,]+), *data= *(\[[^]]*\]|none)')


def _number(name, text):
    if name in BARE_HEX and not text.startswith('0x'):
        return int(text, 16)
    if text in WORDS:
        return WORDS[text]
    match = re.fullmatch(r'(0x[0-9a-fA-F]+|\d+)(mA)?', text)
    return int(match.group(1), 0) if match else text


def fields(text):
    """[(name, value)] in the order of the text; titles of sections have the value ''."""
    found, section = [], ''
    for line in text.splitlines():
        title, item, field = _TITLE.match(line), _ITEM.match(line), _FIELD.match(line)
        if item:
            found.append((item.group(1), item.group(2).replace(' ', '')))
        elif _STATUS.match(line):
            found.append(_STATUS.match(line).groups())
        elif title and 'Warning' not in line and 'Report Descriptors' not in line:
            section = title.group(1)
            if section not in WITHOUT_TITLE and NOT_IN_BOTH.get(section, ()) is not None:
                found.append((section, ''))
        elif field and _PREFIX.match(field.group(1)):
            name = re.sub(r'([\[(]) +', r'\1', SPELLING.get(field.group(1), field.group(1)))
            left_out = NOT_IN_BOTH.get(section, ())
            if left_out is not None and name not in left_out:
                found.append((name, _number(name, field.group(2))))
            if name in STRINGS:
                found.append((name + ' string', field.group(3).strip()))
    return found


def without_qualifier(text):
    """usbutils prints the device qualifier of USB 2.00 devices only."""
    return re.sub(f'^{re.escape(QUALIFIER)}$(\n  .*$)*', '', text, flags=re.M)


def split(text):
    """{(bus number, device number): its part} of the output of `lsusb -v`."""
    parts = re.split(r'^Bus (\d+) Device (\d+): .*$', text, flags=re.M)
    return {(int(parts[i]), int(parts[i + 1])): parts[i + 2] for i in range(1, len(parts), 3)}
