"""Signed tokens, typed by purpose.

Every token of the gate is made and read here. A purpose is a salt of its own, so that
no kind of token can stand in for another; the instance (the id of the state) is part of
it, so that two gates with one key file do not believe each other. Of the several
spellings that base64 has for the same octets only one is accepted.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Literal

from itsdangerous import BadSignature, Signer

Purpose = Literal[
    "session", "login", "login-state", "form", "device", "browser", "bounce"
]
_PURPOSES: tuple[Purpose, ...] = (
    "session",
    "login",
    "login-state",
    "form",
    "device",
    "browser",
    "bounce",
)
_REFERENCE_BYTES = 24
MAX_TOKEN = 3000


class Tokens:
    """Makes and reads the gate's tokens.

    Args:
        keys: sub-keys for signing, newest first (``KeyRing.derive``): the newest signs,
            every one verifies.
        instance: id of the state these tokens belong to.
    """

    def __init__(self, keys: Sequence[bytes], instance: str) -> None:
        oldest_first = list(reversed(keys))
        self._signers = {
            purpose: Signer(
                oldest_first,
                salt=f"totp_gate|{purpose}|v1|{instance}",
                sep=".",
                key_derivation="hmac",
                digest_method=hashlib.sha256,
            )
            for purpose in _PURPOSES
        }

    def reference(self, purpose: Purpose) -> str:
        """Return a fresh signed reference: 192 random bits that mean nothing."""
        return self._sign(purpose, secrets.token_bytes(_REFERENCE_BYTES))

    def write(self, purpose: Purpose, claims: Mapping[str, object]) -> str:
        """Return *claims* signed; readable by whoever holds the token."""
        text = json.dumps(claims, separators=(",", ":"), sort_keys=True)
        return self._sign(purpose, text.encode())

    def verify(self, purpose: Purpose, token: str) -> bytes | None:
        """Return what was signed for *purpose*, or None.

        The signature is checked before anything is parsed.
        """
        if len(token) > MAX_TOKEN or not token.isascii():
            return None
        signer = self._signers[purpose]
        try:
            body = signer.unsign(token)
        except BadSignature:
            return None
        signature = token.rpartition(".")[2].encode()
        if _encode(_decode(signature)) != signature:
            return None
        return _decode(body)

    def read(self, purpose: Purpose, token: str) -> dict[str, object] | None:
        """Return the claims signed for *purpose*, or None."""
        octets = self.verify(purpose, token)
        if octets is None:
            return None
        claims = json.loads(octets)
        return claims if isinstance(claims, dict) else None

    def _sign(self, purpose: Purpose, octets: bytes) -> str:
        return self._signers[purpose].sign(_encode(octets)).decode()


def digest(token: str) -> str:
    """Return the digest under which the store keeps *token*: SHA-256, hex.

    Enough for tokens of 128 random bits or more (OWASP ASVS 5.0 6.5.2); nothing that a
    person thinks up may be kept like this.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def _encode(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
