"""Recovery codes: shown once, used once, and the way to another device."""

import re

import pytest

from tests.accounts.crowd import at_once
from tests.applications import echo
from tests.web.forms import (
    ACCOUNT,
    CODE,
    CODES,
    DEVICE,
    ENROLL,
    LOGIN,
    LOGIN_COOKIE,
    RECOVERY,
    codes_on,
    connect,
    cookie,
    events_of,
    follow,
    form_on,
    give,
    is_in,
    page_of,
    press,
    type_password,
    works,
)
from totp_gate.core import otp
from totp_gate.testing import Client, Installation, Person, submit

NEW_CODES = f"{ACCOUNT}/new-recovery-codes"
NEVER_MADE = "00000-00000-00000-00000-00000"


@pytest.fixture
def open_house(tmp_path):
    made = Installation(echo, tmp_path, '[second_factor]\nenrollment = "first-login"\n')
    yield made
    made.accounts.store.close()


@pytest.fixture
def codes(installation, alice):
    """The codes Alice keeps on paper."""
    return installation.accounts.recovery.renew("alice", now=installation.clock())


def begin(house):
    """Somebody new enrolls; the browser is about to open the page with the codes."""
    bob = house.add_user("bob", enrolled=False)
    browser = house.client()
    type_password(browser, bob)
    answer, device = connect(house, browser, browser.get(ENROLL), bob)
    return browser, device, answer


def recover(browser, person, code):
    """Type the password, then a recovery code."""
    type_password(browser, person)
    return press(browser, RECOVERY, RECOVERY, code=code)


def recovered(house, person, code):
    browser = house.client()
    answer = recover(browser, person, code)
    assert (answer.status_code, answer.headers["Location"]) == (303, ENROLL)
    return browser


def said_of_login(answer):
    """Return what an answer says about the login cookie, line by line."""
    lines = answer.headers.getlist("Set-Cookie")
    return [line for line in lines if line.startswith(f"{LOGIN_COOKIE}=")]


class TestShowing:
    def test_what_carries_them_takes_the_place_of_the_login(self, open_house):
        (line,) = said_of_login(begin(open_house)[2])

        assert not line.startswith(f"{LOGIN_COOKIE}=;")
        assert "Max-Age=600" in line

    def test_a_first_enrollment_leads_to_ten_codes(self, open_house):
        browser, _, answer = begin(open_house)
        assert answer.headers["Location"] == CODES

        shown = codes_on(browser.get(CODES).text)

        assert len(set(shown)) == 10
        assert all(re.fullmatch(r"(?:[0-9A-Z]{5}-){4}[0-9A-Z]{5}", c) for c in shown)

    def test_a_reload_shows_none(self, open_house):
        browser, _, _ = begin(open_house)
        page = browser.get(CODES)
        assert page.headers["Cache-Control"] == "no-store"

        again = browser.get(CODES)

        assert (again.status_code, again.headers["Location"]) == (303, ACCOUNT)
        assert codes_on(again.text) == []

    def test_what_carried_them_is_gone(self, open_house):
        browser, _, _ = begin(open_house)
        assert cookie(browser, LOGIN_COOKIE)

        browser.get(CODES)

        assert cookie(browser, LOGIN_COOKIE) is None

    @pytest.mark.parametrize("who", ["bob", "carol"])
    def test_no_other_session_can_read_them(self, open_house, who):
        browser, device, _ = begin(open_house)
        carol = open_house.add_user("carol")
        other = open_house.sign_in(device if who == "bob" else carol)
        give(other, LOGIN_COOKIE, cookie(browser, LOGIN_COOKIE))

        answer = other.get(CODES)

        assert (answer.status_code, codes_on(answer.text)) == (303, [])

    def test_nobody_who_is_not_signed_in_can_read_them(self, open_house):
        browser, _, _ = begin(open_house)
        stranger = open_house.client()
        give(stranger, LOGIN_COOKIE, cookie(browser, LOGIN_COOKIE))

        assert stranger.get(CODES).headers["Location"] == LOGIN

    def test_they_are_in_no_cookie_and_in_no_file(self, open_house):
        browser, _, _ = begin(open_house)
        carried = cookie(browser, LOGIN_COOKIE)
        shown = codes_on(browser.get(CODES).text)
        open_house.accounts.store.close()

        octets = b"".join(each.read_bytes() for each in open_house.folder.iterdir())

        for code in shown:
            for spelling in (code, code.replace("-", "")):
                assert spelling not in carried
                assert spelling.encode() not in octets

    def test_the_way_on_is_where_one_came_for(self, open_house):
        bob = open_house.add_user("bob", enrolled=False)
        browser = open_house.client()
        login = browser.get("/reports?a=1").headers["Location"]
        form = form_on(browser.get(login).text, login)
        typed = {"username": "bob", "password": bob.password}
        answer = browser.post(login, data=form.fields | typed)
        page = browser.get(answer.headers["Location"])
        answer, _ = connect(open_house, browser, page, bob)

        page = browser.get(answer.headers["Location"])

        assert 'href="/reports?a=1"' in page.text


