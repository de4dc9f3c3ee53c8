"""Sessions and the feed of their ends."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    Row,
    Select,
    Table,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from totp_gate.model import Revocation, Session
from totp_gate.stores.base.traffic import Bell
from totp_gate.stores.schema import browsers, feed, handoffs, links, meta, sessions
from totp_gate.stores.sql import dialect
from totp_gate.stores.sql.database import Writing
from totp_gate.stores.sql.part import Part, end_series, end_sessions_of, values

FEED_KEPT = 2 * 3600.0
"""Seconds a line of the feed is kept; an hour is promised, clocks differ."""

LINK_KEPT = 7 * 86400.0
"""Seconds an expired link is kept, so that its page can say "expired"."""

AT_ONCE = 2000
"""Rows of a kind that ``forget_expired`` deletes in one call."""

_ONE = select(sessions).where(sessions.c.id == bindparam("wanted"))
_FROM = (
    select(feed.c.number, feed.c.session, feed.c.user)
    .where(feed.c.number >= bindparam("wanted"))
    .order_by(feed.c.number)
)
_FLOOR = select(meta.c.value).where(meta.c.key == "feed_floor")


class SessionPart(Part):
    """``base.SessionRecords``."""

    def add_session(self, session: Session, *, max_per_user: int = 0) -> list[str]:
        """Add *session*; return ids of the oldest ones it ended (``max_per_user``)."""
        with self._write() as writing:
            ended: list[str] = []
            if max_per_user:
                dialect.lock(writing.connection, f"sessions of {session.user}")
                ended = _end_oldest(writing, session.user, keep=max_per_user - 1)
            writing.connection.execute(
                insert(sessions).values(values(sessions, session))
            )
            writing.announce(*((oldest, "") for oldest in ended))
        return ended

    def session(self, id: str) -> Session | None:
        """Return the session with the digest *id*, or None."""
        with self._read() as connection:
            row = connection.execute(_ONE, {"wanted": id}).one_or_none()
        return _session(row) if row else None

    def sessions(self, user: str | None = None) -> list[Session]:
        """Return the sessions of *user* (of everybody: None), newest first."""
        wanted = select(sessions).order_by(sessions.c.created.desc(), sessions.c.id)
        if user is not None:
            wanted = wanted.where(sessions.c.user == user)
        with self._read() as connection:
            return [_session(row) for row in connection.execute(wanted)]

    def count_sessions(self, *, seen_after: float) -> int:
        """Return how many sessions were seen after this time, from an index alone."""
        wanted = select(func.count()).where(sessions.c.seen > seen_after)
        with self._read() as connection:
            return int(connection.scalar(wanted) or 0)

    def touch_session(self, id: str, seen: float) -> bool:
        """Move ``seen`` forward (never back); False: the session is gone."""
        later = case((sessions.c.seen < seen, seen), else_=sessions.c.seen)
        with self._write() as writing:
            touched = writing.connection.execute(
                update(sessions).where(sessions.c.id == id).values(seen=later)
            )
            return touched.rowcount > 0

    def replace_session(self, old: str, new: Session) -> bool:
        """End *old* and begin *new* at once (step-up); False: *old* was gone."""
        with self._write() as writing:
            gone = writing.connection.execute(
                delete(sessions).where(sessions.c.id == old)
            )
            if not gone.rowcount:
                return False
            writing.connection.execute(insert(sessions).values(values(sessions, new)))
            writing.announce((old, ""))
        return True

    def end_session(self, id: str, *, user: str | None = None) -> bool:
        """End it; False: there was none (or it is not *user*'s, where one is named)."""
        wanted = delete(sessions).where(sessions.c.id == id)
        if user is not None:
            wanted = wanted.where(sessions.c.user == user)
        with self._write() as writing:
            if not writing.connection.execute(wanted).rowcount:
                return False
            writing.announce((id, ""))
        return True

    def end_sessions(self, user: str | None, *, keep: str = "") -> int:
        """End all sessions of *user* (None: of everybody) but *keep*; how many."""
        with self._write() as writing:
            if user is not None:
                ended = end_sessions_of(writing, user, keep=keep)
                if ended:
                    writing.announce(("", user))
                return ended
            everything = delete(sessions).where(sessions.c.id != keep)
            ended = writing.connection.execute(everything).rowcount
            # No line could name everybody: the feed breaks off, and all start afresh.
            writing.announce(("", ""))
            newest = writing.connection.scalar(select(func.max(feed.c.number)))
            _break_off(writing, newest or 0)
            return ended

    def forget_expired(self, *, idle_before: float, created_before: float) -> int:
        """Delete what nobody can use any more, a bounded number at once; how many."""
        with self._write() as writing:
            connection = writing.connection
            over = or_(
                sessions.c.seen < idle_before, sessions.c.created < created_before
            )
            dead = select(sessions.c.id).where(over).limit(AT_ONCE)
            gone = connection.execute(delete(sessions).where(sessions.c.id.in_(dead)))
            forgotten = gone.rowcount
            for table, key, kept in (
                (links, links.c.digest, LINK_KEPT),
                (handoffs, handoffs.c.digest, 0.0),
            ):
                dead = _expired(table, key, before=writing.at - kept)
                forgotten += connection.execute(
                    delete(table).where(key.in_(dead))
                ).rowcount
            dead = _expired(browsers, browsers.c.id, before=writing.at)
            forgotten += end_series(writing, browsers.c.id.in_(dead))
            forgotten += _shorten_feed(writing)
        return forgotten

    def revoked_since(self, number: int) -> list[Revocation] | None:
        """Return the feed's lines after *number*, oldest first; None: not all left."""
        self._database.check_file()
        self._database.bell.refresh()
        with self._read() as connection:
            lines = list(connection.execute(_FROM, {"wanted": number}))
            # After the lines: whatever was deleted before they were read shows here.
            floor = int(connection.scalar(_FLOOR) or 0)
        if lines and lines[0].number == number:
            del lines[0]
        elif number != floor:
            return None
        return [Revocation(*line) for line in lines]

    def last_revocation(self) -> int:
        """Return the number of the feed's newest line (0: none ever)."""
        newest = select(func.max(feed.c.number))
        with self._read() as connection:
            last = connection.scalar(newest)
            return last or int(connection.scalar(_FLOOR) or 0)

    @property
    def bell(self) -> Bell:
        """The value that differs after every change of the feed."""
        return self._database.bell


def _end_oldest(writing: Writing, user: str, *, keep: int) -> list[str]:
    oldest = (
        select(sessions.c.id)
        .where(sessions.c.user == user)
        .order_by(sessions.c.created.desc(), sessions.c.id)
        .offset(keep)
    )
    ids = list(writing.connection.scalars(oldest))
    for each in ids:
        writing.connection.execute(delete(sessions).where(sessions.c.id == each))
    return ids


def _expired(table: Table, key: Column[str], *, before: float) -> Select[str]:
    """Return what selects the keys of rows of *table* that are over."""
    return select(key).where(table.c.expires < before).limit(AT_ONCE)


def _shorten_feed(writing: Writing) -> int:
    dialect.lock(writing.connection, "feed")
    old = (
        select(feed.c.number)
        .where(feed.c.at < writing.at - FEED_KEPT)
        .order_by(feed.c.number)
        .limit(AT_ONCE)
        .subquery()
    )
    newest = writing.connection.scalar(select(func.max(old.c.number)))
    return _break_off(writing, newest) if newest else 0


def _break_off(writing: Writing, newest: int) -> int:
    """Delete the feed's lines up to *newest*, and remember that they were there."""
    writing.connection.execute(
        update(meta).where(meta.c.key == "feed_floor").values(value=str(newest))
    )
    gone = writing.connection.execute(delete(feed).where(feed.c.number <= newest))
    return gone.rowcount


def _session(row: Row[Any]) -> Session:
    return Session(**row._mapping)
