"""Bringing a state from the version it was made with to this program's.

Strategy: a new state is made whole, from ``schema``, at ``VERSION``. An older one takes
the steps it has not seen, in order, all in one transaction under a lock, so of two
processes that start at once one migrates and the other waits and finds it done. A newer
one is refused: an older program would not know what it must keep true.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select, update

from totp_gate.errors import ConfigError
from totp_gate.stores import schema

Step = Callable[[Connection], None]

FIRST = 1
STEPS: tuple[Step, ...] = ()
"""The step at index 0 leads from version 1 to 2, and so on."""


def version() -> int:
    """Return the version this program makes and reads."""
    return FIRST + len(STEPS)


def create(connection: Connection) -> None:
    """Make the tables and what every state begins with."""
    schema.metadata.create_all(connection)
    beginnings = {
        "version": str(version()),
        "instance": secrets.token_hex(16),
        "feed_floor": "0",
    }
    connection.execute(
        insert(schema.meta),
        [{"key": key, "value": value} for key, value in beginnings.items()],
    )


def upgrade(connection: Connection) -> None:
    """Create or migrate; the caller holds a lock and one write transaction.

    Raises:
        ConfigError: the state is newer than this program.
    """
    if not inspect(connection).has_table(schema.meta.name):
        create(connection)
        return
    found = _found(connection)
    if found > version():
        reason = (
            f"was written by a newer totp_gate (version {found} of the state; this "
            f"program knows {version()}); install that version again or use a backup"
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


def _found(connection: Connection) -> int:
    value = connection.scalar(
        select(schema.meta.c.value).where(schema.meta.c.key == "version")
    )
    if value is None or not value.isdecimal() or int(value) < FIRST:
        reason = "has no version: it is damaged; use a backup"
        raise ConfigError([("gate.state", reason)])
    return int(value)
