#!/usr/bin/env python3
"""Captures in files: torn, cut short, on a full disk, killed, on standard output."""
import os
import resource
import signal
import subprocess
import time

from lab import (ENV, PATIENCE, SESSION, USBWIRE, Bench, Capture, check_readers, fields, main, need, path,
                 session, usbwire)


def make(name, *scenes):
    with Bench() as bench:
        remarks = session(path(name), bench.address, *scenes)
    return path(name), remarks


def test_readable_by_its_owner_only():
    file, _ = make('mode.pcapng', 'enumerate')
    assert os.stat(file).st_mode & 0o777 == 0o600


def test_torn_at_every_byte():
    """Whatever is left of a file, all whole blocks of it are understood."""
    file, _ = make('whole.pcapng', 'cdc', 'syslog')
    with open(file, 'rb') as f:
        data = f.read()
    whole = Capture(data)
    assert not whole.errors, whole.errors
    for cut in range(1, len(data)):
        torn = Capture(data[:cut], allow_torn=True)
        assert not [e for e in torn.errors if 'no section' not in e], (cut, torn.errors)
        assert torn.torn == (cut not in whole.ends), cut
        assert len(torn.ends) == sum(1 for end in whole.ends if end <= cut), cut
    # And so does tshark, at the beginning, in the middle and at the end of blocks.
    for index in range(1, len(whole.ends), 7):
        for cut in (whole.ends[index], whole.ends[index] + 3, whole.ends[index] + 13):
            part = path('torn.pcapng')
            with open(part, 'wb') as f:
                f.write(data[:cut])
            expected = Capture(data[:cut], allow_torn=True)
            done = subprocess.run([need('tshark'), '-r', part, '-T', 'fields', '-e', 'frame.number'],
                                  env=ENV, capture_output=True, text=True, check=False)
            there = len(expected.records) + len(expected.logs)
            assert len(done.stdout.split()) == there, (cut, done.stderr)


def test_full_device():
    """The transfers go on; the end says that the capture is not complete."""
    with Bench() as bench:
        done = usbwire('-H', bench.address, '--pcap', '/dev/full', 'probe', '--vid', '303a')
        assert '303a' in done.stdout, done.stdout
        assert done.returncode == 1, done.returncode
        assert 'No space left on device' in done.stderr and 'make room' in done.stderr, done.stderr


def test_full_disk_leaves_whole_blocks():
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100001, 100001))

    with Bench() as bench:
        remarks = session(path('full.pcapng'), bench.address, 'many', preexec_fn=limit,
                          restore_signals=False)
    assert 'result UW_ERROR_IO' in remarks, remarks
    assert os.path.getsize(path('full.pcapng')) <= 100001
    with open(path('full.pcapng'), 'rb') as f:
        result = Capture(f.read())
    assert not result.errors and result.records, result.errors


