"""Users who are kept in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Unpack

from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from totp_gate.errors import Conflict
from totp_gate.model import Link, User
from totp_gate.stores import schema
from totp_gate.stores.base import UserChange
from totp_gate.stores.sql.authenticators import remove_factors_of
from totp_gate.stores.sql.database import Writing
from totp_gate.stores.sql.part import (
    Part,
    change_password_of,
    end_what_began,
    forget_links_of,
    new_credential,
    values,
)

_TABLE = schema.users
_AT_ONCE = 500
_THEIRS = (
    schema.authenticators,
    schema.recovery,
    schema.sessions,
    schema.browsers,
    schema.links,
    schema.tokens,
    schema.events,
)
_ONE = select(_TABLE).where(_TABLE.c.name == bindparam("wanted"))


class UserPart(Part):
    """``base.UserRecords``."""

    def user(self, name: str) -> User | None:
        """Return the user called *name* (canonical), or None."""
        with self._read() as connection:
            row = connection.execute(_ONE, {"wanted": name}).one_or_none()
        return _user(row) if row else None

    def users(self) -> list[User]:
        """Return all users of the store, by name."""
        with self._read() as connection:
            rows = connection.execute(select(_TABLE).order_by(_TABLE.c.name)).all()
        return [_user(row) for row in rows]

    def add_users(self, users: Sequence[User], *, links: Sequence[Link] = ()) -> None:
        """Add *users* and *links*, or nothing; ``Conflict`` names one that is taken."""
        names: set[str] = set()
        with self._write() as writing:
            for user in users:
                taken = writing.connection.execute(_ONE, {"wanted": user.name}).first()
                if taken or user.name in names:
                    raise Conflict(f"there is already a user {user.name}")
                names.add(user.name)
            for name in _who_left_something(writing, sorted(names)):
                _forget_all_of(writing, name)
            try:
                if users:
                    writing.connection.execute(
                        insert(_TABLE), [_values(user) for user in users]
                    )
            except IntegrityError as error:  # PostgreSQL: added by another meanwhile
                listed = ", ".join(sorted(names))
                raise Conflict(f"there is already a user of {listed}") from error
            _add_links(writing, links)

    def change_user(self, name: str, **change: Unpack[UserChange]) -> bool:
        """Change what is named of the user *name*; False: not there."""
        new: dict[str, Any] = {**change}
        if "groups" in change:
            new["groups"] = json.dumps(list(change["groups"]))
        with self._write() as writing:
            changed = writing.connection.execute(
                update(_TABLE).where(_TABLE.c.name == name).values(new)
            )
            if not changed.rowcount:
                return False
            if change.get("disabled"):
                end_what_began(writing, name)
                forget_links_of(writing, name)
            writing.announce(("", name))
        return True

    def save_password(
        self, name: str, password_hash: str | None, *, keep: str = ""
    ) -> bool:
        """Set another password; False: no such user."""
        with self._write() as writing:
            saved = change_password_of(writing, name, password_hash, keep=keep)
            if saved:
                writing.announce(("", name))
            return saved

    def renew_hash(self, name: str, old: str, new: str) -> bool:
        """Replace the hash *old* by another form; False: it is no longer *old*."""
        same = _TABLE.c.name == name, _TABLE.c.password_hash == old
        with self._write() as writing:
            renewed = writing.connection.execute(
                update(_TABLE).where(*same).values(password_hash=new)
            )
            return renewed.rowcount > 0

    def remove_user(self, name: str) -> bool:
        """Remove the user and all that is theirs; False: there was neither."""
        with self._write() as writing:
            gone = writing.connection.execute(
                delete(_TABLE).where(_TABLE.c.name == name)
            )
            if not gone.rowcount and not _who_left_something(writing, [name]):
                return False
            _forget_all_of(writing, name)
        return True


def _add_links(writing: Writing, links: Sequence[Link]) -> None:
    if links:
        added = [values(schema.links, link) for link in links]
        writing.connection.execute(insert(schema.links), added)


def _who_left_something(writing: Writing, names: Sequence[str]) -> set[str]:
    """Return those of *names* that anything in the state belongs to."""
    found: set[str] = set()
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        for table in _THEIRS:
            wanted = select(table.c.user).where(table.c.user.in_(some)).distinct()
            found.update(writing.connection.scalars(wanted))
    return found


def _forget_all_of(writing: Writing, name: str) -> None:
    """Delete all that belongs to whoever is called *name*, and announce it."""
    remove_factors_of(writing, name)
    end_what_began(writing, name)
    forget_links_of(writing, name)
    for table in (schema.events, schema.tokens):
        writing.connection.execute(delete(table).where(table.c.user == name))
    writing.announce(("", name))


def _values(user: User) -> dict[str, Any]:
    return values(_TABLE, user) | {
        "groups": json.dumps(list(user.groups)),
        "credential": user.credential or new_credential(),
    }


def _user(row: Row[Any]) -> User:
    fields = dict(row._mapping)
    fields["groups"] = tuple(json.loads(fields["groups"]))
    return User(**fields, source="store")
