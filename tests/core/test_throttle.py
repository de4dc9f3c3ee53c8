"""Waiting after failures: from a count to seconds, and what a year of guessing gives."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from totp_gate.core.throttle import (
    Backoff,
    Guessing,
    account_key,
    address_key,
    is_over,
    wait_after,
    wait_left,
)
from totp_gate.model import Count

NOW = 1_700_000_000.0
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365 * 86_400
KEY = bytes(range(32))


def count(failures: int, *, last: float = NOW, since: float = NOW) -> Count:
    return Count(key="code:alice", failures=failures, last=last, since=since)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [
        pytest.param(0, 0, id="no failure"),
        pytest.param(3, 0, id="the last that is free"),
        pytest.param(4, 2, id="the first that costs"),
        pytest.param(5, 4, id="twice as much"),
        pytest.param(12, 512, id="and so on"),
        pytest.param(13, 900, id="up to the ceiling"),
        pytest.param(10**6, 900, id="never above the ceiling"),
        pytest.param(-1, 0, id="forgiven more often than counted"),
    ],
)
def test_the_wait_grows_with_failures(failures, seconds):
    assert wait_after(failures, Backoff()) == seconds


@pytest.mark.parametrize(
    ("passed", "left"),
    [
        pytest.param(0, 4, id="at once"),
        pytest.param(1.5, 2.5, id="too early"),
        pytest.param(3.999, pytest.approx(0.001, abs=1e-5), id="a moment too early"),
        pytest.param(4, None, id="in time"),
        pytest.param(YEAR, None, id="late"),
        pytest.param(-900, 4, id="after the clock was set back"),
        pytest.param(-901, None, id="by more than any wait"),
    ],
)
def test_a_wait_ends_when_it_has_passed(passed, left):
    assert wait_left(count(5), Backoff(), now=NOW + passed) == left


def test_who_has_not_failed_does_not_wait():
    assert wait_left(Count(key="code:alice"), Backoff(), now=0) is None


@pytest.mark.parametrize("passed", [0, YEAR])
def test_the_hard_stop_does_not_pass(passed):
    backoff = Backoff(hard=100)

    assert wait_left(count(99), backoff, now=NOW + YEAR) is None
    assert wait_left(count(100), backoff, now=NOW + passed) == math.inf
    assert wait_left(count(101), backoff, now=NOW + passed) == math.inf


def test_without_a_hard_stop_there_is_always_a_next_time():
    assert wait_left(count(10**6), Backoff(), now=NOW + 900) is None


@pytest.mark.parametrize(
    ("passed", "left"),
    [
        pytest.param(0, 4, id="none is forgiven yet"),
        pytest.param(599, 4, id="nor a moment before"),
        pytest.param(600, 2, id="one"),
        pytest.param(1200, None, id="two: back among those that are free"),
    ],
)
def test_failures_may_be_forgiven_as_time_goes_by(passed, left):
    backoff = Backoff(forgive_every=600)
    last = NOW + passed

    assert wait_left(count(5, last=last), backoff, now=last) == left


def test_a_clock_that_was_set_back_adds_no_failures():
    backoff = Backoff(forgive_every=600)

    assert wait_left(count(3), backoff, now=NOW - YEAR) is None


@given(
    failures=st.integers(0, 200),
    last=st.floats(0, 2e9),
    since=st.floats(0, 2e9),
    now=st.floats(0, 2e9),
    every=st.sampled_from([0, 600]),
)
def test_no_wait_is_negative_or_above_the_ceiling(failures, last, since, now, every):
    backoff = Backoff(hard=100, forgive_every=every)
    left = wait_left(count(failures, last=last, since=since), backoff, now=now)

    if failures >= 100:
        assert left == math.inf
    else:
        assert left is None or 0 < left <= backoff.ceiling


@pytest.mark.parametrize(
    ("failures", "rest", "over"),
    [
        pytest.param(1, 599, False, id="none forgiven yet"),
        pytest.param(1, 600, True, id="all forgiven"),
        pytest.param(2, 600, False, id="one forgiven of two"),
        pytest.param(0, 600, False, id="nothing to forgive"),
        pytest.param(400, DAY, True, id="a day of rest"),
        pytest.param(1, -YEAR, False, id="the clock was set back"),
    ],
)
def test_a_count_begins_anew_once_it_says_nothing_any_more(failures, rest, over):
    backoff = Backoff(forgive_every=600)

    assert is_over(count(failures), backoff, now=NOW + rest, forget_after=DAY) is over


def test_what_may_end_for_good_is_never_forgotten():
    long_after = NOW + 100 * YEAR

    assert not is_over(count(99), Backoff(hard=100), now=long_after, forget_after=DAY)


class Patient:
    """Fails under one count, as fast as it may."""

    def __init__(self, backoff: Backoff) -> None:
        self.backoff = backoff
        self.now = NOW
        self.tried: list[float] = []
        self.count = count(0)

    def run(self, seconds: float) -> list[float]:
        """Try until *seconds* from the start are over; when it tried, in all."""
        while self.now < NOW + seconds:
            wait = wait_left(self.count, self.backoff, now=self.now)
            if wait == math.inf:
                break
            if wait is not None:
                self.now += wait
                continue
            self.tried.append(self.now - NOW)
            failures = self.count.failures + 1
            self.count = count(failures, last=self.now, since=NOW)
        return self.tried


# With a drift of one step, three of a million codes of six digits are right at a time.
LUCK = Fraction(3, 10**6)


def test_a_year_of_guessing_codes_ends_after_100_of_them():
    tried = Patient(Guessing().code).run(YEAR)

    assert len(tried) == 100
    assert 3 * DAY < tried[-1] < 4 * DAY
    assert 1 - (1 - LUCK) ** len(tried) <= Fraction(3, 10_000)


def test_five_wrong_codes_cost_a_minute_and_then_ever_more():
    tried = Patient(Guessing().code).run(DAY)
    waits = [int(later - earlier) for earlier, later in itertools.pairwise(tried)]

    assert waits[:4] == [0, 0, 0, 0]
    assert waits[4:11] == [60, 120, 240, 480, 960, 1920, 3600]


def test_strangers_have_14_passwords_in_20_minutes_and_100_in_all():
    attacker = Patient(Guessing().password)

    assert len(attacker.run(20 * MINUTE)) == pytest.approx(14, abs=1)
    assert len(attacker.run(YEAR)) == 100
    assert attacker.tried[-1] == pytest.approx(DAY, rel=0.1)


def test_where_passwords_never_end_strangers_have_96_a_day():
    attacker = Patient(replace(Guessing().password, hard=0))

    assert len(attacker.run(11 * DAY)) == pytest.approx(10 * 96 + 110, abs=5)


def test_an_address_has_30_failures_and_six_an_hour_whatever_it_did_before():
    address = Guessing().address
    assert len(Patient(address).run(1)) == 30

    for days in (1, 30):
        tried = Patient(address).run(days * DAY)
        assert len(tried) <= 30 + 9 + days * DAY // 600


def test_an_office_with_a_typo_every_quarter_of_an_hour_never_waits():
    address = Guessing().address

    for failures in range(3000):
        now = NOW + failures * 15 * MINUTE
        assert wait_left(count(failures, last=now), address, now=now) is None


def test_every_kind_of_count_has_its_budget():
    params = Guessing()

    assert params.budget("password") is params.password
    assert params.budget("code") is params.code
    assert params.budget("address") is params.address
    assert params.budget("device") is params.device
    with pytest.raises(ValueError, match="'codes'"):
        params.budget("codes")


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"free": -1}, "negative"),
        ({"forgive_every": -1}, "negative"),
        ({"first": 0}, "between 1 and ceiling"),
        ({"first": 901}, "between 1 and ceiling"),
        ({"hard": 101}, "at most 100"),
        ({"hard": 3}, "over free"),
        ({"hard": -1}, "over free"),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(wrong, remedy):
    with pytest.raises(ValueError, match=remedy):
        Backoff(**wrong)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        pytest.param("192.0.2.7", "192.0.2.7", id="IPv4"),
        pytest.param("::ffff:192.0.2.7", "192.0.2.7", id="IPv4 mapped"),
        pytest.param("64:ff9b::c000:207", "192.0.2.7", id="IPv4 behind a translator"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", id="IPv6"),
        pytest.param("2001:DB8:1:2::", "2001:db8:1:2::/64", id="its first address"),
        pytest.param("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64", id="its neighbour"),
        pytest.param("2001:db8:1:3::1", "2001:db8:1:3::/64", id="another network"),
        pytest.param("fe80::1%eth0", "fe80::/64", id="with a zone"),
        pytest.param("", "elsewhere", id="a Unix socket"),
        pytest.param("192.0.2.7:80", "elsewhere", id="no address"),
        pytest.param("192.0.2.07", "elsewhere", id="an address of many meanings"),
    ],
)
def test_an_address_is_counted_as_the_network_one_host_may_have(address, key):
    assert address_key(address) == key


def test_an_unknown_name_is_counted_without_being_kept():
    key = account_key("correct horse", KEY)

    assert key == account_key("correct horse", KEY)
    assert key != account_key("correct horsf", KEY)
    assert key != account_key("correct horse", KEY[::-1])
    assert key.startswith("?")
    assert "horse" not in key


@given(name=st.text())
def test_every_name_can_be_counted(name):
    assert len(account_key(name + "\ud800", KEY)) == 25


def test_unknown_names_are_not_counted_without_a_key():
    with pytest.raises(ValueError, match="16 bytes"):
        account_key("alice", b"")
