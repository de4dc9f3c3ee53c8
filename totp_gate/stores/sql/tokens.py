"""App tokens."""

from __future__ import annotations

import json
import math
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update

from totp_gate.model import AppToken
from totp_gate.stores.schema import tokens
from totp_gate.stores.sql.part import Part

_LISTS = ("methods", "paths", "networks")


class TokenPart(Part):
    """``base.TokenRecords``."""

    def add_token(self, token: AppToken) -> None:
        """Keep a new token."""
        row = {name: getattr(token, name) for name in tokens.columns.keys()}  # noqa: SIM118
        row |= {name: json.dumps(row[name]) for name in _LISTS}
        if math.isinf(token.expires):
            row["expires"] = None
        with self._write() as writing:
            writing.connection.execute(insert(tokens).values(row))

    def token(self, digest: str) -> AppToken | None:
        """Return the token, expired or not; None: never made, or revoked."""
        wanted = select(tokens).where(tokens.c.digest == digest)
        with self._read() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _token(row)

    def tokens(self, user: str | None = None) -> list[AppToken]:
        """Return the tokens of *user* (of everybody: None), newest first."""
        wanted = select(tokens).order_by(tokens.c.created.desc(), tokens.c.id)
        if user is not None:
            wanted = wanted.where(tokens.c.user == user)
        with self._read() as connection:
            return [_token(row) for row in connection.execute(wanted)]

    def touch_token(self, digest: str, used: float) -> bool:
        """Move ``used`` forward (never back); False: the token is gone."""
        this = tokens.c.digest == digest
        older = or_(tokens.c.used.is_(None), tokens.c.used < used)
        with self._write() as writing:
            moved = writing.connection.execute(
                update(tokens).where(this, older).values(used=used)
            )
            if moved.rowcount:
                return True
            there = select(tokens.c.id).where(this)
            return writing.connection.execute(there).one_or_none() is not None

    def remove_token(self, id: str, *, user: str | None = None) -> bool:
        """Revoke it, felt by all processes; False: not there, or not *user*'s."""
        this = tokens.c.id == id
        with self._write() as writing:
            connection = writing.connection
            owner = connection.scalar(select(tokens.c.user).where(this))
            if owner is None or (user is not None and user != owner):
                return False
            connection.execute(delete(tokens).where(this))
            writing.announce(("", owner))
            return True


def _token(row: Row[Any]) -> AppToken:
    fields = dict(row._mapping)
    fields |= {name: tuple(json.loads(fields[name])) for name in _LISTS}
    if fields["expires"] is None:
        fields["expires"] = math.inf
    return AppToken(**fields)
