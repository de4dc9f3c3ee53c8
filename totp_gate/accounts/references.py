"""The values of the session cookie: one for each host, of one session.

Strategy: a session is known to the store by the digest of a random secret. A cookie
holds the secret, signed for the one host it was made for. So a session may be carried
to another host only by the gate, which can sign, and whoever sees the cookie of one
host (an application behind a web server does) is nobody at the others. Ports make no
difference: browsers send a cookie to all of them.
"""

from __future__ import annotations

import secrets

from totp_gate.core.signing import Tokens, digest

_SECRET_BYTES = 24


class References:
    """Makes and reads the session cookie's value."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def draw(self, host: str) -> tuple[str, str]:
        """Return a fresh value for *host*, and the id of the session it stands for.

        Args:
            host: of one of the gate's origins (``Origin.host``), here and below.
        """
        secret = secrets.token_bytes(_SECRET_BYTES)
        return self.sign(secret, host), _id(secret)

    def id_of(self, token: str, host: str) -> str | None:
        """Return the id of the session *token* stands for at *host*, or None.

        There may be no such session (any more).
        """
        secret = self.secret(token, host)
        return None if secret is None else _id(secret)

    def secret(self, token: str, host: str) -> bytes | None:
        """Return the secret in *token*, or None where it is not good at *host*."""
        return self._tokens.verify("session", token, host)

    def sign(self, secret: bytes, host: str) -> str:
        """Return the value that stands at *host* for the session of *secret*."""
        return self._tokens.sign("session", secret, host)


def _id(secret: bytes) -> str:
    return digest(secret.hex())
