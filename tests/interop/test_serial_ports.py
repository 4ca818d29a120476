"""Our serial drivers on serial ports that nobody here wrote: QEMU's FTDI and the kernel's CDC-ACM
gadget, behind the kernel's usbipd. A MiB goes each way while another thread moves DTR and RTS, sends
breaks and changes rate and format."""
import hashlib
import os
import re
import socket
import threading

from harness.cases import test
from harness.lab import PATIENCE, expect, expect_equal

MIB = 1 << 20


def _md5(data):
    return hashlib.md5(data).hexdigest()


def _exchange(lab, busid, data):
    """What comes from the port while `data` goes to it, and how often (lines, breaks, settings)
    were changed meanwhile."""
    done = lab.program('serial', busid, str(MIB), stdin=data)
    counts = re.search(rb'lines (\d+) breaks (\d+) settings (\d+)', done.err)
    expect(counts, done)
    return done.out, [int(n) for n in counts.groups()]


def _far_end(line, sent, received):
    """Talks and listens at the other end of the FTDI's line; talks once it was talked to, since what
    comes before the port is open is not for it."""
    received += line.recv(MIB)
    talker = threading.Thread(target=line.sendall, args=(sent,), daemon=True)
    talker.start()
    while len(received) < MIB:
        part = line.recv(MIB - len(received))
        if not part:
            break
        received += part
    talker.join()


@test('server-qemu')
def ftdi_of_qemu_both_ways_while_its_lines_move(lab):
    out, back, received = os.urandom(MIB), os.urandom(MIB), bytearray()
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE)
        line.connect(lab.ftdi_socket)
        far = threading.Thread(target=_far_end, args=(line, back, received), daemon=True)
        far.start()
        found, (lines, breaks, settings) = _exchange(lab, lab.FTDI, out)
        far.join()
    expect_equal(_md5(received), _md5(out), 'at the far end')
    expect_equal(_md5(found), _md5(back), 'at this end')
    expect(lines > 30 and breaks > 30 and settings > 7, lines, breaks, settings)


@test('server-gadget')
def acm_of_the_kernel_both_ways_while_its_lines_move(lab):
    data = os.urandom(MIB)
    found, (lines, breaks, settings) = _exchange(lab, lab.busid['acm'], data)
    expect_equal(_md5(found), _md5(data), 'the echo')
    expect(lines > 30 and settings > 7, lines, settings)
    expect_equal(breaks, 0, 'the gadget says that it has none')
