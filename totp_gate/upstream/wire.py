"""One HTTP/1.1 conversation with the application.

A head is collected up to its empty line and parsed alone (``head``), so what follows
can never be taken for part of it, and what is left over is known exactly. 1xx answers
are read away here and are never the answer (RFC 9110 section 15.2).

Every wait is cut into slices of a second at most. Between slices the caller's ``pause``
is asked, which raises when the session has ended or nobody waits any more.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from totp_gate.upstream.destination import Limits
from totp_gate.upstream.head import Head
from totp_gate.upstream.trouble import AnswerCut, Malformed, NoAnswer, Silent
from totp_gate.waiting import look_at

SLICE = 1.0
RECEIVE = 65536

_END = b"\r\n\r\n"
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Pause = Callable[[], None]


class NotTaken(Exception):
    """The application stopped taking the request's body."""


class Connection:
    """A connected socket and what was read from it too early."""

    __slots__ = ("_look", "_read_timeout", "_slice", "reused", "sock", "spare")

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self.sock = sock
        self.spare = b""
        self.reused = False
        self._read_timeout = limits.read_timeout
        self._slice = min(SLICE, limits.read_timeout)
        self._look = None if hasattr(sock, "pending") else look_at(sock.fileno())
        sock.settimeout(self._slice)

    def close(self) -> None:
        """Close the socket; twice does no harm."""
        with suppress(OSError):
            self.sock.close()

    def is_quiet(self) -> bool:
        """Whether it is open and nothing unasked has come: fit for a next request.

        Over TLS what has come may be nothing (a ticket), so there it is read.
        """
        if self._look is not None:
            return not self._look()
        try:
            self.sock.settimeout(0.0)
            self.sock.recv(1)
        except _WOULD_BLOCK:
            self.sock.settimeout(self._slice)
            return True
        except OSError:
            return False
        return False

    def receive(self, pause: Pause, size: int = RECEIVE) -> bytes:
        """Return the next octets; empty: the application has closed.

        Raises:
            Silent: nothing came for ``read_timeout``.
            OSError: the connection broke.
        """
        if self.spare:
            spare, self.spare = self.spare, b""
            return spare
        waited = 0.0
        while True:
            try:
                return self.sock.recv(size)
            except TimeoutError:
                pause()
                waited += self._slice
                if waited >= self._read_timeout:
                    raise Silent(f"nothing came for {waited:g} s") from None

    def receive_soon(self, seconds: float, size: int = RECEIVE) -> bytes | None:
        """Return the next octets like ``receive``; None: not within *seconds*.

        A connection that broke counts as closed.
        """
        try:
            self.sock.settimeout(seconds)
            return self.sock.recv(size)
        except TimeoutError:
            return None
        except OSError:
            return b""
        finally:
            self.sock.settimeout(self._slice)

    def send(self, octets: bytes, pause: Pause) -> None:
        """Send all of *octets*.

        Raises:
            NotTaken: the connection broke, or an answer waits while nothing is taken.
            Silent: nothing was taken for ``read_timeout``.
            AnswerCut: *pause* raised it.
        """
        try:
            sent = self._send_now(octets)
            if sent < len(octets):
                self._send_rest(memoryview(octets)[sent:], pause)
        except AnswerCut:
            raise
        except OSError as error:
            raise NotTaken(str(error)) from error

    def _send_now(self, octets: bytes | memoryview) -> int:
        try:
            return self.sock.send(octets)
        except TimeoutError:
            return 0

    def _send_rest(self, rest: memoryview, pause: Pause) -> None:
        waited = 0.0
        while rest:
            sent = self._send_now(rest)
            rest = rest[sent:]
            waited = 0.0 if sent else waited + self._slice
            if not sent:
                pause()
                self._look_for_answer()
                if waited >= self._read_timeout:
                    raise Silent(f"nothing was taken for {waited:g} s")

    def _look_for_answer(self) -> None:
        try:
            self.sock.settimeout(0.0)
            early = self.sock.recv(RECEIVE)
        except _WOULD_BLOCK:
            return
        finally:
            self.sock.settimeout(self._slice)
        self.spare += early
        raise NotTaken("an answer came before the request had ended")


EarlyHints = Callable[[Iterable[tuple[str, str]]], Any]


def read_head(
    connection: Connection, limits: Limits, pause: Pause, hints: EarlyHints | None
) -> Head:
    """Return the head of the final answer, or of a 101.

    Args:
        connection: the request has been sent on it.
        limits: of size, number of headers, and of 1xx answers.
        pause: asked between slices of waiting.
        hints: given the Link headers of each 103 (RFC 8297).

    Raises:
        NoAnswer: the connection ended before any octet came, not even of a 1xx.
        Malformed: no HTTP answer, or beyond a limit.
        Silent: nothing came for too long.
    """
    for number in range(limits.max_interim + 1):
        head = Head(_collect(connection, limits, pause, begun=number > 0), limits)
        if head.status >= 200 or head.status == 101:
            return head
        if head.status == 103 and hints is not None:
            links = [h for h in head.headers if h[0].lower() == "link"]
            if links:
                hints(links)
    raise Malformed(f"more than {limits.max_interim} answers 1xx")


def _collect(
    connection: Connection, limits: Limits, pause: Pause, *, begun: bool
) -> bytes:
    octets = b""
    while True:
        more = _receive(connection, pause, begun=begun or bool(octets))
        octets = octets + more if octets else more
        end = octets.find(_END)
        if end >= 0:
            connection.spare = octets[end + 4 :]
            octets = octets[: end + 4]
        if len(octets) > limits.max_head:
            raise Malformed(f"head: more than {limits.max_head} octets")
        if end >= 0:
            return octets
        if octets.count(b"\n") != octets.count(b"\r\n"):
            raise Malformed("head: a line ends without CR")


def _receive(connection: Connection, pause: Pause, *, begun: bool) -> bytes:
    reason = "the connection ended"
    try:
        octets = connection.receive(pause)
    except AnswerCut:
        raise
    except OSError as error:
        octets, reason = b"", str(error)
    if octets:
        return octets
    if begun:
        raise Malformed("head: the connection ended before its end")
    raise NoAnswer(reason)
