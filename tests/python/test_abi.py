"""Every struct that Python describes is laid out as the C compiler lays it out."""
import os
import subprocess
import tempfile
import unittest

import bench  # the import path

from usbip_backend import _abi

PROGRAM = '''
#include <stddef.h>
#include <stdio.h>
#include <usbwire/usbwire.h>
int main(void)
{
%s
    return 0;
}
'''


def c_name(field):
    """A field's name in C: Python has keywords of its own."""
    return field.rstrip('_')


def described():
    """One line a struct and field, as Python has them."""
    for name, struct in _abi.STRUCTS.items():
        yield f'{name} {_abi.c.sizeof(struct)}'
        for field, *_ in struct._fields_:
            place = getattr(struct, field)
            yield f'{name}.{c_name(field)} {place.offset} {place.size}'


def program():
    """A C program that prints the same."""
    lines = []
    for name, struct in _abi.STRUCTS.items():
        lines.append(f'    printf("{name} %zu\\n", sizeof(struct {name}));')
        for field in (c_name(f) for f, *_ in struct._fields_):
            lines.append(f'    printf("{name}.{field} %zu %zu\\n", '
                         f'offsetof(struct {name}, {field}), '
                         f'sizeof(((struct {name} *)0)->{field}));')
    return PROGRAM % '\n'.join(lines)


class Layout(unittest.TestCase):
    def test_structs(self):
        with tempfile.TemporaryDirectory() as folder:
            source, binary = os.path.join(folder, 'a.c'), os.path.join(folder, 'a')
            with open(source, 'w', encoding='ascii') as f:
                f.write(program())
            subprocess.run(['gcc', '-I', os.path.join(bench.SOURCE, 'include'), source, '-o', binary],
                           check=True)
            out = subprocess.run([binary], check=True, capture_output=True, text=True).stdout
        self.assertEqual(out.splitlines(), list(described()))


if __name__ == '__main__':
    unittest.main()
