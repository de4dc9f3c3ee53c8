"""From a URL to a store that is known to work.

A state file is either not there or whole: it is made under another name, closed, and
renamed. At the end of opening no connection is left, so a server may open the store
before it forks its workers.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from totp_gate.errors import StoreUnavailable
from totp_gate.stores import files, migrations
from totp_gate.stores.bell import FileBell, MemoryBell, SilentBell
from totp_gate.stores.sql import dialect
from totp_gate.stores.sql.database import (
    APPLICATION_ID,
    Database,
    postgresql_engine,
    sqlite_engine,
)
from totp_gate.stores.sql.store import SqlStore
from totp_gate.waiting import Runner, call_here

_QUICK = 32 * 1024 * 1024
"""Bytes up to which a state file is read through when it is opened."""

_BUSY = "is locked by another process (fuser names it); end that one, or try again"

_REMEDIES = {
    sqlite3.SQLITE_NOTADB: "is not a state file; name another file or use a backup",
    sqlite3.SQLITE_CORRUPT: "is damaged; use a backup",
    sqlite3.SQLITE_READONLY: "cannot be written; chmod 0600 it or mount it read-write",
    sqlite3.SQLITE_FULL: "cannot be written: the disk is full; make room",
    sqlite3.SQLITE_IOERR: "cannot be read or written; check the disk",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check the directory's owner and mode",
}


def open_store(
    url: str,
    *,
    now: Callable[[], float] = time.time,
    patience: float = 5.0,
    commit: Runner = call_here,
) -> SqlStore:
    """Open the state at *url*, making or migrating it where that is needed.

    Args:
        url: ``sqlite:////absolute/path``, ``sqlite://`` (in memory, gone when closed)
            or ``postgresql+psycopg://...``.
        now: the clock, Unix seconds.
        patience: seconds to wait for other processes, here and at every write.
        commit: does what waits for the disk; beside an event loop, a native thread.

    Raises:
        ConfigError: it cannot be used; key ``gate.state``, with the remedy.
        StoreUnavailable: other processes keep it locked.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise files.refused("is not a database URL; sqlite:///gate.db is") from error
    if parsed.get_backend_name() == "postgresql":
        return _open_postgresql(parsed, now=now, patience=patience)
    if parsed.get_backend_name() != "sqlite" or parsed.query:
        reason = "is neither sqlite:///FILE (without parameters) nor postgresql://"
        raise files.refused(f"{reason}; use one of them")
    if parsed.database in (None, "", ":memory:"):
        return _open_memory(now=now, patience=patience)
    path = Path(str(parsed.database))
    return _open_file(path, now=now, patience=patience, commit=commit)


def _open_file(
    path: Path, *, now: Callable[[], float], patience: float, commit: Runner
) -> SqlStore:
    files.check_directory(path.parent)
    files.check_file(path)
    bell = path.with_name(path.name + "-bell")
    with _explained(path), files.alone(bell, patience=patience):
        if not path.exists():
            _make(path, patience=patience)
        engine = sqlite_engine(path, patience=patience, commit=commit)
        try:
            _check(engine, path)
            _migrate(engine, str(path))
            database = Database(
                engine, FileBell(bell), now=now, patience=patience, path=path
            )
        finally:
            engine.dispose()
    store = SqlStore(database)
    try:
        with _explained(path):
            store.ping()
        files.check_file(path)
    except BaseException:
        store.close()
        raise
    database.release()
    return store


def _open_memory(*, now: Callable[[], float], patience: float) -> SqlStore:
    engine = sqlite_engine(None, patience=patience)
    _migrate(engine, "the state")
    return SqlStore(Database(engine, MemoryBell(), now=now, patience=patience))


def _open_postgresql(
    url: URL, *, now: Callable[[], float], patience: float
) -> SqlStore:
    try:
        engine = postgresql_engine(url, patience=patience)
    except ImportError as error:
        reason = "needs a driver; pip install 'psycopg[binary]'"
        raise files.refused(f"PostgreSQL {reason}") from error
    except ArgumentError as error:
        raise files.refused("names no known driver; say postgresql+psycopg") from error
    with _explained("the database"):
        _migrate(engine, "the database")
    database = Database(engine, SilentBell(), now=now, patience=patience)
    store = SqlStore(database)
    store.ping()
    database.release()
    return store


def _make(path: Path, *, patience: float) -> None:
    made = path.with_name(path.name + "-new")
    _remove(made)  # what a killed process left
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(made, flags, 0o600))
        engine = sqlite_engine(made, patience=patience)
        try:
            with _writing(engine) as connection:
                connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
                migrations.create(connection)
        finally:
            engine.dispose()
        made.rename(path)
    except BaseException:
        _remove(made)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _remove(made: Path) -> None:
    for side in ("", *files.SIDES):
        made.with_name(made.name + side).unlink(missing_ok=True)


def _check(engine: Engine, path: Path) -> None:
    with engine.connect() as connection:

        def pragma(text: str) -> object:
            return connection.exec_driver_sql(f"PRAGMA {text}").scalar_one()

        if pragma("application_id") != APPLICATION_ID:
            raise files.refused(f"{path} is another program's database; name another")
        if path.stat().st_size <= _QUICK and pragma("quick_check(1)") != "ok":
            raise files.refused(f"{path} is damaged; use a backup")
        if pragma("journal_mode=WAL") != "wal":
            reason = "lies where SQLite cannot keep a log; use a local disk"
            raise files.refused(f"{path} {reason}")


def _migrate(engine: Engine, called: str) -> None:
    with _writing(engine) as connection:
        dialect.lock(connection, "migration")
        migrations.upgrade(connection, called)


@contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        writing = connection.execution_options(gate_writes=True)
        with writing.begin():
            yield writing


@contextmanager
def _explained(what: Path | str) -> Iterator[None]:
    """Turn what the database says into the reason and the remedy."""
    try:
        yield
    except (StoreUnavailable, SQLAlchemyError, sqlite3.Error) as error:
        told = _told(what, error)
        if told is error:
            raise
        raise told from error
    except OSError as error:
        reason = f"{what} cannot be opened: {error.strerror}; check disk and directory"
        raise files.refused(reason) from error


def _told(what: Path | str, error: Exception) -> Exception:
    """Return *error* with the remedy, where it is known what the database means."""
    unavailable = isinstance(error, StoreUnavailable)
    cause = error.__cause__ if unavailable else error
    said = cause.orig if isinstance(cause, DBAPIError) else cause
    code = getattr(said, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_BUSY:
        return StoreUnavailable(f"{what} {_BUSY}")
    if code in _REMEDIES:
        return files.refused(f"{what} {_REMEDIES[code]}")
    return (
        error if unavailable else StoreUnavailable(f"{what} cannot be opened: {said}")
    )
