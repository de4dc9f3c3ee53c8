"""What a store promises about sessions, failures and events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypedDict, Unpack

from totp_gate.model import Count, Event, HandOff, Revocation, Session


class Bell(Protocol):
    """A value that says whether something happened.

    Looking at it costs well under a microsecond and never raises. Where a store cannot
    promise that, it never differs, and readers rely on reading the feed every second.
    """

    @property
    def cell(self) -> Sequence[int]:
        """The value is ``cell[0]``; looked at anew each time."""
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

        These are known browsers and hand-offs that have expired, links long expired
        and lines of the feed older than an hour at least. Bounded: a few thousand rows
        a call.

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

    @property
    def bell(self) -> Bell:
        """The value that differs after every change of the feed on this machine."""
        ...


def never(_: Count) -> bool:
    """Say of no count that it is over."""
    return False


class HandOffRecords(Protocol):
    """Sessions on their way from one host to another."""

    def add_hand_off(self, handoff: HandOff, *, keep: int = 20) -> None:
        """Keep *handoff*, and at most *keep* of that session's newest."""
        ...

    def take_hand_off(self, digest: str, *, now: float) -> HandOff | None:
        """Use it up; it for the one caller that was first and in time, else None."""
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
        is_over: Callable[[Count], bool] = never,
    ) -> float | None:
        """Count one attempt under every key, if *judge* allows it for all of them.

        Args:
            keys: what is counted, e.g. ``password:alice`` and ``address:192.0.2.7``.
            now: Unix seconds.
            judge: seconds to wait before the next attempt under this count (infinity:
                for good), or None where it may be tried now. Depends on nothing but
                the count, and calls no store: it may be called again.
            is_over: whether a count says nothing any more; then it begins at one.

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


class Sought(TypedDict, total=False):
    """What events are looked for by (fields of ``Event``)."""

    event: str
    outcome: str
    address: str


class EventRecords(Protocol):
    """Recent events of each account."""

    def add_event(
        self, event: Event, *, keep: int = 50, alike: int | None = None
    ) -> None:
        """Keep *event* and at most *keep* of that user's newest.

        Args:
            alike: of those with the same name and outcome at most so many; None: any
                number.
        """
        ...

    def events(
        self, user: str | None = None, *, limit: int = 50, **alike: Unpack[Sought]
    ) -> list[Event]:
        """Return the newest events of *user*, newest first.

        Args:
            user: canonical name; None: of everybody. What is kept for nobody, under the
                empty name, is only there by that name.
            limit: how many at the most, of those that fit.
            alike: what they must have in common.
        """
        ...
