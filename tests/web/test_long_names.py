"""The longest names people may have fit into everything the gate gives a browser."""

from __future__ import annotations

import pytest

from tests.applications import echo
from tests.web.forms import (
    ACCOUNT,
    CODE,
    CODES,
    ENROLL,
    connect,
    is_in,
    press,
    type_password,
)
from totp_gate.core.cookies import LONGEST_COOKIE
from totp_gate.core.names import LONGEST_NAME, refusal
from totp_gate.core.signing import MAX_TOKEN
from totp_gate.testing import Client, Installation

SETTINGS = '[second_factor]\nenrollment = "first-login"\ntrusted_device = "30d"\n'
NAMES = [
    pytest.param("a" * LONGEST_NAME, id="one octet each"),
    pytest.param("\u0436" * LONGEST_NAME, id="two octets each"),
    pytest.param("\u65e5" * LONGEST_NAME, id="three octets each"),
    pytest.param("\U00020000" * LONGEST_NAME, id="four octets each"),
]


class Measuring(Client):
    """A browser that keeps only cookies every browser would keep."""

    def open(self, *args, **kwargs):
        answer = super().open(*args, **kwargs)
        for line in answer.headers.getlist("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            assert len(name) + len(value) <= LONGEST_COOKIE
            assert len(value) <= MAX_TOKEN
        return answer


@pytest.fixture
def house(tmp_path):
    made = Installation(echo, tmp_path, SETTINGS)
    yield made
    made.accounts.store.close()


@pytest.fixture
def browser(house):
    measuring = Measuring(house.gate)
    measuring.origin = house.origin
    return measuring


@pytest.mark.parametrize("name", NAMES)
def test_whoever_has_a_long_name_signs_in_and_trusts_the_browser(house, browser, name):
    assert refusal(name) == ""
    person = house.add_user(name)
    house.clock.tick(30)

    assert type_password(browser, person).headers["Location"] == CODE
    typed = {"code": house.code(person), "trust_device": "yes"}
    assert press(browser, CODE, CODE, **typed).status_code == 303

    assert is_in(browser)
    assert browser.get(ACCOUNT).status_code == 200
    press(browser, ACCOUNT, "/_gate/logout")
    assert type_password(browser, person).headers["Location"] == "/"
    assert is_in(browser)


@pytest.mark.parametrize("name", NAMES)
def test_whoever_has_a_long_name_enrolls_and_sees_recovery_codes(house, browser, name):
    person = house.add_user(name, enrolled=False)

    assert type_password(browser, person).headers["Location"] == ENROLL
    answer, _ = connect(house, browser, browser.get(ENROLL), person)

    assert answer.headers["Location"] == CODES
    assert browser.get(CODES).text.count("<li><code>") == 10
    assert is_in(browser)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_held_waits_for_a_long_name(house, browser, name):
    person = house.add_user(name)
    house.sign_in(person, browser)
    house.clock.tick(3601)
    sent = {"Origin": house.origin}
    kept = browser.post("/comment", data={"text": "a"}, headers=sent)
    assert kept.headers["Gate-Held"]

    house.sign_in(person, browser)

    assert "POST /comment" in browser.get("/_gate/held").text
