"""Headers that ask for another method than the one a request has.

Some frameworks believe them, so where rules or an app token go by method, what they ask
for is judged as well. All spellings of a name are one name, and what is no single
method is refused: of two values one framework takes the first and another the last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from totp_gate.core import headers
from totp_gate.errors import BadRequest

NAMES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
KEYS = tuple(map(headers.environ_key, NAMES))
"""The usual environ keys of `NAMES`."""

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def meant(key: str) -> str:
    """Return which of `KEYS` the environ key *key* misspells, or nothing."""
    folded = headers.fold(key)
    return folded if folded in KEYS and key != folded else ""


def methods(environ: Mapping[str, str]) -> list[str]:
    """Return the methods that a framework may put in place of the request's own.

    Args:
        environ: in which every name has its usual key.

    Raises:
        BadRequest: one of the headers holds several methods, or none.

    Source:
        RFC 9110 section 9.1 (a method is a token).
    """
    found = []
    for key in KEYS:
        value = environ.get(key)
        if value is None:
            continue
        if not _METHOD.fullmatch(value.strip(" \t")):
            raise BadRequest("a header that overrides the method holds no single one")
        found.append(value.strip(" \t").upper())
    return found
