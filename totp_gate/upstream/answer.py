"""The application's answer on its way to the client.

Each piece goes on as it comes. The end of the body gives the connection back before
the last piece is out; everything else that ends it (a cut, a dead session, a client
that has gone) closes the connection and, if octets are still owed, raises, because a
server takes a quiet end for the whole (RFC 9112 section 8).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from totp_gate.telemetry.naming import request_id
from totp_gate.upstream.bodies import Body
from totp_gate.upstream.trouble import (
    AnswerCut,
    ClientGone,
    SessionEnded,
    UpstreamTrouble,
)
from totp_gate.upstream.watch import Watch, server_stops
from totp_gate.upstream.wire import Connection

log = logging.getLogger("totp_gate.upstream")


class Answer:
    """An iterable of pieces, for the server.

    Args:
        connection: in the middle of the answer.
        body: how it is framed; has been fed all that was read.
        first: what of the body is there already; may be empty, which makes the
            server send the headers.
        watch: may end it.
        release: called once with True (all came, the connection is at rest) or False.
        environ: of the request, whose id the log names if the answer is cut.
        is_events: an event stream, which may end anywhere when the server stops.
    """

    __slots__ = (
        *("_body", "_connection", "_environ", "_first"),
        *("_is_events", "_release", "_watch"),
    )

    def __init__(
        self,
        connection: Connection,
        body: Body,
        first: bytes,
        *,
        watch: Watch,
        release: Callable[[bool], None],
        environ: dict[str, Any],
        is_events: bool = False,
    ) -> None:
        self._connection = connection
        self._body = body
        self._first: bytes | None = first
        self._watch = watch
        self._release: Callable[[bool], None] | None = release
        self._environ = environ
        self._is_events = is_events

    def __iter__(self) -> Answer:
        return self

    def __next__(self) -> bytes:
        first = self._first
        if first is not None:
            self._first = None
            return first
        if self._body.done or self._release is None:
            self._settle(True)
            raise StopIteration
        try:
            return self._next_piece()
        except (OSError, UpstreamTrouble) as error:
            self._settle(False)
            expected = isinstance(error, (ClientGone, SessionEnded))
            level = logging.INFO if expected else logging.WARNING
            log.log(
                level, "request=%s answer cut: %s", request_id(self._environ), error
            )
            if isinstance(error, AnswerCut):
                raise
            raise AnswerCut(str(error)) from error

    def _next_piece(self) -> bytes:
        body = self._body
        while True:
            octets = self._connection.receive(self._pause)
            if not octets:
                if not body.end():
                    raise AnswerCut("the application closed in mid-answer")
                self._settle(True)
                raise StopIteration
            if self._watch.tick():
                self._stop_events()
            piece = body.feed(octets)
            if body.done:
                self._settle(True)
            if piece:
                return piece
            if body.done:
                raise StopIteration

    def _pause(self) -> None:
        self._watch.pause()
        self._stop_events()

    def _stop_events(self) -> None:
        if self._is_events and server_stops():
            self._settle(False)
            raise StopIteration

    def _settle(self, clean: bool) -> None:
        release, self._release = self._release, None
        if release is not None:
            release(clean and not self._body.surplus and not self._connection.spare)

    def close(self) -> None:
        """Let go of the connection; called by the server, whatever happened."""
        with suppress(OSError):
            self._settle(False)
