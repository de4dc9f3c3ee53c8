"""What a state file may look like, and what happens when it goes wrong."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import threading
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from tests.stores.conftest import START
from tests.stores.records import session
from totp_gate.errors import ConfigError, StoreUnavailable
from totp_gate.model import User
from totp_gate.stores.sql import database, open_store
from totp_gate.stores.sql.database import PRAGMAS

NOBODY = 65534


def refusal(state: Path | str) -> str:
    """Open *state*, which must be refused; the reason."""
    url = state if isinstance(state, str) else f"sqlite:///{state}"
    with pytest.raises(ConfigError) as refused:
        open_store(url)
    [(key, reason)] = refused.value.problems
    assert key == "gate.state"
    return reason


@pytest.fixture
def whole(open_file, state: Path) -> Path:
    """A closed state file with something in it."""
    store = open_file()
    for number in range(40):
        store.add_session(session(f"s{number}", agent="x" * 4000))
    store.close()
    assert not state.with_name("gate.db-wal").exists()
    return state


class TestModes:
    def test_every_file_is_its_owners_alone(self, open_file, state: Path):
        before = os.umask(0)
        try:
            open_file().accept_step("a1", 1, now=START)
        finally:
            os.umask(before)

        modes = {
            each.name: stat.S_IMODE(each.stat().st_mode)
            for each in state.parent.iterdir()
        }
        assert modes == dict.fromkeys(
            ["gate.db", "gate.db-bell", "gate.db-shm", "gate.db-wal"], 0o600
        )

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602])
    def test_a_file_for_others_is_refused(self, whole: Path, mode: int):
        whole.chmod(mode)

        assert "chmod 0600" in refusal(whole)

    @pytest.mark.parametrize("side", ["-wal", "-shm", "-bell"])
    def test_so_is_one_beside_it(self, whole: Path, side: str):
        beside = whole.with_name(whole.name + side)
        beside.touch()
        beside.chmod(0o644)

        assert str(beside) in refusal(whole)

    def test_a_read_only_file_is_refused(self, whole: Path):
        whole.chmod(0o400)

        assert "cannot be written" in refusal(whole)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_a_file_of_somebody_else_is_refused(self, whole: Path):
        os.chown(whole, NOBODY, -1)

        assert "belongs to" in refusal(whole)

    def test_a_link_is_refused(self, whole: Path):
        link = whole.with_name("link.db")
        link.symlink_to(whole)

        assert "not a regular file" in refusal(link)

    def test_a_planted_bell_is_not_followed(self, state: Path):
        state.with_name("gate.db-bell").symlink_to(state.parent / "target")

        assert "not a regular file" in refusal(state)
        assert not (state.parent / "target").exists()

    def test_a_directory_is_no_state_file(self, state: Path):
        state.mkdir()

        assert "not a regular file" in refusal(state)


class TestDirectories:
    def test_one_that_is_missing_is_refused(self, tmp_path: Path):
        assert "does not exist; create it" in refusal(tmp_path / "none" / "gate.db")

    def test_a_file_is_no_directory(self, tmp_path: Path):
        (tmp_path / "file").touch()

        assert "not a directory" in refusal(tmp_path / "file" / "gate.db")

    @pytest.mark.parametrize("mode", [0o777, 0o757])
    def test_one_for_everybody_is_refused(self, state: Path, mode: int):
        state.parent.chmod(mode)

        assert "everybody can write" in refusal(state)

    def test_a_sticky_one_is_enough(self, open_file, state: Path):
        state.parent.chmod(0o1777)

        open_file().ping()

    def test_one_that_cannot_be_written_is_refused(self, state: Path):
        state.parent.chmod(0o500)

        assert "cannot be written" in refusal(state)


class TestContents:
    @pytest.mark.parametrize("size", [0, 1, 100, 511])
    def test_no_remnant_is_taken_for_a_new_state(self, state: Path, size: int):
        state.touch(0o600)
        state.write_bytes(b"SQLite format 3\0".ljust(512, b"x")[:size])

        assert "was truncated" in refusal(state)

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(os.urandom(20000), id="random"),
            pytest.param(bytes(8192), id="zeros"),
            pytest.param(b"SQLite format 3\0" + os.urandom(8000), id="only a header"),
        ],
    )
    def test_garbage_is_refused(self, state: Path, content: bytes):
        state.touch(0o600)
        state.write_bytes(content)

        assert any(word in refusal(state) for word in ("not a state file", "damaged"))
        assert state.read_bytes() == content

    @pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
    def test_a_truncated_file_is_refused(self, whole: Path, part: float):
        os.truncate(whole, int(whole.stat().st_size * part))

        assert "damaged; use a backup" in refusal(whole)

    def test_one_damaged_page_is_found(self, whole: Path):
        with whole.open("r+b") as file:
            file.seek(whole.stat().st_size // 2 // 4096 * 4096)
            file.write(os.urandom(4096))

        assert "damaged" in refusal(whole)

    def test_another_programs_database_is_not_touched(self, state: Path):
        with closing(sqlite3.connect(state)) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        state.chmod(0o600)
        before = state.read_bytes()

        assert "another program's" in refusal(state)
        assert state.read_bytes() == before

    def test_a_state_that_was_being_made_is_made_anew(self, open_file, state: Path):
        state.with_name("gate.db-new").write_bytes(b"half")
        state.with_name("gate.db-new-journal").write_bytes(b"half")

        open_file().ping()

        assert not list(state.parent.glob("*-new*"))

    @pytest.mark.parametrize(
        "url", ["nonsense", "mysql://host/db", "sqlite:////tmp/gate.db?mode=ro"]
    )
    def test_other_urls_are_refused(self, url: str):
        assert "sqlite:///" in refusal(url)

    def test_postgresql_without_its_driver_says_what_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "psycopg", None)

        assert "pip install" in refusal("postgresql+psycopg://localhost/gate")
        assert "no known driver" in refusal("postgresql+nonsense://localhost/gate")

    def test_a_database_that_cannot_be_reached_is_unavailable(self):
        with pytest.raises(StoreUnavailable) as gone:
            open_store("postgresql+psycopg://gate:canary@127.0.0.1:1/gate")
        assert "canary" not in str(gone.value)

    def test_no_seed_of_the_settings_file_reaches_the_state(
        self, open_file, state: Path
    ):
        canary = b"canary-canary-canary"
        store = open_file()
        store.add_users([User(name="alice", totp_secret=canary)])

        for file in state.parent.iterdir():
            assert canary not in file.read_bytes()


class TestTrouble:
    def test_a_locked_state_is_readable_and_not_writable(self, open_file, state: Path):
        store = open_file(patience=0.2)
        store.add_session(session())

        with closing(sqlite3.connect(state, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                store.accept_step("a1", 1, now=START)
            assert store.session("s1") is not None
            assert store.last_step("a1") == -1

        assert store.accept_step("a1", 1, now=START) is True

    def test_a_state_that_stays_locked_is_not_opened(self, whole: Path):
        with closing(sqlite3.connect(whole, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                open_store(f"sqlite:///{whole}", patience=0.2)

    def test_a_thread_that_writes_too_long_lets_others_fail(self, open_file):
        store = open_file(patience=0.2)
        writing, done = threading.Event(), threading.Event()

        def write() -> None:
            with store._database.write():
                writing.set()
                done.wait(5)

        slow = threading.Thread(target=write)
        slow.start()
        assert writing.wait(5)
        with pytest.raises(StoreUnavailable, match="busy"):
            store.accept_step("a1", 1, now=START)
        done.set()
        slow.join()

        assert store.accept_step("a1", 1, now=START) is True

    def test_a_full_disk_closes_the_gate_and_loses_nothing(
        self, open_file, whole: Path, monkeypatch
    ):
        pages = whole.stat().st_size // 4096
        monkeypatch.setitem(PRAGMAS, "max_page_count", str(pages))
        store = open_file()

        with pytest.raises(StoreUnavailable, match="full"):
            store.add_session(session("new", agent="x" * 10**6))

        assert store.session("new") is None
        assert len(store.sessions()) == 40
        monkeypatch.setitem(PRAGMAS, "max_page_count", str(pages * 2))
        store._database.release()
        store.ping()

    def test_a_new_state_on_a_full_disk_leaves_nothing(self, state: Path, monkeypatch):
        monkeypatch.setitem(PRAGMAS, "max_page_count", "5")

        assert "the disk is full" in refusal(state)
        assert [each.name for each in state.parent.iterdir()] == ["gate.db-bell"]

    @pytest.mark.parametrize("how", ["deleted", "replaced"])
    def test_a_state_that_is_gone_closes_the_gate(self, open_file, state: Path, how):
        store = open_file()
        if how == "deleted":
            state.unlink()
        else:
            new = state.with_name("new.db")
            open_store(f"sqlite:///{new}").close()
            new.rename(state)

        for use in (
            store.ping,
            lambda: store.accept_step("a1", 1, now=START),
            lambda: store.revoked_since(0),
        ):
            with pytest.raises(StoreUnavailable, match="deleted or replaced"):
                use()

    def test_a_state_damaged_while_in_use_closes_the_gate(self, open_file, state: Path):
        store = open_file()
        store.add_session(session())
        store._database.release()
        state.write_bytes(os.urandom(8192))

        with pytest.raises(StoreUnavailable):
            store.session("s1")

    def test_an_error_shows_no_value(self, open_file, state: Path):
        store = open_file(patience=0.1)
        with closing(sqlite3.connect(state, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("DROP TABLE sessions")
            other.execute("COMMIT")

        with pytest.raises(StoreUnavailable) as broken:
            store.add_session(session("canary-id", credential="canary-credential"))

        assert "canary" not in "".join(
            traceback.format_exception_only(broken.value)
            + traceback.format_exception_only(broken.value.__cause__)
        )

    def test_the_pool_runs_dry_as_an_error_of_the_store(self, open_file):
        store = open_file(patience=0.1)
        held = [store._database.read() for _ in range(16)]
        for each in held:
            each.__enter__()

        with pytest.raises(StoreUnavailable):
            store.session("s1")

        for each in held:
            each.__exit__(None, None, None)
        assert store.session("s1") is None


def test_sqlite_is_told_to_be_durable(open_file):
    store = open_file()

    with store._database.read() as connection:
        said = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert said == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }
    assert database.PRAGMAS["journal_size_limit"] == str(16 * 1024 * 1024)
