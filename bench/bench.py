#!/usr/bin/env python3
"""Measures the library against the cheapest possible client, in one run and interleaved.

A machine's speed changes from second to second, so absolute rates of two runs say little. Here the
raw client, the library and the command take turns on the same server, in many short rounds; each
round gives a ratio to the raw client of that same round, and what counts is the median of those.
Nothing passes or fails: the table says which of the aims are missed.

Writes results.json, ratios.dat and ratios.svg to --out.
"""
import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import time
import tty

HERE = os.path.dirname(os.path.abspath(__file__))

# What the project wants to reach: rate against the raw client's, cpu per URB against the raw
# client's.
AIM_RATE = 0.90
AIM_RATE_16K_8 = 0.80
AIM_CPU = 1.3
AIM_LIBUSB = 0.85
AIM_CAPTURE = 0.85
AIM_BYTES_PER_DEVICE = 64 * 1024
MANY = 500
ROUND_TRIP_MS = 20
AIM_SERIAL = 0.90
AIM_FACE_MB = 50  # more than USB's high speed carries
AIM_ECHO = 1.5
ECHO_MS = 5
ECHOES = 40

# Chips that never run dry, and whose packets (of bulk IN on an FTDI) they are compared with.
SOURCE = 'far=source,baud=3000000,pace=0'
SOURCES = {'FT232R': ('ft232r', 'full', 'flow=rtscts'), 'FT232H': ('ft232h', 'high', 'flow=rtscts'),
           'CP2102N': ('cp2102n', 'full', 'flow=rtscts'), 'PL2303GC': ('pl2303gc', 'full', 'flow=rtscts'),
           'CDC-ACM': ('acm-echo', 'full', 'flow=none')}
ECHOING = {'FT232R': 'ft232r', 'CP2102N': 'cp2102n', 'CDC-ACM': 'acm-echo'}
FACES = {'TCP': ('--tcp', '0'), 'RFC 2217': ('--rfc2217', '0'), 'pty': ('--pty', '/tmp/usbwire-bench')}

# Depth 0: synchronous calls.
LIBUSB_CASES = [('ctrl', 18, 0), ('in', 512, 0), ('in', 512, 1), ('in', 16384, 16),
                ('out', 16384, 16)]

CASES = [('ctrl', 18, 1), ('ctrl', 18, 8)] + [
    (mode, size, depth) for mode in ('in', 'out') for size in (512, 16384, 65536)
    for depth in (1, 8)]


class Program:
    """A helper that says where it is, "PORT n" or "listening on ADDRESS:PORT", and ends with its standard
    input."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.port = self.process.stdout.readline().split()[-1].split(':')[-1]
        pin(self.process.pid, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class Face:
    """A serial port as others see it: `fd` reads and writes its bytes."""

    def __init__(self, build, url, *options):
        self.process = subprocess.Popen([f'{build}/usbwire', 'serial', '-H', url, *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        where = self.process.stdout.readline().split()[0]
        if '://' in where:
            host, port = where.split('//')[1].rsplit(':', 1)
            self.fd = socket.create_connection((host, int(port))).detach()
        else:
            self.fd = os.open(where, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self.fd)
        pin(self.process.pid, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        self.process.terminate()
        self.process.wait()

    def rate(self, seconds):
        """Bytes read, in millions a second."""
        size, start = 0, time.perf_counter()
        while time.perf_counter() < start + seconds:
            size += len(os.read(self.fd, 65536))
        return size / (time.perf_counter() - start) / 1e6

    def echo(self):
        """Microseconds that a byte takes there and back."""
        rounds = []
        for _ in range(ECHOES):
            start = time.perf_counter()
            os.write(self.fd, b'x')
            while b'x' not in os.read(self.fd, 4096):
                pass  # what a telnet begins with
            rounds.append((time.perf_counter() - start) * 1e6)
        return statistics.median(rounds)


def pin(pid, index):
    """Server and client each on a processor of their own: the scheduler's choices are the largest
    noise there is."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) > 1:
        os.sched_setaffinity(pid, {processors[index]})


