"""The client's body on its way to the application, piece by piece.

A connection is taken when there is something to send: first the body's beginning is
read. With a length that is all of it, up to 64 KiB, so a slow client with a form holds
no connection. After that, and in chunks from the start, what has arrived goes on at
once, however little it is.

Octets are counted: a body that ends before its announced length, or with a broken
chunk, is never completed here. The connection is closed instead, so that the
application sees an unfinished request and not a shorter one (RFC 9112 section 8).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from totp_gate.errors import BadRequest
from totp_gate.upstream.request import CHUNKED, Request
from totp_gate.upstream.watch import Watch, client_socket, waiting
from totp_gate.upstream.wire import Connection, NotTaken

#: Octets of a counted body that are there before a connection is taken.
BEGINNING = 65536
#: Octets of a piece of many chunks, or where it is not known what has arrived.
PIECE = 65536
#: What gunicorn's ``read`` asks for at least.
KIBI = 1024
#: Octets on the wire for one octet of body in a chunk of its own.
_SMALLEST_CHUNK = len(b"1\r\nx\r\n")


class Upload:
    """Head and body of one request.

    Args:
        request: as it will be sent.
        environ: of the client's request, with its ``wsgi.input``.
        watch: may end it.
    """

    __slots__ = ("_beginning", "_environ", "_left", "_request", "_source", "_watch")

    def __init__(self, request: Request, environ: dict[str, Any], watch: Watch) -> None:
        self._request = request
        self._source: Any = environ.get("wsgi.input")
        self._environ = environ
        self._watch = watch
        self._left = request.length
        self._beginning = b""

    def begin(self) -> None:
        """Wait for the beginning of the body, if there is one.

        Raises:
            BadRequest: the client did not send what it announced.
            SessionEnded: nothing may be sent any more.
        """
        if self._left == 0:
            return
        if self._left == CHUNKED:
            self._beginning = self._read_chunks()
        else:
            self._beginning = self._read_beginning()
        self._watch.tick()

    def _read_beginning(self) -> bytes:
        wanted = min(self._left, BEGINNING)
        beginning = _read(self._source.read, wanted)
        while len(beginning) < wanted:
            piece = _read(self._source.read, wanted - len(beginning))
            beginning += piece
            if not piece:
                raise _cut()
        return beginning

    def _read_chunks(self) -> bytes:
        """Return what has arrived: the chunk that comes, or many that have come."""
        come = b""
        client = client_socket(self._environ)
        while len(come) < PIECE:
            sure = waiting(client) // _SMALLEST_CHUNK
            if sure < KIBI:
                break
            piece = _read(self._source.read, min(sure, PIECE))
            if not piece:
                break
            come += piece
        return come or _read_arrived(self._source)

    def send(self, connection: Connection) -> bool:
        """Send the head, what was begun, and the rest as it comes.

        Returns:
            False if the application stopped taking it; an answer may be waiting.

        Raises:
            BadRequest: the client did not send what it announced.
            Silent: the application took nothing for too long.
        """
        try:
            if self._left == 0:
                connection.send(self._request.head, self._watch.pause)
            elif self._left == CHUNKED:
                self._send_chunks(connection)
            else:
                self._send_counted(connection)
        except NotTaken:
            return False
        return True

    def _send_counted(self, connection: Connection) -> None:
        watch = self._watch
        connection.send(self._request.head + self._beginning, watch.pause)
        left = self._left - len(self._beginning)
        while left:
            piece = _read_arrived(self._source, left)
            if not piece:
                raise _cut()
            left -= len(piece)
            connection.send(piece, watch.pause)
            watch.tick()

    def _send_chunks(self, connection: Connection) -> None:
        watch = self._watch
        head, piece = self._request.head, self._beginning
        while piece:
            connection.send(b"%s%x\r\n%s\r\n" % (head, len(piece), piece), watch.pause)
            head = b""
            watch.tick()
            piece = self._read_chunks()
        connection.send(head + b"0\r\n\r\n", watch.pause)


def _read_arrived(source: Any, left: int | None = None) -> bytes:
    """Wait for an octet; return it and what came with it. Empty: the end.

    ``read`` of gunicorn's input waits for as many octets as were asked for, and for a
    kibioctet at least. But one octet of a line it gives as soon as that is there, and
    what it holds by then can be had without waiting. Of another input a piece is read.

    Args:
        left: octets of the body that are still to come, where that is known.
    """
    if _held(source) is None:
        return _read(source.read, PIECE if left is None else min(left, PIECE))
    first = _read(source.readline, 1)
    more = _held(source) or 0
    if left is not None:
        more = min(more, left - 1)  # the next request may be there as well
    if not first or not more:
        return first
    return first + bytes(source.reader.read(more))


def _held(source: Any) -> int | None:
    """Return how many octets gunicorn's input holds; None: it is another server's."""
    reader = getattr(source, "reader", None)
    buffer = getattr(reader, "buf", None)  # of chunks
    if buffer is None:
        buffer = getattr(getattr(reader, "unreader", None), "buf", None)
    return None if buffer is None else int(buffer.tell())


def _read(read: Callable[[int], bytes], size: int) -> bytes:
    try:
        return bytes(read(size))
    except OSError as error:
        raise BadRequest("The request's body cannot be read.") from error
    except Exception as error:
        # Servers have no common class for a body that breaks the rules.
        raise BadRequest("The request's body is malformed.") from error


def _cut() -> BadRequest:
    return BadRequest("The request's body ended before its length.")
