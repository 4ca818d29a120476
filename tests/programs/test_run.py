"""`usbwire run`: what it resolves, what it refuses, how programs find the drop-in."""
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

from bench import BUILD, ENV, PATIENCE, USBWIRE, Bench, Skip, main, need, need_module, succeeded
from place import kept_port
from ports import until

LSUSB_LINE = 'Bus 1'


def test_chooses():
    with Bench('loopback', 'keyboard', 'disk') as bench:
        lsusb = need('lsusb')
        assert succeeded(bench.run(lsusb)).count(LSUSB_LINE) == 3
        out = succeeded(bench.run(lsusb, options=['-b', '1-1', '--busid', '1-3']))
        assert '1209:0003' in out and '1209:0005' in out and out.count(LSUSB_LINE) == 2, out
        out = succeeded(bench.run(lsusb, options=['-b', '1-2', '-b', '1-2', '--vid', '1209']))
        assert '1209:0004' in out and out.count(LSUSB_LINE) == 1, out
        out = succeeded(bench.run(lsusb, options=['--vid', '1209', '--pid', '0004']))
        assert '1209:0004' in out and out.count(LSUSB_LINE) == 1, out
        out = succeeded(bench.run(lsusb, options=['--serial', 'keyboard-2']))
        assert '1209:0004' in out and out.count(LSUSB_LINE) == 1, out


def test_takes_the_only_device():
    with Bench('loopback') as bench:
        assert '1209:0003' in succeeded(bench.run(need('lsusb'), options=[]))


def test_takes_a_whole_rack():
    with Bench('loopback:count=40') as bench:
        assert succeeded(bench.run(need('lsusb'))).count(LSUSB_LINE) == 40


def test_waits_for_a_server():
    holder, number = kept_port()
    words = [USBWIRE, 'run', '-H', f'127.0.0.1:{number}', '--all', '--wait', str(PATIENCE), '--', 'echo', 'here']
    with holder, subprocess.Popen(words, env=ENV, stdout=subprocess.PIPE, text=True) as waiting:
        with Bench('loopback', 'esp', port=number):
            assert waiting.communicate(timeout=PATIENCE)[0] == 'here\n'


def test_a_script_for_the_shell():
    """Without "#!", as env and shells run it."""
    with Bench('loopback') as bench, tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, 'script')
        with open(script, 'w', encoding='ascii') as f:
            f.write(f'{need("lsusb")}; echo "$@"; exit 9\n')
        os.chmod(script, 0o755)
        done = bench.run(script, 'one', 'and two')
        assert done.returncode == 9 and LSUSB_LINE in done.stdout, done
        assert done.stdout.endswith('\none and two\n'), done


