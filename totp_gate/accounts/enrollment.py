"""How somebody comes to have an authenticator, and by a link also a password.

Until the confirming code is right, nothing is stored: what was drawn travels sealed in
the form, bound to the browser. So an abandoned enrollment changes nothing, and of
several browsers that use one link the store lets one win.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Container
from dataclasses import dataclass
from typing import TypedDict, Unpack

from totp_gate.accounts.factors import Factors, NewFactor
from totp_gate.core import otp
from totp_gate.core.password_rules import Requirements, judge
from totp_gate.core.passwords import Passwords
from totp_gate.core.sealing import Sealer
from totp_gate.core.signing import digest
from totp_gate.errors import NotFound, SealBroken
from totp_gate.model import (
    Authenticator,
    AuthenticatorKind,
    Link,
    LinkPurpose,
    User,
)
from totp_gate.stores.base import Store
from totp_gate.users.base import Directory

LINK_LIFE = 3 * 86_400
PENDING_LIFE = 1800
_PURPOSE = "enrollment"
_BREACHED = "It was stolen from some site: it is in a list that whoever guesses has."


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An enrollment that waits for its confirming code.

    Attributes:
        link: digest of the link it came by, or empty (first sign-in, account page).
        password_hash: hash of the new password, where the link asks for one.
        at: when it began, Unix seconds.
    """

    user: str
    factor: NewFactor
    at: float
    link: str = ""
    password_hash: str = ""


class Circumstances(TypedDict, total=False):
    """What is there when an enrollment is confirmed.

    Attributes:
        only: refuse when the user has an authenticator by now.
        instead: it takes the place of all others.
        keep: id of the user's session that goes on.
    """

    only: bool
    instead: bool
    keep: str


def draw_link(
    user: str, purpose: LinkPurpose, *, now: float, life: int = LINK_LIFE
) -> tuple[str, Link]:
    """Return the secret part of a new link, and the link to store; nothing is stored.

    Args:
        user: canonical name.
        now: Unix seconds.
        life: seconds until it expires.
    """
    secret = secrets.token_urlsafe(24)
    link = Link(
        digest=digest(secret),
        user=user,
        purpose=purpose,
        created=now,
        expires=now + life,
    )
    return secret, link


