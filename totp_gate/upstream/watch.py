"""What may end an answer from outside: the session, the client, the server's stop."""

from __future__ import annotations

import fcntl
import select
import signal
import socket
import ssl
import sys
import termios
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from totp_gate.upstream.trouble import ClientGone, SessionEnded
from totp_gate.waiting import give_way, is_cooperative

#: How often a running answer asks whether it still may, in seconds.
INTERVAL = 1.0
#: How long a body may keep those waiting who share the loop, in seconds.
TURN = 0.002
_FINISHED = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


def client_socket(environ: dict[str, Any]) -> socket.socket | None:
    """Return the server's socket to the client, where the server shows it."""
    sock = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    return sock if sock is not None and hasattr(sock, "recv") else None


def waiting(sock: socket.socket | None) -> int:
    """Return how many octets from the client the system holds; 0: none, or unknown."""
    if sock is None:
        return 0
    try:
        told = fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(told, sys.byteorder)


def server_stops() -> bool:
    """Whether the gunicorn worker of this process was told to stop.

    Nothing tells an application. But the worker's own handler of SIGTERM is a method
    of the worker, and so leads to the flag that it clears.
    """
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(worker, "alive", True) is False


def has_finished(sock: socket.socket) -> bool:
    """Whether nothing more will come from the other end, whatever is left to read."""
    poll = _poll_of_the_system()()
    poll.register(sock.fileno(), _FINISHED)
    return bool(poll.poll(0))


@cache
def _poll_of_the_system() -> Any:
    if not is_cooperative():
        return select.poll
    from gevent.monkey import get_original

    # gevent's own knows only of reading and writing; one that never waits does no harm.
    return get_original("select", "poll")


def has_gone(sock: socket.socket) -> bool:
    """Whether the client has closed its side, with nothing left to read.

    A client that half-closes counts as gone, as it does for nginx. Over TLS nothing
    can be looked at without being taken, so there what is left to read does not count.
    """
    if isinstance(sock, ssl.SSLSocket):
        return has_finished(sock)
    before = sock.gettimeout()
    try:
        sock.settimeout(0.0)
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(before)


class Watch:
    """Looks after one answer while it runs.

    Attributes:
        alive: False once the session has ended.
    """

    __slots__ = ("_client", "_due", "_turn_ends", "alive")

    def __init__(self, environ: dict[str, Any]) -> None:
        self.alive: Callable[[], bool] = environ.get("totp_gate.alive") or always
        self._client = client_socket(environ)
        self._due = 0.0
        self._turn_ends = 0.0

    def pause(self) -> None:
        """Look at everything; called after a second without octets.

        Raises:
            SessionEnded: nothing more may be sent.
            ClientGone: nothing more is wanted.
        """
        if not self.alive():
            raise SessionEnded
        if self._client is not None and has_gone(self._client):
            raise ClientGone

    def tick(self) -> bool:
        """Look at the session if a second has passed; called as octets come.

        Others who are ready go on first.

        Returns:
            Whether it has looked.

        Raises:
            SessionEnded: nothing more may be sent.
        """
        now = time.monotonic()
        if now >= self._turn_ends:
            give_way()
            self._turn_ends = now + TURN
        if now < self._due:
            return False
        self._due = now + INTERVAL
        if not self.alive():
            raise SessionEnded
        return True


def always() -> bool:
    """Return True: nobody ends this session."""
    return True
