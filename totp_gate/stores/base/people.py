"""What a store promises about people and what is theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol, TypedDict, Unpack

from totp_gate.model import AppToken, Authenticator, Browser, HeldRequest, Link, User

Rotation = Literal["rotated", "grace", "replayed", "unknown"]


class UserChange(TypedDict, total=False):
    """What may change of a user besides the password (fields of ``User``)."""

    groups: tuple[str, ...]
    display: str
    email: str
    disabled: bool


class UserRecords(Protocol):
    """Users who are kept in the store."""

    def user(self, name: str) -> User | None:
        """Return the user called *name* (canonical), or None."""
        ...

    def users(self) -> Iterable[User]:
        """Return all users of the store, by name."""
        ...

    def add_users(self, users: Sequence[User], *, links: Sequence[Link] = ()) -> None:
        """Add *users* and their one-time *links*, all or nothing.

        Who has no ``credential`` is given one. Nobody inherits: what is left of
        somebody who had one of these names before, in another directory, goes
        (``remove_user``).

        Raises:
            Conflict: one of the names is taken; the text names it.
        """
        ...

    def change_user(self, name: str, **change: Unpack[UserChange]) -> bool:
        """Change what is named of the user *name*; False: not there.

        All else stays as it is, whoever changes it at the same time. Becoming disabled
        ends the user's sessions, trusted browsers and links. Every change is felt by
        sessions that are remembered elsewhere (feed).
        """
        ...

    def save_password(
        self, name: str, password_hash: str | None, *, keep: str = ""
    ) -> bool:
        """Set another password; False: no such user. Felt by all sessions (feed).

        The user gets a new ``credential``; their sessions and known browsers end, and
        failures counted under ``model.account_keys`` are forgotten.

        Args:
            name: canonical name.
            password_hash: as written by ``core.passwords``; None: there is none from
                now on, and nothing that is typed is right.
            keep: id of the one session that goes on, with the new credential.
        """
        ...

    def renew_hash(self, name: str, old: str, new: str) -> bool:
        """Replace the hash *old* by another form of it; False: it is no longer *old*.

        Nothing ends by it.
        """
        ...

    def remove_user(self, name: str) -> bool:
        """Remove the user and all that is theirs; False: there was neither.

        What was counted of their failures goes too (``model.account_keys``).
        """
        ...


class AuthenticatorRecords(Protocol):
    """Second factors of users of any directory.

    Whoever gets or loses one loses, in the same transaction, what began before: their
    sessions, but for the one that is to be kept, and their known browsers.
    """

    def authenticators(self, user: str | None) -> list[Authenticator]:
        """Return the authenticators of *user* (of everybody: None), oldest first."""
        ...

    def add_authenticator(
        self, authenticator: Authenticator, *, only: bool, keep: str = ""
    ) -> bool:
        """Add it, with ``last`` as its last accepted step or counter.

        False: its id is known (of two confirmations of one enrollment one gets this),
        or *only*.

        Args:
            only: add it only while the user has none; of two first enrollments at the
                same time one gets False.
            keep: id of the session that goes on, here and below.
        """
        ...

    def replace_authenticators(
        self, authenticator: Authenticator, *, retire: str | None, keep: str
    ) -> bool:
        """Add it and remove all others of its user; False: its id is known.

        Args:
            retire: id of one whose seed is kept elsewhere (in the settings file) and
                cannot be removed; it accepts nothing any more.
        """
        ...

    def rename_authenticator(self, user: str, id: str, name: str) -> bool:
        """Rename it; False: this user has no such authenticator."""
        ...

    def remove_authenticator(
        self, user: str, id: str, *, even_last: bool, keep: str = ""
    ) -> bool:
        """Remove it; False: not theirs, or the last one.

        The last one (*even_last*) takes along what ``remove_authenticators`` does. A
        removed one accepts nothing any more, whoever is judging its code at that
        moment.
        """
        ...

    def remove_authenticators(self, user: str) -> int:
        """Remove all of *user*; how many.

        Recovery codes go too, and the failures counted under ``model.account_keys``:
        who begins anew does not begin locked out.
        """
        ...

    def replace_sealed(self, id: str, old: str, new: str) -> bool:
        """Replace the sealed seed *old* by *new*; False: it is no longer *old*."""
        ...

    def is_retired(self, authenticator_id: str) -> bool:
        """Tell whether it was retired or removed."""
        ...

    def last_step(self, authenticator_id: str) -> int:
        """Return the last accepted step or counter, -1 where there is none."""
        ...

    def accept_step(self, authenticator_id: str, step: int, *, now: float) -> bool:
        """Record *step* as used; True only for the one caller that was first.

        Atomic across processes: of two requests with the same code, one gets False.
        Steps only ever grow, so a late request with an older step gets False too.
        Works for ids the store has not seen before (seeds kept in the settings file).
        """
        ...


class LinkRecords(Protocol):
    """One-time links."""

    def add_link(self, link: Link) -> None:
        """Keep *link*; earlier unused links of the user for the purpose die."""
        ...

    def link(self, digest: str) -> Link | None:
        """Return the link, expired or not; None: never made, replaced or used up."""
        ...

    def links(self, user: str) -> list[Link]:
        """Return the unused links of *user*, expired or not, newest first."""
        ...

    def remove_links(self, user: str) -> int:
        """Delete the unused links of *user*; how many."""
        ...

    def redeem_link(
        self,
        digest: str,
        *,
        authenticator: Authenticator,
        password_hash: str | None,
        now: float,
        keep: str = "",
    ) -> bool:
        """Use the link up, and with it add *authenticator* and set the password.

        All or nothing, and one winner: False where the link was used, has expired, is
        not for the authenticator's user, or (with a hash) its user is gone; then
        nothing changed. What ends with ``add_authenticator`` ends; where a hash is
        given, also what ends with ``save_password``.
        """
        ...


class RecoveryRecords(Protocol):
    """Recovery codes, as digests."""

    def replace_recovery(self, user: str, digests: Sequence[str], now: float) -> None:
        """Make *digests* the user's whole set; every earlier one is dead."""
        ...

    def spend_recovery(self, user: str, digest: str, *, now: float) -> bool:
        """Use one up; True only for the one caller that was first."""
        ...

    def recovery_left(self, user: str) -> int:
        """Return how many unused codes the user has."""
        ...


