"""Requests that wait for their sender."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select, update

from totp_gate.model import HeldRequest
from totp_gate.stores.schema import held as table
from totp_gate.stores.sql import dialect
from totp_gate.stores.sql.part import Part, values


class HeldPart(Part):
    """``base.HeldRecords``."""

    def hold(
        self, held: HeldRequest, *, now: float, per_browser: int, in_all: int
    ) -> bool:
        """Keep *held*, in place of one with its id; False: there is no room."""
        how_many = select(func.count()).select_from(table)
        mine = how_many.where(table.c.browser == held.browser)
        with self._write() as writing:
            connection = writing.connection
            dialect.lock(connection, "held")
            over = (table.c.expires <= now) | (table.c.id == held.id)
            connection.execute(delete(table).where(over))
            if (connection.scalar(mine) or 0) >= per_browser:
                return False
            if (connection.scalar(how_many) or 0) >= in_all:
                return False
            connection.execute(insert(table).values(values(table, held)))
        return True

    def held(self, browser: str, *, now: float) -> list[HeldRequest]:
        """Return what is kept for *browser*, newest first."""
        wanted = (
            select(table)
            .where(table.c.browser == browser, table.c.expires > now)
            .order_by(table.c.expires.desc(), table.c.id)
        )
        with self._read() as connection:
            return [HeldRequest(**row._mapping) for row in connection.execute(wanted)]

    def take_held(self, id: str, browser: str, *, now: float) -> HeldRequest | None:
        """Take one out; it for the one caller that was first, else None."""
        taken = (
            delete(table)
            .where(table.c.id == id, table.c.browser == browser, table.c.expires > now)
            .returning(*table.columns)
        )
        with self._write() as writing:
            row = writing.connection.execute(taken).one_or_none()
        return None if row is None else HeldRequest(**row._mapping)

    def move_held(self, old: str, new: str) -> int:
        """Let what is kept for the browser *old* be kept for *new*; how many."""
        with self._write() as writing:
            moved = writing.connection.execute(
                update(table).where(table.c.browser == old).values(browser=new)
            )
            return moved.rowcount
