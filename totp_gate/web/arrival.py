"""A request as it arrives: forged headers out, host, client and target understood.

Strategy: most requests of a client look alike, so what was understood once is
remembered by what it was understood from, within bounds. A request whose headers have
all been found harmless before is known to be clean by one comparison of sets; only
where there is another name it is looked at.

Whoever is on this machine may see more than others, and so may whoever a rule for its
networks names. A peer on this machine that sends forwarding headers is a web server,
though, and speaks for somebody else: unless it is a trusted proxy nobody knows for
whom, so the client has no address at all, which lies in no network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote_from_bytes

from totp_gate.core import headers
from totp_gate.core.urls import (
    ASTERISK,
    MEMO_LENGTH,
    Origin,
    Target,
    clean_host,
    under,
    understand,
)
from totp_gate.errors import BadRequest
from totp_gate.web import overrides

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_MEMO = 8192
LONGEST_REMEMBERED = 64
_MOVERS = ("HTTP_SCRIPT_NAME", "HTTP_PATH_INFO")
OWN_TOKEN = "HTTP_GATE_TOKEN"  # noqa: S105 - an environ key
_MISSPELT_TOKENS = headers.spellings(["Gate-Token"]) - {OWN_TOKEN}
_CODING = "HTTP_TRANSFER_ENCODING"
_PATH_CHARACTERS = "/:@!$&'()*+,;=-._~"

NEVER = frozenset({"CONNECT", "TRACE"})
"""Methods with which no application is asked."""

BELIEVED = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
)
"""Environ keys of the forwarding headers that a trusted proxy is believed."""

TOLD = "totp_gate.told"
"""Environ key of the forwarding headers that a trusted proxy has sent."""

NOWHERE = "unknown"
"""The address of a client about whom only a web server speaks that is not trusted."""

Doubt = Literal["", "unlisted", "unsaid"]
"""Why the gate cannot know how the client asked: a peer that is no trusted proxy has
sent forwarding headers, or a trusted one does not say ``X-Forwarded-Proto``."""


_is_forwarded = lru_cache(maxsize=256)(headers.is_forwarded_key)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end, and what they call us.

    Attributes:
        address: of the client, behind trusted proxies; or ``NOWHERE``.
        host: as the policy compares it, or None where it is none of the gate's.
        scheme: ``http`` or ``https``, as the client sees it.
        origin: which of the gate's origins was asked; None: none of them.
        trusted: the peer is a trusted proxy.
        forwarded: environ keys and values that tell the application the above.
        doubt: why it cannot be known how the client asked, or nothing.
    """

    address: str
    host: str | None
    scheme: str
    origin: Origin | None
    trusted: bool
    forwarded: dict[str, str]
    doubt: Doubt

    @property
    def in_the_clear(self) -> bool:
        """Whether an https page was asked for over a network in the clear."""
        meant = "https" if self.origin is None else self.origin.scheme
        if meant == "http" or self.scheme == "https":
            return False
        return self.trusted or not headers.is_local(self.address)


@dataclass(frozen=True, slots=True)
class Place:
    """A target, and whether it lies under the gate's own prefix."""

    target: Target
    own: bool


Tell = Callable[["WSGIEnvironment", Caller, list[str]], None]
TellUnlisted = Callable[["WSGIEnvironment", str, Iterable[str]], None]


