#!/usr/bin/env python3
"""Looking on at running programs: usbwire monitor, and Wireshark's extcap interfaces."""
import json
import os
import signal
import subprocess
import time

from lab import (BUILD, ENV, HOME, PATIENCE, RUNTIME, SESSION, USBWIRE, Bench, Capture, Skip, check_readers,
                 fields, main, need, need_module, path, session, usbwire)

TAPS = os.path.join(RUNTIME, 'usbwire', 'taps')


def wait_for(what):
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, 'it did not come'
        time.sleep(0.01)


def sockets():
    return [n for n in os.listdir(TAPS) if n[0] != '.'] if os.path.isdir(TAPS) else []


class Monitor:
    """usbwire monitor, ready to see."""

    def __init__(self, *words):
        before = len(sockets())
        self.process = subprocess.Popen([USBWIRE, 'monitor', '-q', *words], env=ENV, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(lambda: len(sockets()) > before)

    def lines(self, count=None):
        """The first lines, or all until it is interrupted."""
        if count is None:
            self.process.send_signal(signal.SIGINT)
            out, err = self.process.communicate(timeout=PATIENCE)
            assert self.process.returncode == 0 and not err, (self.process.returncode, err)
            return out.splitlines()
        return [self.process.stdout.readline().rstrip('\n') for _ in range(count)]


def test_monitor_text():
    with Bench() as bench:
        monitor = Monitor('-c', '22')
        session(path('text.pcapng'), bench.address, 'cdc')
        out, err = monitor.process.communicate(timeout=PATIENCE)
    assert monitor.process.returncode == 0 and not err, err
    lines = out.splitlines()
    assert len(lines) == 22, out
    assert f'({bench.address} 1-2 (1209:0001) is device 1.3)' in lines[0], lines[0]
    assert 'S Ci:1:003:0 s 80 06 0100 0000 0012 18 <  GET_DESCRIPTOR DEVICE' in lines[0], lines[0]
    assert ' C Ci:1:003:0 0 18 = 12010002' in lines[1] and lines[1].endswith(' us'), lines[1]
    assert any('SET_LINE_CODING of interface 0 115200 8N1' in line for line in lines), out
    assert any('SET_CONTROL_LINE_STATE DTR RTS' in line for line in lines), out
    assert any('S Bo:1:003:2 12 = 68656c6c 6f2c2062 6f617264' in line for line in lines), out
    assert '\033' not in out
    assert not sockets()


def test_monitor_json():
    """The same as the capture of the program itself."""
    with Bench() as bench:
        monitor = Monitor('--json', '-c', '44')
        session(path('json.pcapng'), bench.address, 'cdc')
        session(path('json2.pcapng'), bench.address, 'hid')
        out, _ = monitor.process.communicate(timeout=PATIENCE)
    seen = [json.loads(line) for line in out.splitlines()]
    records = []
    for name in ('json.pcapng', 'json2.pcapng'):
        with open(path(name), 'rb') as f:
            records += Capture(f.read()).records
    assert len(seen) == len(records) == 44
    types = ('isochronous', 'interrupt', 'control', 'bulk')
    for s, r in zip(seen, records):
        assert s['event'][0].upper() == r.kind and s['endpoint'] == r.endpoint, (s, vars(r))
        assert s['length'] == r.length and s['type'] == types[r.type], (s, vars(r))
        assert s.get('data', '') == r.payload.hex() and s['server'] == bench.address, (s, vars(r))
        if r.kind == 'S':
            assert s['status'] is None and s.get('setup', r.setup.hex()) == r.setup.hex()
        else:
            assert s['status'] == r.status and s['us'] >= 0


def test_monitor_filters():
    with Bench() as bench:
        by_device = Monitor('--pid', '0004')
        by_endpoint = Monitor('-e', '0x82')
        by_server = Monitor('-H', 'elsewhere')
        session(path('filter.pcapng'), bench.address, 'cdc', 'hid')
        done = Monitor('-c', '1', '-b', '1-2')
        session(path('filter.pcapng'), bench.address, 'cdc', 'hid')
        keys = by_device.lines()
        bulk = by_endpoint.lines()
        assert len(keys) == 44 and not [k for k in keys if ':1:006:' not in k], keys
        assert len(bulk) == 4 and all('Bi:1:003:2' in b for b in bulk), bulk
        assert not by_server.lines()
        out, _ = done.process.communicate(timeout=PATIENCE)
        assert len(out.splitlines()) == 1, out


def test_monitor_joins_late():
    """A program that is running already: its device's descriptors first, then what it does."""
    with Bench() as bench:
        process = subprocess.Popen([SESSION, path('joined.pcapng'), bench.address, 'held', 'pause',
                                    'held-transfer', 'held-transfer', 'pause', 'release'], env=ENV,
                                   text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        assert process.stdout.readline() == 'paused\n'
        monitor = Monitor()
        process.stdin.write('\n')
        process.stdin.flush()
        lines = monitor.lines(6)
        process.communicate('\n', timeout=PATIENCE)
        lines += monitor.lines()
    assert 'synthetic' in lines[0] and 'is device 1.4' in lines[0], lines
    assert '12010002' in lines[1] and 'GET_DESCRIPTOR CONFIGURATION' in lines[2], lines
    assert 'Bi:1:004:1' in lines[4], lines


def test_monitor_sees_unmodified_and_python_programs():
    """The drop-in libusb and the Python package offer what they do."""
    package = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'python')
    script = ('from usbip_backend import get_backend; import sys\n'
              'with get_backend("127.0.0.1", int(sys.argv[1])) as backend:\n'
              '    import usb.core\n'
              '    usb.core.find(backend=backend, idVendor=0x303a).ctrl_transfer(0xc0, 1, 0, 0, 1)\n')
    dropin = os.path.join(BUILD, 'src', 'libusb')
    if not os.path.exists(os.path.join(dropin, 'libusb-1.0.so.0')):
        raise Skip('the drop-in libusb was not built')
    with Bench() as bench:
        monitor = Monitor('--json')
        done = subprocess.run([need('lsusb'), '-v', '-d', '303a:'], capture_output=True, text=True,
                              timeout=PATIENCE, check=False,
                              env={**ENV, 'USBWIRE_SERVERS': bench.address, 'USBWIRE_DEVICES': 'all',
                                   'LD_LIBRARY_PATH': dropin})
        assert 'idVendor           0x303a' in done.stdout, done
        done = subprocess.run([need_module('usb'), '-c', script, bench.address.split(':')[1]],
                              capture_output=True, text=True, timeout=PATIENCE, check=False,
                              env={**ENV, 'PYTHONPATH': package,
                                   'USBWIRE_LIBRARY': os.path.join(BUILD, 'src', 'libusbwire.so')})
        assert done.returncode == 0, done.stderr
        seen = [json.loads(line) for line in monitor.lines()]
    programs = {s['program'].split()[0].rsplit('/', 1)[-1] for s in seen}
    assert {'lsusb', 'python3'} <= programs, programs


def test_stopped_monitor_holds_up_nobody():
    with Bench() as bench:
        monitor = Monitor()
        monitor.process.send_signal(signal.SIGSTOP)
        remarks = session(path('stopped.pcapng'), bench.address, *['many'] * 12)
        assert ' dropped 0 ' in remarks, remarks  # the file has everything
        monitor.process.send_signal(signal.SIGCONT)
        assert ' S ' in monitor.lines(1)[0]
        monitor.lines()


# ---- extcap

def interfaces():
    done = usbwire('extcap', '--extcap-interfaces', '--extcap-version=4.0')
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.splitlines()


def test_extcap_protocol():
    lines = interfaces()
    assert lines[0].startswith('extcap {version='), lines
    assert lines[1] == 'interface {value=usbwire}{display=USB/IP: all servers}', lines
    done = usbwire('extcap', '--extcap-interface', 'usbwire', '--extcap-dlts')
    assert done.stdout.startswith('dlt {number=220}{name=USB_LINUX_MMAPPED}'), done
    with Bench() as bench:
        name = 'usbip-' + bench.address.replace(':', '_3a')
        done = subprocess.run([USBWIRE, 'extcap', '--extcap-interfaces'], capture_output=True,
                              text=True, check=True,
                              env={**ENV, 'USBWIRE_SERVERS': f'{bench.address}, elsewhere'})
        assert f'interface {{value={name}}}{{display=USB/IP: {bench.address}}}' in done.stdout, done
        assert '{display=USB/IP: elsewhere:3240}' in done.stdout, done
        config = usbwire('extcap', '--extcap-interface', name, '--extcap-config').stdout
        assert '{call=--busid}' in config and '{call=--syslog}' in config, config
        again = usbwire('extcap', '--extcap-interface', name, '--extcap-config',
                        '--extcap-reload-option', 'busid').stdout
        assert '{value=1-2}{display=1-2 (1209:0001)}' in again, again
    assert usbwire('extcap', '--extcap-interface', 'eth0', '--extcap-dlts').returncode == 2
    assert usbwire('extcap').returncode == 2


def test_extcap_lists_quickly():
    """Wireshark waits for it when it starts."""
    times = []
    while len(times) < 50 and (not times or min(times) >= 0.3):
        started = time.monotonic()
        interfaces()
        times.append(time.monotonic() - started)
    assert min(times) < 0.3, times


def test_extcap_knows_running_programs():
    with Bench() as bench:
        process = subprocess.Popen([USBWIRE, '-H', bench.address, 'read', '--vid', '1209', '--pid',
                                    '0004', '-e', '0x81', '-c', '0'], env=ENV,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()  # it reads
        try:
            wait_for(lambda: any(bench.address in line for line in interfaces()))
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)


def install():
    done = usbwire('extcap', '--install')
    assert done.returncode == 0, done
    scripts = [os.path.join(HOME, p, 'wireshark', 'extcap', 'usbwire')
               for p in ('.config', '.local/lib')]
    assert all(os.access(s, os.X_OK) for s in scripts), scripts
    return scripts


def test_tshark_lists_and_captures():
    scripts = install()
    with Bench() as bench:
        name = 'usbip-' + bench.address.replace(':', '_3a')
        env = {**ENV, 'USBWIRE_SERVERS': bench.address}
        listed = subprocess.run([need('tshark'), '-D'], env=env, capture_output=True, text=True,
                                check=True, timeout=PATIENCE).stdout
        assert f'{name} (USB/IP: {bench.address})' in listed, listed
        assert 'usbwire (USB/IP: all servers)' in listed, listed
        reader = subprocess.Popen([need('tshark'), '-i', name, '-w', path('extcap.pcapng'), '-c',
                                   '44', '-a', f'duration:{PATIENCE}'], env=env, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        with Bench('acm-echo') as other:
            while reader.poll() is None:  # it begins when it begins
                session(path('other.pcapng'), other.address, 'cdc')  # not this interface's
                session(path('one.pcapng'), bench.address, 'cdc', 'hid')
        _, err = reader.communicate(timeout=2 * PATIENCE)
        assert reader.returncode == 0, err
        wait_for(lambda: not sockets())  # what tshark started has ended
    result = check_readers(path('extcap.pcapng'))
    assert len(result.records) == 44, len(result.records)
    assert all(bench.address in description for _, _, description in result.interfaces)
    assert fields(path('extcap.pcapng'), 'frame.number', where='usbhid.data')
    assert usbwire('extcap', '--uninstall').returncode == 0
    assert not any(os.path.exists(s) for s in scripts)


def test_extcap_device_and_log():
    target = path('extcap.fifo')
    os.mkfifo(target)
    with Bench(options=('--syslog-port', '0')) as bench:
        name = 'usbip-' + bench.address.replace(':', '_3a')
        process = subprocess.Popen([USBWIRE, 'extcap', '--capture', '--extcap-interface', name,
                                    '--fifo', target, '--busid', '1-2'], env=ENV, text=True,
                                   stderr=subprocess.PIPE)
        wait_for(sockets)
        fd = os.open(target, os.O_RDONLY)
        session(path('two.pcapng'), bench.address, 'cdc', 'hid')
        data = b''
        while len(Capture(data, allow_torn=True).records) < 22:
            data += os.read(fd, 1 << 20)
        process.terminate()
        data += open(fd, 'rb').read()
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0 and not err, err
    result = Capture(data)
    assert not result.errors, result.errors
    assert {(r.bus, r.address) for r in result.records} == {(1, 3)}, 'another device'


def test_extcap_ends_with_its_reader():
    """Wireshark died: what it had started ends by itself."""
    target = path('gone.fifo')
    os.mkfifo(target)
    process = subprocess.Popen([USBWIRE, 'extcap', '--capture', '--extcap-interface', 'usbwire',
                                '--fifo', target], env=ENV, stderr=subprocess.DEVNULL)
    fd = os.open(target, os.O_RDONLY)
    assert os.read(fd, 100)
    os.close(fd)
    assert process.wait(timeout=PATIENCE) == 0


def test_extcap_spares_what_is_not_its_own():
    scripts = install()
    with open(scripts[0], 'w', encoding='ascii') as script:
        script.write('#!/bin/sh\n')
    done = usbwire('extcap', '--install')
    assert done.returncode == 1 and 'not ours' in done.stderr, done
    assert usbwire('extcap', '--uninstall').returncode == 0
    assert os.path.exists(scripts[0]) and not os.path.exists(scripts[1])


if __name__ == '__main__':
    import __main__
    main(__main__)
