"""Users, what they have proven, and what is kept for them."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

AuthenticatorKind = Literal["totp", "hotp"]
LinkPurpose = Literal["password-and-authenticator", "authenticator"]


def canonical_name(typed: str) -> str:
    """Return the one spelling under which a user is found (Unicode TR 15, NFKC)."""
    folded = unicodedata.normalize("NFKC", typed.strip()).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


class Level(IntEnum):
    """How much somebody has proven."""

    NONE = 0
    PASSWORD = 1
    SECOND_FACTOR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who may sign in.

    Attributes:
        name: canonical name.
        password_hash: as written by ``core.passwords``; None: no password yet.
        credential: changes whenever the password does (not when only the form of its
            hash does); a session that began with another one is over.
        groups: names of groups, in the order they were given.
        display: name for people; empty: the canonical name.
        disabled: may not sign in, and no session of theirs counts.
        source: the directory that knows them (``file``, ``store``, ``htpasswd``).
        totp_secret: raw seed from the settings file, where it is kept there.
    """

    name: str
    password_hash: str | None = field(default=None, repr=False)
    credential: str = field(default="", repr=False)
    groups: tuple[str, ...] = ()
    display: str = ""
    email: str = ""
    disabled: bool = False
    source: str = "store"
    created: float = 0.0
    totp_secret: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """An enrolled second factor.

    Attributes:
        sealed: the seed, sealed to this id and user (``core.sealing``).
        period: length of a step in seconds (TOTP).
        last: last accepted step or counter; -1: none yet.
    """

    id: str
    user: str
    kind: AuthenticatorKind = "totp"
    name: str = ""
    sealed: str = field(default="", repr=False)
    algorithm: Literal["SHA1", "SHA256", "SHA512"] = "SHA1"
    digits: int = 6
    period: int = 30
    last: int = -1
    created: float = 0.0
    used: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is signed in, in one browser.

    Attributes:
        id: digest of the reference in the cookie, never the reference itself.
        seen: last activity, written at most once a minute.
        password_at: when the password was proven.
        second_factor_at: when the code was proven; None: password only.
        host: where it began, of several.
        credential: the user's when this session began (``User.credential``).
        recovered: the code was a recovery code, and none of an authenticator was proven
            since: the next authenticator replaces all others.
    """

    id: str
    user: str
    created: float
    seen: float
    password_at: float
    second_factor_at: float | None = None
    address: str = ""
    agent: str = ""
    host: str = ""
    credential: str = field(default="", repr=False)
    recovered: bool = False

    @property
    def level(self) -> Level:
        """What was proven."""
        if self.second_factor_at is None:
            return Level.PASSWORD
        return Level.SECOND_FACTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginState:
    """The password was right, the code is still owed. Not a session.

    Attributes:
        binding: the browser's pre-login id; forms before and after stay valid.
        at: when the password was proven.
        credential: as in ``Session``.
    """

    user: str
    binding: str
    at: float
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A one-time link for enrollment, as the store keeps it.

    Attributes:
        digest: SHA-256 of the secret part of the link, hex.
    """

    digest: str
    user: str
    purpose: LinkPurpose
    created: float
    expires: float


@dataclass(frozen=True, slots=True)
class Revocation:
    """One line of the revocation feed.

    Attributes:
        number: grows by one with every line; never reused.
        session: the session that ended, or empty.
        user: the user all of whose remembered sessions must be read again, or empty.
    """

    number: int
    session: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A known browser: a series of references, of which one is current.

    Attributes:
        id: the series, public.
        current: digest of the reference the browser should present next.
        previous: digest of the one before, valid for a short grace.
        rotated: when ``current`` was made, Unix seconds.
        created: when its owner typed a code in it.
        trusted_until: until when it stands for the code; 0: it does not.
    """

    id: str
    user: str
    current: str
    previous: str = ""
    rotated: float = 0.0
    created: float = 0.0
    expires: float = 0.0
    trusted_until: float = 0.0
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppToken:
    """What a program of a user shows instead of signing in.

    Attributes:
        id: public, names it in lists.
        digest: SHA-256 of the token, hex.
        methods, paths, networks: where it may be used; empty: everywhere.
        expires: Unix seconds; infinity: never.
        used: last use, as each process writes it when it reads the token anew.
    """

    id: str
    user: str
    digest: str = field(repr=False)
    name: str = ""
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    created: float = 0.0
    expires: float = math.inf
    used: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRequest:
    """A request that waits until its sender has signed in again.

    Attributes:
        browser: the series of the browser it came from (``Browser.id``).
        sealed: the request, sealed for its id.
        expires: Unix seconds.
    """

    id: str
    browser: str
    sealed: str = field(repr=False)
    expires: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Failures counted under one key.

    Attributes:
        failures: consecutive failures since the last success; attempts still being
            judged count as failed.
        last: when the last of them began, Unix seconds.
        since: when the first of them began.
    """

    key: str
    failures: int = 0
    last: float = 0.0
    since: float = 0.0


def account_keys(user: str) -> tuple[str, str]:
    """Return under what strangers' wrong passwords and wrong codes are counted."""
    return f"password:{user}", f"code:{user}"


def device_key(series: str) -> str:
    """Return under what the failures of a known browser are counted."""
    return f"device:{series}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to an account, for its owner and its administrator."""

    user: str
    at: float
    event: str
    outcome: str = ""
    address: str = ""
    agent: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who is signed in, as the application behind the gate is told.

    Found in ``environ["totp_gate.identity"]``.

    Attributes:
        session_id: reference of the session for logs; not usable as a cookie.
        level: what was proven; ``NONE`` where an app token was shown.
        password_at, second_factor_at: Unix seconds when each was proven, or None.
    """

    user: str
    groups: tuple[str, ...] = ()
    name: str = ""
    email: str = ""
    level: Level = Level.NONE
    session_id: str = ""
    password_at: float | None = None
    second_factor_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOff:
    """A session on its way to another host, fetched there once.

    Attributes:
        digest: SHA-256 of the code that fetches it, hex.
        session: its id.
        origin: where alone it may be fetched, as ``https://wiki.example.com``.
        browser: what names the browser that may, there.
        sealed: the secret of the session, sealed for this digest.
        expires: Unix seconds.
    """

    digest: str = field(repr=False)
    session: str
    origin: str
    browser: str
    sealed: str = field(repr=False)
    expires: float
