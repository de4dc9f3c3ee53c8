"""A session ends when it should, and everybody feels it."""

import re
from html import unescape

import pytest

from totp_gate.testing import Client, submit

HOST = "app.example.com"
SESSION = "__Host-totp_gate"


@pytest.fixture
def copy(installation, browser, twin):
    """The same cookie, shown to the second process, which remembers it by now."""
    other = Client(twin)
    other.origin = installation.origin
    value = browser.get_cookie(SESSION, domain=HOST).value
    other.set_cookie(SESSION, value, domain=HOST)
    assert other.get("/").status_code == 200
    return other


def sign_out(browser):
    return submit(browser, "/_gate/logout")


def test_signing_out_ends_the_session_everywhere(browser, copy):
    answer = sign_out(browser)

    assert answer.status_code == 200
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert browser.get_cookie(SESSION, domain=HOST) is None
    assert copy.get("/").status_code == 303


def test_looking_at_the_sign_out_page_changes_nothing(browser):
    assert browser.get("/_gate/logout").status_code == 200
    assert browser.get("/").status_code == 200


def test_a_copied_cookie_is_dead_after_a_restart_too(installation, browser):
    value = browser.get_cookie(SESSION, domain=HOST).value
    sign_out(browser)

    installation.restart()
    thief = installation.client()
    thief.set_cookie(SESSION, value, domain=HOST)

    assert thief.get("/").status_code == 303


def test_a_session_survives_a_restart(installation, browser):
    installation.restart()
    again = installation.client()
    value = browser.get_cookie(SESSION, domain=HOST).value
    again.set_cookie(SESSION, value, domain=HOST)

    assert again.get("/").status_code == 200


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda a: a.store.end_sessions("alice"), id="revoked"),
        pytest.param(lambda a: a.store.end_sessions(None), id="all revoked"),
        pytest.param(lambda a: a.store.remove_user("alice"), id="user removed"),
        pytest.param(
            lambda a: a.store.change_user("alice", disabled=True),
            id="user disabled",
        ),
        pytest.param(
            lambda a: a.store.save_password("alice", a.passwords.hash("another one")),
            id="password changed",
        ),
    ],
)
def test_an_end_is_felt_at_the_next_request_of_every_process(
    installation, browser, copy, end
):
    assert browser.get("/").status_code == 200

    end(installation.accounts)

    assert browser.get("/").status_code == 303
    assert copy.get("/").status_code == 303


def test_a_change_of_groups_is_felt_by_running_sessions(installation, browser, copy):
    store = installation.accounts.store
    store.change_user("alice", groups=("guests",))

    assert copy.get("/").json["HTTP_REMOTE_GROUPS"] == "guests"
    assert browser.get("/").json["HTTP_REMOTE_GROUPS"] == "guests"


def test_a_better_hash_ends_no_session(installation, browser, copy):
    accounts = installation.accounts
    hashed = accounts.passwords.hash("correct horse battery")

    old = accounts.store.user("alice").password_hash
    assert accounts.store.renew_hash("alice", old, hashed)

    assert copy.get("/").status_code == 200


def test_an_idle_session_ends(installation, browser):
    installation.clock.tick(3599)
    assert browser.get("/").status_code == 200
    installation.clock.tick(3601)
    assert browser.get("/").status_code == 303


def test_a_busy_session_ends_after_its_lifetime(installation, browser):
    for _ in range(48):
        installation.clock.tick(1790)
        assert browser.get("/").status_code == 200
    installation.clock.tick(1790)

    assert browser.get("/").status_code == 303


def test_activity_in_one_process_counts_in_the_other(installation, browser, copy):
    for _ in range(4):
        installation.clock.tick(1800)
        assert browser.get("/").status_code == 200

    assert copy.get("/").status_code == 200


def test_a_clock_set_back_does_not_prolong_a_session(installation, browser):
    installation.clock.tick(-7200)

    assert browser.get("/").status_code in {200, 303}
    installation.clock.tick(7200 + 3601)
    assert browser.get("/").status_code == 303


def test_two_sessions_of_one_user_are_apart(installation, alice, browser):
    other = installation.sign_in(alice)

    sign_out(other)

    assert browser.get("/").status_code == 200


def test_the_oldest_session_ends_where_there_is_a_limit(tmp_path):
    from tests.applications import echo
    from totp_gate.testing import Installation

    installation = Installation(echo, tmp_path, "[session]\nmax_per_user = 2\n")
    alice = installation.add_user("alice")
    browsers = [installation.sign_in(alice) for _ in range(3)]

    assert [one.get("/").status_code for one in browsers] == [303, 200, 200]


def test_a_sign_out_form_of_another_session_does_nothing(installation, alice, browser):
    other = installation.sign_in(alice)
    page = other.get("/_gate/logout")
    token = unescape(re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1])

    answer = browser.post("/_gate/logout", data={"csrf_token": token})

    assert answer.status_code == 403
    assert browser.get("/").status_code == 200


def test_a_duplicated_session_cookie_is_no_session(installation, browser):
    value = browser.get_cookie(SESSION, domain=HOST).value
    twice = f"{SESSION}={value}; {SESSION}={value}"

    client = Client(installation.gate, use_cookies=False)
    answer = client.get("/", headers={"Cookie": twice})

    assert answer.status_code == 303


@pytest.mark.parametrize(
    "name",
    ["totp_gate", "__host-totp_gate", "__Secure-totp_gate", " __Host-totp_gatex"],
)
def test_only_the_exact_name_is_believed(installation, browser, name):
    value = browser.get_cookie(SESSION, domain=HOST).value

    client = Client(installation.gate, use_cookies=False)
    answer = client.get("/", headers={"Cookie": f"{name}={value}"})

    assert answer.status_code == 303


def test_the_old_key_counts_until_it_is_removed(installation, browser):
    from totp_gate.core.keys import new_line

    keys = installation.folder / "gate.keys"
    old = keys.read_text()
    value = browser.get_cookie(SESSION, domain=HOST).value

    keys.write_text(new_line("2026-06-01") + "\n" + old)
    installation.restart()
    again = installation.client()
    again.set_cookie(SESSION, value, domain=HOST)
    assert again.get("/").status_code == 200

    keys.write_text(new_line("2026-06-01") + "\n")
    installation.restart()
    assert again.get("/").status_code in {200, 303}
    gone = installation.client()
    gone.set_cookie(SESSION, value, domain=HOST)
    assert gone.get("/").status_code == 303
