"""A place for a server that is to come, or to come back."""
import contextlib
import socket


@contextlib.contextmanager
def kept_port():
    """A port of 127.0.0.1 that nobody gets who asks for any, while servers on it come and go."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(('127.0.0.1', 0))  # and never listens
        yield keeper.getsockname()[1]
