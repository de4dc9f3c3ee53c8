"""Names of headers: environ keys, spellings, and which of them only proxies may send.

Names that mean the same to some server behind the gate (``Remote-User``,
``Remote_User``, ``Remote.User``) are one name; all spellings are written out at start,
so that a request is found clean by one comparison of sets.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

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


def environ_key(name: str) -> str:
    """Return the environ key of the header *name*, as written on the wire.

    Source:
        RFC 3875 section 4.1.18.
    """
    return "HTTP_" + name.upper().replace("-", "_")


FORWARDED_KEYS = frozenset(map(environ_key, FORWARDED_NAMES))
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