def test_gives_up_while_it_waits():
    """For the second device; the first is held, and that ends without a trace."""
    with Bench('loopback') as bench, tempfile.TemporaryDirectory() as runtime:
        held = os.path.join(runtime, 'usbwire', f'{bench.address}@1-1.device')
        with subprocess.Popen([USBWIRE, 'run', '-H', bench.address, '-b', '1-1', '-b', '1-2', '--wait',
                               str(PATIENCE), 'echo', 'here'], env={**ENV, 'XDG_RUNTIME_DIR': runtime},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as waiting:
            until(lambda: os.path.exists(held), 'the first device')
            waiting.send_signal(signal.SIGINT)
            assert waiting.communicate(timeout=PATIENCE)[0] == b''
        assert waiting.returncode == 130 and not os.path.exists(held), waiting.returncode


def test_the_dash_dash_may_be_left_out():
    with Bench('loopback') as bench:
        done = subprocess.run([USBWIRE, 'run', '-H', bench.address, 'sh', '-c', 'exit 7'],
                              env=ENV, check=False)
        assert done.returncode == 7


def test_ends_as_the_program_does():
    with Bench('loopback') as bench:
        assert bench.run('sh', '-c', 'kill -9 $$').returncode == 128 + 9
        running = bench.start('sh', '-c', 'trap "exit 5" TERM; sleep 60 2>/dev/null & echo here; '
                              'while :; do sleep 0.1; done',
                              stdout=subprocess.PIPE)
        assert running.stdout.readline() == 'here\n'
        running.terminate() # is passed on
        assert running.wait(PATIENCE) == 5
        running.stdout.close()


def test_nohup():
    """What ignores the end of the terminal, or of the session, goes on ignoring it."""
    with Bench('loopback') as bench:
        running = bench.start('sh', '-c', 'echo here; read word; exit 6', stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, preexec_fn=lambda: signal.signal(
                                  signal.SIGHUP, signal.SIG_IGN))
        assert running.stdout.readline() == 'here\n'
        running.send_signal(signal.SIGHUP)
        with running.stdout, running.stdin:
            running.stdin.write('word\n')
        assert running.wait(PATIENCE) == 6


WRITE = """
import usb.core
d = usb.core.find(idVendor=0x1209)
d.default_timeout = 60000
assert d.write(0x01, b'kept') == 4
"""
READ = """
import usb.core
d = usb.core.find(idVendor=0x1209)
d.default_timeout = 60000
print(bytes(d.read(0x81, 64)).decode())
"""
HOLD = """
import sys, usb.core, usb.util
d = usb.core.find(idVendor=0x1209)
usb.util.claim_interface(d, 0)
print('held', flush=True)
sys.stdin.read()
"""
CLAIM = """
import usb.core, usb.util
d = usb.core.find(idVendor=0x1209)
d.default_timeout = 60000
try:
    usb.util.claim_interface(d, 0)
    print('had')
except usb.core.USBError as e:
    print(e.errno)
usb.util.claim_interface(d, 1)
assert d.ctrl_transfer(0x80, 6, 0x100, 0, 18)[0] == 18
"""


def test_the_device_is_not_reset_between_programs():
    """A reset would throw away what was written and not read yet."""
    python = need_module('usb.core')
    with Bench('loopback') as bench:
        out = succeeded(bench.run('sh', '-c', f'{python} -c "$1" && {python} -c "$2"', 'sh', WRITE,
                                  READ))
        assert out == 'kept\n', out


def test_programs_share_a_device():
    python = need_module('usb.core')
    with Bench('loopback') as bench:
        holder = bench.start(python, '-c', HOLD, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert holder.stdout.readline() == 'held\n'
            for options in (['-b', '1-1'], []):
                assert succeeded(bench.run(python, '-c', CLAIM, options=options)) == '16\n'
            direct = {**ENV, 'LD_LIBRARY_PATH': os.path.join(BUILD, 'src', 'libusb'),
                      'USBWIRE_SERVERS': bench.address}
            done = subprocess.run([python, '-c', CLAIM], env=direct, capture_output=True, text=True,
                                  check=False)
            assert succeeded(done) == '16\n', done
        finally:
            holder.stdin.close()
            holder.wait(PATIENCE)
            holder.stdout.close()
        assert succeeded(bench.run(python, '-c', CLAIM)) == 'had\n'


def refused(done, code, *words):
    assert done.returncode == code, done
    assert not done.stdout, done.stdout
    for word in words:
        assert word in done.stderr, f'{word!r} is not in {done.stderr!r}'


def test_refuses_what_cannot_be_resolved():
    holder, number = kept_port()
    with Bench('loopback', 'keyboard', port=number) as bench:
        refused(bench.run('true', options=[]), 125, '2 devices', '--busid 1-1', '1209:0004')
        refused(bench.run('true', options=['-b', '7-7']), 125, '7-7', '--busid 1-2')
        refused(bench.run('true', options=['--vid', 'dead']), 125, 'no device', '--busid 1-2')
        refused(bench.run('true', options=['-b', '1-1', '--pid', '4']), 125, '--pid 0x0004: not found')
        refused(bench.run('true', options=['--serial', 'nobody']), 125)
    with holder:
        refused(bench.run('true'), 125, 'Connection refused')


def test_refuses_what_preloading_does_not_reach():
    with Bench('loopback') as bench, tempfile.TemporaryDirectory() as scratch:
        static = os.path.join(scratch, 'static')
        script = os.path.join(scratch, 'script')
        refused(bench.run('no-such-program-here'), 127, 'no-such-program-here')
        refused(bench.run('/etc/passwd'), 126, '/etc/passwd')
        refused(bench.run(scratch), 126, 'is no program')
        with open(script, 'w', encoding='ascii') as f:
            f.write('#! /nonexistent/interpreter -x\n')
        os.chmod(script, 0o755)
        refused(bench.run(script), 126, 'is a script for "/nonexistent/interpreter"')
        with open(os.path.join(scratch, 'static.c'), 'w', encoding='ascii') as f:
            f.write('int main(void) { return 0; }\n')
        if subprocess.run(['gcc', '-static', '-o', static, f.name], check=False).returncode:
            raise Skip('no static C library')
        refused(bench.run(static), 126, 'statically linked')
        with open(script, 'w', encoding='ascii') as f:
            f.write(f'#! {static}\n')
        refused(bench.run(script), 126, 'statically linked')
        with open(static, 'r+b') as f:
            f.seek(18)  # e_machine
            f.write(b'\xb7\x00' if f.read(2) != b'\xb7\x00' else b'\x3e\x00')
            f.seek(18)
            f.write(b'\x08\x00')  # MIPS
        refused(bench.run(static), 126, 'another architecture')


def test_refuses_setuid():
    if os.geteuid() != 0:
        raise Skip('needs root to make a setuid program of somebody else')
    with Bench('loopback') as bench, tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, 'program')
        with open('/bin/true', 'rb') as source, open(program, 'wb') as f:
            f.write(source.read())
        os.chown(program, 1, 1)
        os.chmod(program, 0o4755)
        refused(bench.run(program), 126, 'setuid')


# cap_net_raw, as ping has it: struct vfs_cap_data, version 2, in force.
CAPABILITY = struct.pack('<5I', 0x02000001, 1 << 13, 0, 0, 0)


def test_refuses_capabilities():
    """They make the dynamic linker as careful as setuid does; root has them anyway."""
    if os.geteuid() != 0:
        raise Skip('needs root to give a program capabilities')
    with Bench('loopback') as bench, tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, 'program')
        shutil.copy('/bin/true', program)
        os.chmod(scratch, 0o755)
        try:
            os.setxattr(program, 'security.capability', CAPABILITY)
        except OSError:
            raise Skip('files here have no capabilities') from None
        succeeded(bench.run(program))
        try:
            done = bench.run(program, user=65534, group=65534, extra_groups=[])
        except PermissionError:
            raise Skip('others cannot reach what was built') from None
        refused(done, 126, 'has capabilities of its own')


