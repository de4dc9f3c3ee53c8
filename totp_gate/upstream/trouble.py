"""What can go wrong with the application behind the gate, and how it is told.

UpstreamTrouble (a GateError)
├── Unreachable     no connection: refused, no route
├── Untrusted       a certificate that does not fit
├── NoAnswer        the connection ended before the first octet of an answer
├── Malformed       what came back is not an HTTP answer
├── Silent          nothing came, or nothing was taken, for too long
└── Full            as many tunnels are open as may be

Each becomes an answer while none has begun. Afterwards there is only one honest way to
say that an answer is not whole: ``AnswerCut`` leaves the application, and the server
closes the client's connection without the mark of an end. It is a ConnectionResetError
because servers take that for what it is and write no traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from totp_gate.errors import GateError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

Trouble = Callable[[dict[str, Any], "StartResponse", int, str], Iterable[bytes]]


class UpstreamTrouble(GateError):
    """The application could not be asked, or did not answer.

    Attributes:
        status: status code of the answer to give instead.
        told: what the client is told; never anything of the application's inside.
        kind: one word for logs and counters.
    """

    status = 502
    told = "The application cannot be reached."
    kind = "unreachable"


class Unreachable(UpstreamTrouble):
    """No connection to the application."""


class Untrusted(UpstreamTrouble):
    """Who answers does not prove to be the application; nothing was sent to it."""

    kind = "untrusted"


class NoAnswer(UpstreamTrouble):
    """The connection ended before the first octet of an answer."""

    told = "The application did not answer."
    kind = "no-answer"


class Malformed(UpstreamTrouble):
    """What the application sent breaks HTTP, or is larger than it may be."""

    told = "The application gave an answer that cannot be passed on."
    kind = "malformed"


class Silent(UpstreamTrouble):
    """Neither end of the application's connection moved for the time allowed."""

    status = 504
    told = "The application did not answer in time."
    kind = "silent"


class Full(UpstreamTrouble):
    """As many tunnels are open in this process as may be."""

    status = 503
    told = "Too many connections are open. Please try again later."
    kind = "full"


class AnswerCut(ConnectionResetError):
    """An answer, or a tunnel, ends here without its end; nothing more is written."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.ECONNRESET, reason)


class SessionEnded(AnswerCut):
    """The session of this request is over; so is all that runs in its name."""

    def __init__(self) -> None:
        super().__init__("the session has ended")


class ClientGone(AnswerCut):
    """Nobody waits for this answer any more."""

    def __init__(self) -> None:
        super().__init__("the client has gone")


def plain_trouble(
    environ: dict[str, Any], start_response: StartResponse, status: int, reason: str
) -> Iterable[bytes]:
    """Answer with one line of text; what the app replaces by a page or JSON.

    Args:
        environ: of the request.
        start_response: of the request.
        status: status code of the answer.
        reason: a sentence for the person who sees it.
    """
    body = f"{reason}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]
