"""Status line and headers of an answer, read strictly.

llhttp is given one whole head and nothing that follows it. It refuses what two
parsers could read differently: two lengths, a length beside chunks, folded lines, bare
CR or LF, control characters, blanks before a colon (RFC 9112 sections 2.2, 5, 6.3).
In the reason phrase it lets control characters pass; those are refused here, and an
HTTP/1.0 answer in chunks ends its connection (section 6.1).
"""

from __future__ import annotations

import re
from http import HTTPStatus

import httptools

from totp_gate.upstream.destination import Limits
from totp_gate.upstream.fields import AnswerNames, Kind, tokens
from totp_gate.upstream.trouble import Malformed

_NAMES = AnswerNames()
_PLAIN, _CONNECTION, _LENGTH, _CODING, _ = Kind
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_VERSIONS = (b"HTTP/1.1 ", b"HTTP/1.0 ")


class Head:
    """Status line and headers of an answer; a protocol object of httptools.

    Raises:
        Malformed: it is none, or beyond *limits*.

    Attributes:
        status: three digits.
        reason: as it came; the usual phrase where none came.
        headers: what may pass, as text, in order.
        length: of the body as announced; None: not announced.
        chunked: the body is chunked.
        keeps: the connection may serve another request after a clean end.
        complete: llhttp has seen the empty line.
        upgrades: Connection lists ``upgrade`` (for 101).
    """

    __slots__ = (
        *("chunked", "complete", "headers", "keeps", "length"),
        *("raw", "reason", "status", "upgrades"),
    )

    def __init__(self, octets: bytes, limits: Limits) -> None:
        self.raw: list[tuple[bytes, bytes]] = []
        self.reason = ""
        self.length: int | None = None
        self.chunked = False
        self.upgrades = False
        self.complete = False
        parser = httptools.HttpResponseParser(self)
        try:
            parser.feed_data(octets)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            if not (self.complete and parser.get_status_code() == 101):
                raise Malformed(f"head: {error}") from error
        if not self.reason.isprintable() and _CONTROL.search(self.reason):
            raise Malformed("status line: a control character")
        self.status: int = parser.get_status_code()
        if not 100 <= self.status <= 599 or octets[:9] not in _VERSIONS:
            raise Malformed("status line: not HTTP/1.1 or HTTP/1.0, or not 100 to 599")
        if len(self.raw) > limits.max_headers:
            raise Malformed(f"head: more than {limits.max_headers} headers")
        modern = octets[7] == 0x31
        self.keeps = modern
        self._sort()
        if self.chunked and not modern:
            self.keeps = False

    def on_status(self, reason: bytes) -> None:
        """Keep the reason phrase (called by httptools)."""
        self.reason = reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header (called by httptools)."""
        self.raw.append((name, value))

    def on_headers_complete(self) -> None:
        """Notice the end (called by httptools)."""
        self.complete = True

    @property
    def line(self) -> str:
        """Status and reason, as start_response wants them."""
        if self.reason:
            return f"{self.status} {self.reason}"
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} Unnamed"

    def _sort(self) -> None:
        listed: set[str] = set()
        self.headers: list[tuple[str, str]] = []
        for name, value in self.raw:
            text, kind = _NAMES[name]
            if kind is _PLAIN:
                self.headers.append((text, value.decode("latin-1").strip(" \t")))
            elif kind is _LENGTH:
                self.length = int(value)
                self.headers.append((text, str(self.length)))
            elif kind is _CONNECTION:
                listed |= tokens(value.decode("latin-1"))
            elif kind is _CODING:
                self._set_coding(value)
        if listed:
            self._apply(listed)

    def _set_coding(self, value: bytes) -> None:
        if self.chunked or value.strip(b" \t").lower() != b"chunked":
            raise Malformed("a transfer coding other than chunked")
        self.chunked = True

    def _apply(self, listed: set[str]) -> None:
        self.upgrades = "upgrade" in listed
        self.keeps = "close" not in listed and (self.keeps or "keep-alive" in listed)
        listed -= {"close", "keep-alive", "upgrade"}
        if listed:
            self.headers = [h for h in self.headers if h[0].lower() not in listed]
