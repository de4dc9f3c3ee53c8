"""When something breaks the gate closes: 503, nothing passes, and stderr says why."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from tests.integration.house import House
from tests.servers import ROOT, wait_until
from totp_gate.testing import write_settings

APP = "tests.integration.wrapped_counting:application"


@pytest.fixture
def house(folder):
    """Two workers in front of an application that notes each of its calls."""
    with House(folder, APP, workers=2) as house:
        yield house


def calls(house):
    """How often the application was called."""
    return (house.folder / "calls").stat().st_size


def closes(house, visitor):
    """Wait until every worker answers 503, and see that nothing passes after that."""

    def shut():
        return set().union(*house.ask_every_worker(visitor).values()) == {503}

    wait_until(shut, "503 from every worker", seconds=30)
    before = calls(house)
    answer = visitor.get()
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert "sqlite" not in answer.text.lower() + str(answer.headers).lower()
    assert str(house.folder) not in answer.text
    assert visitor.get("/_gate/readyz").status == 503
    assert visitor.get("/_gate/healthz").status == 200
    assert calls(house) == before


def remove(house):
    (house.folder / "gate.db").unlink()


def replace(house):
    other = house.folder / "other"
    other.mkdir(mode=0o700)
    (other / "new").write_bytes(os.urandom(65536))
    (other / "new").rename(house.folder / "gate.db")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        pytest.param(remove, "was deleted or replaced", id="removed"),
        pytest.param(replace, "was deleted or replaced", id="replaced by garbage"),
    ],
)
def test_a_state_that_is_gone_closes_the_gate_for_everybody(house, break_it, said):
    person = house.person()
    visitor = house.sign_in(house.person())
    waiting = house.visitor()
    asked = waiting.prove_password(person.name, person.password)
    code = house.installation.code(person)
    house.ask_every_worker(visitor)

    break_it(house)

    assert waiting.fill(asked, code=code).status == 503
    assert "totp_gate" not in waiting.cookies
    closes(house, visitor)
    assert said in house.server.stderr


def test_garbage_written_over_the_state_opens_nothing_and_stops_the_next_start(house):
    with (house.folder / "gate.db").open("r+b") as state:
        state.write(os.urandom(65536))
    with (house.folder / "gate.db-wal").open("r+b") as log:
        log.write(os.urandom(65536))

    stranger = house.visitor()
    stranger.cookies["totp_gate"] = "a" * 86
    assert stranger.get("/").status in {303, 503}
    assert calls(house) == 0
    house.server.stop()
    with pytest.raises(RuntimeError, match=r"gate\.state: .*; (name|use) "):
        house.server.start()


def test_while_another_process_holds_the_state_nobody_signs_in_and_sessions_go_on(
    house,
):
    person = house.person()
    visitor = house.sign_in(house.person())
    waiting = house.visitor()
    asked = waiting.prove_password(person.name, person.password)
    code = house.installation.code(person)

    with contextlib.closing(sqlite3.connect(house.folder / "gate.db")) as other:
        other.isolation_level = None
        other.execute("BEGIN EXCLUSIVE")
        assert waiting.fill(asked, code=code).status == 503
        assert visitor.get().status == 200
        assert "locked" in house.server.stderr

    assert waiting.fill(asked, code=code).status == 303
    assert waiting.get().status == 200


@pytest.fixture
def small_disk(folder):
    """A folder on a disk of its own, with room for little more than a state."""
    disk = folder / "disk"
    disk.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("file systems may not be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill_up(disk):
    """Leave no room on *disk*."""
    filler = (disk / "filler").open("wb", buffering=0)
    with filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


def test_on_a_full_disk_nobody_signs_in_and_sessions_go_on(folder, small_disk):
    with House(folder, APP, gate={"state": "sqlite:///disk/gate.db"}) as house:
        person = house.person()
        visitor = house.sign_in(house.person())
        waiting = house.visitor()
        asked = waiting.prove_password(person.name, person.password)

        fill_up(small_disk)
        # A log that has grown before has room for some more transactions.
        for _ in range(100):
            answer = house.visitor().fill("/_gate/login", username="x", password="y")
            if answer.status == 503:
                break
        code = house.installation.code(person)
        assert waiting.fill(asked, code=code).status == 503
        assert visitor.get().status == 200
        assert "full" in house.server.stderr

        (small_disk / "filler").unlink()
        assert waiting.fill(asked, code=code).status == 303
        assert waiting.get().status == 200


def test_a_worker_that_is_killed_takes_no_session_with_it(house):
    visitor = house.sign_in(house.person())
    first = set(house.ask_every_worker(visitor))

    for pid in house.server.children:
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: len(set(house.server.children) - first) == 2, "new workers")
    after = house.ask_every_worker(visitor)
    assert first.isdisjoint(after)
    assert set.union(*after.values()) == {200}


def test_an_end_is_kept_by_workers_that_start_later(house):
    visitor = house.sign_in(house.person())
    thief = visitor.copy()
    first = set(house.ask_every_worker(thief))
    visitor.fill("/_gate/logout")

    for pid in house.server.children:
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: len(set(house.server.children) - first) == 2, "new workers")
    assert set.union(*house.ask_every_worker(thief).values()) == {303}


def no_keys(folder):
    (folder / "gate.keys").unlink()


def open_keys(folder):
    (folder / "gate.keys").chmod(0o644)


def broken_keys(folder):
    (folder / "gate.keys").write_text("nonsense\n")


def broken_settings(folder):
    (folder / "gate.toml").write_text('[gate]\norigin = "https://a"\nprefx = "/x"\n')


def garbage_state(folder):
    (folder / "gate.db").write_bytes(os.urandom(8192))
    (folder / "gate.db").chmod(0o600)


def open_folder(folder):
    folder.chmod(0o777)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        pytest.param(broken_settings, "gate.prefx", id="a setting nobody knows"),
        pytest.param(no_keys, "gate.keys_file", id="no keys"),
        pytest.param(open_keys, "gate.keys_file", id="keys others can read"),
        pytest.param(broken_keys, "gate.keys_file", id="keys that are none"),
        pytest.param(garbage_state, "gate.state", id="a state that is none"),
        pytest.param(
            open_folder, "everybody can write to", id="a folder others can write to"
        ),
    ],
)
def test_what_is_broken_at_the_start_is_named_and_nothing_is_served(
    folder, break_it, said
):
    write_settings(folder)
    break_it(folder)

    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--no-control-socket", "-b127.0.0.1:0", APP],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert said in done.stderr
    folder.chmod(0o700)
