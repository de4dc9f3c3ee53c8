"""Signing in takes a password and a fresh code, and nothing less."""

import re
from dataclasses import replace
from html import unescape

import pytest

from tests.applications import echo
from totp_gate.testing import submit

LOGIN = "/_gate/login"
CODE = "/_gate/second-factor"
HOST = "app.example.com"
SESSION = "__Host-totp_gate"


def token_of(page):
    return unescape(re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1])


def prove_password(browser, person, **fields):
    given = {"username": person.name, "password": person.password} | fields
    return submit(browser, LOGIN, **given)


def has_session(browser):
    return browser.get_cookie(SESSION, domain=HOST) is not None


def test_a_password_and_a_code_open_the_gate(installation, alice):
    browser = installation.client()

    answer = prove_password(browser, alice)
    assert (answer.status_code, answer.headers["Location"]) == (303, CODE)
    assert not has_session(browser)
    answer = submit(browser, CODE, code=installation.code(alice))

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert browser.get("/").json["REMOTE_USER"] == "alice"


def test_the_place_one_came_for_survives_the_sign_in(installation, alice):
    browser = installation.client()
    place = browser.get("/reports?a=1&b=%C3%A9").headers["Location"]

    answer = submit(browser, place, username="alice", password=alice.password)
    answer = submit(browser, answer.headers["Location"], code=installation.code(alice))

    assert answer.headers["Location"] == "/reports?a=1&b=%C3%A9"


def test_two_tabs_come_back_to_their_own_places(installation, alice):
    browser = installation.client()
    first = browser.get("/first").headers["Location"]
    second = browser.get("/second").headers["Location"]
    page = browser.get(first)

    one = submit(browser, second, username="alice", password=alice.password)
    fields = {"username": "alice", "password": alice.password}
    other = browser.post(first, data=fields | {"csrf_token": token_of(page)})

    assert one.headers["Location"].endswith("next=/second")
    assert other.headers["Location"].endswith("next=/first")
    done = submit(browser, one.headers["Location"], code=installation.code(alice))
    assert done.headers["Location"] == "/second"


def test_a_page_left_open_leads_on_once_another_tab_has_signed_in(installation, alice):
    browser = installation.client()
    left = browser.get("/left?a=1").headers["Location"]
    token = token_of(browser.get(left))
    installation.sign_in(alice, browser)

    fields = {"username": "alice", "password": "whatever", "csrf_token": token}
    answer = browser.post(left, data=fields)

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/left?a=1"
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/%09/evil.example",
        "/_gate/logout",
        "/a\r\nSet-Cookie: x=1",
    ],
)
def test_nobody_is_sent_elsewhere(installation, alice, place):
    browser = installation.client()
    page = browser.get(LOGIN, query_string={"next": place})
    fields = {"username": "alice", "password": alice.password}

    answer = browser.post(
        LOGIN,
        query_string={"next": place},
        data=fields | {"csrf_token": token_of(page)},
    )
    assert answer.headers["Location"] == CODE
    page = browser.get(CODE)
    answer = browser.post(
        CODE,
        query_string={"next": place},
        data={"code": installation.code(alice), "csrf_token": token_of(page)},
    )

    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("alice", "wrong password", id="wrong password"),
        pytest.param("nobody", "correct horse battery", id="unknown user"),
        pytest.param("disabled", "correct horse battery", id="disabled user"),
        pytest.param("new", "correct horse battery", id="user without a password"),
        pytest.param("alice", "correct horse batter", id="one character less"),
        pytest.param("alice", "correct horse battery ", id="one space more"),
        pytest.param("alice", "Correct horse battery", id="another case"),
        pytest.param("alice", "", id="empty password"),
        pytest.param("", "", id="nothing"),
        pytest.param("alice", "x" * 5000, id="huge password"),
    ],
)
def test_every_failure_looks_the_same(installation, alice, name, password):
    from totp_gate.model import User

    installation.add_user("disabled", disabled=True)
    installation.accounts.store.add_users([User(name="new")])
    browser = installation.client()

    answer = submit(browser, LOGIN, username=name, password=password)

    assert answer.status_code == 401
    assert "That did not match. Check the user name and the password." in answer.text
    assert not has_session(browser)
    said = re.sub(r'value="[^"]*"', "", answer.text)
    reference = submit(
        installation.client(), LOGIN, username="somebody", password="else"
    )
    focus = (" autofocus", "")
    assert said.replace(*focus) == re.sub(r'value="[^"]*"', "", reference.text).replace(
        *focus
    )


