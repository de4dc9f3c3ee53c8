"""An authenticator that counts (HOTP) answers the code page, each counter once."""

import pytest

from tests.accounts.crowd import at_once
from tests.applications import echo
from tests.web.forms import CODE, is_in, press, type_password
from totp_gate.app import Gate
from totp_gate.config import load_config
from totp_gate.core import otp
from totp_gate.core.passwords import Profile
from totp_gate.testing import Installation


@pytest.fixture
def house(tmp_path):
    made = Installation(echo, tmp_path)
    yield made
    made.accounts.store.close()


@pytest.fixture
def alice(house):
    return house.add_user("alice", enrolled=False)


@pytest.fixture
def device(house, alice):
    """Alice's authenticator, confirmed with its first code."""
    return enroll(house)


def enroll(house, *, only=True):
    factors = house.accounts.factors
    factor = factors.draw(kind="hotp")
    first = code_of(factor.seed, 0)
    last = factors.confirm(factor, first, now=house.clock())
    ready = factors.sealed(factor, "alice", name="key", last=last, now=house.clock())
    assert house.accounts.store.add_authenticator(ready, only=only)
    return factor


def code_of(seed, counter):
    return otp.code_at(seed, counter, otp.Params())


def try_code(house, alice, code):
    browser = house.client()
    type_password(browser, alice)
    answer = press(browser, CODE, CODE, code=code)
    assert is_in(browser) is (answer.status_code == 303)
    return answer.status_code == 303


def counter_of(house, device):
    return house.accounts.store.last_step(device.id)


def test_the_next_code_signs_in_and_the_counter_moves_on(house, alice, device):
    assert try_code(house, alice, code_of(device.seed, 1))
    assert counter_of(house, device) == 1

    assert try_code(house, alice, code_of(device.seed, 2))
    assert counter_of(house, device) == 2


def test_the_confirming_code_is_spent(house, alice, device):
    assert not try_code(house, alice, code_of(device.seed, 0))


def test_a_code_works_once(house, alice, device):
    assert try_code(house, alice, code_of(device.seed, 1))

    assert not try_code(house, alice, code_of(device.seed, 1))


def test_time_does_not_matter(house, alice, device):
    house.clock.tick(90 * 86_400)

    assert try_code(house, alice, code_of(device.seed, 1))


@pytest.mark.parametrize(
    ("counter", "right"),
    [
        pytest.param(10, True, id="nine presses for nothing"),
        pytest.param(11, False, id="one more"),
    ],
)
def test_presses_for_nothing_are_forgiven_up_to_a_point(
    house, alice, device, counter, right
):
    assert try_code(house, alice, code_of(device.seed, counter)) is right
    assert counter_of(house, device) == (counter if right else 0)


def test_codes_that_were_skipped_are_dead(house, alice, device):
    assert try_code(house, alice, code_of(device.seed, 5))

    assert not try_code(house, alice, code_of(device.seed, 4))
    assert try_code(house, alice, code_of(device.seed, 6))


@pytest.mark.parametrize(
    ("counter", "right"),
    [pytest.param(9, True, id="ten codes"), pytest.param(10, False, id="the eleventh")],
)
def test_any_of_the_first_ten_codes_confirms(house, counter, right):
    factor = house.accounts.factors.draw(kind="hotp")
    code = code_of(factor.seed, counter)

    found = house.accounts.factors.confirm(factor, code, now=house.clock())

    assert found == (counter if right else None)


def test_the_page_asks_for_the_next_code(house, alice, device):
    browser = house.client()
    type_password(browser, alice)

    assert "Each press makes a new code" in browser.get(CODE).text


def test_any_of_several_authenticators_answers(house):
    alice = house.add_user("alice")
    device = enroll(house, only=False)
    browser = house.client()
    type_password(browser, alice)
    assert "Each press" not in browser.get(CODE).text

    assert try_code(house, alice, house.code(alice))
    assert try_code(house, alice, code_of(device.seed, 1))


def test_nobody_is_told_of_a_clock(house, alice, device):
    browser = house.client()
    type_password(browser, alice)

    answer = press(browser, CODE, CODE, code=code_of(device.seed, 30))

    assert answer.status_code == 401
    assert "clock" not in answer.text


def test_of_twenty_who_use_one_counter_one_wins(house, alice, device):
    twin = Gate(
        house.app,
        load_config(house.path),
        clock=house.clock,
        profile=Profile.cheap_for_tests(),
    )
    both = [house.accounts.factors, twin.accounts.factors]
    user = house.accounts.store.user("alice")
    code, now = code_of(device.seed, 1), house.clock()

    won = at_once(
        [
            lambda part=both[n % 2]: part.spend(user, code, now=now) is not None
            for n in range(20)
        ]
    )
    twin.accounts.store.close()

    assert sorted(won) == [False] * 19 + [True]
    assert counter_of(house, device) == 1
