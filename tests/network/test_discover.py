#!/usr/bin/env python3
"""Finding servers, against mDNS programs that are not ours, in network namespaces.

    test_discover.py USBWIRE CASE

Exit code 77: what the case needs is not there. Where a case needs no namespaces it uses lo, with
names of its own, since other tests may run beside it.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from net import PATIENCE, Network, Process, run, skip

USBWIRE = os.path.abspath(sys.argv[1])
HERE = os.path.dirname(os.path.abspath(__file__))
PEER = ['/usr/bin/python3', os.path.join(HERE, 'zeroconf_peer.py')]

# What the ESP bridge says of itself (discovery_service.c of adafruit/esp-usbip-bridge).
ESP = {'instance': 'ESP USB/IP Bridge (esp32s3)', 'host': 'usbip-a1b2c3.local', 'port': 3240,
       'addresses': ['10.77.1.20', '10.77.2.20'], 'bind': ['10.77.1.20', '10.77.2.20'],
       'txt': {'transport': 'usbip', 'state': 'exporting', 'count': '1', 'busid': '1-1',
               'vid': '303a', 'pid': '4004', 'target': 'esp32s3'}}


def with_txt(service, **txt):
    return {**service, 'txt': {**service['txt'], **txt}}


def check_record(record, service, links):
    for key in ('instance', 'host', 'port', 'txt', 'addresses'):
        assert record[key] == service[key], (key, record[key], service[key])
    assert record['address'] == f'{service["addresses"][0]}:{service["port"]}', record
    assert record['links'] == links, record


def register(net, service):
    peer = net.start(net.far, *PEER, 'register', json.dumps(service))
    assert peer.line() == 'registered'
    return peer


def tell(peer, text):
    peer.say(text)
    assert peer.line() == 'done'


def bench(net, *options):
    """A simulated bench in the far namespace, and what it said of itself."""
    process = net.start(net.far, USBWIRE, 'serve', '--port', '0', '--json', '--until-eof',
                        *options)
    return process, json.loads(process.line())


def watch(net, *options):
    return net.start(net.near, USBWIRE, 'discover', '--watch', '--json', *options)


def expect(watcher, event, service=None, links='n1,n2'):
    """The next event; the two links may be heard of one after the other."""
    def fits(record):
        return record['event'] != 'changed' or event == 'changed'

    record = watcher.record(fits)
    assert record['event'] == event, record
    while service and record['links'] != links:
        record = watcher.record()
    if service:
        check_record(record, service, links)
    return record


# ---- cases ----

def case_zeroconf():
    """Two links; a device plugged out; a farewell."""
    net = Network()
    try:
        watcher = watch(net)
        peer = register(net, ESP)
        expect(watcher, 'added', ESP)
        idle = with_txt(ESP, state='idle', count='0', busid='-', vid='-', pid='-')
        tell(peer, json.dumps(idle))
        record = watcher.record(lambda r: r['txt']['state'] == 'idle')
        assert record['event'] == 'changed' and record['txt'] == idle['txt'], record
        tell(peer, 'leave')
        watcher.record(lambda r: r['event'] == 'removed')
    finally:
        net.close()


def case_once():
    """Without --watch: the whole list after the time given, or the first at once."""
    net = Network()
    try:
        empty = subprocess.run(net.argv(net.near, USBWIRE, 'discover', '--wait', '0.2'),
                               capture_output=True, text=True, check=False)
        assert empty.returncode == 1 and empty.stdout == '', empty
        assert 'no server answers' in empty.stderr, empty
        register(net, ESP)
        out, deadline = [], time.monotonic() + PATIENCE
        while not out or out[0]['links'] != 'n1,n2':
            assert time.monotonic() < deadline, out
            out = subprocess.run(net.argv(net.near, USBWIRE, 'discover', '--wait', '1', '--json'),
                                 stdout=subprocess.PIPE, check=False).stdout
            out = json.loads(out or '[]')
        assert len(out) == 1, out
        check_record(out[0], ESP, 'n1,n2')
        out = run(net.argv(net.near, USBWIRE, 'discover', '--first', '--link', 'n2'))
        assert '10.77.2.20:3240' in out and 'usbip-a1b2c3.local' in out, out
    finally:
        net.close()


def case_dies():
    """A board that loses its power says nothing; its address is no longer confirmed."""
    net = Network()
    try:
        watcher = watch(net)
        peer = register(net, {**ESP, 'ttl': 4})
        expect(watcher, 'added', ESP)
        # The namespace program replaces itself, so this is the peer.
        peer.kill()
        watcher.record(lambda r: r['event'] == 'removed')
    finally:
        net.close()


SERVICE = """<?xml version="1.0" standalone='no'?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group><name>A bench</name><service><type>_usbip._tcp</type><port>3240</port>
<txt-record>state=idle</txt-record><txt-record>count=0</txt-record></service></service-group>
"""

CONFIG = """[server]
host-name=usbip-avahi
enable-dbus=no
use-ipv4=yes
use-ipv6=yes
[publish]
publish-workstation=no
"""


def start_avahi(net, folder):
    """avahi-daemon, with a configuration and services of its own, seen by it alone."""
    if not shutil.which('avahi-daemon'):
        skip('avahi-daemon is not installed')
    os.makedirs(os.path.join(folder, 'services'))
    os.makedirs('/run/avahi-daemon', exist_ok=True)
    config = os.path.join(folder, 'avahi-daemon.conf')
    with open(config, 'w', encoding='ascii') as file:
        file.write(CONFIG)
    service = os.path.join(folder, 'services', 'usbip.service')
    with open(service, 'w', encoding='ascii') as file:
        file.write(SERVICE)
    script = (f'mount --bind {folder} /etc/avahi && mount -t tmpfs none /run/avahi-daemon && '
              f'exec avahi-daemon -f {config} --no-drop-root --no-chroot --no-rlimits >&2')
    net.start(net.far, 'unshare', '-m', 'sh', '-c', script)
    return service


def case_avahi():
    """Two links, IPv4 and IPv6, a service that is withdrawn."""
    net = Network()
    try:
        with tempfile.TemporaryDirectory() as folder:
            watcher = watch(net)
            service = start_avahi(net, folder)
            record = watcher.record(lambda r: r['links'] == 'n1,n2' and
                                    len(r['addresses']) >= 4)
            assert record['instance'] == 'A bench', record
            assert record['host'] == 'usbip-avahi.local', record
            assert record['addresses'][:2] == ['10.77.1.20', '10.77.2.20'], record
            assert all(a.startswith('fe80:') for a in record['addresses'][2:]), record
            assert record['txt'] == {'state': 'idle', 'count': '0'}, record
            os.unlink(service)
            watcher.record(lambda r: r['event'] == 'removed')
            net.close()
    finally:
        net.close()


def case_ipv6():
    """Links without IPv4: found, and reached, by a link-local address."""
    net = Network(ipv6_only=True)
    try:
        bench(net, '--bind', '::', '--mdns', '--device', 'esp')
        record = expect(watch(net, '--link', 'n1'), 'added')
        assert record['address'].startswith('[fe80:') and '%n1]:' in record['address'], record
        out = run(net.argv(net.near, USBWIRE, '-H', record['address'], 'list'))
        assert '303a:4004' in out, out
        out = run(net.argv(net.near, USBWIRE, '-H', f'{record["host"]}:{record["port"]}', 'list'))
        assert '303a:4004' in out, out
    finally:
        net.close()


def case_choose():
    """--host auto, --board-id and NAME.local; several servers are listed, none is not there."""
    net = Network()

    def usbwire(*argv):
        return subprocess.run(net.argv(net.near, USBWIRE, *argv), capture_output=True, text=True,
                              check=False)

    try:
        nobody = usbwire('--host', 'auto', 'list')
        assert nobody.returncode == 3 and 'no server answers' in nobody.stderr, nobody
        watcher = watch(net)
        bench(net, '--bind', '0.0.0.0', '--mdns=One', '--board-id', 'one', '--device', 'esp')
        first = expect(watcher, 'added')
        only = usbwire('--host', 'auto', 'list')
        assert only.returncode == 0 and '303a:4004' in only.stdout, only
        bench(net, '--bind', '0.0.0.0', '--mdns=Two', '--board-id', 'two', '--device', 'disk')
        watcher.record(lambda r: r['txt'].get('board_id') == 'two')
        deadline = time.monotonic() + PATIENCE
        while (several := usbwire('--host', 'auto', 'list')).returncode == 0:
            assert time.monotonic() < deadline, several  # a busy bench answers late
        assert several.returncode == 4, several
        assert 'board one' in several.stderr and 'board two' in several.stderr, several
        one = usbwire('--board-id', 'ONE', 'list', '--json')
        assert [d['vid'] for d in json.loads(one.stdout)] == ['303a'], one
        by_host = usbwire('--board-id', first['host'].removesuffix('.local'), 'list')
        assert '303a:4004' in by_host.stdout, by_host
        named = usbwire('--host', f'{first["host"]}:{first["port"]}', 'list')
        assert '303a:4004' in named.stdout, named
        both = usbwire('--host', '10.77.1.20', '--board-id', 'one', 'list')
        assert both.returncode == 2, both
        other = usbwire('--board-id', 'three', 'list')
        assert other.returncode == 3 and 'three' in other.stderr, other
    finally:
        net.close()


def case_bench():
    """The bench seen by zeroconf: its records, its farewell."""
    net = Network()
    try:
        browser = net.start(net.near, *PEER, 'browse', '10.77.1.2', '10.77.2.2')
        assert browser.record()['event'] == 'browsing'
        process, said = bench(net, '--bind', '0.0.0.0', '--mdns=ESP USB/IP Bridge (sim)',
                              '--board-id', 'b7', '--device', 'esp')
        record = browser.record()
        assert record['event'] == 'added', record
        assert record['name'] == 'ESP USB/IP Bridge (sim)._usbip._tcp.local.', record
        assert record['port'] == said['port'], (record, said)
        assert record['host'].startswith('usbip-') and record['host'].endswith('.local.'), record
        assert set(record['addresses']) & {'10.77.1.20', '10.77.2.20'}, record
        assert record['txt'] == {'transport': 'usbip', 'state': 'exporting', 'count': '1',
                                 'busid': '1-1', 'vid': '303a', 'pid': '4004', 'target': 'sim',
                                 'board_id': 'b7'}, record
        process.end()
        browser.record(lambda r: r['event'] == 'removed')
    finally:
        net.close()


def case_extcap():
    """Wireshark's start page lists a server that nobody has configured, soon enough."""
    net = Network()
    try:
        _, said = bench(net, '--bind', '10.77.1.20', '--mdns', '--device', 'esp')
        wanted = f'{{display=USB/IP: 10.77.1.20:{said["port"]}}}'
        took = []
        while len(took) < 50 and (not took or wanted not in out or min(took) >= 0.3):
            started = time.monotonic()
            out = run(net.argv(net.near, USBWIRE, 'extcap', '--extcap-interfaces'))
            took.append(time.monotonic() - started)
        assert wanted in out, out
        assert min(took) < 0.3, took
    finally:
        net.close()


