"""Which header fields pass, in both directions.

Everything passes unless a rule here stops it (RFC 9110 section 5.1). Names are learnt
once: a table remembers what to do with each spelling seen, and is bounded, because
clients choose the spellings.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum

from totp_gate.core.headers import environ_key

#: Fields of one hop (RFC 9110 section 7.6.1, RFC 7540 section 3.2.1, and custom).
HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate"),
        *("proxy-authorization", "proxy-authentication-info", "te", "trailer"),
        *("trailers", "transfer-encoding", "upgrade", "http2-settings"),
    )
)

#: Never sent to the application: answered or written by the proxy itself (Host, Via,
#: the framing, Expect), or able to change how an application reads the request line.
_NOT_REQUESTED = HOP_BY_HOP | frozenset(
    (
        *("host", "via", "expect", "content-length", "content-type", "max-forwards"),
        *("proxy", "x-forwarded-prefix", "x-forwarded-uri", "x-forwarded-method"),
        "x-rewrite-url",
    )
)
_NOT_REQUESTED_PREFIX = "x-original-"

_LEARNT = 1024
_KEY = re.compile(r"HTTP_[A-Z0-9_]+")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class RequestNames(dict[str, str]):
    """From environ's keys to the names on the wire, each with its colon.

    Any key may be asked for, as ``names["HTTP_NAME"]``; empty: it must not pass, or is
    no header's.
    """

    def __init__(self) -> None:
        super().__init__(HTTP_DNT="DNT: ")

    def __missing__(self, key: str) -> str:
        """Find out what *key* stands for."""
        name = _request_name(key)
        if len(self) < _LEARNT:
            self[key] = name
        return name


def _request_name(key: str) -> str:
    if not _KEY.fullmatch(key):
        return ""
    lower = key[5:].replace("_", "-").lower()
    if lower in _NOT_REQUESTED or lower.startswith(_NOT_REQUESTED_PREFIX):
        return ""
    return f"{lower.title()}: "


def listed_in(connection: str, *, own: Collection[str]) -> set[str]:
    """Return the environ keys that a Connection field takes away.

    Args:
        connection: value of the field, its lines joined with commas.
        own: keys that no client can take away, because the gate set them.

    Source:
        RFC 9110 section 7.6.1.
    """
    return {environ_key(token.strip()) for token in connection.split(",")} - set(own)


class Kind(Enum):
    """What an answer's field is to the proxy."""

    PLAIN = 0
    CONNECTION = 1
    LENGTH = 2
    CODING = 3
    DROPPED = 4


_ANSWER_KINDS = {
    **dict.fromkeys(HOP_BY_HOP, Kind.DROPPED),
    "connection": Kind.CONNECTION,
    "content-length": Kind.LENGTH,
    "transfer-encoding": Kind.CODING,
}


class AnswerNames(dict[bytes, tuple[str, Kind]]):
    """From names on the wire to text, spelled as it came, and kind; knows them all."""

    def __missing__(self, name: bytes) -> tuple[str, Kind]:
        """Find out what *name* is."""
        text = name.decode("latin-1")
        known = text, _ANSWER_KINDS.get(text.lower(), Kind.PLAIN)
        if len(self) < _LEARNT:
            self[name] = known
        return known


def tokens(value: str) -> set[str]:
    """Return the tokens of a comma-separated *value*, in lower case."""
    return {token.strip(" \t").lower() for token in value.split(",")} - {""}


def is_token(text: str) -> bool:
    """Whether *text* is a token (RFC 9110 section 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None
