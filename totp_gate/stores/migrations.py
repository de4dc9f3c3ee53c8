"""Bringing a state from the version it was made with to this program's.

Strategy: a new state is made whole, from ``schema``, at ``VERSION``. An older one takes
the steps it has not seen, in order, all in one transaction under a lock, so of two
processes that start at once one migrates and the other waits and finds it done. A newer
one is refused: an older program would not know what it must keep true.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cache

from sqlalchemy import Connection, Dialect, insert, inspect, select, text, update
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from totp_gate.errors import ConfigError
from totp_gate.stores import schema

Step = Callable[[Connection], None]

FIRST = 1


def _remember_recovery(connection: Connection) -> None:
    column = "recovered BOOLEAN NOT NULL DEFAULT FALSE"
    connection.execute(text(f"ALTER TABLE sessions ADD COLUMN {column}"))


STEPS: tuple[Step, ...] = (_remember_recovery,)
"""The step at index 0 leads from version 1 to 2, and so on."""


_COLUMNS = {
    "sqlite": text(
        "SELECT tables.name, columns.name FROM sqlite_master AS tables"
        " JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'"
    ),
    "postgresql": text(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema()"
    ),
}
"""What asks for every table and column there is, at once."""


def version() -> int:
    """Return the version this program makes and reads."""
    return FIRST + len(STEPS)


def create(connection: Connection) -> None:
    """Make the tables and what every state begins with."""
    for statement in _making(connection.dialect):
        connection.exec_driver_sql(statement)
    beginnings = {
        "version": str(version()),
        "instance": secrets.token_hex(16),
        "feed_floor": "0",
    }
    connection.execute(
        insert(schema.meta),
        [{"key": key, "value": value} for key, value in beginnings.items()],
    )


@cache
def _making(dialect: Dialect) -> tuple[str, ...]:
    """Return the statements that make every table and index in *dialect*."""
    made: list[ExecutableDDLElement] = []
    for table in schema.metadata.sorted_tables:
        made.append(CreateTable(table))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        made += map(CreateIndex, indexes)
    return tuple(str(each.compile(dialect=dialect)) for each in made)


def upgrade(connection: Connection, called: str = "the state") -> None:
    """Create or migrate; the caller holds a lock and one write transaction.

    Args:
        called: where the state is, for people.

    Raises:
        ConfigError: the state is newer than this program, or not whole.
    """
    if not inspect(connection).has_table(schema.meta.name):
        create(connection)
        return
    found = _found(connection, called)
    if found > version():
        reason = (
            f"{called} was written by a newer totp_gate (version {found} of the state;"
            f" this program knows {version()}); install that one again or use a backup"
        )
        raise ConfigError([("gate.state", reason)])
    for step in STEPS[found - FIRST :]:
        step(connection)
    if found < version():
        connection.execute(
            update(schema.meta)
            .where(schema.meta.c.key == "version")
            .values(value=str(version()))
        )
    _check_tables(connection, called)


def _check_tables(connection: Connection, called: str) -> None:
    """Refuse a state in which something that every state has is missing."""
    there = {
        tuple(row) for row in connection.execute(_COLUMNS[connection.dialect.name])
    }
    for table in schema.metadata.sorted_tables:
        columns = {column.name for column in table.columns}
        lacking = {name for name in columns if (table.name, name) not in there}
        if lacking:
            missing = ", ".join(sorted(lacking))
            reason = f"{called} is not whole: {table.name} lacks {missing}"
            raise ConfigError([("gate.state", f"{reason}; use a backup")])


def _found(connection: Connection, called: str) -> int:
    value = connection.scalar(
        select(schema.meta.c.value).where(schema.meta.c.key == "version")
    )
    if value is None or not value.isdecimal() or int(value) < FIRST:
        reason = f"{called} has no version: it is damaged; use a backup"
        raise ConfigError([("gate.state", reason)])
    return int(value)
