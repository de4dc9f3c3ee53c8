"""What a request header may be believed, and who the client is.

Strategy: a header counts only from whom it may come. Names that mean the same to some
server behind the gate (``Remote-User``, ``Remote_User``, ``Remote.User``) are one name;
all spellings are written out at start, so that a request is found clean by one
`frozenset.isdisjoint`. Forwarded headers count only if the peer of the socket is a
trusted proxy, and of a list only what a trusted proxy has appended.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

_SPECIALS = "_!#$%&'*+-.^`|~"
_FEW_SPECIALS = "_-."
_FOLD = str.maketrans(dict.fromkeys(_SPECIALS, "_"))

_FORWARDED = """
    For Proto Protocol Scheme Ssl Https Host Port Prefix Path Context Uri Url Method
    Server By User Email Groups Preferred-Username Access-Token Client-Cert
    Tls-Client-Cert
"""
_ORIGINAL = "Url Uri Method Host For Proto Forwarded-For"

FORWARDED_NAMES = (
    *("Forwarded", "X-Forwarded", "Proxy", "Script-Name", "X-Script-Name", "Path-Info"),
    *("X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "Client-IP"),
    *("X-Rewrite-URL", "X-Scheme", "X-Url-Scheme", "X-Host", "Front-End-Https"),
    *(f"X-Forwarded-{name}" for name in _FORWARDED.split()),
    *(f"X-Original-{name}" for name in _ORIGINAL.split()),
)
"""Headers that only a proxy may set: they say who asks, for what, or by which road.

``Proxy`` is among them because a CGI script takes it for a setting (CVE-2016-5385).
"""

_FORWARDED_PREFIXES = ("HTTP_X_FORWARDED", "HTTP_X_ORIGINAL_", "HTTP_X_REWRITE_")


def spellings(names: Iterable[str]) -> frozenset[str]:
    """Return the environ keys under which any spelling of *names* would arrive.

    In a name of one to three hyphens each may be any special character that a field
    name can hold; in a longer one each may be hyphen, underscore or dot.

    Args:
        names: header names as written on the wire, as ``Remote-User``.

    Source:
        RFC 9110 section 5.6.2 (token), RFC 3875 section 4.1.18 (``HTTP_``).
    """
    keys: set[str] = set()
    for name in names:
        first, *words = re.split(r"[-_]", name.upper())
        specials = _SPECIALS if len(words) <= 3 else _FEW_SPECIALS
        for marks in itertools.product(specials, repeat=len(words)):
            pairs = zip(marks, words, strict=True)
            keys.add("HTTP_" + first + "".join(map("".join, pairs)))
    return frozenset(keys)


FORWARDED_KEYS = frozenset(
    "HTTP_" + name.upper().replace("-", "_") for name in FORWARDED_NAMES
)
"""The usual environ keys of `FORWARDED_NAMES`."""


def fold(key: str) -> str:
    """Return the one environ key that stands for all spellings of *key*."""
    return key.translate(_FOLD)


_FOLDED = set(map(fold, FORWARDED_KEYS))


def is_forwarded_key(key: str) -> bool:
    """Tell whether *key* is one that only a proxy may set, also one never heard of.

    All of ``X-Forwarded*``, ``X-Original-*`` and ``X-Rewrite-*`` are, in any spelling.
    """
    folded = fold(key)
    return folded in _FOLDED or folded.startswith(_FORWARDED_PREFIXES)


class Networks:
    """Networks in CIDR notation; the word ``unix`` means peers on a unix socket."""

    __slots__ = ("_known", "_networks", "_texts", "_unix")

    _REMEMBERED = 4096

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Read *texts*, as ``10.0.0.0/8``, ``::1`` or ``unix``.

        Raises:
            ValueError: one of them is no network; the text says what to write.
        """
        self._texts = tuple(texts)
        self._unix = "unix" in self._texts
        self._networks = [_network(text) for text in self._texts if text != "unix"]
        self._known: dict[str, bool] = {}

    def __repr__(self) -> str:
        return f"Networks({list(self._texts)})"

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and self._texts == other._texts

    def __hash__(self) -> int:
        return hash(self._texts)

    def contains(self, address: str) -> bool:
        """Tell whether *address* lies in one of the networks; no address never does.

        IPv4 inside IPv6 is IPv4, a zone is left out, ``unix`` is the word itself.
        """
        known = self._known.get(address)
        if known is None:
            known = self._look_up(address)
            if len(self._known) >= self._REMEMBERED:
                self._known.clear()
            if len(address) <= _LONGEST_ADDRESS:
                self._known[address] = known
        return known

    def _look_up(self, address: str) -> bool:
        if address == "unix":
            return self._unix
        clean = clean_address(address)
        if clean is None:
            return False
        found = ipaddress.ip_address(clean)
        return any(found in network for network in self._networks)


_LONGEST_ADDRESS = 64
_MOST_HOPS = 32
_PORT = re.compile(r"(?:\[([^\]]+)\]|([0-9.]+))(?::\d{1,5})?", re.ASCII)


def clean_address(text: str) -> str | None:
    """Return the one spelling of an IP address, or None if *text* is none.

    A port and brackets go, so does a zone; IPv4 inside IPv6 becomes IPv4.

    Source:
        RFC 7239 section 6 (ports and brackets), RFC 4291 section 2.5.5.2, RFC 5952.
    """
    return _clean_address(text) if len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=1024)
def _clean_address(text: str) -> str | None:
    text = text.strip(" \t")
    if with_port := _PORT.fullmatch(text):
        text = with_port[1] or with_port[2]
        if with_port[1] and ":" not in text:
            return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.IPv6Address(int(address)))
    return str(address)


