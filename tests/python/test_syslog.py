"""The log receiver against a board that is a socket of this test."""
import contextlib
import io
import queue
import socket
import threading
import unittest

from bench import PATIENCE

import usb.core
from usbip_backend.syslog import SyslogReceiver


class Board:
    """Listens as the ESP bridge does, and frames as it does."""

    def __init__(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]

    def accept(self):
        """The receiver's connection."""
        self.listener.settimeout(PATIENCE)
        self.stream = self.listener.accept()[0]

    def log(self, text):
        """One message, octet counted, its line end inside."""
        body = f'<14>1 2000-01-01T00:00:13.000Z esp32 esp - - - {text}\n'.encode()
        self.stream.sendall(str(len(body)).encode() + b' ' + body)

    def close(self):
        """No more of it."""
        self.stream.close()
        self.listener.close()


class Receiver(unittest.TestCase):
    def setUp(self):
        self.board = Board()
        self.addCleanup(self.board.close)
        self.got = queue.Queue()

    def test_messages(self):
        with SyslogReceiver('127.0.0.1', self.board.port, callback=self.got.put):
            self.board.accept()
            self.board.log('\x1b[0;31mE (1234) wifi: no \x1b[1mAP\x1b[0m')
            m = self.got.get(timeout=PATIENCE)
        self.assertEqual((m.level, m.uptime, m.tag, m.text), ('E', '1234', 'wifi', 'no AP'))
        self.assertEqual((m.priority, m.hostname), (14, 'esp32'))
        self.assertIn(b'\x1b[0;31m', m.raw)
        self.assertNotIn('\x1b', m.line)
        self.assertGreater(m.time, 1.6e9)

    def test_printed_without_a_callback(self):
        out = io.StringIO()
        with contextlib.redirect_stderr(out), SyslogReceiver('127.0.0.1', self.board.port):
            self.board.accept()
            self.board.log('W (5) tag: mind the gap')
            while 'mind the gap\n' not in out.getvalue():
                threading.Event().wait(0.01)
        self.assertIn(' W (5) tag: mind the gap\n', out.getvalue())

    def test_all_that_came_is_delivered(self):
        receiver = SyslogReceiver(f'127.0.0.1:{self.board.port}', callback=self.got.put)
        receiver.start()
        receiver.start()
        self.board.accept()
        for i in range(500):
            self.board.log(f'I ({i}) n: {i}')
        texts = [self.got.get(timeout=PATIENCE).text for _ in range(500)]
        receiver.stop()
        receiver.stop()
        self.assertEqual(texts, [str(i) for i in range(500)])
        self.assertEqual(threading.active_count(), 1)

    def test_again_after_a_loss(self):
        with SyslogReceiver('127.0.0.1', self.board.port, callback=self.got.put):
            self.board.accept()
            self.board.stream.close()
            self.board.accept()
            self.board.log('I (1) t: back')
            self.assertEqual(self.got.get(timeout=PATIENCE).text, 'back')

    def test_stopped_by_its_callback(self):
        receiver = SyslogReceiver('127.0.0.1', self.board.port)
        receiver._callback = lambda message: (receiver.stop(), self.got.put(message))
        receiver.start()
        self.board.accept()
        self.board.log('I (1) t: enough')
        self.assertEqual(self.got.get(timeout=PATIENCE).text, 'enough')

    def test_bad_address(self):
        with self.assertRaises(usb.core.USBError):
            SyslogReceiver('[::1').start()
        self.board.stream = socket.socket()


if __name__ == '__main__':
    unittest.main()
