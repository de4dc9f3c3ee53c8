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
    assert seldom.may_say("a", now=NOON)

    assert seldom.may_say("a", now=NOON + passed) is may
    assert seldom.may_say("b", now=NOON + passed)


def test_what_was_not_said_does_not_count():
    seldom = Seldom()
    said = [seldom.may_say(now=NOON + second) for second in range(181)]

    assert [second for second, each in enumerate(said) if each] == [0, 60, 120, 180]


def test_of_ever_new_things_a_bounded_number_is_said_and_remembered():
    seldom = Seldom()

    said = sum(seldom.may_say(str(n), now=NOON + n / 1000) for n in range(10_000))

    assert said == MOST
    assert len(seldom) == MOST
    assert seldom.may_say("another", now=NOON + 70)
    assert len(seldom) == 1