def measure(*command):
    """One run of a client: the JSON that it prints."""
    run = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                         check=False, preexec_fn=lambda: pin(0, 0))
    if run.returncode:
        sys.exit(f'bench: {" ".join(command)} ended with {run.returncode}')
    return json.loads(run.stdout)


def medians(runs):
    return {key: statistics.median(r[key] for r in runs)
            for key in runs[0] if isinstance(runs[0][key], (int, float))}


def ratio(runs, of, key):
    """The median over the rounds of one client's figure against another's."""
    return statistics.median(a[key] / b[key] for a, b in zip(runs, of))


def clients(build, port, mode, size, depth, seconds):
    """{name: command} of the three that are compared."""
    common = [port, mode, str(size), str(depth), str(seconds)]
    cli = [f'{build}/usbwire', '-H', f'127.0.0.1:{port}', '--busid', '1-1', '--json', 'bench',
           '--mode', mode, '--size', str(size), '--depth', str(depth), '--seconds', str(seconds)]
    if mode != 'ctrl':
        cli += ['--endpoint', '0x81' if mode == 'in' else '0x01']
    return {'raw': [f'{build}/bench/rawclient', *common],
            'library': [f'{build}/bench/uwclient', *common], 'command': cli}


def compare(build, port, case, rounds, seconds):
    """Medians of each client for one case."""
    runs = {}
    for _ in range(rounds):
        for name, command in clients(build, port, *case, seconds).items():
            runs.setdefault(name, []).append(measure(*command))
    result = {name: medians(r) for name, r in runs.items()}
    for name, r in runs.items():
        result[name]['rate_ratio'] = ratio(r, runs['raw'], 'urbs_per_s')
        result[name]['cpu_ratio'] = ratio(r, runs['raw'], 'cpu_us_per_urb')
    return result


def case_name(case):
    mode, size, depth = case
    size = f'{size // 1024} KiB' if size >= 1024 else f'{size} B'
    return f'{"control" if mode == "ctrl" else "bulk " + mode.upper()} {size} x{depth}'


class Table:
    """What is printed, and the list of aims missed."""

    def __init__(self):
        self.missed = []

    def judge(self, ok, what):
        if not ok:
            self.missed.append(what)
        return '' if ok else ' *'

    def rates(self, case, result):
        aim = AIM_RATE_16K_8 if case[1:] == (16384, 8) else AIM_RATE
        raw, lines = result['raw'], []
        for name in ('library', 'command'):
            rate, cpu = result[name]['rate_ratio'], result[name]['cpu_ratio']
            lines.append(
                f'{rate:6.2f}{self.judge(rate >= aim, f"{case_name(case)}, {name}: rate {rate:.2f} of raw, aim {aim:.2f}"):2}'
                f'{cpu:6.2f}{self.judge(cpu <= AIM_CPU, f"{case_name(case)}, {name}: cpu {cpu:.2f} of raw, aim {AIM_CPU:.1f}"):2}')
        print(f'{case_name(case):20} {raw["urbs_per_s"]:9.0f} {raw["mb_per_s"]:8.1f} '
              f'{raw["cpu_us_per_urb"]:7.2f}  {lines[0]}   {lines[1]}', flush=True)


def many_devices(build, rounds, seconds, table):
    """Hundreds of imports in one loop: memory of each, and the rate against one alone."""
    runs = {'one': [], 'many': []}
    with Program(f'{build}/bench/rawserver', '-e', '-n', str(MANY)) as server:
        for _ in range(rounds):
            for name, count in (('one', 1), ('many', MANY)):
                runs[name].append(measure(f'{build}/bench/uwclient', server.port, 'in', '512', '1',
                                          str(seconds), str(count)))
    result = {name: medians(r) for name, r in runs.items()}
    cpu = ratio(runs['many'], runs['one'], 'cpu_us_per_urb')
    rate = ratio(runs['many'], runs['one'], 'urbs_per_s')
    each = result['many']['bytes_per_device']
    result.update(rate_ratio=rate, cpu_ratio=cpu)
    mark = table.judge(each <= AIM_BYTES_PER_DEVICE, f'{MANY} devices: {each:.0f} bytes each')
    print(f'\n{MANY} devices in one loop: {each / 1024:.1f} KiB each{mark}')
    mark = table.judge(rate >= 1, f'{MANY} devices: {rate:.2f} of the rate of one')
    cpu_mark = table.judge(cpu <= 1, f'{MANY} devices: {cpu:.2f} of the cpu per URB of one')
    print(f'  512 B reads, one under way on each: {result["many"]["urbs_per_s"]:.0f} URBs/s, one '
          f'device {result["one"]["urbs_per_s"]:.0f}: rate {rate:.2f}{mark}, cpu {cpu:.2f}{cpu_mark}')
    return result


