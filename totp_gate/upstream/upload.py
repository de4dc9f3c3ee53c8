"""The client's body on its way to the application, piece by piece.

Octets are counted: a body that ends before its announced length, or with a broken
chunk, is never completed here. The connection is closed instead, so that the
application sees an unfinished request and not a shorter one (RFC 9112 section 8).
"""

from __future__ import annotations

from typing import Any

from totp_gate.errors import BadRequest
from totp_gate.upstream.request import CHUNKED, Request
from totp_gate.upstream.watch import Watch
from totp_gate.upstream.wire import Connection, NotTaken

#: Octets of the first piece, which should leave soon, and of all later ones.
FIRST_PIECE = 65536
PIECE = 262144


def send_request(
    connection: Connection, request: Request, environ: dict[str, Any], watch: Watch
) -> bool:
    """Send head and body of *request*.

    Returns:
        False if the application stopped taking it; an answer may be waiting.

    Raises:
        BadRequest: the client did not send what it announced.
        Silent: the application took nothing for too long.
    """
    try:
        if request.length == 0:
            connection.send(request.head, watch.pause)
        elif request.length == CHUNKED:
            _send_chunks(connection, request, environ["wsgi.input"], watch)
        else:
            _send_counted(connection, request, environ["wsgi.input"], watch)
    except NotTaken:
        return False
    return True


def _send_counted(
    connection: Connection, request: Request, source: Any, watch: Watch
) -> None:
    left = request.length
    head = request.head
    size = FIRST_PIECE
    while left:
        piece = _read(source, min(left, size))
        if not piece:
            raise BadRequest("The request's body ended before its length.")
        left -= len(piece)
        connection.send(head + piece, watch.pause)
        head, size = b"", PIECE
        watch.tick()


def _send_chunks(
    connection: Connection, request: Request, source: Any, watch: Watch
) -> None:
    head = request.head
    while piece := _read(source, FIRST_PIECE):
        chunk = b"%s%x\r\n%s\r\n" % (head, len(piece), piece)
        connection.send(chunk, watch.pause)
        head = b""
        watch.tick()
    connection.send(head + b"0\r\n\r\n", watch.pause)


def _read(source: Any, size: int) -> bytes:
    try:
        return bytes(source.read(size))
    except OSError as error:
        raise BadRequest("The request's body cannot be read.") from error
    except Exception as error:
        # Servers have no common class for a body that breaks the rules.
        raise BadRequest("The request's body is malformed.") from error
