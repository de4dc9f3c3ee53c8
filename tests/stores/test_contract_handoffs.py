"""What every store promises about sessions on their way to another host."""

from __future__ import annotations

import pytest

from tests.stores.conftest import START, Clock
from tests.stores.records import handoff
from totp_gate.stores.base import Store


def test_one_is_taken_once(store: Store):
    store.add_hand_off(handoff())

    assert store.take_hand_off("d1", now=START) == handoff()
    assert store.take_hand_off("d1", now=START) is None


@pytest.mark.parametrize(
    ("later", "found"),
    [
        pytest.param(59.9, True, id="in time"),
        pytest.param(60, False, id="a minute is over"),
    ],
)
def test_it_is_taken_in_time(store: Store, later, found):
    store.add_hand_off(handoff())

    assert (store.take_hand_off("d1", now=START + later) is not None) == found


def test_only_who_names_it_takes_it(store: Store):
    store.add_hand_off(handoff())

    assert store.take_hand_off("d2", now=START) is None
    assert store.take_hand_off("", now=START) is None
    assert store.take_hand_off("d1", now=START) is not None


def test_a_session_has_so_many_and_the_newest_stay(store: Store):
    store.add_hand_off(handoff("other", "s2", expires=START + 1))
    for number in range(5):
        one = handoff(f"d{number}", expires=START + 10 + number)
        store.add_hand_off(one, keep=3)

    left = [n for n in range(5) if store.take_hand_off(f"d{n}", now=START)]

    assert left == [2, 3, 4]
    assert store.take_hand_off("other", now=START) is not None


def test_those_that_are_over_are_deleted(store: Store, clock: Clock):
    store.add_hand_off(handoff("d1", expires=START + 60))
    store.add_hand_off(handoff("d2", expires=START + 90))

    clock.tick(61)

    assert store.forget_expired(idle_before=0, created_before=0) == 1
    assert store.take_hand_off("d1", now=START) is None
    assert store.take_hand_off("d2", now=START + 61) is not None