class TestSigningIn:
    def test_a_code_stands_for_the_authenticator(self, installation, alice, codes):
        browser = recovered(installation, alice, codes[0])

        assert browser.get("/").json["REMOTE_USER"] == "alice"
        assert events_of(installation)[0] == ("sign-in.recovery", "success")

    @pytest.mark.parametrize(
        "spell",
        [
            pytest.param(str.lower, id="lower case"),
            pytest.param(lambda code: code.replace("-", " "), id="spaces"),
            pytest.param(lambda code: code.replace("-", ""), id="no dashes"),
            pytest.param(lambda code: code.replace("0", "O"), id="O for 0"),
        ],
    )
    def test_a_code_may_be_typed_as_people_type(
        self, installation, alice, codes, spell
    ):
        recovered(installation, alice, spell(codes[0]))

    def test_a_code_does_not_stand_for_the_password(self, installation, alice, codes):
        browser = installation.client()
        assert browser.get(RECOVERY).headers["Location"] == LOGIN

        token = form_on(browser.get(LOGIN).text, LOGIN).fields["csrf_token"]
        sent = {"code": codes[0], "csrf_token": token}
        answer = browser.post(RECOVERY, data=sent)

        assert answer.headers["Location"] == LOGIN
        assert not is_in(browser)
        assert installation.accounts.recovery.left("alice") == 10

    def test_a_code_is_no_password(self, installation, alice, codes):
        browser = installation.client()

        typed = {"username": "alice", "password": codes[0]}
        answer = press(browser, LOGIN, LOGIN, **typed)

        assert answer.status_code == 401

    def test_a_code_of_paper_is_no_code_of_an_app(self, installation, alice, codes):
        browser = installation.client()
        type_password(browser, alice)

        answer = press(browser, CODE, CODE, code=codes[0])

        assert answer.status_code == 401
        assert installation.accounts.recovery.left("alice") == 10

    def test_a_code_works_once(self, installation, alice, codes):
        recovered(installation, alice, codes[0])

        again = recover(installation.client(), alice, codes[0])

        assert again.status_code == 401
        assert "not right, or it was used before" in again.text

    def test_every_code_works(self, installation, alice, codes):
        for code in codes:
            recovered(installation, alice, code)

        assert installation.accounts.recovery.left("alice") == 0

    def test_a_code_of_another_user_is_wrong(self, installation, codes):
        bob = installation.add_user("bob")

        answer = recover(installation.client(), bob, codes[0])

        assert answer.status_code == 401
        assert installation.accounts.recovery.left("alice") == 10

    def test_wrong_ones_count_as_wrong_codes_do(self, installation, alice, codes):
        browser = installation.client()
        type_password(browser, alice)
        for _ in range(5):
            answer = press(browser, RECOVERY, RECOVERY, code=NEVER_MADE)
            assert answer.status_code == 401
        shown = form_on(browser.get(CODE).text, CODE)
        typed = {"code": installation.code(alice)}
        waits = browser.post(CODE, data=shown.fields | typed)
        also = press(browser, RECOVERY, RECOVERY, code=codes[0])

        assert (waits.status_code, also.status_code) == (429, 429)
        assert 0 < int(waits.headers["Retry-After"]) <= 60
        assert installation.accounts.recovery.left("alice") == 10

    def test_wrong_codes_of_the_app_count_too(self, installation, alice, codes):
        browser = installation.client()
        type_password(browser, alice)
        for _ in range(5):
            press(browser, CODE, CODE, code="000000")

        assert press(browser, RECOVERY, RECOVERY, code=codes[0]).status_code == 429

    def test_a_form_that_is_too_old_is_shown_again(self, installation, alice, codes):
        browser = installation.client()
        type_password(browser, alice)

        answer = press(browser, RECOVERY, RECOVERY, code=codes[0], csrf_token="x")

        assert answer.status_code == 403
        assert form_on(answer.text, RECOVERY)
        assert installation.accounts.recovery.left("alice") == 10

    def test_the_way_to_it_is_shown_to_who_has_codes(self, installation, alice):
        browser = installation.client()
        type_password(browser, alice)
        installation.accounts.store.replace_recovery("alice", [], 0)
        shown = browser.get(CODE).text
        assert RECOVERY not in shown
        assert "You have no recovery code. Ask the administrator" in shown

        installation.accounts.recovery.renew("alice", now=installation.clock())

        assert f'href="{RECOVERY}"' in browser.get(CODE).text


