"""Eight threads of a libusb program: directly, and through what `usbwire run` holds.

The second argument is how many milliseconds a call may stall; USBWIRE_TEST_SECONDS says how long each
goes on.
"""
import os
import subprocess
import sys

from bench import BUILD, ENV, Bench, main, succeeded

PROGRAM = [os.path.join(BUILD, 'tests/programs/programs_threads'),
           os.environ.get('USBWIRE_TEST_SECONDS', '3'), sys.argv[2]]
PATIENCE = int(PROGRAM[1]) + 60


def check(done):
    last = succeeded(done).splitlines()[-1]
    print(f'# {last}')
    assert last.startswith('part 3: ') and ' 0 lives' not in last, done


def check_directly(*options):
    with Bench(*['loopback'] * 4, options=options) as bench:
        env = {**ENV, 'USBWIRE_SERVERS': bench.address, 'USBWIRE_DEVICES': 'all'}
        check(subprocess.run(PROGRAM, env=env, capture_output=True, text=True, check=False,
                             timeout=PATIENCE))


def test_directly():
    check_directly()


def test_over_a_bad_network():
    check_directly('--latency', '5ms', '--jitter', '10ms')


def test_through_a_broker():
    with Bench(*['loopback'] * 4) as bench:
        check(bench.run(*PROGRAM, timeout=PATIENCE))


main(sys.modules[__name__])
