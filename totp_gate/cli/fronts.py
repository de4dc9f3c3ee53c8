"""What a web server in front has to know of a gate, and what it may not let through."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from totp_gate.cli.places import Place, place_of, plain, reached
from totp_gate.core.headers import FORWARDED_NAMES
from totp_gate.core.urls import Origin

if TYPE_CHECKING:
    from totp_gate.config import Config

_SPECIALS = "_!#$%&'*+.^`|~"

SETS = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")
"""Headers that every web server sets itself."""

ASKED_ANEW = (
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Gate-Held",
    "Access-Control-Request-Method",
    *("Script-Name", "Path-Info", "Destination"),
)
"""Headers with which a request is never answered from nginx's cache."""

ASKED = (
    *("Cookie", "Authorization", "Gate-Token", "Gate-Held"),
    *("X-Forwarded-For", "X-Forwarded-Proto"),
    *("Accept", "User-Agent", "X-Requested-With", "Upgrade"),
    *("Origin", "Access-Control-Request-Method", "Destination"),
)
"""Headers that the gate needs to answer, beside those that begin with ``Sec-``."""

TOLD = (
    *("Location", "Set-Cookie", "Content-Type", "Cache-Control", "WWW-Authenticate"),
    *("Gate-Login-URL", "Gate-Held", "Content-Security-Policy", "Retry-After"),
    *("Strict-Transport-Security", "X-Content-Type-Options", "Referrer-Policy"),
)
"""Headers of its answer that a visitor gets."""


def around(settings: Config, upstream: str | None, gate: str | None) -> dict[str, Any]:
    """Return what every web server has to know."""
    from totp_gate.app.furnishing import identity_headers

    found = place_of(gate or settings.server.bind)
    return {
        "origins": [described(origin) for origin in settings.origins],
        "prefix": settings.gate.prefix,
        "gate": found,
        "application": _application(settings, upstream),
        "identity": list(identity_headers(settings)),
        "peer": "unix" if found.path else _peer(found.name),
        "preflights": any(rule.preflight for rule in settings.rules),
    }


def _application(settings: Config, upstream: str | None) -> Place:
    section = settings.upstream
    if upstream:
        return place_of(upstream)
    if section is None or not section.url:
        raise click.UsageError(
            "The settings name no upstream.url; name the application:"
            " --upstream http://127.0.0.1:5000"
        )
    destination = settings.destination()
    host = destination.authority if destination.host == "upstream" else ""
    return reached(destination, host)


def is_own(settings: Config, application: Place) -> bool:
    """Tell whether the gate would send a request to *application* too."""
    section = settings.upstream
    if section is None or not section.url:
        return False
    return reached(settings.destination(), application.host) == application


def described(origin: Origin) -> dict[str, Any]:
    """Return *origin* as templates write it."""
    return {
        "text": origin.text,
        "scheme": origin.scheme,
        "host": origin.host,
        "authority": origin.text.partition("://")[2],
    }


def nginx_variable(header: str) -> str:
    """Return nginx's name of the value of *header* in a request."""
    return "$http_" + header.lower().replace("-", "_")


def certificate(origin: Origin, file: str | None) -> tuple[str, str]:
    """Return the files of a certificate and of its key."""
    path = Path(plain(file or f"/etc/ssl/{origin.host}.pem"))
    return str(path), str(path.with_suffix(".key"))


def listening(origin: Origin, address: str | None) -> list[str]:
    """Return where nginx listens for *origin*."""
    if address is not None:
        return [plain(address)]
    return [str(origin.port), f"[::]:{origin.port}"]


def _peer(name: str) -> str:
    """Return from where a server on this machine asks the gate at *name*."""
    if name in {"localhost", "127.0.0.1"}:
        return "127.0.0.1"
    return "::1" if name == "::1" else "ADDRESS"


def forwarded(*, but: Sequence[str]) -> list[str]:
    """Return the headers by which only a web server may say who asks, and for what.

    Args:
        but: those that this one sets itself.
    """
    return [name for name in FORWARDED_NAMES if name not in but]


def beginnings(names: Iterable[str], *, signs: str = _SPECIALS) -> list[str]:
    """Return how other spellings of *names* begin: ``Remote_`` of ``Remote-User``."""
    found: dict[str, None] = {}
    for name in names:
        for at, sign in enumerate(name):
            if sign == "-":
                found |= dict.fromkeys(name[:at] + each for each in signs)
    return list(found)


def misspelt(names: Sequence[str]) -> list[str]:
    """Return other spellings of *names*: of long names only those that are used."""
    found = []
    for name in names:
        first, *words = name.split("-")
        signs = "-" + (_SPECIALS if len(words) == 1 else "_.")
        for marks in itertools.product(signs, repeat=len(words)):
            pairs = zip(marks, words, strict=True)
            found.append(first + "".join(map("".join, pairs)))
    return [spelling for spelling in found if spelling not in names]