def long_wire(build, rounds, table):
    """A large OUT over a round trip of 20 ms: the library's pipeline against a chunk at a time."""
    whole, chunk = 4 << 20, 128 << 10
    runs = {'pipelined': [], 'chunks': []}
    with Program(f'{build}/bench/rawserver') as server, \
            Program(f'{build}/bench/relay', server.port, str(ROUND_TRIP_MS / 2)) as relay:
        for _ in range(rounds):
            runs['pipelined'].append(measure(f'{build}/bench/uwclient', relay.port, 'out',
                                             str(whole), '1', '1'))
            runs['chunks'].append(measure(f'{build}/bench/uwclient', relay.port, 'out', str(chunk),
                                          '1', '1'))
    result = {name: medians(r) for name, r in runs.items()}
    gain = ratio(runs['pipelined'], runs['chunks'], 'mb_per_s')
    result['gain'] = gain
    mark = table.judge(gain >= 4, f'{ROUND_TRIP_MS} ms round trip: OUT only {gain:.1f} times faster')
    print(f'\nbulk OUT over a {ROUND_TRIP_MS} ms round trip: 4 MiB in one URB '
          f'{result["pipelined"]["mb_per_s"]:.1f} MB/s, 128 KiB at a time '
          f'{result["chunks"]["mb_per_s"]:.1f} MB/s: {gain:.1f} times{mark}')
    return result


def captures(build, rounds, seconds, out, table):
    """The command with a capture, to a file and to a FIFO, against the command without."""
    case = ('in', 512, 8)
    fifo, file = os.path.join(out, 'capture.fifo'), os.path.join(out, 'capture.pcapng')
    runs = {'none': [], 'file': [], 'fifo': []}
    if os.path.exists(fifo):
        os.unlink(fifo)
    os.mkfifo(fifo)
    with Program(f'{build}/bench/rawserver') as server:
        for _ in range(rounds):
            command = clients(build, server.port, *case, seconds)['command']
            runs['none'].append(measure(*command))
            runs['file'].append(measure(*command, '--pcap', file))
            with subprocess.Popen(['cat', fifo], stdout=subprocess.DEVNULL) as reader:
                pin(reader.pid, 1)
                runs['fifo'].append(measure(*command, '--pcap', fifo))
    os.unlink(fifo)
    os.unlink(file)
    result = {name: medians(r) for name, r in runs.items()}
    print(f'\ncapture, {case_name(case)}:')
    for name in ('file', 'fifo'):
        rate = result[name]['rate_ratio'] = ratio(runs[name], runs['none'], 'urbs_per_s')
        cost = statistics.median((a['cpu_us_per_urb'] - b['cpu_us_per_urb']) / 2
                                 for a, b in zip(runs[name], runs['none']))
        result[name]['us_per_record'] = cost
        mark = table.judge(rate >= AIM_CAPTURE,
                           f'capture to a {name}: {rate:.2f} of the rate without, aim '
                           f'{AIM_CAPTURE:.2f}')
        print(f'  to a {name}: rate {rate:.2f}{mark} of that without, {cost:.2f} us a record')
    return result


def libusb_client(build, case, seconds):
    mode, size, depth = case
    return [f'{build}/bench/libusbclient', mode, str(size), str(depth), str(seconds)]


