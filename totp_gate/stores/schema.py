"""The tables, as SQLAlchemy Core sees them.

Columns are called what the fields of the records in ``model`` are called, so a row
becomes a record without a list of names. Every look-up made for a request or a sign-in
has an index. Numbers of the feed and of events are never reused (AUTOINCREMENT).

Whoever changes a table here adds a step to ``migrations.STEPS``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    false,
)
from sqlalchemy.dialects import postgresql

_UNSTORABLE = {0: "\ufffd"} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


def storable(text: str) -> str:
    """Return *text* as it is found again after it was stored."""
    if text.isascii() and "\0" not in text:
        return text
    return text.translate(_UNSTORABLE)


class Words(TypeDecorator[str]):
    """Text from anywhere: what no database can hold becomes U+FFFD.

    A stranger can type NUL and lone surrogates; they must end as "no such user", never
    as a broken store. Compared byte by byte everywhere.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Return the type that compares by bytes in *dialect*."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TEXT(collation="C"))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: str | None, _: Dialect) -> str | None:
        """Return *value* as it can be stored."""
        return None if value is None else storable(value)


Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", Words, primary_key=True),
    Column("value", Words, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("name", Words, primary_key=True),
    Column("password_hash", Words),
    Column("credential", Words, nullable=False),
    Column("groups", Words, nullable=False),
    Column("display", Words, nullable=False),
    Column("email", Words, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created", Double, nullable=False),
)

authenticators = Table(
    "authenticators",
    metadata,
    Column("id", Words, primary_key=True),
    Column("user", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("sealed", Words, nullable=False),
    Column("algorithm", Words, nullable=False),
    Column("digits", Integer, nullable=False),
    Column("period", Integer, nullable=False),
    Column("created", Double, nullable=False),
    Index("authenticators_of_user", "user", "created"),
)

# Apart from ``authenticators``: seeds kept in the settings file have steps too.
steps = Table(
    "steps",
    metadata,
    Column("id", Words, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("used", Double),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Words, primary_key=True),
    Column("user", Words, nullable=False),
    Column("created", Double, nullable=False),
    Column("seen", Double, nullable=False),
    Column("password_at", Double, nullable=False),
    Column("second_factor_at", Double),
    Column("address", Words, nullable=False),
    Column("agent", Words, nullable=False),
    Column("host", Words, nullable=False),
    Column("credential", Words, nullable=False),
    Column("recovered", Boolean, nullable=False, server_default=false()),
    Index("sessions_of_user", "user", "created"),
    Index("sessions_by_seen", "seen"),
    Index("sessions_by_created", "created"),
    sqlite_with_rowid=False,
)

feed = Table(
    "feed",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("session", Words, nullable=False),
    Column("user", Words, nullable=False),
    Column("at", Double, nullable=False),
    sqlite_autoincrement=True,
)

links = Table(
    "links",
    metadata,
    Column("digest", Words, primary_key=True),
    Column("user", Words, nullable=False),
    Column("purpose", Words, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Index("links_of_user", "user", "purpose"),
    Index("links_by_expires", "expires"),
)

recovery = Table(
    "recovery",
    metadata,
    Column("user", Words, primary_key=True),
    Column("digest", Words, primary_key=True),
    Column("created", Double, nullable=False),
    Column("used", Double),
)

browsers = Table(
    "browsers",
    metadata,
    Column("id", Words, primary_key=True),
    Column("user", Words, nullable=False),
    Column("current", Words, nullable=False),
    Column("previous", Words, nullable=False),
    Column("rotated", Double, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("trusted_until", Double, nullable=False),
    Column("address", Words, nullable=False),
    Column("agent", Words, nullable=False),
    Index("browsers_of_user", "user", "created"),
    Index("browsers_by_expires", "expires"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", Words, primary_key=True),
    Column("id", Words, nullable=False, unique=True),
    Column("user", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("methods", Words, nullable=False),
    Column("paths", Words, nullable=False),
    Column("networks", Words, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("used", Double),
    Index("tokens_of_user", "user", "created"),
)

held = Table(
    "held",
    metadata,
    Column("id", Words, primary_key=True),
    Column("browser", Words, nullable=False),
    Column("sealed", Words, nullable=False),
    Column("expires", Double, nullable=False),
    Index("held_of_browser", "browser"),
    Index("held_by_expires", "expires"),
)

handoffs = Table(
    "handoffs",
    metadata,
    Column("digest", Words, primary_key=True),
    Column("session", Words, nullable=False),
    Column("origin", Words, nullable=False),
    Column("browser", Words, nullable=False),
    Column("sealed", Words, nullable=False),
    Column("expires", Double, nullable=False),
    Index("handoffs_of_session", "session", "expires"),
    Index("handoffs_by_expires", "expires"),
)

counts = Table(
    "counts",
    metadata,
    Column("key", Words, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last", Double, nullable=False),
    Column("since", Double, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("user", Words, nullable=False),
    Column("at", Double, nullable=False),
    Column("event", Words, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("address", Words, nullable=False),
    Column("agent", Words, nullable=False),
    Column("detail", Words, nullable=False),
    Index("events_of_user", "user", "number"),
    sqlite_autoincrement=True,
)