class Arrivals:
    """Understands requests.

    Args:
        origins: those the gate answers for.
        prefix: where the gate's own pages live.
        identity: names of the identity headers.
        trusted: networks whose forwarding headers are believed.
        tell: told which identity headers a client had sent, by environ key.
        tell_unlisted: told which forwarding headers a peer had sent who is no trusted
            proxy, by environ key.
        noticed: environ keys that may come from anybody, and make a difference.

    Attributes:
        origins: as given.
        plain: environ keys that have been seen and make no difference, and those whose
            difference is all in the `Caller`.
    """

    def __init__(
        self,
        *,
        origins: Iterable[Origin],
        prefix: str,
        identity: Iterable[str],
        trusted: headers.Networks,
        tell: Tell | None = None,
        tell_unlisted: TellUnlisted | None = None,
        noticed: frozenset[str] = frozenset(),
    ) -> None:
        self.origins = tuple(origins)
        self._hosts = {host: own for own in self.origins for host in own.hosts()}
        self._prefix = prefix
        self._trusted = trusted
        self._tell = tell
        self._tell_unlisted = tell_unlisted
        self._identity = headers.spellings(identity)
        self._forged = self._identity | _MISSPELT_TOKENS
        self._noticed = noticed
        self._harmless: set[str] = set()
        self.plain = set(BELIEVED)
        self._callers: dict[tuple[str | None, ...], Caller] = {}
        self._places: dict[str, Place] = {}

    def caller(self, environ: WSGIEnvironment) -> Caller:
        """Take out every header a stranger may not send; return who asks.

        Raises:
            BadRequest: a header tried to move the path, or the body has a transfer
                coding other than chunked (501).
        """
        if self._harmless.issuperset(environ):
            key = (
                environ.get("REMOTE_ADDR"),
                environ.get("HTTP_HOST"),
                environ["wsgi.url_scheme"],
            )
            known = self._callers.get(key)
            if known is not None:
                return known
        return self._clean(environ)

    def place(self, environ: WSGIEnvironment) -> tuple[Place, str]:
        """Return the target and the query.

        Raises:
            BadRequest: no two servers need agree on what is meant.
        """
        raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        query = ""
        place = self._places.get(raw) if raw is not None else None
        if place is None:
            place, query = self._read(environ, raw)
        said = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        if said != place.target.wsgi:
            raise BadRequest("the server and the gate read this path differently")
        return place, query

    def _read(self, environ: WSGIEnvironment, raw: str | None) -> tuple[Place, str]:
        if raw is None:
            raw = _rebuilt(environ)
        asterisk = environ["REQUEST_METHOD"] == "OPTIONS"
        host = environ.get("HTTP_HOST")
        target, query = understand(raw, host=host, asterisk=asterisk)
        if target is ASTERISK:
            return Place(target, own=True), ""
        if not raw.startswith("/"):
            environ["RAW_URI"] = f"{target.raw}?{query}" if query else target.raw
        place = self._places.get(target.raw)
        if place is None:
            place = Place(target, under(target, self._prefix))
            if len(target.raw) <= MEMO_LENGTH:
                if len(self._places) >= MAX_MEMO:
                    self._places.clear()
                self._places[target.raw] = place
        return place, query

    def _clean(self, environ: WSGIEnvironment) -> Caller:
        peer = environ.get("REMOTE_ADDR") or "unix"
        trusted = self._trusted.contains(peer)
        said = tuple(environ.get(key) if trusted else None for key in BELIEVED)
        moved = any(mover in environ for mover in _MOVERS)
        taken, forged = self._take_out_forged(environ)
        unlisted = bool(taken) and not trusted
        if trusted and taken:
            environ[TOLD] = taken
        elif unlisted and self._tell_unlisted is not None:
            self._tell_unlisted(environ, peer, taken)
        if moved:
            raise BadRequest("a header tried to move the path")
        coding = environ.get(_CODING)
        if coding and not headers.is_chunked(coding):
            raise BadRequest("a transfer coding that is not chunked", status=501)
        key = (
            environ.get("REMOTE_ADDR"),
            environ.get("HTTP_HOST"),
            environ["wsgi.url_scheme"],
            *(said if trusted else ("unlisted",) * unlisted),
        )
        known = self._callers.get(key)
        if known is None:
            known = self._welcome(
                peer, key[1], key[2] or "http", said, trusted, unlisted=unlisted
            )
            if sum(len(part or "") for part in key) <= MEMO_LENGTH:
                if len(self._callers) >= MAX_MEMO:
                    self._callers.clear()
                self._callers[key] = known
        if forged and self._tell is not None:
            self._tell(environ, known, forged)
        return known

    def _take_out_forged(
        self, environ: WSGIEnvironment
    ) -> tuple[dict[str, str], list[str]]:
        """Take out what a stranger may not send; remember what is harmless.

        What overrides the method is put under its usual key, where it is judged.

        Returns:
            The forwarding headers among it, and the keys of identity headers.
        """
        taken: dict[str, str] = {}
        forged: list[str] = []
        for key in environ.keys() - self._harmless:
            if key in self._forged:
                del environ[key]
                if key in self._identity:
                    forged.append(key)
            elif _is_forwarded(key):
                taken[key] = environ.pop(key)
            elif key == _CODING:
                continue  # its value has to be looked at, every time
            elif usual := overrides.meant(key):
                _respell(environ, key, usual)
            elif len(self._harmless) < MAX_MEMO and len(key) <= LONGEST_REMEMBERED:
                self._harmless.add(key)
                if key not in self._noticed:
                    self.plain.add(key)
        return taken, forged

    def _welcome(
        self,
        peer: str,
        host: str | None,
        scheme: str,
        said: tuple[str | None, ...],
        trusted: bool,
        *,
        unlisted: bool,
    ) -> Caller:
        address = headers.client_address(peer, said[0], self._trusted)
        doubt: Doubt = "unlisted" if unlisted else ""
        if unlisted and headers.is_local(address):
            address = NOWHERE
        if trusted:
            told = headers.client_scheme(peer, "", said[1], self._trusted)
            scheme, doubt = told or scheme, "" if told else "unsaid"
            host = headers.client_host(peer, host or "", said[2], self._trusted)
        named = clean_host(host or "") or ""
        forwarded = dict(zip(BELIEVED, (address, scheme, named), strict=True))
        origin = self._hosts.get(named)
        return Caller(
            address=address,
            host=origin.host if origin is not None else None,
            scheme=scheme,
            origin=origin,
            trusted=trusted,
            forwarded=forwarded,
            doubt=doubt,
        )


def is_foreign_upgrade(environ: WSGIEnvironment, origin: Origin) -> bool:
    """Tell whether another site's page asks for an upgrade.

    Source:
        RFC 6455 section 10.2.
    """
    if "HTTP_UPGRADE" not in environ:
        return False
    page = environ.get("HTTP_ORIGIN")
    return page is not None and page != origin.text


def _respell(environ: WSGIEnvironment, key: str, usual: str) -> None:
    """Move the header *key* to *usual*, beside what is there."""
    value = environ.pop(key)
    environ[usual] = f"{environ[usual]},{value}" if usual in environ else value


def _rebuilt(environ: WSGIEnvironment) -> str:
    """Return a target for servers that keep only the decoded path (PEP 3333)."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    quoted = quote_from_bytes(path.encode("latin-1"), safe=_PATH_CHARACTERS)
    query = environ.get("QUERY_STRING", "")
    return f"{quoted or '/'}?{query}" if query else quoted or "/"
