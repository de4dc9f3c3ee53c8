"""What a flood causes is said once in a while, and of few."""

import pytest

from tests.telemetry.asked import NOON
from totp_gate.telemetry.seldom import MOST, SAY_AGAIN, Seldom


@pytest.mark.parametrize(
    ("passed", "may"),
    [
        pytest.param(0, False, id="at once"),
        pytest.param(SAY_AGAIN - 0.1, False, id="too early"),
        pytest.param(SAY_AGAIN, True, id="in time"),
        pytest.param(-1, True, id="the clock was set back"),
    ],
)
def test_the_same_is_said_once_in_a_while(passed, may):
    seldom = Seldom()
    assert seldom.stands_for("a", now=NOON)

    assert bool(seldom.stands_for("a", now=NOON + passed)) is may
    assert seldom.stands_for("b", now=NOON + passed)


def test_what_is_said_stands_for_what_was_not():
    seldom = Seldom()
    said = [seldom.stands_for(now=NOON + second) for second in range(181)]

    assert {at: each for at, each in enumerate(said) if each} == {
        0: 1,
        60: 60,
        120: 60,
        180: 60,
    }


def test_of_ever_new_things_a_bounded_number_is_said_and_remembered():
    seldom = Seldom()

    said = sum(seldom.stands_for(str(n), now=NOON + n / 1000) for n in range(10_000))

    assert said == MOST
    assert len(seldom) == MOST
    assert seldom.stands_for("another", now=NOON + 70) == 1
    assert len(seldom) == 1


def test_what_was_known_is_said_again_however_much_else_there_is():
    seldom = Seldom()
    for n in range(MOST):
        seldom.stands_for(str(n), now=NOON)
    seldom.stands_for("0", now=NOON + 1)

    assert seldom.stands_for("0", now=NOON + SAY_AGAIN) == 2
    assert len(seldom) == MOST
