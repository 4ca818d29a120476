#!/usr/bin/python3
"""The other side, by python3-zeroconf: an mDNS implementation that is not ours.

    zeroconf_peer.py register JSON     registers a service; then each line of standard input is a new
                                       JSON to update it with, or "leave" to withdraw it
    zeroconf_peer.py browse ADDRESS... prints a JSON line for every service that comes, changes, goes

JSON: {"instance", "host", "port", "addresses": [...], "txt": {...}, "ttl", "bind": [...]}
Exit code 77 when zeroconf is not installed.
"""
import json
import socket
import sys

try:
    from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, Zeroconf
except ImportError:
    print('python3-zeroconf is not installed', file=sys.stderr)
    sys.exit(77)

TYPE = '_usbip._tcp.local.'


def pack(address):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    return socket.inet_pton(family, address)


def info(wanted):
    return ServiceInfo(TYPE, f'{wanted["instance"]}.{TYPE}', port=wanted['port'],
                       server=f'{wanted["host"]}.', properties=wanted['txt'],
                       addresses=[pack(a) for a in wanted['addresses']],
                       host_ttl=wanted.get('ttl', 120), other_ttl=4500)


def register(first):
    wanted = json.loads(first)
    zeroconf = Zeroconf(interfaces=wanted['bind'], ip_version=IPVersion.V4Only)
    service = info(wanted)
    zeroconf.register_service(service)
    print('registered', flush=True)
    for line in sys.stdin:
        if line.strip() == 'leave':
            break
        service = info(json.loads(line))
        zeroconf.update_service(service)
        print('done', flush=True)
    # At once: answers that zeroconf still has in its queue would call the service back.
    zeroconf.unregister_service(service)
    zeroconf.close()
    print('done', flush=True)


class Listener:
    @staticmethod
    def tell(event, zeroconf, name):
        record = {'event': event, 'name': name}
        found = zeroconf.get_service_info(TYPE, name, 30000) if event != 'removed' else None
        if found:
            record.update(host=found.server, port=found.port,
                          addresses=found.parsed_addresses(),
                          txt={k.decode(): (v or b'').decode()
                               for k, v in found.properties.items()})
        print(json.dumps(record), flush=True)

    def add_service(self, zeroconf, _, name):
        self.tell('added', zeroconf, name)

    def update_service(self, zeroconf, _, name):
        self.tell('changed', zeroconf, name)

    def remove_service(self, zeroconf, _, name):
        self.tell('removed', zeroconf, name)


def browse(addresses):
    zeroconf = Zeroconf(interfaces=addresses, ip_version=IPVersion.V4Only)
    ServiceBrowser(zeroconf, TYPE, Listener())
    print('{"event": "browsing"}', flush=True)
    sys.stdin.read()
    zeroconf.close()


if sys.argv[1] == 'register':
    register(sys.argv[2])
else:
    browse(sys.argv[2:])