def test_killed():
    """What was captured before kill -9 is there, but for the last few milliseconds."""
    with Bench() as bench, subprocess.Popen(
            [SESSION, path('killed.pcapng'), bench.address, 'cdc', 'pause'], env=ENV, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == 'paused\n'
        deadline = time.monotonic() + PATIENCE
        while True:
            with open(path('killed.pcapng'), 'rb') as f:
                records = Capture(f.read(), allow_torn=True).records
            if len(records) == 22 or time.monotonic() > deadline:
                break
        process.kill()
        process.wait()
    assert len(records) == 22, len(records)
    check_readers(path('killed.pcapng'))


def test_a_file_is_complete():
    """However fast it goes, a file has everything."""
    file, remarks = make('many.pcapng', 'many', 'many')
    assert ' dropped 0 ' in remarks, remarks
    result = check_readers(file)
    assert sum(1 for r in result.records if r.type == 3) == 8000
    assert not result.open


def test_statistics():
    file, _ = make('statistics.pcapng', 'enumerate')
    with open(file, 'rb') as f:
        result = Capture(f.read(), allow_open=False)
    assert result.statistics == [(len(result.records), 0)], result.statistics


def test_standard_output():
    """The capture alone is there; what the command prints goes to standard error."""
    with Bench() as bench:
        with open(path('stdout.pcapng'), 'wb') as file:
            done = subprocess.run([USBWIRE, '-H', bench.address, '--pcap', '-', 'probe', '--vid',
                                   '303a'], env=ENV, stdout=file, stderr=subprocess.PIPE, text=True,
                                  timeout=PATIENCE, check=True)
        assert 'idVendor' in done.stderr
        check_readers(path('stdout.pcapng'))
        piped = subprocess.run(f'{USBWIRE} -H {bench.address} --pcap - probe --vid 303a 2>/dev/null '
                               f'| {need("tshark")} -r - -T fields -e usb.idVendor', shell=True,
                               env=ENV, capture_output=True, text=True, timeout=PATIENCE, check=True)
        assert '0x303a' in piped.stdout, piped.stderr
        done = usbwire('-H', bench.address, '--pcap', '-', 'read', '-e', '0x81', '--raw', '--vid',
                       '303a')
        assert done.returncode == 2 and 'both want standard output' in done.stderr, done.stderr


def test_what_cannot_be_opened():
    for target, words in (('/nonexistent/x', 'No such file'), (path(''), 'directory')):
        done = usbwire('-H', '127.0.0.1:1', '--pcap', target, 'list')
        assert done.returncode in (1, 2) and words in done.stderr, done


def test_wireshark():
    """It is started with the capture as its standard input; without it that is said."""
    done = subprocess.run([USBWIRE, '-H', '127.0.0.1:1', '--pcap', 'wireshark', 'list'],
                          env={**ENV, 'PATH': path('')}, capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 1 and 'install Wireshark' in done.stderr, done
    stand_in = path('wireshark')
    with open(stand_in, 'w', encoding='ascii') as script:
        script.write(f'#!/bin/sh\nexec {need("tshark")} "$2" "$3" -T fields -e usb.idVendor '
                     f'>{path("seen")}\n')
    os.chmod(stand_in, 0o755)
    with Bench() as bench:
        subprocess.run([USBWIRE, '-H', bench.address, '--pcap', 'wireshark', 'probe', '--vid',
                        '303a'], env={**ENV, 'PATH': path('') + ':' + ENV['PATH']}, check=True,
                       capture_output=True, timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with open(path('seen'), encoding='ascii') as seen:
            if '0x303a' in seen.read():
                return
    raise AssertionError('the program that stands in for Wireshark saw nothing')


def test_environment():
    with Bench() as bench:
        done = subprocess.run([USBWIRE, '-H', bench.address, 'probe', '--vid', '303a'],
                              env={**ENV, 'USBWIRE_PCAP': path('env.pcapng')}, timeout=PATIENCE,
                              capture_output=True, check=True)
        assert done.stdout
    assert fields(path('env.pcapng'), 'usb.idVendor', where='usb.idVendor == 0x303a')


def test_behind_a_broker():
    """What a command asks the process that holds the device is not USB, and not in the capture."""
    with Bench('esp') as bench, subprocess.Popen([USBWIRE, '-H', bench.address, 'hold'], env=ENV,
                                                 stdin=subprocess.DEVNULL, text=True,
                                                 stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()
        traced = usbwire('-vv', '-H', bench.address, '--pcap', path('shared.pcapng'), 'read',
                         '--endpoint', '0x81', '--timeout', '0.2')
        holder.terminate()
    assert ' setup e0 ' in traced.stderr, traced.stderr  # so there was something to leave out
    assert check_readers(path('shared.pcapng')).records
    setups = [f['usb.bmRequestType'] for f in fields(path('shared.pcapng'), 'usb.bmRequestType')]
    assert '0xe0' not in setups and any(setups), setups


if __name__ == '__main__':
    import __main__
    main(__main__)
