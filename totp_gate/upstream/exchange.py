"""One request and its answer: asked, checked, handed to the server.

Nothing is told to the server (``start_response``) before the head of the answer was
found right and, where octets of the body are there already, those too. Until then every
failure is still an answer of the gate's own: 502 or 504.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from totp_gate.closing import close_after
from totp_gate.upstream.answer import Answer
from totp_gate.upstream.bodies import Body, UntilClose, body_of
from totp_gate.upstream.destination import Limits
from totp_gate.upstream.head import Head
from totp_gate.upstream.observer import Observer
from totp_gate.upstream.pool import Pool
from totp_gate.upstream.request import Request
from totp_gate.upstream.trouble import Malformed, NoAnswer
from totp_gate.upstream.upload import Upload
from totp_gate.upstream.watch import Watch
from totp_gate.upstream.wire import Connection, read_head

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

#: How long the headers of an answer wait for the first octets of its body, in seconds:
#: a body broken from its start can still become a 502. What comes may be 50 ms late.
FIRST_OCTETS = 0.02


@dataclass(frozen=True, slots=True)
class Means:
    """What every exchange of a proxy shares."""

    pool: Pool
    limits: Limits
    observer: Observer


class Exchange:
    """One request on its way to the application, and what came back.

    Attributes:
        head: of the final answer, or of a 101; set by ``ask``.
        connection: in the middle of that answer; set by ``ask``.
    """

    __slots__ = (
        *("_all_sent", "_environ", "_means", "_request"),
        *("connection", "head", "watch"),
    )

    def __init__(self, means: Means, request: Request, environ: dict[str, Any]) -> None:
        self._means = means
        self._request = request
        self._environ = environ
        self._all_sent = True
        self.watch = Watch(environ)
        self.head: Head
        self.connection: Connection

    def ask(self) -> Head:
        """Send the request, once more if an idle connection proves dead.

        Only what is harmless to repeat, has no body, and was sent on a connection that
        had served before is sent again (RFC 9112 section 9.3.1).

        Raises:
            UpstreamTrouble: there is no answer.
            BadRequest: the client's body is not what it announced.
            AnswerCut: nobody may have, or wants, the answer any more.
        """
        upload = Upload(self._request, self._environ, self.watch)
        upload.begin()
        begun = time.monotonic()
        self.connection = self._means.pool.take()
        try:
            self.head = self._converse(upload)
        except NoAnswer:
            if not (self.connection.reused and self._request.may_repeat):
                raise
            self.connection = self._means.pool.fresh()
            self.head = self._converse(upload)
        self._means.observer.answered(
            self.head.status,
            time.monotonic() - begun,
            reused=self.connection.reused,
        )
        return self.head

    def _converse(self, upload: Upload) -> Head:
        connection, watch = self.connection, self.watch
        try:
            self._all_sent = upload.send(connection)
            hints = self._environ.get("wsgi.early_hints")
            head = read_head(connection, self._means.limits, watch.pause, hints)
        except BaseException:
            connection.close()
            raise
        head.keeps = head.keeps and self._all_sent
        return head

    def answer(self, start_response: StartResponse) -> Iterable[bytes]:
        """Begin the answer at the server and return its body.

        Raises:
            Malformed: the body is broken from its start, or a 101 came unasked.
        """
        try:
            return self._answer(start_response)
        except BaseException:
            self.connection.close()
            raise

    def _answer(self, start_response: StartResponse) -> Iterable[bytes]:
        head = self.head
        if head.status == 101:
            raise Malformed("101 that was not asked for")
        if not self._all_sent:
            close_after(self._environ, start_response)
        body = body_of(head, self._request.method)
        first = b"" if body.done else self._first_octets(body)
        if body.done:
            self._release(not body.surplus and not self.connection.spare)
            start_response(head.line, head.headers)
            return [first] if first else []
        start_response(head.line, head.headers)
        return Answer(
            self.connection,
            body,
            first,
            watch=self.watch,
            release=self._release,
            environ=self._environ,
            is_events=_is_event_stream(head),
        )

    def _first_octets(self, body: Body) -> bytes:
        connection = self.connection
        spare, connection.spare = connection.spare, b""
        first = body.feed(spare) if spare else b""
        if body.done or first or isinstance(body, UntilClose):
            return first
        soon = connection.receive_soon(FIRST_OCTETS)
        if soon == b"":
            raise Malformed("the connection ended before the body began")
        return body.feed(soon) if soon else b""

    def _release(self, clean: bool) -> None:
        if clean and self.head.keeps:
            self._means.pool.give(self.connection)
        else:
            self.connection.close()


def _is_event_stream(head: Head) -> bool:
    return head.length is None and any(
        name.lower() == "content-type" and value.lower().startswith("text/event-stream")
        for name, value in head.headers
    )
