"""Programs that become daemons or have children, directly and through what `usbwire run` holds."""
import os
import subprocess
import sys

from bench import BUILD, ENV, Bench, main, succeeded

PROGRAM = os.path.join(BUILD, 'tests/programs/programs_fork')


def check(act):
    """The program's own end is not that of its daemon, which has the other end of the pipe, too."""
    with Bench('loopback') as bench:
        env = {**ENV, 'USBWIRE_SERVERS': bench.address, 'USBWIRE_DEVICES': 'all'}
        done = subprocess.run([PROGRAM, act], env=env, capture_output=True, text=True, check=False,
                              timeout=30)
        assert succeeded(done) == 'fine\n', done


def test_daemon():
    check('daemon')


def test_children():
    check('children')


def test_sharers_through_a_broker():
    with Bench('loopback') as bench:
        assert succeeded(bench.run(PROGRAM, 'sharers')) == 'fine\n'


main(sys.modules[__name__])
