"""The few things databases say differently; everything else is the same statements."""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite


def insert(spoken: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT into *table* that knows ``on_conflict_do_...``.

    Args:
        spoken: name of the connection's dialect.
    """
    if spoken == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def lock(connection: Connection, *names: str) -> None:
    """Keep others who lock one of *names* waiting until this transaction ends.

    SQLite has one writer at a time, which is more than enough.
    """
    if connection.dialect.name == "postgresql":
        for name in sorted(names):
            key = func.hashtextextended(name, 0)
            connection.execute(select(func.pg_advisory_xact_lock(key)))
