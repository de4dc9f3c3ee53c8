"""The gate's cookies among those of the application.

Strategy: reading is narrow, removing is wide. A cookie of the gate counts only if it
stands alone, unquoted, under its exact name, once (two could be one that a neighbouring
site planted). But whatever a lenient parser could take for one is taken out before the
application sees the header, and everything else keeps its octets. Servers join several
Cookie lines with a comma, so a comma also begins a cookie when removing, never when
reading.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Literal

SameSite = Literal["Lax", "Strict", "None"]

LONGEST_COOKIE = 4096
"""Octets of name and value together that every browser keeps (RFC 6265 section 6.1)."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
_PATH = re.compile(r"/[!-:<-~]*")
_PREFIX = re.compile(r"(?:__(?:host-http|host|secure|http)-)*", re.IGNORECASE)


def find(header: str, name: str) -> str | None:
    """Return the value of the cookie *name*, or None if it is not there exactly once.

    Args:
        header: the Cookie header as received.
        name: exact, as `bake` wrote it.

    Source:
        RFC 6265 section 4.2.1 (syntax), without its quoted form.
    """
    if name not in header:
        return None
    found: list[str] = []
    for pair in header.split(";"):
        key, equals, value = pair.partition("=")
        if key.strip(" \t") == name:
            found.append(value.strip(" \t") if equals else '"')
    if len(found) != 1 or not _VALUE.fullmatch(found[0]):
        return None
    return found[0]


def without(header: str, names: Collection[str]) -> str | None:
    """Return *header* with the cookies *names* taken out, or None if nothing is left.

    They go in any position and number, quoted or not, in any case, under any
    ``__Host-`` or ``__Secure-`` prefix or none, behind a comma, and as the value of a
    cookie without a name. Every other cookie keeps its octets.
    """
    found = _removing(frozenset(names))
    rest = found.sub("", header)
    if rest != header:
        rest = rest.lstrip("; \t,")
    return rest if rest.strip("; \t,") else None


def is_gate_cookie(set_cookie_line: str, names: Collection[str]) -> bool:
    """Tell whether a Set-Cookie value of the application sets one of *names*.

    As generous as `without`: some browsers take the ``=__Host-x=1`` of a cookie without
    a name for one of the name ``__Host-x`` (CVE-2023-23934: the same in a server).
    """
    return _removing(frozenset(names)).match(set_cookie_line) is not None


def bake(
    name: str,
    value: str,
    *,
    secure: bool,
    max_age: int | None = None,
    same_site: SameSite = "Lax",
    path: str = "/",
) -> str:
    """Return the value of a Set-Cookie header, always HttpOnly and without Domain.

    Args:
        name: a token; one that begins with ``__Host-`` demands *secure* and path ``/``.
        value: cookie octets: printable ASCII without space, ``"``, ``,``, ``;`` and
            backslash.
        secure: only over https.
        max_age: seconds the browser keeps it; None: until it is closed.
        same_site: ``None`` demands *secure*.
        path: where the browser sends it.

    Raises:
        ValueError: a browser would drop or misread this cookie.

    Source:
        RFC 6265 section 4.1; RFC 6265bis section 4.1.3 (prefixes).
    """
    _check(name, value, path)
    prefix = name.lower()
    if prefix.startswith(("__host-", "__secure-")) and not secure:
        raise ValueError(f"the cookie {name!r} must be secure")
    if prefix.startswith("__host-") and path != "/":
        raise ValueError(f"the cookie {name!r} must have the path /")
    if same_site == "None" and not secure:
        raise ValueError(f"the cookie {name!r} without SameSite must be secure")
    parts = [f"{name}={value}", f"Path={path}"]
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    if secure:
        parts.append("Secure")
    parts += ["HttpOnly", f"SameSite={same_site}"]
    return "; ".join(parts)


def _check(name: str, value: str, path: str) -> None:
    if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError(f"the cookie {name!r} holds octets that no cookie may")
    if len(name) + len(value) > LONGEST_COOKIE:
        raise ValueError(f"the cookie {name!r} is longer than {LONGEST_COOKIE} octets")
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is no path for a cookie")


def expire(
    name: str, *, secure: bool, same_site: SameSite = "Lax", path: str = "/"
) -> str:
    """Return the value of a Set-Cookie header that makes a browser forget *name*.

    Raises:
        ValueError: as `bake`, which must have been given the same path.
    """
    baked = bake(name, "", secure=secure, max_age=0, same_site=same_site, path=path)
    return f"{baked}; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


@lru_cache(maxsize=16)
def _removing(names: frozenset[str]) -> re.Pattern[str]:
    """Return what finds each of *names* with what separates it from the one before."""
    bare = {_PREFIX.sub("", name, count=1) for name in names}
    either = "|".join(re.escape(name) for name in sorted(bare))
    return re.compile(
        rf"""(?:^|[;,])[\s="]*{_PREFIX.pattern}(?:{either})["\s]*"""
        r"""(?:=\s*(?:"[^";]*")?[^;,]*)?(?=[;,]|$)""",
        re.IGNORECASE,
    )