class TestAFreshSet:
    def test_it_kills_the_old_one(self, installation, alice, browser, codes):
        answer = press(browser, ACCOUNT, NEW_CODES)
        assert answer.headers["Location"] == CODES
        fresh = codes_on(browser.get(CODES).text)

        assert len(fresh) == 10
        assert not set(fresh) & set(codes)
        dead = recover(installation.client(), alice, codes[0])
        assert dead.status_code == 401
        recovered(installation, alice, fresh[0])

    def test_the_way_on_is_the_account_page(self, installation, browser, codes):
        press(browser, ACCOUNT, NEW_CODES)

        assert f'href="{ACCOUNT}">I have saved them' in browser.get(CODES).text

    def test_it_needs_everything_proven_lately(self, installation, browser, codes):
        installation.clock.tick(600)

        answer = press(browser, ACCOUNT, NEW_CODES)

        assert page_of(answer) == f"{ACCOUNT}/confirm"
        assert installation.accounts.recovery.spend(
            "alice", codes[0], now=installation.clock()
        )

    def test_the_number_left_is_shown(self, installation, alice, codes):
        browser = recovered(installation, alice, codes[0])

        assert "9 recovery codes are left" in browser.get(ENROLL).text
        assert "9 codes are left" in browser.get(ACCOUNT).text

    def test_having_none_is_said(self, installation, browser):
        installation.accounts.store.replace_recovery("alice", [], 0)

        assert "You have none" in browser.get(ACCOUNT).text


