"""The gate's keys: the first signs and seals, all verify and open.

A key file has one key a line, newest first::

    # id        made        key (32 octets, base64url)
    k1a2b3c4    2026-11-23  T3Bl...

From each key, sub-keys for one purpose each are derived, so that no two uses of a key
can meet. The file is never written here; ``new_line`` gives the text of a line.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_ID = re.compile(r"[a-z0-9]{4,16}")


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        id: public name, kept beside what was sealed with it.
        made: ISO date.
    """

    id: str
    made: str
    secret: bytes = field(repr=False)

    def derive(self, purpose: str) -> bytes:
        """Return the 32-octet sub-key for *purpose*.

        Source:
            RFC 5869 (HKDF-SHA-256, info carries the purpose).
        """
        info = f"totp_gate/{purpose}/v1".encode()
        return HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(self.secret)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys, newest first; never empty."""

    keys: tuple[Key, ...]

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """Read a key file.

        Raises:
            ValueError: a line is not ``id date key``, a key is not 32 octets or
                obviously not random, an id appears twice, or there is no key at all.
                The text names the line, never the key.
        """
        keys: list[Key] = []
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                keys.append(_key(line.split(), number))
        if not keys:
            raise ValueError("there is no key in it")
        if len({key.id for key in keys}) < len(keys):
            raise ValueError("two of its keys have the same id")
        return cls(tuple(keys))

    @property
    def newest(self) -> Key:
        """The key that signs and seals."""
        return self.keys[0]

    def find(self, id: str) -> Key | None:
        """Return the key called *id*, or None."""
        return next((key for key in self.keys if key.id == id), None)

    def derive(self, purpose: str) -> dict[str, bytes]:
        """Return the sub-keys for *purpose* by key id, newest first."""
        return {key.id: key.derive(purpose) for key in self.keys}


def new_line(made: str) -> str:
    """Return the line of a fresh key.

    Args:
        made: ISO date for the eyes of the administrator.
    """
    secret = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return f"k{secrets.token_hex(4)}  {made}  {secret.rstrip('=')}"


def _key(words: list[str], number: int) -> Key:
    if len(words) != 3 or not _ID.fullmatch(words[0]):
        raise ValueError(f"line {number} is not 'id date key'")
    try:
        padded = words[2] + "=" * (-len(words[2]) % 4)
        secret = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"the key in line {number} is not base64") from None
    if len(secret) != KEY_BYTES:
        raise ValueError(f"the key in line {number} is not {KEY_BYTES} octets")
    if len(set(secret)) < KEY_BYTES // 3:
        raise ValueError(f"the key in line {number} is not random")
    return Key(words[0], words[1], secret)