def is_local(address: str) -> bool:
    """Tell whether *address* is this machine: loopback, or ``unix``."""
    if address == "unix":
        return True
    clean = clean_address(address)
    return clean is not None and ipaddress.ip_address(clean).is_loopback


def client_address(peer: str, forwarded_for: str | None, trusted: Networks) -> str:
    """Return the address of the client: the nearest one that is no trusted proxy.

    ``X-Forwarded-For`` is read from right to left, since each proxy appends whom it
    saw. At an entry that is no address the walk ends with the last proxy that was, so
    a forged entry never hides the client behind an address of their choice.

    Args:
        peer: of the socket (``REMOTE_ADDR``); empty or ``unix`` on a unix socket.
        forwarded_for: the header, all its lines joined with commas.
        trusted: whose entries are believed.

    Returns:
        An address in one spelling; ``unix`` for a unix socket about whose peer nobody
        trusted says more; ``unknown`` if *peer* is neither.
    """
    last = _peer(peer)
    if not forwarded_for or not trusted.contains(last):
        return last
    for entry in reversed(forwarded_for.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]):
        address = clean_address(entry)
        if address is None:
            return last
        last = address
        if not trusted.contains(address):
            return address
    return last


def client_scheme(
    peer: str, scheme: str, forwarded_proto: str | None, trusted: Networks
) -> str:
    """Return ``https`` or ``http``: how the client speaks to the outermost proxy.

    Of a list the last value counts: it alone was surely written by the trusted peer,
    whether the proxies before it append, replace or pass on. So the nearest proxy has
    to pass on what a proxy before it said, and to set the header otherwise.

    Args:
        peer: of the socket, as for `client_address`.
        scheme: of the connection itself (``wsgi.url_scheme``); the answer where nobody
            trusted says more.
        forwarded_proto: ``X-Forwarded-Proto``; ``ws`` and ``wss`` are understood.
        trusted: whose header is believed.
    """
    said = _last(peer, forwarded_proto, trusted).lower()
    return {"wss": "https", "https": "https", "ws": "http", "http": "http"}.get(
        said, scheme
    )


def client_host(
    peer: str, host: str, forwarded_host: str | None, trusted: Networks
) -> str:
    """Return the host the client asked for, as received and not checked.

    Of a list the last value counts, for the reason given at `client_scheme`.

    Args:
        peer: of the socket, as for `client_address`.
        host: of the request itself (``HTTP_HOST``).
        forwarded_host: ``X-Forwarded-Host``.
        trusted: whose header is believed.
    """
    return _last(peer, forwarded_host, trusted) or host


def _peer(peer: str) -> str:
    if peer in ("", "unix"):
        return "unix"
    return clean_address(peer) or "unknown"


def _last(peer: str, header: str | None, trusted: Networks) -> str:
    """Return the last value of *header* if *peer* is trusted, else nothing."""
    if not header or not trusted.contains(_peer(peer)):
        return ""
    return header.rpartition(",")[2].strip(" \t")


def is_chunked(coding: str) -> bool:
    """Tell whether *coding* (``Transfer-Encoding``) is chunked, and nothing else.

    Servers take the chunks apart and leave any other coding in the body, whose length
    and meaning then are not what the next one takes them for.

    Source:
        RFC 9112 sections 6.1 and 7.
    """
    return coding.strip(" \t").lower() == "chunked"


_PAGES = frozenset(("document", "iframe", "frame", "embed", "object", "fencedframe"))


def is_navigation(environ_like: Mapping[str, object]) -> bool:
    """Tell whether a browser wants a page, so that a redirect makes sense to it.

    The POST of a form is a navigation too; it is answered with 303, which a browser
    follows with GET. A request that says it came from a script never is one.

    Args:
        environ_like: a WSGI environ; the method and four headers are looked at.

    Source:
        Fetch Metadata (W3C): ``Sec-Fetch-Mode`` and ``-Dest``; where a client sends
        none, RFC 9110 section 12.5.1: it names ``text/html`` in Accept.
    """
    get = environ_like.get
    if get("REQUEST_METHOD") not in ("GET", "HEAD", "POST"):
        return False
    if str(get("HTTP_X_REQUESTED_WITH", "")).lower() == "xmlhttprequest":
        return False
    mode = get("HTTP_SEC_FETCH_MODE")
    if mode is not None:
        return mode == "navigate" and get("HTTP_SEC_FETCH_DEST", "document") in _PAGES
    return "text/html" in str(get("HTTP_ACCEPT", "")).lower()


def is_for_a_window(environ_like: Mapping[str, object]) -> bool:
    """Tell whether a browser would show the answer in a window, for all it says.

    A script that fetches, a frame or a picture is told apart by every browser of today;
    a client that says nothing is a program of its own, and no script of a page.

    Source:
        Fetch Metadata (W3C), ``Sec-Fetch-Dest``.
    """
    return environ_like.get("HTTP_SEC_FETCH_DEST", "document") == "document"


_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def plain(text: str, limit: int = 256) -> str:
    """Return *text* so that it stays within its line and its place in a log.

    Controls, line and paragraph separators, marks that reorder or hide text and halves
    of characters become ``?``.

    Args:
        text: what a stranger sent.
        limit: longest result in characters; what is cut ends in three dots.
    """
    if len(text) > limit:
        text = text[: max(limit - 3, 0)] + "..."[:limit]
    return _UNPRINTABLE.sub("?", text)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        remedy = "write it like 10.0.0.0/8, ::1 or unix"
        raise ValueError(f"{text!r} is no network ({error}): {remedy}") from error
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((int(mapped), network.prefixlen - 96))
    return network