def case_conflict():
    """Somebody has the name: the bench takes another one, and both are found."""
    net = Network()
    try:
        register(net, ESP)
        watcher = watch(net)
        expect(watcher, 'added', ESP)
        bench(net, '--bind', '0.0.0.0', '--mdns=' + ESP['instance'], '--device', 'esp')
        record = watcher.record(lambda r: r['host'] != ESP['host'])
        assert record['instance'] == ESP['instance'] + ' (2)', record
    finally:
        net.close()


def case_quiet():
    """Nothing is sent to the group unless servers are looked for."""
    net = Network()
    try:
        _, said = bench(net, '--bind', '0.0.0.0', '--device', 'esp')
        sniffer = net.start(net.near, sys.executable, os.path.abspath(__file__), USBWIRE, 'sniff')
        assert sniffer.line() == 'listening'
        address = f'10.77.1.20:{said["port"]}'
        run(net.argv(net.near, USBWIRE, '-H', address, 'probe', '--vid', '303a'))
        sniffer.say('count')
        assert sniffer.line() == '0'
        subprocess.run(net.argv(net.near, USBWIRE, 'discover', '-q', '--wait', '1'), check=False)
        sniffer.say('count')
        assert int(sniffer.line()) > 0
    finally:
        net.close()


def case_sniff():
    """Not a case: counts the packets to port 5353, in the namespace that it is started in."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    raw.setblocking(False)
    print('listening', flush=True)
    for _ in sys.stdin:
        count = 0
        while True:
            try:
                packet = raw.recv(2048)
            except BlockingIOError:
                break
            header = 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4
            count += packet[header + 2:header + 4] == (5353).to_bytes(2, 'big')
        print(count, flush=True)


def case_lo():
    """On lo, by an ordinary user."""
    user = []
    if os.geteuid() == 0:
        user = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
        if not shutil.which('setpriv') or subprocess.run(
                [*user, USBWIRE, '--version'], capture_output=True, check=False).returncode:
            skip('the program cannot be run as an ordinary user here')
    name = f'lo-{os.getpid()}'
    serve = Process([*user, USBWIRE, 'serve', '--port', '0', '--json', '--until-eof',
                     f'--mdns={name}', '--board-id', name])
    watcher = Process([*user, USBWIRE, 'discover', '--watch', '--json', '--board-id', name])
    try:
        said = json.loads(serve.line())
        record = watcher.record()
        assert record['event'] == 'added' and record['instance'] == name, record
        assert record['address'] == f'127.0.0.1:{said["port"]}', record
        assert record['txt']['count'] == str(len(said['devices'])), record
        out = run([*user, USBWIRE, '--board-id', name, 'list'])
        assert len(out.splitlines()) == len(said['devices']), out
        out = run([*user, USBWIRE, '-H', f'{record["host"]}:{said["port"]}', 'list'])
        assert len(out.splitlines()) == len(said['devices']), out
        serve.end()
        record = watcher.record()
        assert record['event'] == 'removed', record
    finally:
        serve.end()
        watcher.process.terminate()
        watcher.process.wait()


globals()['case_' + sys.argv[2]]()
