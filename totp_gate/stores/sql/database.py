"""Connections: who may write when, what a failure becomes, what a fork must not share.

Strategy for SQLite. Reads are single statements outside a transaction. A write begins
with BEGIN IMMEDIATE, so it either has the database for itself or waits. All waiting is
done here and not inside SQLite, where it would stop every greenlet of the process:
threads and greenlets queue at a lock, and whoever holds it asks again every few
milliseconds until other processes are done.

A fork with an open SQLite connection is poison, even when the child never uses it (both
processes would take the locks for theirs), so all connections are closed before a fork
and opened again when needed.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from totp_gate.errors import StoreUnavailable
from totp_gate.stores import schema
from totp_gate.stores.bell import SilentBell
from totp_gate.stores.sql import compiled, dialect
from totp_gate.waiting import Runner, call_here

APPLICATION_ID = 0x746F7470  # "totp": tells a state from another program's database

PRAGMAS = {
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "secure_delete": "FAST",
    "journal_size_limit": str(16 * 1024 * 1024),
}
"""Said to SQLite on every connection."""


@dataclass(slots=True)
class Writing:
    """One write transaction.

    Attributes:
        at: when it began, Unix seconds.
        announced: it wrote lines of the feed.
    """

    connection: Connection
    at: float
    announced: bool = False

    def undo(self) -> None:
        """Take back what was done so far; nothing more may be done."""
        self.connection.rollback()
        self.announced = False

    def announce(self, *lines: tuple[str, str]) -> None:
        """Write lines of the feed, each (session, user); the last act of a transaction.

        The lock makes numbers visible in their order, so that a reader who has seen one
        has seen all before it.
        """
        if lines:
            dialect.lock(self.connection, "feed")
            values = [{"session": s, "user": u, "at": self.at} for s, u in lines]
            self.connection.execute(insert(schema.feed), values)
            self.announced = True


class Database:
    """The connections of one store.

    Args:
        engine: from ``sqlite_engine`` or ``postgresql_engine``.
        bell: rung after every commit that announced something.
        now: the clock, Unix seconds.
        patience: seconds a write waits for others.
        path: the state file, where there is one.
    """

    def __init__(
        self,
        engine: Engine,
        bell: SilentBell,
        *,
        now: Callable[[], float],
        patience: float,
        path: Path | None = None,
    ) -> None:
        self.bell = bell
        self._engine = engine
        self._now = now
        self._patience = patience
        self._path = path
        self._file = _identity(path) if path else None
        self._one_at_a_time = engine.dialect.name == "sqlite"
        self._shared = isinstance(engine.pool, StaticPool)
        self._locks: dict[str, threading.Lock] = {}
        self._paused = False
        self._closed = False
        _databases.add(self)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for single reading statements.

        Raises:
            StoreUnavailable: anything the database says is wrong.
        """
        with _translated(), self._turn(self._shared), self._connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Writing]:
        """Give a transaction; committed at the end, undone by any exception.

        Raises:
            StoreUnavailable: anything the database says is wrong; nothing was done.
        """
        with _translated(), self._turn(self._one_at_a_time):
            self.check_file()
            with self._connect() as connection:
                writing = Writing(
                    connection.execution_options(gate_writes=True), self._now()
                )
                with connection.begin():
                    yield writing
        if writing.announced:
            self.bell.ring()

    def check_file(self) -> None:
        """Raise where the state file was deleted or replaced while it is in use.

        SQLite would go on with a file that nobody will ever read again.
        """
        if self._path is not None and _identity(self._path) != self._file:
            raise StoreUnavailable(f"{self._path} was deleted or replaced; restart")

    def _connect(self) -> Connection:
        if self._closed:
            raise StoreUnavailable("the store was closed")
        return self._engine.connect()

    def _turn(self, needed: bool) -> AbstractContextManager[None]:
        return self._locked() if needed else nullcontext()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self._writers()
        if not lock.acquire(timeout=self._patience):
            raise StoreUnavailable("the state is busy")
        try:
            yield
        finally:
            lock.release()

    def _writers(self) -> threading.Lock:
        # Made at the first use in each process: gevent may have come in between.
        return self._locks.get("write") or self._locks.setdefault(
            "write", threading.Lock()
        )

    def release(self) -> None:
        """Close the connections nobody uses; they are opened again when needed."""
        if not self._shared:
            self._engine.dispose()

    def close(self) -> None:
        """Release everything; idempotent."""
        self._closed = True
        _databases.discard(self)
        self._engine.dispose()
        self.bell.close()

    def before_fork(self) -> None:
        """Let nobody write and close every connection."""
        if self._shared or not self._one_at_a_time:
            return
        self._paused = self._writers().acquire(timeout=self._patience)
        until = time.monotonic() + self._patience
        while self._in_use() and time.monotonic() < until:
            time.sleep(0.001)
        self._engine.dispose()

    def after_fork(self, *, child: bool) -> None:
        """Go on: the parent as before, the child with connections of its own."""
        paused, self._paused = self._paused, False
        if child:
            self._locks = {}
            if not self._shared:
                self._engine.dispose(close=False)
        elif paused:
            self._writers().release()

    def _in_use(self) -> bool:
        pool = self._engine.pool
        return isinstance(pool, QueuePool) and pool.checkedout() > 0


