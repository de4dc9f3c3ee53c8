"""Where a person may be sent back to."""

from __future__ import annotations

import re
from collections.abc import Collection

from totp_gate.core.urls.hosts import clean_host, parse_origin
from totp_gate.core.urls.targets import under, understand
from totp_gate.errors import BadRequest

LONGEST_NEXT = 2048
"""Longest place to go back to, in octets."""

_ABSOLUTE = re.compile(r"(https?)://([^/?#]*)([/?#].*|)", re.IGNORECASE | re.ASCII)


def safe_next(text: str | None, *, origins: Collection[str], prefix: str) -> str | None:
    """Return where to go after signing in, or None where *text* may not be followed.

    The result is made of octets checked here; put it into ``Location`` as it is, since
    helpers that parse it again can turn it into something else. A fragment is cut off
    (browsers keep their own).

    Args:
        text: what a stranger asked for: a path with a query, or an absolute URL.
        origins: origins a person may be sent to, as ``https://app.example.com``.
        prefix: where the gate's own pages live; nobody is sent back to them.

    Returns:
        A path with one slash at its start; or an absolute URL if *text* was one and its
        origin is among *origins*.

    Source:
        The WHATWG URL standard (what a browser makes of a Location), RFC 9110
        section 10.2.2.
    """
    if not text or len(text) > LONGEST_NEXT:
        return None
    if text.startswith("/"):
        return _safe_path(text, prefix)
    absolute = _ABSOLUTE.fullmatch(text)
    if absolute is None:
        return None
    scheme, authority, rest = absolute.groups()
    host = clean_host(authority)
    if host is None:
        return None
    origin = parse_origin(f"{scheme}://{host}")
    if origin not in map(parse_origin, origins):
        return None
    path = _safe_path(rest if rest.startswith("/") else "/" + rest, prefix)
    return None if path is None else origin.text + path


def _safe_path(text: str, prefix: str) -> str | None:
    text = text.partition("#")[0]
    try:
        target, query = understand(text)
    except BadRequest:
        return None
    if any(reading.startswith("//") for reading in target.readings):
        return None
    if under(target, prefix):
        return None
    return f"{target.raw}?{query}" if query else target.raw
