"""Second factors and the steps they have accepted.

What was accepted stands in a table of its own, by id: seeds in the settings file have
steps too. A removed authenticator leaves its id behind with a step that nothing can
follow, so a code that is being judged at that moment is not accepted any more.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Row,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from totp_gate.model import Authenticator, account_keys
from totp_gate.stores.schema import authenticators, recovery, steps
from totp_gate.stores.sql import dialect
from totp_gate.stores.sql.database import Writing
from totp_gate.stores.sql.part import (
    Part,
    end_and_announce,
    forget_counts,
    values,
)

_DEAD = 2**62
_WITH_STEPS = select(
    authenticators,
    func.coalesce(steps.c.last, -1).label("last"),
    steps.c.used,
).join_from(authenticators, steps, authenticators.c.id == steps.c.id, isouter=True)
_ALL = _WITH_STEPS.order_by(authenticators.c.created, authenticators.c.id)
_THEIRS = _ALL.where(authenticators.c.user == bindparam("of"))


class AuthenticatorPart(Part):
    """``base.AuthenticatorRecords``."""

    def authenticators(self, user: str | None) -> list[Authenticator]:
        """Return the authenticators of *user* (of everybody: None), oldest first."""
        wanted, of = (_ALL, {}) if user is None else (_THEIRS, {"of": user})
        with self._read() as connection:
            return [_authenticator(row) for row in connection.execute(wanted, of)]

    def add_authenticator(
        self, authenticator: Authenticator, *, only: bool, keep: str = ""
    ) -> bool:
        """Add it; False: it was added before, or *only*, and the user has one."""
        with self._write() as writing:
            dialect.lock(writing.connection, lock_of(authenticator.user))
            if _is_known(writing, authenticator.id):
                return False
            if only and _how_many(writing, authenticator.user):
                return False
            add_factor(writing, authenticator)
            end_and_announce(writing, authenticator.user, keep=keep)
        return True

    def replace_authenticators(
        self, authenticator: Authenticator, *, retire: str | None, keep: str
    ) -> bool:
        """Add it and remove all others of its user; False: it was added before."""
        user = authenticator.user
        with self._write() as writing:
            dialect.lock(writing.connection, lock_of(user))
            if _is_known(writing, authenticator.id):
                return False
            _remove(writing, authenticators.c.user == user)
            if retire is not None:
                _bury(writing, retire)
            add_factor(writing, authenticator)
            end_and_announce(writing, user, keep=keep)
        return True

    def rename_authenticator(self, user: str, id: str, name: str) -> bool:
        """Rename it; False: this user has no such authenticator."""
        table = authenticators
        with self._write() as writing:
            renamed = writing.connection.execute(
                update(table)
                .where(table.c.id == id, table.c.user == user)
                .values(name=name)
            )
            return renamed.rowcount > 0

    def remove_authenticator(
        self, user: str, id: str, *, even_last: bool, keep: str = ""
    ) -> bool:
        """Remove it; False: not theirs, or the last one."""
        table = authenticators
        with self._write() as writing:
            connection = writing.connection
            dialect.lock(connection, lock_of(user))
            theirs = exists().where(table.c.id == id, table.c.user == user).select()
            if not connection.scalar(theirs):
                return False
            if _how_many(writing, user) == 1:
                if not even_last:
                    return False
                remove_factors_of(writing, user)
            else:
                _remove(writing, table.c.id == id)
            end_and_announce(writing, user, keep=keep)
        return True

    def remove_authenticators(self, user: str) -> int:
        """Remove all of *user*, and what goes with the last one; how many."""
        with self._write() as writing:
            dialect.lock(writing.connection, lock_of(user))
            removed = remove_factors_of(writing, user)
            end_and_announce(writing, user)
            return removed

    def replace_sealed(self, id: str, old: str, new: str) -> bool:
        """Replace the sealed seed *old* by *new*; False: it is no longer *old*."""
        table = authenticators
        with self._write() as writing:
            replaced = writing.connection.execute(
                update(table)
                .where(table.c.id == id, table.c.sealed == old)
                .values(sealed=new)
            )
            return replaced.rowcount > 0

    def is_retired(self, authenticator_id: str) -> bool:
        """Tell whether it was retired or removed."""
        return self.last_step(authenticator_id) == _DEAD

    def last_step(self, authenticator_id: str) -> int:
        """Return the last accepted step or counter, -1 where there is none."""
        wanted = select(steps.c.last).where(steps.c.id == authenticator_id)
        with self._read() as connection:
            last = connection.scalar(wanted)
        return -1 if last is None else last

    def accept_step(self, authenticator_id: str, step: int, *, now: float) -> bool:
        """Record *step* as used; True only for the one caller that was first."""
        with self._write() as writing:
            connection = writing.connection
            used = {"id": authenticator_id, "last": step, "used": now}
            accepted = connection.execute(_accepting(connection.dialect.name), used)
            return len(accepted.all()) == 1


@cache
def _accepting(spoken: str) -> Executable:
    wanted = dialect.insert(spoken, steps).values(
        {name: bindparam(name) for name in ("id", "last", "used")}
    )
    return wanted.on_conflict_do_update(
        index_elements=[steps.c.id],
        set_={"last": wanted.excluded.last, "used": wanted.excluded.used},
        where=steps.c.last < wanted.excluded.last,
    ).returning(steps.c.id)


def add_factor(writing: Writing, authenticator: Authenticator) -> None:
    """Add *authenticator*, with what it has accepted. The caller ends what began."""
    for table in (authenticators, steps):
        row = values(table, authenticator)
        writing.connection.execute(insert(table).values(row))


def remove_factors_of(writing: Writing, user: str) -> int:
    """Remove authenticators and all that goes with the last; how many there were.

    These are recovery codes, and what was guessed at all of it. The caller ends what
    began.
    """
    gone = _remove(writing, authenticators.c.user == user)
    writing.connection.execute(delete(recovery).where(recovery.c.user == user))
    forget_counts(writing, account_keys(user))
    return gone


def _remove(writing: Writing, which: ColumnElement[bool]) -> int:
    """Remove those authenticators, so that they accept nothing any more; how many."""
    table = authenticators
    gone = delete(table).where(which).returning(table.c.id)
    removed = writing.connection.scalars(gone).all()
    for one in removed:
        _bury(writing, one)
    return len(removed)


def _bury(writing: Writing, id: str) -> None:
    wanted = dialect.insert(writing.connection.dialect.name, steps).values(
        id=id, last=_DEAD
    )
    writing.connection.execute(
        wanted.on_conflict_do_update(index_elements=[steps.c.id], set_={"last": _DEAD})
    )


def _is_known(writing: Writing, id: str) -> bool:
    known = exists().where(steps.c.id == id).select()
    return bool(writing.connection.scalar(known))


def _how_many(writing: Writing, user: str) -> int:
    table = authenticators
    counted = select(func.count()).select_from(table).where(table.c.user == user)
    return writing.connection.scalar(counted) or 0


def lock_of(user: str) -> str:
    """Return the name of the lock for adding and removing factors of *user*."""
    return f"authenticators of {user}"


def _authenticator(row: Row[Any]) -> Authenticator:
    return Authenticator(**row._mapping)