PLUGIN = 'int plugin(void); int plugin(void) { return 42; }\n'
HOST = '''#include <dlfcn.h>
#include <stdio.h>
void *open_by_runpath(void);
void *open_by_runpath(void) { return dlopen("libplugin-of-test.so", RTLD_NOW); }
'''
MAIN = '''#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
void *open_by_runpath(void);
int main(int argc, char **argv)
{
    void *usb = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    Dl_info info;
    (void)argc;
    if (!open_by_runpath() || !usb || !dladdr(dlsym(usb, "libusb_init"), &info))
        return printf("%s\\n", dlerror()), 1;
    return puts(info.dli_fname), 0;
}
'''


def compile_to(path, text, *options):
    subprocess.run(['gcc', '-D_GNU_SOURCE', '-o', path, '-x', 'c', '-', '-x', 'none', *options], input=text, text=True, check=True)


def test_redirects_dlopen():
    """Another libusb by an absolute path becomes ours, and a library that opens its plug-ins by its
    own RUNPATH still finds them."""
    with Bench('loopback') as bench, tempfile.TemporaryDirectory() as scratch:
        hidden = os.path.join(scratch, 'plugins')
        host = os.path.join(scratch, 'libhost.so')
        program = os.path.join(scratch, 'program')
        other = os.path.join(scratch, 'libusb-1.0.so.0.3.0')
        os.mkdir(hidden)
        compile_to(os.path.join(hidden, 'libplugin-of-test.so'), PLUGIN, '-shared', '-fPIC')
        compile_to(host, HOST, '-shared', '-fPIC', f'-Wl,-rpath,{hidden}',
                   '-Wl,--enable-new-dtags')
        compile_to(program, MAIN, host, f'-Wl,-rpath,{scratch}')
        compile_to(other, 'int libusb_init(void *c) { (void)c; return -99; }\n', '-shared', '-fPIC')
        out = succeeded(bench.run(program, other))
        assert os.path.realpath(out.strip()).startswith(os.path.realpath(BUILD)), out


