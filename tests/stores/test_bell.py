"""The bell: heard by everybody, deleted by anybody, never a reason to die."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.stores.records import session
from totp_gate.stores.bell import FileBell, MemoryBell, SilentBell
from totp_gate.stores.sql import open_store


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "bell"


@pytest.fixture
def make(place: Path):
    made: list[FileBell] = []

    def one() -> FileBell:
        made.append(FileBell(place))
        return made[-1]

    yield one
    for bell in made:
        bell.close()


def test_all_hear_one_ring(make):
    bells = [make(), make(), make()]
    before = bells[0].cell[0]
    assert [bell.cell[0] for bell in bells] == [before] * 3

    bells[1].ring()

    after = bells[0].cell[0]
    assert after != before
    assert [bell.cell[0] for bell in bells] == [after] * 3


def test_opening_rings_nothing(make):
    first = make()
    value = first.cell[0]

    assert make().cell[0] == value
    assert first.cell[0] == value


def test_no_two_rings_sound_alike(make):
    bell = make()
    heard = set()
    for _ in range(1000):
        bell.ring()
        heard.add(bell.cell[0])

    assert len(heard) == 1000


def test_the_file_is_eight_bytes_for_its_owner(make, place: Path):
    make().ring()

    assert place.stat().st_size == 8
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_deleted_bell_is_made_again_and_found(make, place: Path):
    writer, reader = make(), make()
    place.unlink()

    writer.ring()
    reader.refresh()
    heard = reader.cell[0]
    writer.ring()

    assert reader.cell[0] != heard
    assert reader.cell[0] == writer.cell[0]


def test_a_replaced_bell_is_found(make, place: Path):
    reader = make()
    place.unlink()
    writer = make()

    reader.refresh()
    writer.ring()

    assert reader.cell[0] == writer.cell[0]


def test_a_bell_cut_short_is_whole_after_the_next_look(make, place: Path):
    bell = make()
    os.truncate(place, 0)

    bell.refresh()

    assert place.stat().st_size == 8
    assert bell.cell[0] == int.from_bytes(place.read_bytes(), "little")


def test_a_longer_file_is_not_cut(make, place: Path):
    place.write_bytes(b"x" * 100)

    make().ring()

    assert place.read_bytes()[8:] == b"x" * 92


def test_a_full_disk_breaks_nothing(make, monkeypatch):
    bell = make()
    before = bell.cell[0]

    def full(*_args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    bell.ring()

    assert bell.cell[0] == before


def test_a_link_is_not_followed(place: Path, make):
    place.symlink_to(place.with_name("elsewhere"))

    with pytest.raises(OSError, match="symbolic"):
        make()


@pytest.mark.parametrize("place", ["file", "memory"])
def test_a_store_on_sqlite_rings_for_every_line(open_file, place: str):
    store = open_file() if place == "file" else open_store("sqlite://")
    rung = {store.bell.cell[0]}
    for end in (
        lambda: store.end_session("s1"),
        lambda: store.end_sessions("alice"),
        lambda: store.end_sessions(None),
    ):
        store.add_session(session())
        end()
        rung.add(store.bell.cell[0])
    store.close()

    assert len(rung) == 4


@pytest.mark.parametrize("kind", [SilentBell, MemoryBell])
def test_other_bells_need_no_file(kind):
    bell = kind()
    before = bell.cell[0]
    bell.ring()
    bell.refresh()

    assert (bell.cell[0] != before) == (kind is MemoryBell)
    bell.close()


def test_a_closed_bell_keeps_its_last_value(make):
    bell = make()
    bell.ring()
    value = bell.cell[0]

    bell.close()
    bell.close()
    bell.ring()
    bell.refresh()

    assert bell.cell[0] == value