_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def _before_fork() -> None:
    for database in list(_databases):
        database.before_fork()


def _after_fork(*, child: bool) -> None:
    for database in list(_databases):
        database.after_fork(child=child)


os.register_at_fork(
    before=_before_fork,
    after_in_parent=lambda: _after_fork(child=False),
    after_in_child=lambda: _after_fork(child=True),
)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StoreUnavailable(f"the state cannot be used: {error.orig}") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreUnavailable(f"the state cannot be used: {error}") from error


def sqlite_engine(
    path: Path | None, *, patience: float, commit: Runner = call_here
) -> Engine:
    """Return an engine for the state file *path*, or for one in memory (None).

    Args:
        path: absolute; SQLite never makes it (``opening`` does).
        patience: seconds SQLite waits for another process's lock.
        commit: does what waits for the disk.
    """
    options: dict[str, Any] = {"poolclass": StaticPool}
    if path is not None:
        options = {
            "poolclass": QueuePool,
            "pool_size": 4,
            "max_overflow": 12,
            "pool_timeout": patience,
            "pool_use_lifo": True,
        }
    engine = create_engine(
        URL.create(compiled.DRIVER, database=str(path) if path else None),
        connect_args={
            "check_same_thread": False,
            "isolation_level": None,  # BEGIN is said below, not guessed by the driver
            "timeout": patience,
        },
        execution_options={"compiled_cache": compiled.KEPT},
        hide_parameters=True,
        **options,
    )
    event.listen(engine, "connect", _say_pragmas)
    event.listen(engine, "begin", partial(_begin, patience=patience))
    event.listen(engine, "commit", partial(_commit, run=commit))
    return engine


def postgresql_engine(url: URL, *, patience: float) -> Engine:
    """Return an engine for a PostgreSQL database.

    Raises:
        ImportError: its driver is not installed.
        ArgumentError: the URL names a driver that does not exist.
    """
    return create_engine(
        url,
        connect_args={"connect_timeout": max(1, round(patience))},
        pool_timeout=patience,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def _say_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    for name, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")


def _begin(connection: Connection, *, patience: float) -> None:
    if not connection.get_execution_options().get("gate_writes"):
        return
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        return
    until = time.monotonic() + patience
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while not _begun(driver, last=time.monotonic() >= until):
            time.sleep(random.uniform(0.001, 0.008))  # noqa: S311 - no secret
    finally:
        driver.execute(f"PRAGMA busy_timeout={round(patience * 1000)}")


def _commit(connection: Connection, *, run: Runner) -> None:
    """Commit where waiting stops nobody; SQLAlchemy then finds nothing left to do."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        run(driver.commit)


def _begun(driver: sqlite3.Connection, *, last: bool) -> bool:
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
