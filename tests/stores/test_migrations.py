"""From an older version to this one: in order, once, all or nothing."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.stores.conftest import START
from tests.stores.records import session
from totp_gate.errors import ConfigError, StoreUnavailable
from totp_gate.stores import migrations, schema


def column(name: str, *, slow: float = 0):
    def step(connection) -> None:
        time.sleep(slow)
        connection.execute(text(f"ALTER TABLE steps ADD COLUMN {name} TEXT"))

    return step


def found(store) -> tuple[str, list[str]]:
    with store._database.read() as connection:
        version = connection.scalar(
            text("SELECT value FROM meta WHERE key = 'version'")
        )
        columns = connection.execute(text("PRAGMA table_info(steps)")).all()
    return version, [each.name for each in columns if each.name.startswith("new")]


@pytest.fixture
def no_steps(monkeypatch) -> None:
    """No step was ever made."""
    monkeypatch.setattr(migrations, "STEPS", ())


@pytest.fixture
def old(no_steps, open_file, state: Path) -> str:
    """A state of version 1 with a step in it; its instance."""
    store = open_file()
    store.accept_step("a1", 7, now=START)
    store.close()
    return store_instance(open_file)


def store_instance(open_file) -> str:
    store = open_file()
    instance = store.instance()
    store.close()
    return instance


def test_a_new_state_is_made_at_this_version(open_file, monkeypatch):
    monkeypatch.setattr(migrations, "STEPS", (column("new1"),))

    assert found(open_file()) == ("2", [])


def test_a_new_state_has_all_that_the_schema_says(state, open_file):
    open_file().close()
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)

    with engine.connect() as wanted, closing(sqlite3.connect(state)) as made:
        told = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
        assert made.execute(told).fetchall() == wanted.execute(text(told)).all()
    engine.dispose()


def test_an_older_state_takes_the_steps_it_has_not_seen(old, open_file, monkeypatch):
    monkeypatch.setattr(migrations, "STEPS", (column("new1"),))
    open_file().close()
    monkeypatch.setattr(
        migrations, "STEPS", (column("new1"), column("new2"), column("new3"))
    )

    store = open_file()

    assert found(store) == ("4", ["new1", "new2", "new3"])
    assert store.last_step("a1") == 7
    assert store.instance() == old


def test_of_many_that_open_at_once_one_migrates(old, open_file, monkeypatch):
    monkeypatch.setattr(migrations, "STEPS", (column("new1", slow=0.2), column("new2")))
    opened = []
    threads = [
        threading.Thread(target=lambda: opened.append(open_file())) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [found(store) for store in opened] == [("3", ["new1", "new2"])] * 6


def test_a_step_that_fails_changes_nothing(old, open_file, monkeypatch):
    def broken(_connection) -> None:
        raise RuntimeError("broken step")

    monkeypatch.setattr(migrations, "STEPS", (column("new1"), broken))
    with pytest.raises(RuntimeError):
        open_file()
    monkeypatch.setattr(migrations, "STEPS", ())

    assert found(open_file()) == ("1", [])


def test_a_newer_state_is_refused_and_left_alone(old, open_file, state, monkeypatch):
    monkeypatch.setattr(migrations, "STEPS", (column("new1"),))
    open_file().close()
    monkeypatch.setattr(migrations, "STEPS", ())

    with pytest.raises(ConfigError, match="newer totp_gate") as refused:
        open_file()

    ((key, reason),) = refused.value.problems
    assert key == "gate.state"
    assert reason.startswith(str(state))
    monkeypatch.setattr(migrations, "STEPS", (column("new1"),))
    assert found(open_file()) == ("2", ["new1"])


@pytest.mark.parametrize("version", ["0", "-1", "x", ""])
def test_a_state_without_a_version_is_refused(old, open_file, version):
    store = open_file()
    with store._database.write() as writing:
        writing.connection.execute(
            text("UPDATE meta SET value = :v WHERE key = 'version'"), {"v": version}
        )
    store.close()

    with pytest.raises(ConfigError, match="damaged"):
        open_file()


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("DROP TABLE sessions", "sessions lacks "),
        ("DROP TABLE counts", "counts lacks failures, key, last, since"),
        ("ALTER TABLE counts DROP COLUMN since", "counts lacks since"),
    ],
)
def test_a_state_that_is_not_whole_is_refused(old, open_file, state, change, missing):
    with closing(sqlite3.connect(state)) as other:
        other.execute(change)
        other.commit()

    with pytest.raises(ConfigError, match=missing) as refused:
        open_file()

    assert str(state) in str(refused.value)


def test_whoever_finds_the_state_locked_is_told_which_and_what_to_do(
    old, open_file, state
):
    with closing(sqlite3.connect(state, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="try again") as locked:
            open_file(patience=0.1)

    assert str(state) in str(locked.value)


def make_first(store) -> None:
    """Make the state what it was at version 1, and close it."""
    with store._database.write() as writing:
        for statement in (
            "ALTER TABLE sessions DROP COLUMN recovered",
            "UPDATE meta SET value = '1' WHERE key = 'version'",
        ):
            writing.connection.execute(text(statement))
    store.close()


def test_a_session_of_before_recovery_was_kept_with_it_goes_on(open_file):
    store = open_file()
    store.add_session(session("s1"))
    make_first(store)

    store = open_file()

    assert store.session("s1") == session("s1")
    assert store.replace_session("s1", session("s2", recovered=True))
    assert store.session("s2").recovered


def test_a_migrated_state_has_the_columns_of_a_new_one(open_file):
    def columns(store):
        with store._database.read() as connection:
            found = connection.execute(text("PRAGMA table_info(sessions)")).all()
        return {(each.name, each.type, each.notnull) for each in found}

    new = open_file()
    known = columns(new)
    make_first(new)

    assert columns(open_file()) == known
