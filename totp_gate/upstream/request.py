"""From environ to the octets of one request.

The target and the values leave as they came. What two parsers could read differently
is refused, never repaired, and exactly one framing is written: the length that was
announced, chunked, or none (RFC 9112 section 6).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from totp_gate.core.headers import declared_length, environ_key, is_chunked
from totp_gate.errors import BadRequest
from totp_gate.upstream import fields
from totp_gate.upstream.destination import Destination

CHUNKED = -1

_TARGET = re.compile(r"/[\x21\x22\x24-\x7e]*")
_ABSOLUTE = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*)([\x21\x22\x24-\x7e]*)")
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9._~%!$&'()*+;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?"
)
_UNSAFE = re.compile(r"[^\x21\x22\x24\x25-\x3e\x40-\x7e]")
_ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_WITH_BODY = frozenset(["POST", "PUT", "PATCH"])
_IDEMPOTENT = frozenset(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
_USUAL = _WITH_BODY | _IDEMPOTENT

#: No client's ``Connection`` can remove these: the gate sets them before it calls the
#: proxy, or leaves there only what may be believed.
OWN_HEADERS = (
    *("Host", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"),
    *("X-Forwarded-Port", "Forwarded", "X-Real-IP", "X-Request-ID"),
    *("Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"),
)


@dataclass(slots=True)
class Request:
    """One request, ready for the wire.

    Attributes:
        method: as the client wrote it.
        head: request line and headers, with the empty line.
        length: octets of the body; 0: no body; ``CHUNKED``: told only by its end.
        upgrade: asks for a WebSocket, and the application may be asked for it.
        answered_here: OPTIONS that may go no further (Max-Forwards: 0).
    """

    method: str
    head: bytes
    length: int
    upgrade: bool = False
    answered_here: bool = False

    @property
    def may_repeat(self) -> bool:
        """Whether it does no harm to send it twice (RFC 9110 section 9.2.2)."""
        return self.length == 0 and self.method in _IDEMPOTENT and not self.upgrade


class RequestWriter:
    """Writes requests for one destination.

    Args:
        destination: decides the Host.
        pseudonym: the name of this gate in Via; a request that carries it already
            has been here and is refused with 508.
        own_headers: header names that the gate sets itself, on top of
            ``OWN_HEADERS``.
    """

    def __init__(
        self, destination: Destination, pseudonym: str, own_headers: Iterable[str] = ()
    ) -> None:
        self._destination = destination
        self._pseudonym = pseudonym
        self._via = re.compile(rf"\s{re.escape(pseudonym)}(?=[\s,]|$)", re.IGNORECASE)
        self._own = frozenset(
            environ_key(name) for name in (*OWN_HEADERS, *own_headers)
        )
        self._names = fields.RequestNames()

    def write(self, environ: dict[str, Any]) -> Request:
        """Return the request that *environ* describes.

        Raises:
            BadRequest: 400, 405 (TRACE, CONNECT), 501 (a transfer coding other than
                chunked), 508 (a loop).

        Source:
            RFC 9110 sections 7.2, 7.6 and 9.3.8; RFC 9112 sections 3.2 and 6.
        """
        method = environ["REQUEST_METHOD"]
        if method not in _USUAL:
            _check_method(method)
        target = _target(environ)
        host = self._host(environ)
        length = _length(environ)
        upgrade = length == 0 and _asks_for_websocket(environ)
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        self._copy(environ, lines)
        lines.append(self._signature(environ))
        answered = method == "OPTIONS" and _count_forwards(environ, lines)
        if upgrade:
            lines += ["Connection: Upgrade", "Upgrade: websocket"]
        if length > 0 or environ.get("CONTENT_LENGTH"):
            lines.append(f"Content-Length: {length}")
        elif length == CHUNKED:
            lines.append("Transfer-Encoding: chunked")
        elif method in _WITH_BODY:
            lines.append("Content-Length: 0")
        return Request(method, _encode(lines), length, upgrade, answered)

    def _copy(self, environ: dict[str, Any], lines: list[str]) -> None:
        connection = environ.get("HTTP_CONNECTION")
        listed: set[str] = set()
        if connection and connection.lower() not in ("keep-alive", "close"):
            listed = fields.listed_in(connection, own=self._own)
        names = self._names
        lines += [
            name + value
            for key, value in environ.items()
            if (name := names[key]) and key not in listed
        ]
        content_type = environ.get("CONTENT_TYPE")
        if content_type:
            lines.append("Content-Type: " + content_type)

    def _host(self, environ: dict[str, Any]) -> str:
        host: str | None = environ.get("HTTP_HOST")
        if host is None:
            if environ.get("SERVER_PROTOCOL") != "HTTP/1.0":
                raise BadRequest("The request names no host.")
            return self._destination.authority
        if not _AUTHORITY.fullmatch(host):
            raise BadRequest("The request's Host is no host.")
        return (
            self._destination.authority
            if self._destination.host == "upstream"
            else host
        )

    def _signature(self, environ: dict[str, Any]) -> str:
        version = environ.get("SERVER_PROTOCOL", "HTTP/1.1")[5:]
        before = environ.get("HTTP_VIA")
        if not before:
            return f"Via: {version} {self._pseudonym}"
        if self._via.search(before):
            raise BadRequest("The request has been here before: a loop.", status=508)
        return f"Via: {before}, {version} {self._pseudonym}"


def allowed_methods() -> str:
    """Return the value of Allow for an answer 405 (RFC 9110 section 15.5.6)."""
    return _ALLOWED


def _check_method(method: str) -> None:
    if method in ("TRACE", "CONNECT"):
        raise BadRequest(f"{method} is not served here.", status=405)
    if not fields.is_token(method):
        raise BadRequest("The request's method is no method.")


def _target(environ: dict[str, Any]) -> str:
    target: str | None = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if target is None:
        return _requoted(environ)
    if _TARGET.fullmatch(target):
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or absolute[1].lower() != environ.get("HTTP_HOST", "").lower():
        raise BadRequest("The request's target cannot be passed on.")
    rest = absolute[2]
    return rest if rest.startswith("/") else f"/{rest}"


def _requoted(environ: dict[str, Any]) -> str:
    """Return a target where the server does not tell the one it read."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "") or "/"
    if not path.startswith("/"):
        raise BadRequest("The request's target cannot be passed on.")
    quoted = _UNSAFE.sub(_quote, path.replace("%", "%25"))
    query = environ.get("QUERY_STRING")
    target = f"{quoted}?{query}" if query else quoted
    if not _TARGET.fullmatch(target):
        raise BadRequest("The request's target cannot be passed on.")
    return target


