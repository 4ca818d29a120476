"""A place for a server that is to come, or to come back."""
import socket


def kept_port():
    """A port of 127.0.0.1 that the system gives to nobody, for who listens there by number, one after the
    other: a socket that holds it, and the number."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(('127.0.0.1', 0))
    return holder, str(holder.getsockname()[1])
