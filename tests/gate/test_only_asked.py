"""A gate without an application: web servers ask it, and it passes nothing on."""

import pytest

from tests.applications import echo
from totp_gate import create_app
from totp_gate.errors import ConfigError
from totp_gate.testing import Installation, submit, write_settings

TRUSTED = {"trusted_proxies": ["127.0.0.1"]}
NAVIGATION = {"Accept": "text/html"}


@pytest.fixture
def asked(tmp_path):
    made = Installation(None, tmp_path, gate=TRUSTED)
    yield made
    made.accounts.store.close()


@pytest.fixture
def alice(asked):
    return asked.sign_in(asked.add_user("alice"))


def described(path, method="GET"):
    """Return the headers by which a web server describes a request."""
    return {
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "app.example.com",
        "X-Forwarded-Method": method,
        "X-Forwarded-Uri": path,
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/page?a=b", "/_gatehouse", "/_gate%2flogin"])
def test_outside_of_its_pages_is_nothing(asked, alice, path, method):
    for visitor in (asked.client(), alice):
        answer = visitor.open(path, method=method, headers=NAVIGATION)

        assert answer.status_code == 404
        assert "Location" not in answer.headers


def test_it_says_why_to_whoever_set_it_up(alice):
    assert "answers the questions of a web server" in alice.get("/").text
    program = alice.get("/api", headers={"Accept": "application/json"})
    assert program.json["error"] == "not_found"


def test_it_shows_its_own_pages_and_answers_whoever_may_ask(asked, alice):
    asking = asked.client()

    assert asking.get("/_gate/login").status_code == 200
    assert alice.get("/_gate/account").status_code == 200
    stranger = asking.get(
        "/_gate/auth/forward", headers=NAVIGATION | described("/page?a=b")
    )
    permitted = alice.get("/_gate/auth/forward", headers=described("/page?a=b"))
    assert stranger.status_code == 303
    assert stranger.headers["Location"].endswith("/_gate/login?next=/page%3Fa%3Db")
    assert permitted.status_code == 200
    assert permitted.headers["Remote-User"] == "alice"


def test_it_is_ready_without_an_application(asked):
    assert asked.client().get("/_gate/readyz").status_code == 200


def test_it_keeps_no_form_that_it_could_not_send(asked, alice):
    asked.clock.tick(3601)
    sent = described("/comment", "POST") | {"Origin": asked.origin}

    answer = alice.post("/_gate/auth/answer", data={"text": "long"}, headers=sent)

    assert answer.status_code == 303
    assert "Gate-Held" not in answer.headers


def test_what_was_kept_for_an_application_that_is_gone_goes_nowhere(tmp_path):
    made = Installation(echo, tmp_path, gate=TRUSTED)
    alice = made.add_user("alice")
    browser = made.sign_in(alice)
    made.clock.tick(3601)
    kept = browser.post("/x", data={"a": "b"}, headers={"Origin": made.origin})
    assert kept.headers["Gate-Held"]
    made.app, echo.calls = None, 0
    made.restart()
    browser.application = made.gate
    made.sign_in(alice, browser)

    answer = submit(browser, "/_gate/held", act="send")

    assert answer.status_code == 404
    assert echo.calls == 0
    made.accounts.store.close()


def test_nobody_forgets_the_application(tmp_path):
    path = write_settings(tmp_path)

    with pytest.raises(ConfigError, match="upstream: is missing"):
        create_app(path)


def test_an_application_that_is_false_is_one_all_the_same(tmp_path):
    class Empty:
        """As an application that is a container, with nothing in it yet."""

        __call__ = staticmethod(echo)

        def __len__(self):
            return 0

    made = Installation(Empty(), tmp_path)
    answer = made.sign_in(made.add_user("alice")).get("/")
    made.accounts.store.close()

    assert answer.status_code == 200
    assert answer.json["REMOTE_USER"] == "alice"
