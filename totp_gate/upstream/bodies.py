"""How the body of an answer is framed: counted, chunked, or until the close.

The head decides and nothing else (RFC 9112 section 6.3). Each kind takes octets as
they were read and returns those that are body; what comes after the end is ``surplus``,
never part of this answer, and means that the connection is of no further use.
"""

from __future__ import annotations

import httptools

from totp_gate.upstream.head import Head
from totp_gate.upstream.trouble import Malformed

_CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Counted:
    """A body of so many octets."""

    __slots__ = ("done", "left", "surplus")

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0
        self.surplus = False

    def feed(self, octets: bytes) -> bytes:
        """Return what of *octets* is body."""
        if len(octets) > self.left:
            octets = octets[: self.left]
            self.surplus = True
        self.left -= len(octets)
        self.done = self.left == 0
        return octets

    def end(self) -> bool:
        """Whether the connection may end here."""
        return self.done


class Chunked:
    """A body in chunks; trailers are dropped (RFC 9110 section 6.5.1)."""

    __slots__ = ("_parser", "_pieces", "done", "surplus")

    def __init__(self) -> None:
        self.done = False
        self.surplus = False
        self._pieces: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(_CHUNKED_HEAD)

    def on_message_begin(self) -> None:
        """Notice a second answer (called by httptools)."""
        self.surplus = self.done

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of this answer, not of a next one (called by httptools)."""
        if not self.done:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Notice the end (called by httptools)."""
        self.done = True

    def feed(self, octets: bytes) -> bytes:
        """Return what of *octets* is body.

        Raises:
            Malformed: no chunk looks like that.
        """
        try:
            self._parser.feed_data(octets)
        except httptools.HttpParserError as error:
            if not self.done:
                raise Malformed(f"chunks: {error}") from error
            self.surplus = True
        pieces = self._pieces
        self._pieces = []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self) -> bool:
        """Whether the connection may end here."""
        return self.done


class UntilClose:
    """A body that ends with its connection, which therefore serves nobody else."""

    __slots__ = ("done", "surplus")

    def __init__(self) -> None:
        self.done = False
        self.surplus = True

    def feed(self, octets: bytes) -> bytes:
        """Return *octets*: all is body."""
        return octets

    def end(self) -> bool:
        """The connection may end anywhere."""
        self.done = True
        return True


Body = Counted | Chunked | UntilClose


def body_of(head: Head, method: str) -> Body:
    """Return how the body of an answer to *method* is framed.

    Headers that must not stay with such an answer leave ``head.headers``.

    Source:
        RFC 9112 section 6.3, RFC 9110 sections 8.6, 15.3.5 and 15.4.5.
    """
    if head.status == 204 and (head.chunked or head.length is not None):
        head.headers = [h for h in head.headers if h[0].lower() != "content-length"]
        head.keeps = head.keeps and not (head.chunked or head.length)
    if method == "HEAD" or head.status in (204, 304):
        return Counted(0)
    if head.chunked:
        return Chunked()
    if head.length is not None:
        return Counted(head.length)
    return UntilClose()
