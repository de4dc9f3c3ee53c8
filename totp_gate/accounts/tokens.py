"""App tokens: what a program shows instead of signing in.

A token is ``tg_`` and 43 random characters; the store keeps its digest. It stands for
its owner with both factors, within its scope: methods, paths and networks it was made
for, and until it expires. It never makes a session, never opens a page of the gate, and
never satisfies a rule that wants a code typed lately.

Source:
    OWASP ASVS 5.0 section 13.2 (service accounts); RFC 6750 (bearer tokens).
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Sequence

from totp_gate.core.headers import Networks
from totp_gate.core.signing import digest
from totp_gate.core.urls import canonical_pattern
from totp_gate.errors import Conflict, NotFound
from totp_gate.model import AppToken
from totp_gate.stores.base import Store
from totp_gate.users.base import Directory

PREFIX = "tg_"
MOST_PER_USER = 100
_TOKEN = re.compile(r"tg_[A-Za-z0-9_-]{43}")
_STANDARD = str.maketrans("-_", "+/")
_METHOD = re.compile(r"[A-Z]{1,32}")


class AppTokens:
    """Use cases over the tokens of everybody."""

    def __init__(self, *, store: Store, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    def make(
        self,
        user: str,
        name: str,
        *,
        now: float,
        expires: float,
        methods: Sequence[str] = (),
        paths: Sequence[str] = (),
        networks: Sequence[str] = (),
    ) -> tuple[str, AppToken]:
        """Return a new token in the clear, to be shown once, and as it is stored.

        Args:
            name: what its owner calls it.
            now, expires: Unix seconds; infinity: never.
            paths: exact, or a prefix ending in ``/*``.

        Raises:
            NotFound: there is no such user.
            Conflict: the user has too many tokens already.
            ValueError: the scope makes no sense; the text says what to write.
        """
        if self._directory.find(user) is None:
            raise NotFound(f"there is no user called {user}")
        if len(self._store.tokens(user)) >= MOST_PER_USER:
            raise Conflict(f"{user} has {MOST_PER_USER} tokens; revoke some")
        Networks(networks)
        text = PREFIX + secrets.token_urlsafe(32)
        token = AppToken(
            id=secrets.token_hex(4),
            user=user,
            digest=digest(text),
            name=name,
            methods=tuple(_method(one) for one in methods),
            paths=tuple(map(canonical_pattern, paths)),
            networks=tuple(networks),
            created=now,
            expires=expires,
        )
        self._store.add_token(token)
        return text, token

    def of(self, user: str | None = None) -> list[AppToken]:
        """Return the tokens of *user* (of everybody: None), newest first."""
        return self._store.tokens(user)

    def revoke(self, id: str, *, user: str | None = None) -> bool:
        """Revoke one; False: not there, or not *user*'s."""
        return self._store.remove_token(id, user=user)


def shown(own_header: str | None, authorization: str | None) -> tuple[str | None, bool]:
    """Return the token a request shows, and whether ``Authorization`` is used up by it.

    Reading is narrow, using up is wider: where a whole credential, under any scheme, or
    a whole user name or password of Basic looks like a token of ours, it is not for the
    application, also where it does not count. All else is the application's, as a JWT
    that holds the like by chance.

    Args:
        own_header: ``Gate-Token``, which wins.
        authorization: the header of that name.
    """
    text, ours = _in_authorization(authorization or "")
    if own_header is not None and _TOKEN.fullmatch(own_header):
        text = own_header
    return text, ours


def covers(
    token: AppToken, *, method: str, readings: Sequence[str], address: str
) -> bool:
    """Tell whether the scope of *token* covers a request, however its path is read.

    Args:
        readings: every way to read the path (``core.urls.Target``).
        address: of the client.
    """
    asked = "GET" if method == "HEAD" else method
    if token.methods and asked not in token.methods:
        return False
    if token.networks and not Networks(token.networks).contains(address):
        return False
    if not token.paths:
        return True
    return all(any(_is_below(path, one) for one in token.paths) for path in readings)


def _is_below(path: str, scope: str) -> bool:
    if scope.endswith("/*"):
        return path.startswith(scope[:-1])
    return path == scope


def _in_authorization(header: str) -> tuple[str | None, bool]:
    scheme, _, rest = header.partition(" ")
    text = rest.strip()
    if scheme.lower() == "basic":
        text = _decoded(text).partition(":")[2]
    elif scheme.lower() != "bearer":
        text = ""
    ours = any(map(_is_ours, re.split(r"[\s,]+", header)))
    return (text if _TOKEN.fullmatch(text) else None), ours


def _is_ours(credential: str) -> bool:
    user, _, password = _decoded(credential).partition(":")
    return any(map(_TOKEN.fullmatch, (credential, user, password)))


def _decoded(text: str) -> str:
    """Return what *text* says in base64, as leniently as any application reads it."""
    standard = text.translate(_STANDARD)
    kept = re.sub(r"[^A-Za-z0-9+/]", "", standard.rstrip("="))
    try:
        return base64.b64decode(kept + "=" * (-len(kept) % 4)).decode("latin-1")
    except binascii.Error:
        return ""


def _method(text: str) -> str:
    method = text.strip().upper()
    if not _METHOD.fullmatch(method):
        raise ValueError(f"{text!r} is no method: write GET, POST, ...")
    return method
