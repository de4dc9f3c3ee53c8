"""Signed tokens, typed by purpose.

Every token of the gate is made and read here. A purpose is a salt of its own, so that
no kind of token can stand in for another; the instance (the id of the state) is part of
it, so that two gates with one key file do not believe each other. So may be an
*audience*: what was signed for one host is nothing at another. Of the several spellings
that base64 has for the same octets only one is accepted.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Literal

from itsdangerous import BadSignature, Signer

Purpose = Literal[
    "session",
    "login",
    "login-state",
    "form",
    "device",
    "browser",
    "bounce",
    "asked",
    "ask",
    "back",
    "hand-off",
    "note",
]
_REFERENCE_BYTES = 24
MAX_TOKEN = 3000
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


class Tokens:
    """Makes and reads the gate's tokens.

    Args:
        keys: sub-keys for signing, newest first (``KeyRing.derive``): the newest signs,
            every one verifies.
        instance: id of the state these tokens belong to.
    """

    def __init__(self, keys: Sequence[bytes], instance: str) -> None:
        self._oldest_first = list(reversed(keys))
        self._instance = instance
        self._signers: dict[tuple[Purpose, str], Signer] = {}

    def reference(self, purpose: Purpose, audience: str = "") -> str:
        """Return a fresh signed reference: 192 random bits that mean nothing.

        Args:
            audience: one of few, by whose choice no stranger fills the memory.
        """
        octets = secrets.token_bytes(_REFERENCE_BYTES)
        return self.sign(purpose, octets, audience)

    def sign(self, purpose: Purpose, octets: bytes, audience: str = "") -> str:
        """Return *octets* signed for *purpose*, good for *audience* alone."""
        return self._signer(purpose, audience).sign(_encode(octets)).decode()

    def write(self, purpose: Purpose, claims: Mapping[str, object]) -> str:
        """Return *claims* signed; readable by whoever holds the token."""
        text = json.dumps(claims, separators=(",", ":"), sort_keys=True)
        return self.sign(purpose, text.encode())

    def verify(self, purpose: Purpose, token: str, audience: str = "") -> bytes | None:
        """Return what was signed for *purpose* and *audience*, or None.

        The signature is checked before anything is parsed.
        """
        if len(token) > MAX_TOKEN or not token.isascii():
            return None
        signer = self._signer(purpose, audience)
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

    def _signer(self, purpose: Purpose, audience: str) -> Signer:
        known = self._signers.get((purpose, audience))
        if known is not None:
            return known
        salt = f"totp_gate|{purpose}|v1|{self._instance}"
        made = self._signers[purpose, audience] = Signer(
            self._oldest_first,
            salt=f"{salt}|{audience}" if audience else salt,
            sep=".",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )
        return made


def is_token(text: str) -> bool:
    """Tell whether *text* looks like a token: short, and harmless in a URL."""
    return len(text) <= MAX_TOKEN and _TOKEN.fullmatch(text) is not None


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
