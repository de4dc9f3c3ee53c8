"""What every store promises, in words.

A store holds everything that must survive a restart and be the same for all processes:
users, authenticators, sessions, one-time links, recovery codes, trusted browsers,
counts of failures. Each method is one transaction: when it returns, what it did is
durable, and when it raises ``StoreUnavailable`` nothing was done. What two processes
may want at once has one winner, decided inside the store.

Every end of a session, of a user's sessions or of a user is also written to the
*revocation feed*, in the same transaction. Processes that remember sessions read the
feed (``revoked_since``); ``bell`` tells them, for next to nothing, whether they must.

Every method may raise ``StoreUnavailable``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol

from totp_gate.model import (
    Authenticator,
    Browser,
    Count,
    Event,
    Link,
    Revocation,
    Session,
    User,
)

Rotation = Literal["rotated", "grace", "replayed", "unknown"]


class UserRecords(Protocol):
    """Users who are kept in the store."""

    def user(self, name: str) -> User | None:
        """Return the user called *name* (canonical), or None."""
        ...

    def users(self) -> Iterable[User]:
        """Return all users of the store, by name."""
        ...

    def add_users(self, users: Sequence[User]) -> None:
        """Add *users*, all or none; who has no ``credential`` is given one.

        Raises:
            Conflict: one of the names is taken; the text names it.
        """
        ...

    def save_user(self, user: User) -> bool:
        """Replace what is known of ``user.name``; False: not there.

        Its hash, credential and creation time stay.
        Becoming disabled ends the user's sessions and trusted browsers. Every change is
        felt by sessions that are remembered elsewhere (feed).
        """
        ...

    def save_password(self, name: str, password_hash: str, *, keep: str = "") -> bool:
        """Set another password; False: no such user. Felt by all sessions (feed).

        The user gets a new ``credential``; their sessions and trusted browsers end.

        Args:
            name: canonical name.
            password_hash: as written by ``core.passwords``.
            keep: id of the one session that goes on, with the new credential.
        """
        ...

    def renew_hash(self, name: str, old: str, new: str) -> bool:
        """Replace the hash *old* by another form of it; False: it is no longer *old*.

        Nothing ends by it.
        """
        ...

    def remove_user(self, name: str) -> bool:
        """Remove the user and all that is theirs (not counts); False: no such user."""
        ...


class AuthenticatorRecords(Protocol):
    """Second factors of users of any directory."""

    def authenticators(self, user: str | None) -> list[Authenticator]:
        """Return the authenticators of *user* (of everybody: None), oldest first."""
        ...

    def add_authenticator(self, authenticator: Authenticator, *, only: bool) -> bool:
        """Add it, with ``last`` as its last accepted step or counter.

        Args:
            authenticator: with a fresh id.
            only: add it only while the user has none; of two first enrollments at the
                same time one gets False.
        """
        ...

    def rename_authenticator(self, user: str, id: str, name: str) -> bool:
        """Rename it; False: this user has no such authenticator."""
        ...

    def remove_authenticator(self, user: str, id: str, *, even_last: bool) -> bool:
        """Remove it and forget trusted browsers; False: not theirs, or the last one.

        The last one (*even_last*) takes the recovery codes along. A removed one accepts
        nothing any more, whoever is judging its code at that moment.
        """
        ...

    def remove_authenticators(self, user: str) -> int:
        """Remove all of *user* (and recovery codes, trusted browsers); how many."""
        ...

    def replace_sealed(self, id: str, old: str, new: str) -> bool:
        """Replace the sealed seed *old* by *new*; False: it is no longer *old*."""
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


class SessionRecords(Protocol):
    """Sessions and the feed of their ends."""

    def add_session(self, session: Session, *, max_per_user: int = 0) -> list[str]:
        """Add *session*; return ids of the oldest ones it ended (``max_per_user``)."""
        ...

    def session(self, id: str) -> Session | None:
        """Return the session with the digest *id*, or None."""
        ...

    def sessions(self, user: str | None = None) -> list[Session]:
        """Return the sessions of *user* (of everybody: None), newest first."""
        ...

    def count_sessions(self, *, seen_after: float) -> int:
        """Return how many sessions were seen after this time; quick also for many."""
        ...

    def touch_session(self, id: str, seen: float) -> bool:
        """Move ``seen`` forward (never back); False: the session is gone."""
        ...

    def replace_session(self, old: str, new: Session) -> bool:
        """End *old* and begin *new* at once (step-up); False: *old* was gone."""
        ...

    def end_session(self, id: str, *, user: str | None = None) -> bool:
        """End it; False: there was none (or it is not *user*'s, where one is named)."""
        ...

    def end_sessions(self, user: str | None, *, keep: str = "") -> int:
        """End all sessions of *user* (None: of everybody) but *keep*; how many."""
        ...

    def forget_expired(self, *, idle_before: float, created_before: float) -> int:
        """Delete sessions nobody can use any more, and other things that are over.

        These are trusted browsers that have expired, links long expired and lines of
        the feed older than an hour at least. Bounded: a few thousand rows a call.

        Returns:
            How many rows went; where it is not 0, another call may find more.
        """
        ...

    def revoked_since(self, number: int) -> list[Revocation] | None:
        """Return the feed's lines after *number*, oldest first.

        None: lines after *number* have been deleted already (the reader slept too
        long, or the sessions of everybody were ended), or this feed never had *number*:
        everything remembered must be forgotten.
        """
        ...

    def last_revocation(self) -> int:
        """Return the number of the feed's newest line (0: none ever)."""
        ...

    def bell(self) -> int:
        """Return a value that differs after every change of the feed on this machine.

        Costs well under a microsecond and never raises; a store that cannot promise
        this returns 0 always, and readers rely on reading the feed every second.
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

    def take_link(self, digest: str, *, now: float) -> Link | None:
        """Use the link up; the link for the one caller that was first, else None.

        An expired link is None and stays.
        """
        ...

    def redeem_link(
        self,
        digest: str,
        *,
        authenticator: Authenticator,
        password_hash: str | None,
        now: float,
    ) -> bool:
        """Use the link up, and with it add *authenticator* and set the password.

        All or nothing, and one winner: False where the link was used, has expired, is
        not for the authenticator's user, or (with a hash) its user is gone; then
        nothing changed. Where a hash is given, the sessions and trusted browsers of the
        user end, as with ``save_password``.
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
    """Trusted browsers."""

    def add_browser(self, browser: Browser, *, keep: int = 20) -> None:
        """Keep a new series, and at most *keep* of that user's newest."""
        ...

    def browsers(self, user: str) -> list[Browser]:
        """Return the user's trusted browsers, newest first."""
        ...

    def rotate_browser(
        self, id: str, user: str, *, shown: str, next: str, now: float, grace: float
    ) -> Rotation:
        """Exchange the reference *shown* for *next*, atomically.

        Returns:
            ``rotated``: *shown* was current, *next* is now. ``grace``: *shown* was
            exchanged less than *grace* seconds ago; nothing changed. ``replayed``:
            *shown* is an old one; the series is deleted. ``unknown``: no such series of
            this user, or it has expired.
        """
        ...

    def forget_browser(self, user: str, id: str) -> bool:
        """Delete one series; False: not theirs."""
        ...

    def forget_browsers(self, user: str) -> int:
        """Delete all series of *user*; how many."""
        ...


class CountRecords(Protocol):
    """Failures, counted before an attempt is judged.

    An attempt is first counted as failed, then judged, then forgiven where it was
    right. So any number of parallel attempts cannot exceed the budget.
    """

    def begin_attempt(
        self,
        keys: Sequence[str],
        *,
        now: float,
        judge: Callable[[Count], float | None],
    ) -> float | None:
        """Count one attempt under every key, if *judge* allows it for all of them.

        Args:
            keys: what is counted, e.g. ``password:alice`` and ``address:192.0.2.7``.
            now: Unix seconds.
            judge: seconds to wait before the next attempt under this count (infinity:
                for good), or None where it may be tried now. Depends on nothing but
                the count, and calls no store: it may be called again.

        Returns:
            None: counted, go on and judge the attempt. Else the longest wait, and
            nothing was counted.
        """
        ...

    def forgive(self, keys: Sequence[str], *, one: bool) -> None:
        """Take one attempt back (*one*), or clear the counts of *keys*."""
        ...

    def count(self, key: str) -> Count:
        """Return the count under *key* (zero where there is none)."""
        ...

    def counts(self, prefix: str, *, at_least: int) -> list[Count]:
        """Return counts whose key begins with *prefix* and is *at_least* high."""
        ...

    def bound_counts(self, prefix: str, *, keep: int, before: float) -> int:
        """Keep counts under *prefix* from growing without bound; how many went.

        Those last changed before *before* are deleted, and all but the newest *keep*.
        """
        ...


class EventRecords(Protocol):
    """Recent events of each account."""

    def add_event(self, event: Event, *, keep: int = 50) -> None:
        """Keep *event* and at most *keep* of that user's newest."""
        ...

    def events(self, user: str | None = None, *, limit: int = 50) -> list[Event]:
        """Return the newest events of *user* (None: of everybody), newest first."""
        ...


class Store(
    UserRecords,
    AuthenticatorRecords,
    SessionRecords,
    LinkRecords,
    RecoveryRecords,
    BrowserRecords,
    CountRecords,
    EventRecords,
    Protocol,
):
    """What must survive a restart."""

    def instance(self) -> str:
        """Return the random id this state was created with."""
        ...

    def ping(self) -> None:
        """Write and read back a heartbeat; raises where either is not possible."""
        ...

    def close(self) -> None:
        """Release connections; idempotent."""
        ...