class TestAnotherDevice:
    def test_the_new_one_replaces_all_older_ones(self, installation, alice, codes):
        second = add(installation, "alice")
        browser = recovered(installation, alice, codes[0])

        page = browser.get(ENROLL)
        answer, device = connect(installation, browser, page, alice)

        assert page_of(answer) == ACCOUNT
        assert [
            one.name for one in installation.accounts.store.authenticators("alice")
        ] == ["Phone"]
        assert works(installation, device)
        assert not works(installation, alice)
        assert not works(installation, second)

    def test_other_sessions_end_and_this_one_goes_on(
        self, installation, alice, browser, codes
    ):
        other = recovered(installation, alice, codes[0])
        assert is_in(browser)

        connect(installation, other, other.get(ENROLL), alice)

        assert not is_in(browser)
        assert is_in(other)

    def test_abandoning_it_keeps_the_old_one(self, installation, alice, codes):
        browser = recovered(installation, alice, codes[0])
        browser.get(ENROLL)

        assert works(installation, alice)
        assert len(installation.accounts.store.authenticators("alice")) == 1

    def test_it_is_possible_for_half_an_hour(self, installation, alice, codes):
        browser = recovered(installation, alice, codes[0])

        installation.clock.tick(1799)
        assert "<svg" in browser.get(ENROLL).text
        installation.clock.tick(1)
        assert browser.get(ENROLL).headers["Location"] == ACCOUNT

    def test_it_is_possible_once(self, installation, alice, codes):
        browser = recovered(installation, alice, codes[0])
        connect(installation, browser, browser.get(ENROLL), alice)

        assert browser.get(ENROLL).headers["Location"] == ACCOUNT

    def test_only_the_session_of_that_user_may(self, installation, alice, codes):
        browser = recovered(installation, alice, codes[0])
        bob = installation.sign_in(installation.add_user("bob"))
        for name in (LOGIN_COOKIE, DEVICE):
            give(bob, name, cookie(browser, name) or "none")

        assert bob.get(ENROLL).headers["Location"] == ACCOUNT

    def test_the_next_sign_in_tells_of_both(self, installation, alice, codes):
        browser = recovered(installation, alice, codes[0])
        _, device = connect(installation, browser, browser.get(ENROLL), alice)

        installation.clock.tick(30)
        later = installation.client()
        type_password(later, device)
        said = later.get(CODE).text

        assert "a recovery code was used" in said
        assert "an authenticator was connected" in said

    @pytest.mark.parametrize(
        ("page", "typed"),
        [
            (f"{ACCOUNT}/new-recovery-codes", {}),
            (f"{ACCOUNT}/make-token", {"name": "script"}),
        ],
    )
    def test_nothing_in_between_lets_the_lost_one_live(
        self, installation, alice, codes, page, typed
    ):
        browser = recovered(installation, alice, codes[0])
        follow(browser, press(browser, ACCOUNT, page, **typed))

        shown = press(browser, ACCOUNT, f"{ACCOUNT}/add-authenticator")
        assert "replaces your old authenticators" in shown.text
        answer, device = connect(installation, browser, shown, alice)

        assert "do not work any more" in follow(browser, answer).text
        assert works(installation, device)
        assert not works(installation, alice)

    def test_a_code_of_the_one_that_was_found_again_ends_it(
        self, installation, alice, codes
    ):
        browser = recovered(installation, alice, codes[0])
        installation.clock.tick(30)
        typed = {"password": alice.password, "code": installation.code(alice)}
        press(browser, f"{ACCOUNT}/confirm", f"{ACCOUNT}/confirm", **typed)

        shown = press(browser, ACCOUNT, f"{ACCOUNT}/add-authenticator")
        connect(installation, browser, shown, alice)

        assert "replaces" not in shown.text
        assert works(installation, alice)

    def test_the_session_gets_a_new_id(self, installation, alice, codes):
        browser = recovered(installation, alice, codes[0])
        before = cookie(browser)

        connect(installation, browser, browser.get(ENROLL), alice)

        assert cookie(browser) != before
        assert is_in(browser)

    def test_a_further_one_replaces_nothing(self, installation, alice, codes):
        browser = recovered(installation, alice, codes[0])
        _, phone = connect(installation, browser, browser.get(ENROLL), alice)

        page = press(browser, ACCOUNT, f"{ACCOUNT}/add-authenticator")
        _, tablet = connect(installation, browser, page, alice, "Tablet")

        assert works(installation, phone)
        assert works(installation, tablet)

    def test_one_goes_on_to_where_one_came_for(self, installation, alice, codes):
        browser = installation.client()
        answer = submit(
            browser, f"{LOGIN}?next=/deep", username="alice", password=alice.password
        )
        page = answer.headers["Location"].replace("second-factor", "recovery")
        answer = submit(browser, page, code=codes[0])
        assert answer.headers["Location"] == f"{ENROLL}?next=/deep"

        shown = follow(browser, answer)
        answer, _ = connect(installation, browser, shown, alice)

        assert answer.headers["Location"] == "/deep"

    def test_after_the_last_code_fresh_ones_come(self, installation, alice, codes):
        for code in codes[1:]:
            installation.accounts.recovery.spend(
                "alice", code, now=installation.clock()
            )
        browser = recovered(installation, alice, codes[0])

        answer, _ = connect(installation, browser, browser.get(ENROLL), alice)

        assert page_of(answer) == CODES
        assert len(codes_on(follow(browser, answer).text)) == 10


