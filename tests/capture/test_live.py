#!/usr/bin/env python3
"""Captures that are read while they are made: FIFOs with readers of every kind."""
import errno
import os
import signal
import subprocess
import threading
import time

from lab import ENV, PATIENCE, SESSION, USBWIRE, Bench, Capture, fields, main, need, path, session


def fifo(name):
    os.mkfifo(path(name))
    return path(name)


class Tshark:
    """tshark reading a FIFO, printing a line a packet."""

    def __init__(self, target, *fields):
        words = [need('tshark'), '-n', '-l', '-i', target, '-T', 'fields']
        for field in fields or ('frame.number',):
            words += ['-e', field]
        self.process = subprocess.Popen(words, env=ENV, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def lines(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, err
        return out.splitlines()


def start(target, *words, **more):
    return subprocess.Popen([SESSION, target, *words], env=ENV, text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def open_when_read(target):
    """The end of a FIFO to write to, when it has a reader."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return os.open(target, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO and time.monotonic() < deadline, error
        time.sleep(0.01)


def go_on(process):
    process.stdin.write('\n')
    process.stdin.flush()


def end(process):
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return err


def read_rest(fd):
    with open(fd, 'rb') as rest:
        return rest.read()


def wait_until_gone(process):
    """Until the writer has seen that its reader left."""
    while 'has gone' not in process.stderr.readline():
        pass
    assert 'waiting for a reader' in process.stderr.readline()


def test_reader_first():
    target = fifo('first')
    reader = Tshark(target, 'usb.idVendor', 'frame.interface_name')
    end = open_when_read(target)
    with Bench() as bench:
        session(target, bench.address, 'cdc')
    os.close(end)
    lines = reader.lines()
    assert len(lines) == 22 and any('0x1209' in line for line in lines), lines
    assert all('usbip0' in line for line in lines), lines


def test_writer_first():
    """What happened before the first reader came is there; the end waits for it."""
    target = fifo('later')
    with Bench() as bench, start(target, bench.address, 'cdc') as process:
        assert 'waiting for a reader' in process.stderr.readline()
        with open(target, 'rb') as reader:  # at once: the end does not wait for ever
            result = Capture(reader.read())
        end(process)
    assert not result.errors and len(result.records) == 22, result.errors


def test_packets_come_at_once():
    target = fifo('live')
    reader = Tshark(target)
    with Bench() as bench, start(target, bench.address, 'enumerate', 'pause') as process:
        assert process.stdout.readline() == 'paused\n'
        lines = [reader.process.stdout.readline() for _ in range(12)]
        assert lines[-1] == '12\n', lines
        go_on(process)
        end(process)
    assert reader.lines() == []


def test_nobody_reads():
    """The transfers are done at once, the end does not wait longer when it is hurried."""
    target = fifo('nobody')
    with Bench() as bench, start(target, bench.address, 'enumerate', 'pause') as process:
        assert process.stdout.readline() == 'paused\n'
        process.kill()
    with Bench() as bench:
        command = subprocess.Popen([USBWIRE, '-H', bench.address, '--pcap', target, 'list'], env=ENV,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert '1-1' in command.stdout.readline()
        while 'waits 10 s for its reader' not in command.stderr.readline():
            pass
        started = time.monotonic()
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=PATIENCE)
    assert time.monotonic() - started < 8, 'Ctrl-C does not end the waiting'
    assert command.returncode == 0 and 'nobody read it' in err, (command.returncode, err)


def test_stopped_reader():
    """A reader that takes nothing holds up nothing; what it missed is whole records, counted."""
    target = fifo('stopped')
    with Bench() as bench:
        process = start(target, bench.address, *['many'] * 12, 'pause', 'cdc', 'pause')
        fd = os.open(target, os.O_RDONLY)  # and does not read
        assert process.stdout.readline() == 'paused\n'
        started = time.monotonic()
        chunks = []
        reading = threading.Thread(target=lambda: [chunks.append(c) for c in
                                                   iter(lambda: os.read(fd, 1 << 20), b'')])
        reading.start()
        # When it has taken what was kept, 8 MiB, there is room for what comes.
        while sum(len(c) for c in chunks) < 8 << 20:
            assert time.monotonic() - started < PATIENCE
            time.sleep(0.01)
        go_on(process)
        assert process.stdout.readline() == 'paused\n'
        go_on(process)
        err = end(process)
        reading.join(60)
        os.close(fd)
    result = Capture(b''.join(chunks))
    assert not result.errors, result.errors
    dropped = sum(d for _, d in result.statistics)
    assert f' dropped {dropped} ' in err and dropped > 0, err
    assert 'too slow' in err, err
    assert sum(r for r, _ in result.statistics) == len(result.records) + dropped
    assert [r for r in result.records if r.type == 3][-1].payload == b'hello, board'


def test_reader_comes_back():
    """It goes, nothing is disturbed; the next one can dissect what it sees."""
    target = fifo('again')
    with Bench() as bench:
        process = start(target, bench.address, 'enumerate', 'pause', 'pause', 'hid', 'pause')
        first = os.open(target, os.O_RDONLY)
        assert process.stdout.readline() == 'paused\n'
        assert Capture(os.read(first, 1 << 20), allow_torn=True).sections == 1
        os.close(first)
        go_on(process)
        assert process.stdout.readline() == 'paused\n'
        wait_until_gone(process)
        second = os.open(target, os.O_RDONLY)
        data = os.read(second, 1 << 20)  # its section header: it has been seen
        go_on(process)
        assert process.stdout.readline() == 'paused\n'
        go_on(process)
        end(process)
        data += read_rest(second)
    result = Capture(data)
    assert not result.errors, result.errors
    assert result.sections == 1 and len(result.records) == 22, result.sections
    with open(path('again.pcapng'), 'wb') as file:
        file.write(data)
    assert len(fields(path('again.pcapng'), 'frame.number', where='usbhid.data')) >= 4


def test_replay_for_the_next_reader():
    """A device imported before the reader came: its descriptors come first."""
    target = fifo('replay')
    with Bench() as bench:
        process = start(target, bench.address, 'held', 'pause', 'held-transfer', 'pause', 'release')
        first = os.open(target, os.O_RDONLY)
        assert process.stdout.readline() == 'paused\n'
        os.close(first)
        wait_until_gone(process)
        second = os.open(target, os.O_RDONLY)
        data = os.read(second, 1 << 20)  # the section header: we are seen
        go_on(process)
        assert process.stdout.readline() == 'paused\n'
        go_on(process)
        end(process)
        data += read_rest(second)
    result = Capture(data)
    assert not result.errors, result.errors
    assert [r.kind for r in result.records[:4]] == ['S', 'C', 'S', 'C']
    assert all('synthetic' in r.comment for r in result.records[:4])
    assert result.records[4].type == 3 and not result.records[4].comment


if __name__ == '__main__':
    import __main__
    main(__main__)
