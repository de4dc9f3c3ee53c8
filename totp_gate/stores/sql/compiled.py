"""Statements, compiled once in a process, however often a state is opened.

Strategy: to SQLAlchemy every engine has a dialect of its own, and nothing compiled for
one serves another. All state files are spoken to alike, so their dialects are equal
here, and share what was compiled. There are about as many statements as the program
has lines that execute one, so what is kept needs no bound.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

DRIVER = "sqlite+state"
"""What a URL calls the dialect."""

KEPT: dict[Any, Any] = {}
"""Compiled statements of all state files, for ``compiled_cache``."""


class StateDialect(SQLiteDialect_pysqlite):
    """SQLite through Python's driver; equal to every other one."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


registry.register("sqlite.state", __name__, StateDialect.__name__)
