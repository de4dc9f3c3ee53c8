"""What kinds of hashes are understood, which are weak, and what each costs."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

Weak = Literal["apr1", "sha1"]
Scheme = Literal["argon2id", "bcrypt", "scrypt", "pbkdf2"] | Weak

WEAK: dict[Weak, str] = {"apr1": "MD5 (apr1)", "sha1": "SHA-1 without salt"}
"""Kinds that can be verified, and are told within hours by whoever copies them."""

# The costliest parameters a stored hash may ask for: seconds and 1 GiB, not a hang.
MAX_MEMORY_KIB = 2**20
MAX_TIME = 32
MAX_PARALLELISM = 16
MAX_ARGON2_WORK = 2**22  # KiB times passes
MAX_BCRYPT_COST = 15
MAX_SCRYPT_MEMORY = 2**28  # octets: 128 * n * r
MAX_SCRYPT_WORK = 2**22  # n * r * p; Werkzeug's default is 2**18
MAX_PBKDF2_ROUNDS = 5_000_000  # Werkzeug's default is 1,000,000

_ARGON2ID = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,8}),t=([0-9]{1,3}),p=([0-9]{1,3})"
    r"\$[A-Za-z0-9+/]{11,88}\$[A-Za-z0-9+/]{22,172}"
)
_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_SCRYPT = re.compile(
    r"scrypt:([0-9]{1,8}):([0-9]{1,4}):([0-9]{1,4})\$[!-#%-~]{1,256}\$[0-9a-f]{128}"
)
_PBKDF2 = re.compile(
    r"pbkdf2:(sha1|sha256|sha512):([0-9]{1,8})\$[!-#%-~]{1,256}\$([0-9a-f]+)"
)
_APR1 = re.compile(r"\$apr1\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22}")
_SHA1 = re.compile(r"\{SHA\}[A-Za-z0-9+/]{27}=")
_HEX_DIGITS = {"sha1": 40, "sha256": 64, "sha512": 128}


def scheme(stored: str) -> Scheme | None:
    """Return which kind of hash *stored* is, or None where it cannot be verified.

    None too for parameters that would cost more than a sign-in may.
    """
    if found := _ARGON2ID.fullmatch(stored):
        memory, time, lanes = map(int, found.groups())
        fits = memory <= MAX_MEMORY_KIB and memory * time <= MAX_ARGON2_WORK
        return "argon2id" if fits and lanes <= MAX_PARALLELISM else None
    if found := _BCRYPT.fullmatch(stored):
        return "bcrypt" if 4 <= int(found[1]) <= MAX_BCRYPT_COST else None
    if found := _SCRYPT.fullmatch(stored):
        n, r, p = map(int, found.groups())
        fits = 128 * n * r <= MAX_SCRYPT_MEMORY and n * r * p <= MAX_SCRYPT_WORK
        return "scrypt" if fits and r and p and n > 1 and n & (n - 1) == 0 else None
    if found := _PBKDF2.fullmatch(stored):
        whole = len(found[3]) == _HEX_DIGITS[found[1]]
        return "pbkdf2" if whole and 1 <= int(found[2]) <= MAX_PBKDF2_ROUNDS else None
    if _APR1.fullmatch(stored):
        return "apr1"
    return "sha1" if _SHA1.fullmatch(stored) else None


def understands(stored: str, weak: Collection[str] = ()) -> bool:
    """Tell whether *stored* may stand for a password.

    Whoever lets a hash in has to ask this; ``Passwords`` verifies what is there.

    Args:
        weak: kinds of ``WEAK`` that are allowed.
    """
    kind = scheme(stored)
    return kind is not None and (kind not in WEAK or kind in weak)


def cost_of(stored: str) -> str | None:
    """Return what says how long verifying *stored* takes: kind and parameters.

    None where it cannot be verified. Two hashes of one cost take the same time.
    """
    kind = scheme(stored)
    if kind == "argon2id":
        return stored.rsplit("$", 2)[0].removeprefix("$")
    if kind == "bcrypt":
        return f"bcrypt:{stored[4:6]}"
    return stored.partition("$")[0] if kind in ("scrypt", "pbkdf2") else kind