class Enrollment:
    """Links, drawing and confirming.

    Args:
        context: what an attacker tries first, besides the user's name.
        breached: passwords that got out; none of them is taken.
    """

    def __init__(
        self,
        *,
        store: Store,
        directory: Directory,
        factors: Factors,
        passwords: Passwords,
        sealer: Sealer,
        requirements: Requirements,
        context: tuple[str, ...] = (),
        breached: Container[str] = (),
    ) -> None:
        self._store = store
        self._directory = directory
        self._factors = factors
        self._passwords = passwords
        self._sealer = sealer
        self.requirements = requirements
        self._context = context
        self._breached = breached

    def make_link(
        self, user: str, purpose: LinkPurpose, *, now: float, life: int = LINK_LIFE
    ) -> tuple[str, Link]:
        """Return the secret part of a new link, and the link as it is stored.

        Args:
            life: seconds until it expires.

        Raises:
            NotFound: there is no such user.
        """
        if self._directory.find(user) is None:
            raise NotFound(f"there is no user called {user}")
        secret, link = draw_link(user, purpose, now=now, life=life)
        self._store.add_link(link)
        return secret, link

    def look_up(self, secret: str, *, now: float) -> Link | None:
        """Return the link behind *secret* while it may be used; nothing is used up."""
        link = self._store.link(digest(secret))
        if link is None or now >= link.expires:
            return None
        user = self._directory.find(link.user)
        return None if user is None or user.disabled else link

    def judge(self, password: str, user: User) -> list[str]:
        """Return what speaks against *password*, in plain words; empty: nothing.

        Whatever others know of *user* is no password: name, display name, e-mail.

        Raises:
            StoreUnavailable: the list of passwords that got out cannot be read.
        """
        own = [each for each in (user.name, user.display, user.email) if each]
        context = (*own, *self._context)
        reasons = judge(password, self.requirements, context=context)
        if not reasons and password in self._breached:
            return [_BREACHED]
        return reasons

    def draw(
        self,
        user: str,
        *,
        now: float,
        kind: AuthenticatorKind = "totp",
        link: str = "",
        password: str | None = None,
    ) -> Pending:
        """Return a fresh enrollment; nothing is stored.

        Args:
            kind: by time or by counter.
            link: digest of the link it came by.
            password: the new password, already judged, where the link asks for one.

        Raises:
            Overloaded: too many passwords are being hashed just now.
        """
        hashed = "" if password is None else self._passwords.hash(password)
        return Pending(
            user=user,
            factor=self._factors.draw(kind=kind),
            at=now,
            link=link,
            password_hash=hashed,
        )

    def confirm(
        self,
        pending: Pending,
        code: str,
        *,
        name: str,
        now: float,
        **where: Unpack[Circumstances],
    ) -> bool:
        """Store what *pending* holds if *code* is right; False: it was not.

        What began before ends with it: sessions of the user, known browsers.

        Args:
            name: what its owner calls the authenticator.

        Raises:
            NotFound: the link was used meanwhile, the user is gone, or another
                authenticator (or this very one) was enrolled first.
        """
        factor, name = pending.factor, name or "authenticator app"
        step = self._factors.confirm(factor, code, now=now)
        if step is None:
            return False
        ready = self._factors.sealed(
            factor, pending.user, name=name, last=step, now=now
        )
        if not self._add(pending, ready, now, where):
            raise NotFound("the link was used, or another was enrolled first")
        return True

    def _add(
        self, pending: Pending, ready: Authenticator, now: float, where: Circumstances
    ) -> bool:
        keep = where.get("keep", "")
        if pending.link:
            return self._store.redeem_link(
                pending.link,
                authenticator=ready,
                password_hash=pending.password_hash or None,
                now=now,
                keep=keep,
            )
        if where.get("instead"):
            user = self.user_of(pending)
            return bool(user and self._factors.replace(user, ready, keep=keep))
        only = where.get("only", False)
        return self._store.add_authenticator(ready, only=only, keep=keep)

    def is_confirmed(self, pending: Pending) -> bool:
        """Tell whether its user has what *pending* holds already."""
        theirs = self._store.authenticators(pending.user)
        return any(one.id == pending.factor.id for one in theirs)

    def suggest_name(self, pending: Pending) -> str:
        """Return a name for the authenticator that its owner gave to no other."""
        word = "Phone" if pending.factor.kind == "totp" else "Key"
        taken = {one.name for one in self._store.authenticators(pending.user)}
        names = [word, *(f"{word} {n}" for n in range(2, len(taken) + 2))]
        return next(name for name in names if name not in taken)

    def user_of(self, pending: Pending | Link) -> User | None:
        """Return the user *pending* belongs to, if they may still enroll."""
        user = self._directory.find(pending.user)
        return None if user is None or user.disabled else user

    def pack(self, pending: Pending, binding: str) -> str:
        """Return *pending* sealed, to travel in a form of the browser *binding*."""
        factor = pending.factor
        clear = json.dumps(
            {
                "user": pending.user,
                "id": factor.id,
                "seed": otp.to_base32(factor.seed),
                "kind": factor.kind,
                "at": pending.at,
                "link": pending.link,
                "hash": pending.password_hash,
            }
        )
        return self._sealer.seal(clear.encode(), purpose=_PURPOSE, owner=binding)

    def unpack(self, packed: str, binding: str, *, now: float) -> Pending | None:
        """Return what ``pack`` sealed for this browser; None: too old, or not ours."""
        try:
            clear = json.loads(
                self._sealer.open(packed, purpose=_PURPOSE, owner=binding)
            )
        except SealBroken:
            return None
        if not 0 <= now - clear["at"] < PENDING_LIFE:
            return None
        factor = NewFactor(
            clear["id"],
            otp.parse_secret(clear["seed"]),
            self._factors.params,
            clear["kind"],
        )
        return Pending(
            user=clear["user"],
            factor=factor,
            at=clear["at"],
            link=clear["link"],
            password_hash=clear["hash"],
        )
