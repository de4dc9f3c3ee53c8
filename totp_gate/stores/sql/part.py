"""What the parts of the store share."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, update

from totp_gate.model import account_keys, device_key
from totp_gate.stores import schema
from totp_gate.stores.sql.database import Database, Writing


class Part:
    """One protocol of ``stores.base``, on *database*."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read = database.read
        self._write = database.write


def values(table: Table, record: object) -> dict[str, Any]:
    """Return the fields of *record* that *table* has columns for."""
    return {name: getattr(record, name) for name in table.columns.keys()}  # noqa: SIM118


def new_credential() -> str:
    """Return what no session can have begun with."""
    return secrets.token_hex(16)


def change_password_of(
    writing: Writing, user: str, password_hash: str | None, *, keep: str = ""
) -> bool:
    """Set another password and end what began with the old one; False: no such user.

    The session *keep* goes on, and what strangers guessed at the old one counts no
    more. The caller announces it.
    """
    users, sessions = schema.users.c, schema.sessions.c
    credential = new_credential()
    saved = writing.connection.execute(
        update(schema.users)
        .where(users.name == user)
        .values(password_hash=password_hash, credential=credential)
    )
    if not saved.rowcount:
        return False
    end_what_began(writing, user, keep=keep)
    forget_counts(writing, account_keys(user))
    writing.connection.execute(
        update(schema.sessions)
        .where(sessions.user == user)
        .values(credential=credential)
    )
    return True


def end_what_began(writing: Writing, user: str, *, keep: str = "") -> int:
    """Delete the sessions of *user* but *keep*, and their known browsers.

    Returns:
        How many sessions. The caller announces it.
    """
    end_series(writing, schema.browsers.c.user == user)
    return end_sessions_of(writing, user, keep=keep)


def end_and_announce(writing: Writing, user: str, *, keep: str = "") -> None:
    """Do so, and announce it where a session ended; the last act of a transaction."""
    if end_what_began(writing, user, keep=keep):
        writing.announce(("", user))


def end_sessions_of(writing: Writing, user: str, *, keep: str = "") -> int:
    """Delete the sessions of *user* but *keep*; how many. The caller announces it."""
    table = schema.sessions
    ended = writing.connection.execute(
        delete(table).where(table.c.user == user, table.c.id != keep)
    )
    return ended.rowcount


def end_series(writing: Writing, *which: ColumnElement[bool]) -> int:
    """Delete those known browsers, and what they failed; how many."""
    table = schema.browsers
    ended = delete(table).where(*which).returning(table.c.id)
    series = writing.connection.scalars(ended).all()
    forget_counts(writing, map(device_key, series))
    return len(series)


def forget_counts(writing: Writing, keys: Iterable[str]) -> None:
    """Delete what is counted under *keys*."""
    counts, which = schema.counts, list(keys)
    if which:
        writing.connection.execute(delete(counts).where(counts.c.key.in_(which)))


def forget_links_of(writing: Writing, user: str) -> int:
    """Delete the unused one-time links of *user*; how many."""
    table = schema.links
    gone = writing.connection.execute(delete(table).where(table.c.user == user))
    return gone.rowcount
