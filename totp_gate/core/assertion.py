"""A signed statement of who asks, which an application can check by itself.

A JWT (RFC 7519) signed with Ed25519. Each key of the ring gives one signing key: the
newest signs, the public halves of all are published, so that a rotation breaks nothing.

The algorithm is called ``EdDSA`` (RFC 8037). RFC 9864 would have it called ``Ed25519``,
which most of those who verify do not know yet; joserfc's warning about that is left
out. joserfc itself is imported where something is signed, since few gates do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey
    from joserfc.jws import JWSRegistry

LIFE = 60
"""Seconds for which an assertion is valid."""

_ALGORITHM = "EdDSA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What is stated.

    Attributes:
        issuer, audience: origins: the gate's main one, and the one that was asked.
        level: ``two-factor``, ``one-factor`` or ``app-token``.
        methods: how it was proven, in the words of RFC 8176.
        proven: when the last factor was proven, Unix seconds; None: by a program.
        session: its reference for logs.
    """

    issuer: str
    audience: str
    user: str
    groups: tuple[str, ...] = ()
    name: str = ""
    email: str = ""
    level: str
    methods: tuple[str, ...] = ()
    proven: float | None = None
    session: str = ""


class Signer:
    """Signs assertions and publishes what they are verified with.

    Args:
        seeds: 32 octets by key id, newest first (``KeyRing.derive``).

    Source:
        RFC 8032 section 5.1.5: any 32 octets are a private key.
    """

    def __init__(self, seeds: Mapping[str, bytes]) -> None:
        from joserfc import jwt

        keys = [_key(name, seed) for name, seed in seeds.items()]
        header = {"alg": _ALGORITHM, "kid": next(iter(seeds))}
        self._encode = partial(jwt.encode, header, key=keys[0], registry=_registry())
        self.public: dict[str, object] = {
            "keys": [dict(key.as_dict(private=False)) for key in keys]
        }

    def sign(self, claims: Claims, *, now: float) -> str:
        """Return the assertion of *claims*, valid from *now* (Unix seconds)."""
        stated: dict[str, object] = {
            "iss": claims.issuer,
            "aud": claims.audience,
            "sub": claims.user,
            "iat": int(now),
            "exp": int(now) + LIFE,
            "groups": list(claims.groups),
            "name": claims.name,
            "email": claims.email,
            "acr": claims.level,
            "amr": list(claims.methods),
            "sid": claims.session,
        }
        if claims.proven is not None:
            stated["auth_time"] = int(claims.proven)
        return self._encode(stated)


def _key(name: str, seed: bytes) -> OKPKey:
    from joserfc.jwk import OKPKey

    private = Ed25519PrivateKey.from_private_bytes(seed)
    return OKPKey.import_key(private, {"kid": name, "use": "sig", "alg": _ALGORITHM})


def _registry() -> JWSRegistry:
    from joserfc.jws import JWSRegistry

    class Quiet(JWSRegistry):
        """Signs by what it was made for, without the warning."""

        def get_alg(self, name: str) -> Any:
            return self.algorithms[name]

    return Quiet()
