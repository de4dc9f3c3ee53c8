"""What SQLAlchemy compiled for one state serves every other one of the process."""

from __future__ import annotations

import pytest

from tests.stores.conftest import START
from tests.stores.records import session
from totp_gate.stores.sql import compiled, open_store


def use(url: str) -> None:
    store = open_store(url)
    store.add_session(session("s1"), max_per_user=2)
    store.begin_attempt(["a", "b", "c"], now=START, judge=lambda _: None)
    assert store.session("s1")
    store.close()


@pytest.mark.parametrize("place", ["sqlite:///{}/second.db", "sqlite://"])
def test_a_second_state_compiles_nothing(state, place, monkeypatch):
    kept = {}
    monkeypatch.setattr(compiled, "KEPT", kept)
    use(f"sqlite:///{state}")
    first = set(kept)

    use(place.format(state.parent))

    assert first
    assert set(kept) == first


def test_two_attempts_and_two_hundred_are_one_statement(state, monkeypatch):
    kept = {}
    monkeypatch.setattr(compiled, "KEPT", kept)
    store = open_store(f"sqlite:///{state}")
    sizes = set()
    for count in (2, 200):
        keys = [f"key {number}" for number in range(count)]
        store.begin_attempt(keys, now=START, judge=lambda _: None)
        sizes.add(len(kept))
    store.close()

    assert len(sizes) == 1
