"""A seed of the settings file goes on when the settings say another period."""

from __future__ import annotations

import itertools

import pytest

from tests.applications import echo
from totp_gate.core import otp
from totp_gate.core.passwords import Passwords, Profile
from totp_gate.testing import Installation

SEED = "KRSXG5CTMVRXEZLUKN2HE2LOM5JWKY3S"
HASH = Passwords(Profile.cheap_for_tests()).hash("correct horse battery")
USER = f"""
[[users]]
name = "alice"
password_hash = "{HASH}"
totp_secret = "{SEED}"
"""
PERIODS = [15, 30, 60, 120]


@pytest.fixture
def house(tmp_path):
    with Installation(echo, tmp_path, USER) as made:
        yield made


def say_period(house, period):
    text = house.path.read_text().partition("[second_factor]")[0]
    house.path.write_text(f"{text}[second_factor]\nperiod = {period}\n")
    house.restart()


def spend(house, steps=0):
    """Tell whether the code of so many steps from now is accepted."""
    factors, now = house.accounts.factors, house.clock()
    alice = house.accounts.directory.find("alice")
    step = otp.step_at(now, factors.params) + steps
    code = otp.code_at(alice.totp_secret, step, factors.params)
    return factors.spend(alice, code, now=now) is not None


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(PERIODS, 2)))
def test_codes_are_accepted_before_and_after_each_once(house, before, after):
    say_period(house, before)
    assert (spend(house), spend(house)) == (True, False)

    say_period(house, after)
    house.clock.tick(2 * max(before, after))
    assert (spend(house), spend(house)) == (True, False)


@pytest.mark.parametrize("after", PERIODS)
def test_a_code_of_a_time_that_is_spent_stays_spent(house, after):
    say_period(house, 30)
    assert spend(house)

    say_period(house, after)
    assert not spend(house, steps=-1)
