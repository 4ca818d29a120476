"""test_integration.py, the end-to-end check of a board, on simulated ones."""
import os
import subprocess
import sys
import tempfile
import unittest

from bench import PATIENCE, SOURCE, Bench, kept_port


def check(*args):
    """Runs it; its completed process."""
    return subprocess.run([sys.executable, os.path.join(SOURCE, 'test_integration.py'), *args, '--timeout',
                           str(PATIENCE)], capture_output=True, text=True, timeout=3 * PATIENCE, check=False)


class Integration(unittest.TestCase):
    def test_esp(self):
        with Bench('--device', 'esp') as bench, tempfile.NamedTemporaryFile() as pcap:
            out = check(f'127.0.0.1:{bench.port}', '--read', '0x81', '--echo', '0x01:0x81', '--pcap', pcap.name)
            self.assertEqual(out.returncode, 0, out.stdout + out.stderr)
            self.assertEqual(out.stdout.count('\nok'), 8, out.stdout)
            self.assertNotIn('skipped', out.stdout)
            self.assertGreater(os.path.getsize(pcap.name), 10000)

    def test_every_device(self):
        with Bench() as bench:
            for busid in ('1-1', '1-2', '1-3', '1-4', '1-5', '1-6'):
                out = check(f'127.0.0.1:{bench.port}', '--busid', busid)
                self.assertEqual(out.returncode, 0, out.stdout + out.stderr)

    def test_bridge(self):
        """It is not left with a read that nobody answers."""
        with Bench('--personality', 'g0', '--device', 'esp') as bench:
            for _ in range(2):
                out = check(f'127.0.0.1:{bench.port}', '--echo', '0x01:0x81')
                self.assertEqual(out.returncode, 0, out.stdout + out.stderr)

    def test_failures_are_told(self):
        with Bench('--device', 'esp', '--fail', 'stall:after=12') as bench:
            out = check(f'127.0.0.1:{bench.port}')
            self.assertEqual(out.returncode, 1, out.stdout + out.stderr)
            self.assertIn('FAILED', out.stdout)
            self.assertIn('stall', out.stdout)

    def test_nobody(self):
        with Bench('--device', 'esp') as bench:
            out = check(f'127.0.0.1:{bench.port}', '--vid', '1234')
            self.assertEqual(out.returncode, 1)
            self.assertIn('no such device', out.stderr)
        holder, port = kept_port()
        with holder:
            out = check(f'127.0.0.1:{port}')
        self.assertEqual(out.returncode, 1)
        self.assertIn('refused', out.stderr)


if __name__ == '__main__':
    unittest.main()