class TestTheSettingsFile:
    """A seed that stands in the settings cannot be removed from there."""

    @pytest.fixture
    def house(self, tmp_path):
        made = Installation(echo, tmp_path)
        yield made
        made.accounts.store.close()

    def write(self, house, seed):
        hashed = house.accounts.passwords.hash("correct horse battery")
        text = house.path.read_text().partition("[[users]]")[0]
        house.path.write_text(
            f'{text}[[users]]\nname = "carl"\npassword_hash = "{hashed}"\n'
            f'totp_secret = "{otp.to_base32(seed)}"\n'
        )
        house.restart()
        return Person("carl", "correct horse battery", seed)

    @pytest.fixture
    def lost(self, house):
        """Carl's device of the settings; and the one that replaced it."""
        carl = self.write(house, otp.new_secret())
        (code, *_) = house.accounts.recovery.renew("carl", now=house.clock())
        browser = recovered(house, carl, code)
        return carl, *connect(house, browser, browser.get(ENROLL), carl), browser

    def test_it_is_accepted_no_more(self, house, lost):
        carl, _, device, _ = lost

        assert works(house, device)
        assert not works(house, carl)

    def test_not_even_after_a_restart(self, house, lost):
        house.restart()

        assert not works(house, lost[0])

    def test_the_account_page_says_so(self, lost):
        *_, browser = lost

        assert "Replaced: its codes are not accepted" in browser.get(ACCOUNT).text

    def test_another_seed_there_is_another_authenticator(self, house, lost):
        carl = self.write(house, otp.new_secret())

        assert works(house, carl)
        assert works(house, lost[2])

    def test_the_same_seed_for_another_user_goes_on(self, house, lost):
        seed = lost[0].seed
        text = house.path.read_text().replace('"carl"', '"cora"')
        house.path.write_text(text)
        house.restart()

        assert works(house, Person("cora", "correct horse battery", seed))


def add(house, name):
    """Connect a further authenticator, behind the pages."""
    factors = house.accounts.factors
    factor = factors.draw()
    ready = factors.sealed(factor, name, name="second", last=-1, now=house.clock())
    house.accounts.store.add_authenticator(ready, only=False)
    return Person(name, "correct horse battery", factor.seed)


def test_of_twenty_who_spend_one_code_one_wins(installation, twin, codes):
    both = [installation.accounts.recovery, twin.accounts.recovery]
    now = installation.clock()

    won = at_once(
        [
            lambda part=both[n % 2]: part.spend("alice", codes[0], now=now)
            for n in range(20)
        ]
    )

    assert sorted(won) == [False] * 19 + [True]
    assert installation.accounts.recovery.left("alice") == 9


def test_of_those_who_type_one_code_at_once_one_gets_in(
    installation, twin, alice, codes
):
    sends, browsers = [], []
    for n in range(10):
        browser = Client(installation.gate if n % 2 else twin)
        type_password(browser, alice)
        form = form_on(browser.get(RECOVERY).text, RECOVERY)
        sent = form.fields | {"code": codes[0]}
        sends.append(lambda b=browser, s=sent: b.post(RECOVERY, data=s).status_code)
        browsers.append(browser)

    answers = at_once(sends)

    assert answers.count(303) == 1
    assert set(answers) <= {303, 401, 429}
    assert sum(is_in(browser) for browser in browsers) == 1