@pytest.mark.parametrize(
    "name", ["ALICE", " alice ", "Alice", "\uff21\uff2c\uff29\uff23\uff25"]
)
def test_a_user_has_one_name_however_it_is_typed(installation, alice, name):
    assert (
        prove_password(installation.client(), alice, username=name).status_code == 303
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda code: str((int(code) + 1) % 10**6).zfill(6), id="wrong"),
        pytest.param(lambda code: code[:5], id="too short"),
        pytest.param(lambda code: code + "0", id="too long"),
        pytest.param(lambda code: "", id="empty"),
        pytest.param(lambda code: "abcdef", id="letters"),
        pytest.param(
            lambda code: "".join(chr(0xFF10 + int(c)) for c in code), id="full-width"
        ),
        pytest.param(lambda code: "9" * 10_000, id="endless"),
    ],
)
def test_a_wrong_code_opens_nothing(installation, alice, change):
    browser = installation.client()
    prove_password(browser, alice)

    answer = submit(browser, CODE, code=change(installation.code(alice)))

    assert answer.status_code == 401
    assert "That code was not right." in answer.text
    assert not has_session(browser)


def test_a_code_may_be_typed_with_a_space(installation, alice):
    browser = installation.client()
    prove_password(browser, alice)
    code = installation.code(alice)

    assert submit(browser, CODE, code=f" {code[:3]} {code[3:]} ").status_code == 303


@pytest.fixture
def broken(installation, alice):
    """A second authenticator of Alice's, whose secret cannot be opened."""
    store = installation.accounts.store
    (phone,) = store.authenticators("alice")
    other = replace(phone, id="broken", sealed=f"k00000000{phone.sealed[9:]}")
    store.add_authenticator(other, only=False)


@pytest.mark.usefixtures("broken")
def test_a_secret_that_cannot_be_opened_gives_no_free_guesses(installation, alice):
    """A code that another authenticator could judge was judged."""
    browser = installation.client()
    prove_password(browser, alice)

    wrong = f"{(int(installation.code(alice)) + 1) % 10**6:06}"
    statuses = [submit(browser, CODE, code=wrong).status_code for _ in range(7)]

    assert statuses == [401] * 5 + [429] * 2
    assert installation.accounts.store.count("code:alice").failures == 5


@pytest.mark.usefixtures("broken")
def test_the_other_authenticator_goes_on(installation, alice):
    browser = installation.client()
    prove_password(browser, alice)

    answer = submit(browser, CODE, code=installation.code(alice))

    assert answer.status_code == 303
    assert has_session(browser)


def test_where_no_secret_can_be_opened_nobody_guessed(installation, alice, caplog):
    store = installation.accounts.store
    (phone,) = store.authenticators("alice")
    gone = f"k00000000{phone.sealed[9:]}"
    assert store.replace_sealed(phone.id, phone.sealed, gone)
    browser = installation.client()
    prove_password(browser, alice)

    answer = submit(browser, CODE, code=installation.code(alice))

    assert answer.status_code == 503
    assert not has_session(browser)
    assert store.count("code:alice").failures == 0
    assert f"authenticator {phone.id}: a sealed secret" in caplog.text


