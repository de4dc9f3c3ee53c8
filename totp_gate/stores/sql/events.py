"""Recent events of each account."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from totp_gate.model import Event
from totp_gate.stores.schema import events
from totp_gate.stores.sql.part import Part


class EventPart(Part):
    """``base.EventRecords``."""

    def add_event(self, event: Event, *, keep: int = 50) -> None:
        """Keep *event* and at most *keep* of that user's newest."""
        row = {name: getattr(event, name) for name in _FIELDS}
        theirs = events.c.user == event.user
        surplus = (
            select(events.c.number)
            .where(theirs)
            .order_by(events.c.number.desc())
            .limit(1)
            .offset(keep)
            .scalar_subquery()
        )
        with self._write() as writing:
            writing.connection.execute(insert(events).values(row))
            writing.connection.execute(
                delete(events).where(theirs, events.c.number <= surplus)
            )

    def events(self, user: str | None = None, *, limit: int = 50) -> list[Event]:
        """Return the newest events of *user* (None: of everybody), newest first."""
        wanted = (
            select(*(events.c[name] for name in _FIELDS))
            .order_by(events.c.number.desc())
            .limit(limit)
        )
        if user is not None:
            wanted = wanted.where(events.c.user == user)
        with self._read() as connection:
            return [Event(**row._mapping) for row in connection.execute(wanted)]


_FIELDS = [name for name in events.columns.keys() if name != "number"]  # noqa: SIM118