def libusb(build, rounds, seconds, table):
    """A libusb program on the drop-in: against the raw client, and through the broker of `usbwire
    run` against the raw client through a relay that only copies bytes."""
    results = {}
    if not os.path.exists(f'{build}/bench/libusbclient'):
        print('\nno <libusb.h>: the drop-in is not measured')
        return results
    print(f'\n{"libusb program":20} {"direct/raw":>11} {"broker/relay":>13}')
    with Program(f'{build}/bench/rawserver') as server, \
            Program(f'{build}/bench/relay', server.port, '0') as relay:
        for case in LIBUSB_CASES:
            mode, size, depth = case
            words = libusb_client(build, case, seconds)
            raw = [mode, str(size), str(max(1, depth)), str(seconds)]
            runs = {'raw': [], 'direct': [], 'relay': [], 'broker': []}
            for _ in range(rounds):
                runs['raw'].append(measure(f'{build}/bench/rawclient', server.port, *raw))
                runs['direct'].append(measure(
                    'env', f'LD_LIBRARY_PATH={build}/src/libusb',
                    f'USBWIRE_SERVERS=127.0.0.1:{server.port}', *words))
                runs['relay'].append(measure(f'{build}/bench/rawclient', relay.port, *raw))
                runs['broker'].append(measure(f'{build}/usbwire', 'run', '-H',
                                              f'127.0.0.1:{server.port}', '-b', '1-1', *words))
            name = case_name((mode, size, depth)) if depth else \
                case_name((mode, size, 1)).replace('x1', 'sync')
            result = {k: medians(r) for k, r in runs.items()}
            result['direct_ratio'] = direct = ratio(runs['direct'], runs['raw'], 'urbs_per_s')
            result['broker_ratio'] = broker = ratio(runs['broker'], runs['relay'], 'urbs_per_s')
            marks = [table.judge(direct >= AIM_LIBUSB,
                                 f'libusb, {name}: {direct:.2f} of raw, aim {AIM_LIBUSB:.2f}'),
                     table.judge(broker >= AIM_LIBUSB,
                                 f'libusb, {name}, broker: {broker:.2f} of a relay, aim '
                                 f'{AIM_LIBUSB:.2f}')]
            print(f'{name:20} {direct:11.2f}{marks[0]:2}{broker:11.2f}{marks[1]}', flush=True)
            results[name] = result
    return results


def serve(build, devices, *options):
    """The simulated bench with these devices: 1-1, 1-2 ..."""
    words = [word for device in devices for word in ('--device', device)]
    return Program(f'{build}/usbwire', 'serve', '--port', '0', '--until-eof', *options, *words)


def serial_rates(build, rounds, seconds, table):
    """A serial port's read against bulk IN with packets of the same size: 4096 bytes, twenty-four deep, as
    the port has them; and what arrives behind `usbwire serial`."""
    chips = {name: f'{model}:{SOURCE}' for name, (model, _, _) in SOURCES.items()}
    bulk, ports, results = {'full': [], 'high': []}, {name: [] for name in chips}, {}
    with serve(build, [chips['FT232R']]) as full, serve(build, [chips['FT232H']]) as high, \
            serve(build, chips.values()) as server:
        urls = {name: f'usbip://127.0.0.1:{server.port}/1-{i + 1}' for i, name in enumerate(chips)}
        for _ in range(rounds):
            for speed, at in (('full', full), ('high', high)):
                bulk[speed].append(measure(f'{build}/bench/uwclient', at.port, 'port', '4096', '24',
                                           str(seconds)))
            for name, (_, _, flow) in SOURCES.items():
                ports[name].append(measure(f'{build}/bench/serialclient',
                                           f'{urls[name]}?baud=3000000&dtr=1&{flow}', 'read', str(seconds)))
        print(f'\n{"serial port, reading":20} {"MB/s":>8} {"/bulk IN":>9}')
        for name, (_, speed, _) in SOURCES.items():
            result = results[name] = medians(ports[name])
            rate = result['rate_ratio'] = ratio(ports[name], bulk[speed], 'mb_per_s')
            mark = table.judge(rate >= AIM_SERIAL and result['lost'] == 0,
                               f'serial, {name}: {rate:.2f} of bulk IN, {result["lost"]:.0f} bytes lost')
            print(f'{name:20} {result["mb_per_s"]:8.1f} {rate:9.2f}{mark}', flush=True)
        for name, options in FACES.items():
            with Face(build, urls['FT232H'], *options, '--baud', '3000000', '--dtr', '1',
                      '--flow', 'rtscts') as face:
                rate = statistics.median(face.rate(seconds) for _ in range(rounds))
            results[name] = {'mb_per_s': rate}
            mark = table.judge(rate >= AIM_FACE_MB, f'serial, FT232H through {name}: {rate:.0f} MB/s')
            print(f'{"FT232H, " + name:20} {rate:8.1f}{mark}', flush=True)
    return results


