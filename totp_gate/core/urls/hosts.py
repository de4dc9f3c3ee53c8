"""Hosts and origins, each in its one spelling."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

PORTS = {"http": 80, "https": 443}
"""The port of a scheme where none is written."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(
    rf"(?P<name>(?:{_LABEL}\.)*{_LABEL})\.?(?::(?P<port>\d{{1,5}}))?", re.ASCII
)
_BRACKETS = re.compile(r"\[([0-9a-f:.]+)\](?::(\d{1,5}))?", re.ASCII)
_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)", re.ASCII)
_DEVIATING = frozenset("ß\u1e9eς\u200c\u200d")


@dataclass(frozen=True, slots=True)
class Origin:
    """A scheme, a host and a port (RFC 6454).

    Attributes:
        scheme: ``http`` or ``https``.
        host: lower case, as in a Host header: IPv6 in brackets, names in ASCII.
        port: always given, also where it is the scheme's own.
    """

    scheme: str
    host: str
    port: int

    @property
    def text(self) -> str:
        """As a browser writes it: the scheme's own port is left out."""
        if self.port == PORTS[self.scheme]:
            return f"{self.scheme}://{self.host}"
        return f"{self.scheme}://{self.host}:{self.port}"

    def hosts(self) -> frozenset[str]:
        """Return the values of a cleaned Host header that mean this origin."""
        full = f"{self.host}:{self.port}"
        own = self.port == PORTS[self.scheme]
        return frozenset((self.host, full) if own else (full,))


def parse_origin(text: str) -> Origin:
    """Return the origin that *text* names, as ``https://app.example.com:8443``.

    Case, a dot at the end of the name, the scheme's own port, one slash at the end and
    the spelling of international names make no difference.

    Raises:
        ValueError: it is no origin; the text says what to write instead.
    """
    scheme, mark, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in PORTS:
        raise ValueError(f"{text!r} is no origin: write https://host or http://host")
    rest = rest.removesuffix("/")
    for char, what in (("@", "a user"), ("*", "a wildcard"), ("/", "a path")):
        if char in rest:
            remedy = "name the scheme, the host and perhaps a port, nothing else"
            raise ValueError(f"{text!r} holds {what}: {remedy}")
    host = clean_host(_to_ascii(rest))
    if host is None:
        raise ValueError(f"{text!r} names no host: write it like https://example.com")
    name, port = split_port(host)
    return Origin(scheme, name, port or PORTS[scheme])


def clean_host(text: str) -> str | None:
    """Return a Host header in its one spelling, or None if it is not a valid one.

    Lower case, no dot at the end, IPv6 compressed, the port without leading zeros and
    kept also where it is the scheme's own (`Origin.hosts` lists both forms).

    Source:
        RFC 9110 section 7.2, RFC 3986 section 3.2.2; names are held to letters, digits,
        hyphen and underscore, so no percent-escapes, and one that ends like a number
        must be an IPv4 address (WHATWG URL, "ends in a number").
    """
    return _clean_host(text) if len(text) <= 262 else None


@lru_cache(maxsize=512)
def _clean_host(text: str) -> str | None:
    low = text.lower() if text.isascii() else ""
    if brackets := _BRACKETS.fullmatch(low):
        try:
            name = f"[{ipaddress.IPv6Address(brackets[1]).compressed}]"
        except ValueError:
            return None
        return _with_port(name, brackets[2])
    host = _HOST.fullmatch(low)
    if host is None or len(host["name"]) > 253:
        return None
    if _NUMBER.fullmatch(host["name"]):
        try:
            ipaddress.IPv4Address(host["name"])
        except ValueError:
            return None
    return _with_port(host["name"], host["port"])


def _with_port(name: str, port: str | None) -> str | None:
    if port is None:
        return name
    return f"{name}:{int(port)}" if 0 < int(port) < 65536 else None


def split_port(host: str) -> tuple[str, int | None]:
    """Take a cleaned Host header apart: the name (IPv6 in brackets) and the port."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        return host, None
    return name, int(port)


def _to_ascii(host: str) -> str:
    """Return *host* with an international name in its ASCII form (RFC 3490)."""
    if host.isascii():
        return host
    if not _DEVIATING.isdisjoint(host):
        raise ValueError(f"{host!r} has two ASCII forms: write the one with xn--")
    name, colon, port = host.rpartition(":")
    if not colon:
        name, port = host, ""
    try:
        return name.encode("idna").decode("ascii") + colon + port
    except UnicodeError as error:
        raise ValueError(f"{host!r} is no international name: {error}") from error
