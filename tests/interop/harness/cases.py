"""The tests: functions that name the guest they need."""
import importlib.util
import glob
import os
import sys
import time
import traceback

from .guest import GuestError
from .lab import Failure, Skip

_CASES = []


class Case:
    """A test: a function that takes a Lab."""

    def __init__(self, function, guest):
        self.function, self.guest = function, guest
        self.name = f'{function.__module__.removeprefix("test_")}: ' \
                    f'{function.__name__.replace("_", " ")}'


def test(*guests):
    """Decorator: the function is a test that runs against each of these guests."""
    def register(function):
        _CASES.extend(Case(function, guest) for guest in guests)
        return function
    return register


def load(folder):
    """Imports all test_*.py in `folder`."""
    for path in sorted(glob.glob(os.path.join(folder, 'test_*.py'))):
        name = os.path.basename(path)[:-3]
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)


def select(guest, words=()):
    """The tests of a guest whose name contains all of `words`."""
    return [c for c in _CASES if c.guest == guest and all(w in c.name for w in words)]


def _comment(text):
    print(''.join(f'# {line}\n' for line in text.splitlines()), end='')


def run(cases, lab):
    """Runs them one after another and prints TAP, the guest's own health as the last test.
    Returns the number of failures."""
    print(f'1..{len(cases) + 1}', flush=True)
    failed = 0
    for number, case in enumerate(cases, 1):
        start, mark, problem = time.monotonic(), len(lab.guest.console.lines), None
        remark = ''
        try:
            case.function(lab)
        except Skip as reason:
            remark = f' # SKIP {reason}'
        except (Failure, GuestError) as error:
            problem = str(error)
        except Exception:  # pylint: disable=broad-exception-caught
            problem = traceback.format_exc()
        print(f'{"not ok" if problem else "ok"} {number} - {case.name}{remark}')
        if problem:
            failed += 1
            _comment(problem)
            _comment('\n'.join(['the guest meanwhile:'] + lab.guest.console.lines[mark:][-20:]))
        print(f'# {time.monotonic() - start:.1f} s', flush=True)
    trouble = lab.guest.trouble()
    print(f'{"not ok" if trouble else "ok"} {len(cases) + 1} - the guest\'s kernel is well')
    _comment('\n'.join(trouble))
    return failed + bool(trouble)