class BrowserRecords(Protocol):
    """Known browsers, some of them trusted.

    However a series ends, what is counted under its ``model.device_key`` goes with it.
    """

    def add_browser(self, browser: Browser, *, keep: int = 20) -> None:
        """Keep a new series, and at most *keep* of that user's newest."""
        ...

    def browsers(self, user: str | None) -> list[Browser]:
        """Return the known browsers of *user* (of everybody: None), newest first."""
        ...

    def rotate_browser(
        self, id: str, user: str, *, shown: str, next: str, now: float, grace: float
    ) -> Rotation:
        """Exchange the reference *shown* for *next*, atomically.

        Returns:
            ``rotated``: *shown* was current, *next* is now. ``grace``: *shown* was
            exchanged less than *grace* seconds ago, by a clock that may have been set
            back by less than that, too; nothing changed. ``replayed``:
            *shown* is an old one; the series is deleted. ``unknown``: no such series of
            this user, or it has expired.
        """
        ...

    def forget_browser(self, user: str, id: str) -> bool:
        """Delete one series; False: not theirs."""
        ...


class TokenRecords(Protocol):
    """App tokens, as digests."""

    def add_token(self, token: AppToken) -> None:
        """Keep a new token."""
        ...

    def token(self, digest: str) -> AppToken | None:
        """Return the token, expired or not; None: never made, or revoked."""
        ...

    def tokens(self, user: str | None = None) -> list[AppToken]:
        """Return the tokens of *user* (of everybody: None), newest first."""
        ...

    def touch_token(self, digest: str, used: float) -> bool:
        """Move ``used`` forward (never back); False: the token is gone."""
        ...

    def remove_token(self, id: str, *, user: str | None = None) -> bool:
        """Revoke it, felt everywhere (feed); False: not there, or not *user*'s."""
        ...


class HeldRecords(Protocol):
    """Requests that wait for their sender, sealed."""

    def hold(
        self, held: HeldRequest, *, now: float, per_browser: int, in_all: int
    ) -> bool:
        """Keep *held*, in place of one with its id; False: there is no room.

        Counted and kept in one: however many come at once, no more than *per_browser*
        of one browser and *in_all* of everybody are kept. What is over makes room.
        """
        ...

    def held(self, browser: str, *, now: float) -> list[HeldRequest]:
        """Return what is kept for *browser*, newest first."""
        ...

    def take_held(self, id: str, browser: str, *, now: float) -> HeldRequest | None:
        """Take one out; it for the one caller that was first, else None."""
        ...

    def move_held(self, old: str, new: str) -> int:
        """Let what is kept for the browser *old* be kept for *new*; how many."""
        ...