def test_environment():
    """Without the wrapper: the environment, and then the file."""
    lsusb = need('lsusb')
    folder = os.path.join(BUILD, 'src', 'libusb')
    with Bench('loopback', 'keyboard') as bench, tempfile.TemporaryDirectory() as scratch:
        plain = {**ENV, 'LD_LIBRARY_PATH': folder}
        run = lambda **more: subprocess.run([lsusb], env={**plain, **more}, capture_output=True,
                                            text=True, check=False)
        assert not run().stdout
        assert '1209:0004' in run(USBWIRE_SERVERS=bench.address, USBWIRE_DEVICES='1-2').stdout
        assert run(USBWIRE_HOST=bench.address, USBWIRE_DEVICES='all').stdout.count(LSUSB_LINE) == 2
        done = run(USBWIRE_SERVERS=bench.address)
        assert not done.stdout and 'choose with USBWIRE_DEVICES' in done.stderr, done
        for nobody in ('1-9', '1209:0003:x'):
            done = run(USBWIRE_SERVERS=bench.address, USBWIRE_DEVICES=nobody)
            assert not done.stdout and 'none of them is chosen' in done.stderr, done
        done = run(USBWIRE_SERVERS=f'{bench.address},{bench.address}', USBWIRE_DEVICES='0x1209:0x0004')
        assert '1209:0004' in done.stdout and not done.stderr, done
        for devices in ({}, {'USBWIRE_DEVICES': 'all'}):
            done = run(USBWIRE_HOST=f'usbip://{bench.address}/1-2', **devices)
            assert '1209:0004' in done.stdout and done.stdout.count(LSUSB_LINE) == 1, done
        done = run(USBWIRE_SERVERS='127.0.0.1:1')
        assert 'Connection refused' in done.stderr and done.stderr.count('\n') <= 2, done
        done = run(USBWIRE_SERVERS=bench.address, USBWIRE_DEVICES='all', USBWIRE_PCAP='/dev/full',
                   USBWIRE_TIMEOUT_ADD_MS='a bit')
        assert done.stdout.count(LSUSB_LINE) == 2 and 'No space left' in done.stderr, done
        assert "'a bit' is not a number" in done.stderr, done
        with open(os.path.join(scratch, 'usbwire.conf'), 'w', encoding='ascii') as f:
            f.write(f'# bench\nservers = {bench.address}\ndevices = 1209:0003:loopback-1\ndevice=x\n')
        done = run(XDG_CONFIG_HOME=scratch)
        assert done.stderr.count('\n') == 1 and "usbwire.conf: 'device=x' is neither" in done.stderr, done
        assert '1209:0003' in done.stdout and done.stdout.count(LSUSB_LINE) == 1, done


TIMES = """
import time, usb.core
d = usb.core.find(idProduct=3)
start = time.monotonic()
try:
    d.read(0x81, 64, 20)
except usb.core.USBTimeoutError:
    print(time.monotonic() - start)
"""


def test_environment_of_times_and_servers():
    """More time for those who know of no network; devices of several servers, with buses of their own."""
    plain = {**ENV, 'LD_LIBRARY_PATH': os.path.join(BUILD, 'src', 'libusb')}
    with Bench('loopback') as bench, Bench('loopback', 'keyboard') as other:
        plain['USBWIRE_SERVERS'] = f'{bench.address}, {other.address}'
        plain['USBWIRE_DEVICES'] = '1209:0003, 1-2:x'
        run = lambda *words, **more: subprocess.run(words, env={**plain, **more}, capture_output=True,
                                                    text=True, check=False)
        done = run(need('lsusb'))
        assert len(set(re.findall('Bus ([0-9]+) ', done.stdout))) == 2, done
        assert done.stdout.count('1209:0003') == 2 and '1209:0004' not in done.stdout, done
        assert "'1-2:x' chooses no device" in done.stderr, done
        python = need_module('usb.core')
        assert float(succeeded(run(python, '-c', TIMES))) < 4
        assert float(succeeded(run(python, '-c', TIMES, USBWIRE_TIMEOUT_ADD_MS='4000'))) > 4


main(sys.modules[__name__])