def test_a_reset_while_a_code_is_judged_leaves_no_session(
    installation, alice, monkeypatch
):
    """What a reset ends does not hold a session that begins right after it."""
    store = installation.accounts.store
    add = store.add_session

    def late(session, **more):
        store.remove_authenticators(alice.name)
        return add(session, **more)

    monkeypatch.setattr(store, "add_session", late)
    browser = installation.client()
    prove_password(browser, alice)

    answer = submit(browser, CODE, code=installation.code(alice))

    assert answer.status_code == 503
    assert not has_session(browser)
    assert store.sessions(alice.name) == []


def test_a_code_works_once(installation, alice):
    first, second = installation.client(), installation.client()
    prove_password(first, alice)
    prove_password(second, alice)
    code = installation.code(alice)

    assert submit(first, CODE, code=code).status_code == 303
    assert submit(second, CODE, code=code).status_code == 401


def test_a_code_works_once_over_a_restart(installation, alice):
    browser = installation.client()
    prove_password(browser, alice)
    code = installation.code(alice)
    submit(browser, CODE, code=code)

    installation.restart()
    browser = installation.client()
    prove_password(browser, alice)

    assert submit(browser, CODE, code=code).status_code == 401


def test_a_code_before_the_last_one_is_dead(installation, alice):
    browser = installation.client()
    prove_password(browser, alice)
    assert submit(browser, CODE, code=installation.code(alice)).status_code == 303

    other = installation.client()
    prove_password(other, alice)

    assert (
        submit(other, CODE, code=installation.code(alice, steps=-1)).status_code == 401
    )


@pytest.mark.parametrize(
    ("steps", "status"),
    [(-3, 401), (-2, 401), (-1, 303), (0, 303), (1, 303), (2, 401), (3, 401)],
)
def test_a_code_may_be_a_step_early_or_late(installation, alice, steps, status):
    browser = installation.client()
    prove_password(browser, alice)

    answer = submit(browser, CODE, code=installation.code(alice, steps=steps))

    assert answer.status_code == status


def test_the_code_page_needs_the_password_first(installation, alice):
    browser = installation.client()

    assert browser.get(CODE).headers["Location"] == LOGIN
    answer = browser.post(CODE, data={"code": "123456", "csrf_token": "x"})
    assert answer.headers["Location"] == LOGIN


def test_a_proven_password_counts_for_five_minutes(installation, alice):
    browser = installation.client()
    prove_password(browser, alice)

    installation.clock.tick(299)
    assert browser.get(CODE).status_code == 200
    installation.clock.tick(1)
    assert browser.get(CODE).headers["Location"] == LOGIN


def test_a_proven_password_opens_nothing_but_the_code_page(installation, alice):
    browser = installation.client()
    prove_password(browser, alice)
    value = browser.get_cookie("__Host-totp_gate_login", domain=HOST).value
    echo.calls = 0

    assert browser.get("/").status_code == 303
    browser.set_cookie(SESSION, value, domain=HOST)
    assert browser.get("/").status_code == 303
    assert echo.calls == 0


def test_a_password_changed_between_the_steps_ends_the_sign_in(installation, alice):
    browser = installation.client()
    prove_password(browser, alice)
    hashed = installation.accounts.passwords.hash("another password")
    installation.accounts.store.save_password("alice", hashed)

    assert browser.get(CODE).headers["Location"] == LOGIN


def test_a_new_sign_in_ends_the_session_before(installation, alice, browser):
    before = browser.get_cookie(SESSION, domain=HOST).value

    browser.delete_cookie(SESSION, domain=HOST)
    page = browser.get(LOGIN)
    browser.set_cookie(SESSION, before, domain=HOST)
    fields = {"username": "alice", "password": alice.password}
    browser.post(LOGIN, data=fields | {"csrf_token": token_of(page)})
    installation.clock.tick(60)
    submit(browser, CODE, code=installation.code(alice))

    assert browser.get_cookie(SESSION, domain=HOST).value != before
    thief = installation.client()
    thief.set_cookie(SESSION, before, domain=HOST)
    assert thief.get("/").status_code == 303


def test_a_cookie_planted_before_the_sign_in_is_never_adopted(installation, alice):
    browser = installation.client()
    browser.set_cookie(SESSION, "planted", domain=HOST)

    installation.sign_in(alice, browser)

    assert browser.get_cookie(SESSION, domain=HOST).value != "planted"


