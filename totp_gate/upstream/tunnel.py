"""After 101: octets both ways on the server's own socket.

A tunnel runs where the server asks for the answer's body, so the thread or greenlet
of the request carries it and nothing else is started. One poll waits for both sockets;
what one side sends is held only until the other takes it, and meanwhile no more is
read. Once a second the tunnel asks whether it still may: it ends with its session, and
when the server stops, with a close frame where the stream rests between two frames.

When it is over the socket is shut, and ``TunnelOver`` leaves the application: to
gunicorn (sync, gthread, gevent) and Werkzeug a client that hung up, after which none
of them writes anything on that socket.
"""

from __future__ import annotations

import logging
import math
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from totp_gate.upstream.frames import (
    GOING_AWAY,
    POLICY_VIOLATION,
    Boundary,
    close_frame,
)
from totp_gate.upstream.trouble import AnswerCut, Full
from totp_gate.upstream.watch import has_finished
from totp_gate.upstream.wire import RECEIVE, Connection

log = logging.getLogger("totp_gate.upstream")

INTERVAL = 1.0
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TunnelOver(AnswerCut):
    """A tunnel has ended; the server has nothing to write and closes the socket."""

    def __init__(self) -> None:
        super().__init__("the tunnel is over")


class Places:
    """Counts the tunnels of a process, and bounds them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self.open = 0

    def enter(self) -> None:
        """Take a place.

        Raises:
            Full: there is none.
        """
        with self._lock:
            if self.open >= self._most:
                raise Full(f"{self.open} tunnels are open")
            self.open += 1

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self.open -= 1


class Side:
    """One end of a tunnel: a socket, and what it has not taken yet.

    Attributes:
        owed: what it has still to take.
        ended: nothing more comes from it.
        took_at: when it last took something of that, or was first owed it.
    """

    __slots__ = ("_finished", "ended", "owed", "sock", "took_at")

    def __init__(self, sock: socket.socket, owed: bytes = b"") -> None:
        self.sock = sock
        self.owed = owed
        self.ended = False
        self.took_at = time.monotonic()
        self._finished = False
        sock.settimeout(0.0)

    def read(self) -> bytes | None:
        """Return what has come; None: nothing yet; empty: the end."""
        try:
            octets = self.sock.recv(RECEIVE)
        except _WOULD_BLOCK:
            return None
        except OSError:
            octets = b""
        self.ended = not octets
        return octets

    def owe(self, octets: bytes) -> None:
        """Keep *octets* for it; nothing may be owed already."""
        self.owed = octets
        self.took_at = time.monotonic()

    def flush(self) -> bool:
        """Send what is owed, as far as it is taken; False: nobody takes it."""
        try:
            while self.owed:
                self.owed = self.owed[self.sock.send(self.owed) :]
                self.took_at = time.monotonic()
        except _WOULD_BLOCK:
            return True
        except OSError:
            return False
        return True

    def finish(self) -> None:
        """Tell who is at this end that nothing more comes, where that can be told.

        Over TLS it cannot: ``shutdown`` ends the encryption there, of both directions,
        and what came next would be taken for plain text.
        """
        if not self._finished and not isinstance(self.sock, ssl.SSLSocket):
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
        self._finished = True

    @property
    def has_more(self) -> bool:
        """Whether TLS holds octets that no poll will announce."""
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0


class Tunnel:
    """An iterable without pieces: asking for the first one runs the tunnel.

    Args:
        client: the server's socket; not closed here, only shut.
        upstream: the connection on which 101 has come.
        opening: written to the client first: the 101 answer and what came with it.
        early: what the server had already read from the client.
        alive: False once the session has ended.
        stops: True once the server is stopping.
        linger: seconds that one direction may outlive the other, whatever it still
            has to take.
        patience: seconds for which one side may take nothing of what the other sent.
        release: called once, at the end.
    """

    def __init__(
        self,
        client: socket.socket,
        upstream: Connection,
        *,
        opening: bytes,
        early: bytes,
        alive: Callable[[], bool],
        stops: Callable[[], bool],
        linger: float,
        patience: float,
        release: Callable[[], None],
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._opening = opening
        self._early = early
        self._alive = alive
        self._stops = stops
        self._linger = linger
        self._patience = patience
        self._release: Callable[[], None] | None = release
        self._boundary = Boundary()
        self._over_at = math.inf

    def __iter__(self) -> Tunnel:
        return self

    def __next__(self) -> bytes:
        if self._release is None:
            raise TunnelOver
        try:
            self._run()
        finally:
            self.close()
        raise TunnelOver

    def close(self) -> None:
        """End it; called by the server too, whatever happened."""
        release, self._release = self._release, None
        if release is None:
            return
        self._upstream.close()
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._client.settimeout(None)
        release()

    def _run(self) -> None:
        client = Side(self._client, self._opening + self._upstream.spare)
        upstream = Side(self._upstream.sock, self._early)
        self._boundary.feed(self._upstream.spare)
        self._opening = self._early = self._upstream.spare = b""
        due = time.monotonic() + INTERVAL
        while (
            client.flush() and upstream.flush() and not self._is_over(client, upstream)
        ):
            self._wait(client, upstream, max(0.0, due - time.monotonic()))
            self._move(client, upstream)
            if time.monotonic() >= due:
                due = time.monotonic() + INTERVAL
                if self._must_end(client) or self._is_stuck(client, upstream):
                    return

    def _is_over(self, client: Side, upstream: Side) -> bool:
        if upstream.ended and not client.owed:
            return True
        if client.ended and not upstream.owed:
            upstream.finish()
        if client.ended or upstream.ended:
            self._start_lingering()
        return time.monotonic() > self._over_at

    def _start_lingering(self) -> None:
        self._over_at = min(self._over_at, time.monotonic() + self._linger)

    def _is_stuck(self, client: Side, upstream: Side) -> bool:
        """Whether one side takes nothing for too long; a tunnel may be idle, not that.

        While something is owed to one side, the other is not read, and so neither is
        its end: if that can be seen, what is left has the time of lingering.
        """
        for side, other in ((client, upstream), (upstream, client)):
            if side.owed and has_finished(other.sock):
                self._start_lingering()
            if side.owed and time.monotonic() - side.took_at > self._patience:
                return True
        return False

    def _wait(self, client: Side, upstream: Side, seconds: float) -> None:
        poll = select.poll()
        for side, other in ((client, upstream), (upstream, client)):
            events = select.POLLOUT if side.owed else 0
            if not (other.owed or side.ended or upstream.ended):
                events |= select.POLLIN
                if side.has_more:
                    seconds = 0.0
            if events:
                poll.register(side.sock, events)
        poll.poll(seconds * 1000)

    def _move(self, client: Side, upstream: Side) -> None:
        if not (upstream.owed or upstream.ended or client.ended):
            upstream.owe(client.read() or b"")
        if not client.owed and not upstream.ended:
            client.owe(upstream.read() or b"")
            self._boundary.feed(client.owed)
        if upstream.ended:
            upstream.owed = b""  # nobody is there to take it

    def _must_end(self, client: Side) -> bool:
        if not self._alive():
            self._say_goodbye(client, POLICY_VIOLATION, "signed out")
            return True
        if self._stops():
            self._say_goodbye(client, GOING_AWAY, "restarting")
            return True
        return False

    def _say_goodbye(self, client: Side, code: int, reason: str) -> None:
        if not client.owed and self._boundary.is_between:
            client.owed = close_frame(code, reason)
            client.flush()


def take_early(environ: dict[str, Any]) -> bytes:
    """Return what the server has read from the client behind the request's head."""
    source = environ.get("wsgi.input")
    unreader = getattr(getattr(source, "reader", None), "unreader", None)
    if unreader is not None:
        early = unreader.buf.getvalue()
        unreader.buf.seek(0)
        unreader.buf.truncate()
        return bytes(early)
    peek = getattr(source, "peek", None)
    sock = environ.get("werkzeug.socket")
    if peek is None or sock is None:
        return b""
    sock.settimeout(0.0)
    with suppress(OSError):
        return bytes(source.read(len(peek())))  # type: ignore[union-attr]
    return b""
