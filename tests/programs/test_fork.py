"""Programs that become daemons or have children, directly and through what `usbwire run` holds."""
import os
import subprocess
import signal
import sys

from bench import BUILD, ENV, PATIENCE, Bench, main, succeeded

PROGRAM = os.path.join(BUILD, 'tests/programs/programs_fork')


# In all of them the pipe that is read to its end is the daemon's, too: the program itself ends before.

def check(act):
    with Bench('loopback') as bench:
        env = {**ENV, 'USBWIRE_SERVERS': bench.address, 'USBWIRE_DEVICES': 'all'}
        done = subprocess.run([PROGRAM, act], env=env, capture_output=True, text=True, check=False,
                              timeout=PATIENCE)
        assert succeeded(done) == 'fine\n', done


def test_daemon():
    check('daemon')


def test_children():
    check('children')


def test_daemon_through_a_broker():
    """The devices are held for it, and given back when it has ended."""
    with Bench('loopback') as bench:
        done = bench.run(PROGRAM, 'daemon')
        assert succeeded(done) == 'fine\n' and 'still uses the devices' in done.stderr, done
        assert succeeded(bench.run(PROGRAM, 'children')) == 'fine\n'


def test_what_has_nothing_to_do_with_devices_is_not_waited_for():
    with Bench('loopback') as bench:
        done = bench.run('sh', '-c', 'sleep 1000 >/dev/null 2>&1 & echo $!')
        os.kill(int(succeeded(done)), signal.SIGKILL)  # it is there


def test_sharers_through_a_broker():
    with Bench('loopback') as bench:
        assert succeeded(bench.run(PROGRAM, 'sharers')) == 'fine\n'


main(sys.modules[__name__])
