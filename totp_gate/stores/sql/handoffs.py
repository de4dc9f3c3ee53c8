"""Sessions on their way from one host to another."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from totp_gate.model import HandOff
from totp_gate.stores.schema import handoffs as table
from totp_gate.stores.sql.part import Part, values


class HandOffPart(Part):
    """``base.HandOffRecords``."""

    def add_hand_off(self, handoff: HandOff, *, keep: int = 20) -> None:
        """Keep *handoff*, and at most *keep* of that session's newest."""
        mine = table.c.session == handoff.session
        newest = (
            select(table.c.digest)
            .where(mine)
            .order_by(table.c.expires.desc(), table.c.digest)
            .limit(keep)
        )
        with self._write() as writing:
            connection = writing.connection
            connection.execute(insert(table).values(values(table, handoff)))
            connection.execute(
                delete(table).where(
                    mine,
                    table.c.digest.not_in(newest),
                    table.c.digest != handoff.digest,
                )
            )

    def take_hand_off(self, digest: str, *, now: float) -> HandOff | None:
        """Use it up; it for the one caller that was first and in time, else None."""
        taken = (
            delete(table)
            .where(table.c.digest == digest, table.c.expires > now)
            .returning(*table.columns)
        )
        with self._write() as writing:
            row = writing.connection.execute(taken).one_or_none()
        return None if row is None else HandOff(**row._mapping)
