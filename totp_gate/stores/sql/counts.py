"""Failures, counted before an attempt is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    and_,
    bindparam,
    delete,
    select,
    update,
)

from totp_gate.model import Count
from totp_gate.stores.base.traffic import never
from totp_gate.stores.schema import counts, storable
from totp_gate.stores.sql import dialect
from totp_gate.stores.sql.part import Part

Judge = Callable[[Count], float | None]

_NAMED = counts.c.key.in_(bindparam("wanted", expanding=True))
_THESE = select(counts).where(_NAMED)
_ONE_LESS = update(counts).where(_NAMED).values(failures=counts.c.failures - 1)
_FORGET = delete(counts).where(_NAMED)
_FORGET_NONE = _FORGET.where(counts.c.failures <= 0)


class CountPart(Part):
    """``base.CountRecords``."""

    def begin_attempt(
        self,
        keys: Sequence[str],
        *,
        now: float,
        judge: Judge,
        is_over: Callable[[Count], bool] = never,
    ) -> float | None:
        """Count one attempt under every key, if *judge* allows it for all of them."""
        keys = list(dict.fromkeys(map(storable, keys)))
        # A flood that must wait is turned away without becoming a flood of writes.
        with self._read() as connection:
            wait = _longest_wait(_found(connection, keys), judge)
        if wait is not None:
            return wait
        with self._write() as writing:
            dialect.lock(writing.connection, *keys)
            found = _found(writing.connection, keys)
            wait = _longest_wait(found, judge)
            if wait is None and keys:
                _drop(writing.connection, filter(is_over, found))
                _count_up(writing.connection, keys, now)
        return wait

    def forgive(self, keys: Sequence[str], *, one: bool) -> None:
        """Take one attempt back (*one*), or clear the counts of *keys*."""
        theirs = {"wanted": keys}
        with self._write() as writing:
            # A lower count first, then none: an attempt counted meanwhile survives.
            if one:
                writing.connection.execute(_ONE_LESS, theirs)
                writing.connection.execute(_FORGET_NONE, theirs)
            else:
                writing.connection.execute(_FORGET, theirs)

    def count(self, key: str) -> Count:
        """Return the count under *key* (zero where there is none)."""
        with self._read() as connection:
            return _found(connection, [storable(key)])[0]

    def counts(self, prefix: str, *, at_least: int) -> list[Count]:
        """Return counts whose key begins with *prefix* and is *at_least* high."""
        wanted = (
            select(counts)
            .where(_begins(prefix), counts.c.failures >= at_least)
            .order_by(counts.c.key)
        )
        with self._read() as connection:
            return [Count(**row._mapping) for row in connection.execute(wanted)]

    def bound_counts(self, prefix: str, *, keep: int, before: float) -> int:
        """Keep counts under *prefix* from growing without bound; how many went."""
        surplus = (
            select(counts.c.key)
            .where(_begins(prefix))
            .order_by(counts.c.last.desc(), counts.c.key)
            .offset(keep)
        )
        with self._write() as writing:
            old = delete(counts).where(_begins(prefix), counts.c.last < before)
            gone = writing.connection.execute(old).rowcount
            more = delete(counts).where(counts.c.key.in_(surplus))
            return gone + writing.connection.execute(more).rowcount


def _found(connection: Connection, keys: Sequence[str]) -> list[Count]:
    rows = connection.execute(_THESE, {"wanted": keys})
    known = {row.key: Count(**row._mapping) for row in rows}
    return [known.get(key, Count(key=key)) for key in keys]


def _longest_wait(found: Iterable[Count], judge: Judge) -> float | None:
    waits = [wait for count in found if (wait := judge(count)) is not None]
    return max(waits, default=None)


def _drop(connection: Connection, over: Iterable[Count]) -> None:
    keys = [count.key for count in over if count.failures]
    if keys:
        connection.execute(_FORGET, {"wanted": keys})


def _count_up(connection: Connection, keys: Sequence[str], now: float) -> None:
    rows = [{"key": key, "failures": 1, "last": now, "since": now} for key in keys]
    connection.execute(_counting(connection.dialect.name), rows)


@cache
def _counting(spoken: str) -> Executable:
    first = dialect.insert(spoken, counts)
    return first.on_conflict_do_update(
        index_elements=[counts.c.key],
        set_={"failures": counts.c.failures + 1, "last": first.excluded.last},
    )


def _begins(prefix: str) -> ColumnElement[bool]:
    # A range, not LIKE: uses the index, and knows upper from lower case.
    return and_(counts.c.key >= prefix, counts.c.key < prefix + "\U0010ffff")
