"""Secrets at rest: AES-256-GCM, bound to what they belong to.

A sealed text is ``s1.<key id>.<nonce and ciphertext, base64url>``. The associated data
(purpose and owner) is not stored: a ciphertext moved to another row, another user or
another use does not open.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from totp_gate.errors import SealBroken

_NONCE_BYTES = 12


class Sealer:
    """Seals with the newest key of a ring and opens with any of them.

    Args:
        keys: keys of 32 octets by their id, newest first (``KeyRing.derive``).
        later: returns keys that were made since, by their id; asked where the key of a
            sealed text is unknown, which a stranger can cause as often as they like.

    Source:
        NIST SP 800-38D (GCM, random 96-bit nonce); OWASP ASVS 5.0 11.3.3.
    """

    def __init__(
        self,
        keys: Mapping[str, bytes],
        later: Callable[[], Mapping[str, bytes]] = dict,
    ) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._newest = next(iter(keys))
        self._later = later

    def seal(self, clear: bytes, *, purpose: str, owner: str) -> str:
        """Return *clear* sealed for one purpose and one owner."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        bound = _bound(purpose, owner)
        sealed = self._ciphers[self._newest].encrypt(nonce, clear, bound)
        return f"s1.{self._newest}.{_encode(nonce + sealed)}"

    def open(self, sealed: str, *, purpose: str, owner: str) -> bytes:
        """Return what was sealed.

        Raises:
            SealBroken: changed, sealed for something else, or with a key that is gone.
        """
        try:
            version, key_id, body = sealed.split(".")
            octets = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        except (ValueError, binascii.Error):
            raise SealBroken("a sealed secret is malformed") from None
        cipher = self._ciphers.get(key_id) or self._look_again(key_id)
        if version != "s1" or cipher is None or _encode(octets) != body:
            raise SealBroken(f"a sealed secret needs the key {key_id!r:.20}")
        try:
            return cipher.decrypt(
                octets[:_NONCE_BYTES], octets[_NONCE_BYTES:], _bound(purpose, owner)
            )
        except (InvalidTag, ValueError):
            raise SealBroken("a sealed secret was changed or moved") from None

    def _look_again(self, key_id: str) -> AESGCM | None:
        """Return the cipher of a key that was made since; None: there is none."""
        later = self._later()
        self._ciphers.update((each, AESGCM(key)) for each, key in later.items())
        return self._ciphers.get(key_id)

    def is_current(self, sealed: str) -> bool:
        """Tell whether *sealed* was sealed with the newest key."""
        return sealed.split(".")[1:2] == [self._newest]


def _bound(purpose: str, owner: str) -> bytes:
    return f"totp_gate|{purpose}|v1|{owner}".encode()


def _encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