def test_the_cookies_are_as_tight_as_they_can_be(installation, alice):
    browser = installation.client()
    answers = [browser.get(LOGIN), prove_password(browser, alice)]
    answers.append(submit(browser, CODE, code=installation.code(alice)))
    lines = [line for one in answers for line in one.headers.getlist("Set-Cookie")]

    assert len(lines) >= 4
    for line in lines:
        assert line.startswith("__Host-totp_gate")
        assert "; Path=/" in line
        assert "; Secure" in line
        assert "; HttpOnly" in line
        assert "; SameSite=Lax" in line
        assert "Domain" not in line
        assert len(line.partition(";")[0]) <= 4096
    lasting = [line for line in lines if "Max-Age" in line and "Max-Age=0" not in line]
    assert [line.partition("=")[0] for line in lasting] == ["__Host-totp_gate_device"]


def test_nothing_personal_stands_in_a_cookie(installation):
    import base64

    person = installation.add_user("annabelle-longest-name", email="anna@example.com")
    browser = installation.client()
    prove_password(browser, person)
    values = [browser.get_cookie("__Host-totp_gate_login", domain=HOST).value]
    installation.sign_in(person, browser)
    values.append(browser.get_cookie(SESSION, domain=HOST).value)

    for value in values:
        for part in value.split("."):
            clear = base64.urlsafe_b64decode(part + "==")
            assert b"anna" not in clear


def test_an_old_hash_is_replaced_at_sign_in(installation):
    import bcrypt

    from totp_gate.model import User

    hashed = bcrypt.hashpw(b"correct horse battery", bcrypt.gensalt(4)).decode()
    store = installation.accounts.store
    store.add_users([User(name="old", password_hash=hashed)])
    browser = installation.client()

    submit(browser, LOGIN, username="old", password="wrong")
    assert store.user("old").password_hash == hashed
    submit(browser, LOGIN, username="old", password="correct horse battery")

    assert store.user("old").password_hash.startswith("$argon2id$")


def test_a_password_that_is_void_opens_nothing_until_a_link_sets_another(
    installation, alice, browser
):
    accounts = installation.accounts
    waiting = installation.client()
    submit(waiting, "/_gate/login", username="alice", password=alice.password)
    accounts.store.save_password("alice", None)

    assert browser.get("/").status_code == 303
    half_way = waiting.get("/_gate/second-factor")
    assert half_way.headers["Location"] == "/_gate/login"
    for typed in (alice.password, "", "None"):
        answer = submit(
            installation.client(), "/_gate/login", username="alice", password=typed
        )
        assert answer.status_code == 401


PAGES = {
    "/_gate/second-factor": {},
    "/_gate/account/confirm": {"password": "correct horse battery"},
    "/_gate/account/password": {
        "current_password": "correct horse battery",
        "password": "plover-meridian-quartz-71",
        "password_again": "plover-meridian-quartz-71",
    },
}


class TestAClockThatIsBehind:
    """Every page that asks for a code says so, and nothing that contradicts it."""

    def check(self, installation, alice, browser, page, typed):
        code = installation.code(alice, steps=-10)
        answer = submit(browser, page, code=code, **typed)

        assert "about 5 min behind" in answer.text
        assert "wait for the next" not in answer.text.lower()
        (newest, *_) = installation.accounts.store.events("alice")
        assert (newest.event, newest.detail) == ("clock-off", "-300 s")

    @pytest.mark.parametrize("page", list(PAGES))
    def test_somebody_who_is_signed_in_is_told(self, installation, alice, page):
        browser = installation.sign_in(alice)

        self.check(installation, alice, browser, page, PAGES[page])

    def test_somebody_half_way_in_is_told(self, installation, alice):
        browser = installation.client()
        submit(browser, LOGIN, username="alice", password=alice.password)

        self.check(installation, alice, browser, CODE, {})
