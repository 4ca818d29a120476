#!/usr/bin/env python3
"""The example programs do what they say, with a server and without."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../support'))
from simbench import expect, expect_equal, main, test  # noqa: E402


def _example(lab, name):
    return os.path.join(lab.build, 'examples', f'example_{name}')


@test
def list_shows_each_device(lab):
    with lab.bench() as bench:
        lines = lab.run(_example(lab, 'list'), bench.host).text.splitlines()
        expect_equal([line.split()[:2] for line in lines],
                     [[d['busid'], f'{d["vid"]}:{d["pid"]}'] for d in bench.devices])


@test
def transfer_gets_back_what_it_sent(lab):
    with lab.bench('--device', 'esp') as bench:
        expect_equal(lab.run(_example(lab, 'transfer'), bench.host).text,
                     'control: 28 bytes, "stored by a control transfer"\n'
                     'bulk: 14 bytes, "there and back"\n')


@test
def many_moves_data_in_order(lab):
    with lab.bench('--device', 'source-sink') as bench:
        told = lab.run(_example(lab, 'many'), bench.host, '1').text
        expect(re.fullmatch(r'(?!0\.0 )\d+\.\d MB, every byte in its place, \d+ MB/s\n', told), told)


@test
def many_ends_when_the_device_vanishes(lab):
    with lab.bench('--device', 'source-sink', '--fail', 'gone:ep=0x81,urb=100') as bench:
        done = lab.run(_example(lab, 'many'), bench.host, '60', status=1)
        expect('1209:0002' in done.errors and 'gone' in done.errors, done)


@test
def without_a_server_they_say_so(lab):
    for name in ('list', 'transfer', 'many'):
        done = lab.run(_example(lab, name), '127.0.0.1:1', status=1)
        expect('127.0.0.1:1' in done.errors and 'refused' in done.errors, done)


main(__name__)