def _quote(octet: re.Match[str]) -> str:
    return f"%{ord(octet[0]):02X}"


def _length(environ: dict[str, Any]) -> int:
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if not coding:
        return declared_length(environ) or 0
    if environ.get("CONTENT_LENGTH"):
        raise BadRequest("The request has two framings.")
    if not (is_chunked(coding) and environ.get("wsgi.input_terminated")):
        raise BadRequest("This transfer coding is not served.", status=501)
    return CHUNKED


def _asks_for_websocket(environ: dict[str, Any]) -> bool:
    return (
        "HTTP_UPGRADE" in environ
        and environ["REQUEST_METHOD"] == "GET"
        and environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
        and environ["HTTP_UPGRADE"].strip(" \t").lower() == "websocket"
        and "upgrade" in fields.tokens(environ.get("HTTP_CONNECTION", ""))
    )


def _count_forwards(environ: dict[str, Any], lines: list[str]) -> bool:
    """Write Max-Forwards one lower; True where it may not go further.

    Source:
        RFC 9110 section 7.6.2.
    """
    left = environ.get("HTTP_MAX_FORWARDS", "")
    if not (left.isascii() and left.isdigit() and len(left) < 10):
        return False
    if int(left) == 0:
        return True
    lines.append(f"Max-Forwards: {int(left) - 1}")
    return False


def _encode(lines: list[str]) -> bytes:
    lines.append("\r\n")
    try:
        head = "\r\n".join(lines).encode("latin-1")
    except UnicodeEncodeError as error:
        raise BadRequest("A header of the request is not made of octets.") from error
    ends = len(lines)
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise BadRequest("A header of the request holds a control character.")
    return head
