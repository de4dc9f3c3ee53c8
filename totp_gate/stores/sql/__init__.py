"""The store on SQLAlchemy Core: SQLite in a file or in memory, PostgreSQL."""

from __future__ import annotations

from totp_gate.stores.sql.opening import open_store
from totp_gate.stores.sql.store import SqlStore

__all__ = ["SqlStore", "open_store"]
