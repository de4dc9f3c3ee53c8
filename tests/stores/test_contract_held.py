"""What every store promises about requests that wait for their sender."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.stores.conftest import START
from totp_gate.model import HeldRequest
from totp_gate.stores.base import Store


def held(id: str = "h1", browser: str = "b1", expires: float = 60) -> HeldRequest:
    sealed = f"sealed {id}"
    return HeldRequest(id=id, browser=browser, sealed=sealed, expires=START + expires)


def hold(store: Store, one: HeldRequest, *, now=START, per_browser=3, in_all=9) -> bool:
    return store.hold(one, now=now, per_browser=per_browser, in_all=in_all)


def test_what_is_kept_comes_back_newest_first(store: Store):
    assert hold(store, held("h1", expires=60))
    assert hold(store, held("h2", expires=70))
    assert hold(store, held("h3", "b2"))

    assert store.held("b1", now=START) == [held("h2", expires=70), held("h1")]
    assert store.held("b1", now=START + 60) == [held("h2", expires=70)]
    assert store.held("b3", now=START) == []


def test_one_with_the_same_id_takes_its_place(store: Store):
    assert hold(store, held(expires=60), per_browser=1)
    assert hold(store, held(expires=90), per_browser=1)

    assert store.held("b1", now=START) == [held(expires=90)]


def test_there_is_room_for_so_many(store: Store):
    assert hold(store, held("h1"), per_browser=1)

    assert not hold(store, held("h2"), per_browser=1)
    assert not hold(store, held("h3", "b2"), in_all=1)
    assert store.held("b1", now=START) == [held("h1")]


def test_what_is_over_makes_room(store: Store):
    assert hold(store, held("h1", expires=10), in_all=1)

    assert hold(store, held("h2", "b2"), now=START + 10, in_all=1)


def test_one_is_taken_once_by_its_browser_and_in_time(store: Store):
    hold(store, held())

    assert store.take_held("h1", "b2", now=START) is None
    assert store.take_held("h1", "b1", now=START + 60) is None
    assert store.take_held("h1", "b1", now=START) == held()
    assert store.take_held("h1", "b1", now=START) is None


def test_of_many_that_take_it_one_gets_it(store: Store):
    hold(store, held())

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(store.take_held, "h1", "b1", now=START) for _ in range(8)]
        taken = [call.result() for call in calls]

    assert [one for one in taken if one] == [held()]


def test_it_follows_its_browser(store: Store):
    hold(store, held())

    assert store.move_held("b1", "b2") == 1

    assert store.held("b1", now=START) == []
    assert [one.id for one in store.held("b2", now=START)] == ["h1"]
