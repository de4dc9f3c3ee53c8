"""The weak hashes of htpasswd files: ``$apr1$`` and ``{SHA}``.

They are only verified, never made: for files that cannot be written anew at once, until
their people have signed in.

Source:
    Apache HTTP Server documentation, Password Formats; apr_md5.c of the Apache Portable
    Runtime.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

_MAGIC = b"$apr1$"
_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TRIPLES = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
_ROUNDS = 1000


def is_apache_hash_of(password: bytes, stored: str) -> bool:
    """Tell whether *stored* is the hash of *password*.

    Args:
        password: as octets, up to a few thousand.
        stored: of the kind ``apr1`` or ``sha1`` (``hashes.scheme``).
    """
    if stored.startswith("{SHA}"):
        digest = hashlib.sha1(password, usedforsecurity=False).digest()
        right = "{SHA}" + base64.b64encode(digest).decode()
    else:
        salt = stored.split("$")[2]
        right = f"$apr1${salt}${_apr1(password, salt.encode())}"
    return hmac.compare_digest(right, stored)


def _apr1(password: bytes, salt: bytes) -> str:
    """Return the 22 characters after the salt."""
    digest = _first(password, salt)
    for number in range(_ROUNDS):
        odd = number % 2
        digest = _md5(
            password if odd else digest,
            salt if number % 3 else b"",
            password if number % 7 else b"",
            digest if odd else password,
        )
    groups = [digest[a] << 16 | digest[b] << 8 | digest[c] for a, b, c in _TRIPLES]
    return "".join(_encoded(each, 4) for each in groups) + _encoded(digest[11], 2)


def _first(password: bytes, salt: bytes) -> bytes:
    """Return the digest that the rounds begin with."""
    size = len(password)
    inner = _md5(password, salt, password)
    bits = [size >> shift & 1 for shift in range(size.bit_length())]
    return _md5(
        password,
        _MAGIC,
        salt,
        (inner * (size // len(inner) + 1))[:size],
        b"".join(b"\0" if bit else password[:1] for bit in bits),
    )


def _md5(*pieces: bytes) -> bytes:
    return hashlib.md5(b"".join(pieces), usedforsecurity=False).digest()


def _encoded(value: int, characters: int) -> str:
    """Return *value* in base 64 as crypt writes it, the lowest six bits first."""
    return "".join(_DIGITS[value >> 6 * place & 63] for place in range(characters))
