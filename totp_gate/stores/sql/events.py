"""Recent events of each account."""

from __future__ import annotations

from typing import Unpack

from sqlalchemy import ColumnElement, Delete, and_, bindparam, delete, insert, select

from totp_gate.model import Event
from totp_gate.stores.base import Sought
from totp_gate.stores.schema import events
from totp_gate.stores.sql.part import Part


class EventPart(Part):
    """``base.EventRecords``."""

    def add_event(
        self, event: Event, *, keep: int = 50, alike: int | None = None
    ) -> None:
        """Keep *event*, of its kind *alike*, of that user's newest *keep*."""
        row = {name: getattr(event, name) for name in _FIELDS}
        kind = {"of": event.user, "kind": event.event, "ended": event.outcome}
        with self._write() as writing:
            writing.connection.execute(insert(events), row)
            if alike is not None:
                writing.connection.execute(_SHORTEN_KIND, kind | {"kept": alike})
            theirs = {"of": event.user, "kept": keep}
            writing.connection.execute(_SHORTEN, theirs)

    def events(
        self, user: str | None = None, *, limit: int = 50, **alike: Unpack[Sought]
    ) -> list[Event]:
        """Return the newest events of *user* (None: of everybody), newest first."""
        whose = events.c.user != "" if user is None else events.c.user == user
        wanted = (
            select(*(events.c[name] for name in _FIELDS))
            .where(whose, *(events.c[name] == value for name, value in alike.items()))
            .order_by(events.c.number.desc())
            .limit(limit)
        )
        with self._read() as connection:
            return [Event(**row._mapping) for row in connection.execute(wanted)]


def _all_but_newest(which: ColumnElement[bool]) -> Delete:
    surplus = (
        select(events.c.number)
        .where(which)
        .order_by(events.c.number.desc())
        .limit(1)
        .offset(bindparam("kept"))
        .scalar_subquery()
    )
    return delete(events).where(which, events.c.number <= surplus)


_THEIRS = events.c.user == bindparam("of")
_SHORTEN = _all_but_newest(_THEIRS)
_SHORTEN_KIND = _all_but_newest(
    and_(
        _THEIRS,
        events.c.event == bindparam("kind"),
        events.c.outcome == bindparam("ended"),
    )
)
_FIELDS = [name for name in events.columns.keys() if name != "number"]  # noqa: SIM118
