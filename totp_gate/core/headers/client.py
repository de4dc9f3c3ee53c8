"""Who the client is, behind proxies that may be believed.

Forwarded headers count only if the peer of the socket is a trusted proxy, and of a list
only what a trusted proxy has appended.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache


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

    def may_contain(self, address: str) -> bool:
        """Tell whether it does, or *address* is none, so that nobody can know."""
        return self.contains(address) or not _is_address(address)

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


def _is_address(text: str) -> bool:
    return text == "unix" or clean_address(text) is not None


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