def serial_echoes(build, table):
    """A byte there and back, as a multiple of the server's round trip."""
    results = {}
    print(f'\n{"serial port, echo":20} {"round trips of":>15} {ECHO_MS} ms')
    with serve(build, ECHOING.values(), '--latency', f'{ECHO_MS}ms') as server:
        for i, name in enumerate(ECHOING):
            url = f'usbip://127.0.0.1:{server.port}/1-{i + 1}'
            echoes = {'library': measure(f'{build}/bench/serialclient', url, 'echo', str(ECHOES))['us']}
            for face_name, options in FACES.items():
                with Face(build, url, *options) as face:
                    echoes[face_name] = face.echo()
            results[name] = {way: us / 1000 / ECHO_MS for way, us in echoes.items()}
            cells = [f'{way} {times:.2f}' + table.judge(
                times <= AIM_ECHO, f'serial, {name}, {way}: an echo takes {times:.2f} round trips')
                     for way, times in results[name].items()]
            print(f'{name:20} {", ".join(cells)}', flush=True)
    return results


def plot(results, out):
    """A data file that gnuplot reads, and the plot if there is a gnuplot."""
    data = os.path.join(out, 'ratios.dat')
    with open(data, 'w', encoding='utf-8') as f:
        f.write('# case  library/raw rate  command/raw rate  library/raw cpu  command/raw cpu\n')
        for name, r in results.items():
            f.write(f'"{name}" {r["library"]["rate_ratio"]:.3f} {r["command"]["rate_ratio"]:.3f} '
                    f'{r["library"]["cpu_ratio"]:.3f} {r["command"]["cpu_ratio"]:.3f}\n')
    if not shutil.which('gnuplot'):
        print('no gnuplot: no plot')
        return
    subprocess.run(['gnuplot', '-e', f'data="{data}"; out="{out}/ratios.svg"',
                    os.path.join(HERE, 'ratios.gp')], check=True)


def machine():
    with open('/proc/cpuinfo', encoding='utf-8') as f:
        models = [line.split(':', 1)[1].strip() for line in f if line.startswith('model name')]
    return {'cpu': models[0] if models else platform.machine(), 'processors': os.cpu_count(),
            'kernel': platform.release()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--build', required=True)
    parser.add_argument('--out', default=os.path.join(HERE, 'out'))
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--seconds', type=float, default=0.15, help='of each run')
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)

    table, results = Table(), {}
    print(f'{"":20} {"raw client":^26}  {"library":^16}   {"command":^16}')
    print(f'{"":20} {"URBs/s":>9} {"MB/s":>8} {"cpu us":>7}  {"rate":>6}  {"cpu":>6}    '
          f'{"rate":>6}  {"cpu":>6}')
    with Program(f'{args.build}/bench/rawserver') as server:
        for case in CASES:
            result = compare(args.build, server.port, case, args.rounds, args.seconds)
            table.rates(case, result)
            results[case_name(case)] = result
    everything = {'machine': machine(), 'cases': results,
                  'many': many_devices(args.build, max(1, args.rounds // 3), args.seconds, table),
                  'capture': captures(args.build, max(1, args.rounds // 3), args.seconds, args.out,
                                      table),
                  'libusb': libusb(args.build, max(1, args.rounds // 3), args.seconds, table),
                  'long_wire': long_wire(args.build, max(1, args.rounds // 3), table),
                  'serial': serial_rates(args.build, max(1, args.rounds // 3), args.seconds, table),
                  'serial_echo': serial_echoes(args.build, table),
                  'missed': table.missed}
    with open(os.path.join(args.out, 'results.json'), 'w', encoding='utf-8') as f:
        json.dump(everything, f, indent=1)
        f.write('\n')
    plot(results, args.out)
    print(f'\n{len(table.missed)} aim(s) missed (*)')
    for line in table.missed:
        print(f'  {line}')
    print(f'results: {os.path.relpath(args.out)}')


main()
