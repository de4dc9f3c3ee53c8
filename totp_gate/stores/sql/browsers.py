"""Trusted browsers."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from totp_gate.model import Browser
from totp_gate.stores.base import Rotation
from totp_gate.stores.schema import browsers
from totp_gate.stores.sql import dialect
from totp_gate.stores.sql.part import Part, end_series, values


class BrowserPart(Part):
    """``base.BrowserRecords``."""

    def add_browser(self, browser: Browser, *, keep: int = 20) -> None:
        """Keep a new series, and at most *keep* of that user's newest."""
        mine = browsers.c.user == browser.user
        newest = (
            select(browsers.c.id)
            .where(mine)
            .order_by(browsers.c.created.desc(), browsers.c.id)
            .limit(keep)
        )
        with self._write() as writing:
            added = insert(browsers).values(values(browsers, browser))
            writing.connection.execute(added)
            others = browsers.c.id != browser.id
            end_series(writing, mine, browsers.c.id.not_in(newest), others)

    def browsers(self, user: str | None) -> list[Browser]:
        """Return the known browsers of *user* (of everybody: None), newest first."""
        wanted = select(browsers).order_by(browsers.c.created.desc(), browsers.c.id)
        if user is not None:
            wanted = wanted.where(browsers.c.user == user)
        with self._read() as connection:
            return [Browser(**row._mapping) for row in connection.execute(wanted)]

    def rotate_browser(
        self, id: str, user: str, *, shown: str, next: str, now: float, grace: float
    ) -> Rotation:
        """Exchange the reference *shown* for *next*, atomically."""
        this = browsers.c.id == id
        with self._write() as writing:
            connection = writing.connection
            dialect.lock(connection, f"browser {id}")
            row = connection.execute(
                select(browsers).where(
                    this, browsers.c.user == user, browsers.c.expires > now
                )
            ).one_or_none()
            if row is None:
                return "unknown"
            if shown == row.current:
                connection.execute(
                    update(browsers)
                    .where(this)
                    .values(current=next, previous=shown, rotated=now)
                )
                return "rotated"
            recent = abs(now - row.rotated) < grace  # or the clock was set back
            if shown and shown == row.previous and recent:
                return "grace"
            end_series(writing, this)
            return "replayed"

    def forget_browser(self, user: str, id: str) -> bool:
        """Delete one series; False: not theirs."""
        with self._write() as writing:
            return end_series(writing, browsers.c.id == id, browsers.c.user == user) > 0
