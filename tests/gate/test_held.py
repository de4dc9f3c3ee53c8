"""What was being sent when a session had ended is kept, shown, and sent once."""

from __future__ import annotations

import json
import re
from html import unescape
from urllib.parse import urlencode

import pytest

from tests.applications import echo
from totp_gate.errors import StoreUnavailable
from totp_gate.testing import ORIGIN, Installation, submit

HERE = {"Origin": ORIGIN}
TEXT = "A long comment, with ä & = signs. " * 300
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BODY = urlencode({"comment": TEXT}).encode()
DEVICE = "__Host-totp_gate_device"
SESSION = "__Host-totp_gate"
HOST = "app.example.com"


@pytest.fixture
def late(installation, browser):
    """A browser whose session has just ended."""
    installation.clock.tick(3601)
    echo.calls = 0
    return browser


def send(browser, path="/comment?id=1", *, body=BODY, method="POST", **more):
    sent = HERE | FORM | more
    return browser.open(path, method=method, data=body, headers=sent)


def press(browser, label: str):
    """Press one of the two buttons of the page."""
    page = browser.get("/_gate/held")
    for form in re.findall(r"<form\b.*?</form>", page.text, re.DOTALL):
        if label in form:
            hidden = re.findall(r'type="hidden" name="(.*?)" value="(.*?)"', form)
            action = unescape(re.search(r'action="(.*?)"', form)[1])
            return browser.post(action, data=dict(hidden), headers=HERE)
    raise AssertionError(f"no {label} on {page.text}")


def test_a_form_is_kept_shown_and_sent_once(installation, alice, late):
    answer = send(late)
    assert answer.headers["Gate-Held"]
    assert answer.status_code == 303

    installation.sign_in(alice, late)
    page = late.get("/_gate/held")
    assert "POST /comment?id=1" in page.text
    assert "A long comment, with ä &amp; = signs." in page.text
    assert echo.calls == 0
    answer = press(late, "Send it now")

    assert answer.status_code == 200
    assert answer.json["body"].encode("latin-1") == BODY
    assert answer.json["REQUEST_METHOD"] == "POST"
    assert answer.json["PATH_INFO"] == "/comment"
    assert answer.json["QUERY_STRING"] == "id=1"
    assert answer.json["CONTENT_TYPE"] == FORM["Content-Type"]
    assert answer.json["HTTP_ORIGIN"] == ORIGIN
    assert answer.json["REMOTE_USER"] == "alice"
    assert "totp_gate" not in answer.json.get("HTTP_COOKIE", "")
    assert echo.calls == 1
    assert late.get("/_gate/held").headers["Location"] == "/"


def test_signing_in_leads_to_what_was_kept(installation, alice, late):
    send(late)
    installation.clock.tick(30)
    person = {"username": alice.name, "password": alice.password}
    answer = submit(late, "/_gate/login?next=/reports", **person)
    code = installation.code(alice)
    answer = submit(late, answer.headers["Location"], code=code)

    assert answer.headers["Location"] == "/_gate/held?next=/reports"
    assert press(late, "Discard it").headers["Location"].startswith("/_gate/held")
    assert echo.calls == 0


def test_what_is_dropped_is_gone(installation, alice, late):
    send(late)
    installation.sign_in(alice, late)

    press(late, "Discard it")

    assert late.get("/_gate/held").status_code == 303
    assert echo.calls == 0


def sent_again(browser, mark: str, **more):
    """Send what a script sent, as its page does after a sign-in of its own."""
    return send(browser, Accept="application/json", **more | {"Gate-Held": mark})


def test_what_its_page_sends_again_waits_no_longer(installation, alice, late):
    mark = send(late, Accept="application/json").headers["Gate-Held"]
    installation.sign_in(alice, late)

    answer = sent_again(late, mark)

    assert answer.status_code == 200
    assert "HTTP_GATE_HELD" not in answer.json
    assert echo.calls == 1
    assert late.get("/_gate/held").headers["Location"] == "/"


def test_what_met_an_ended_session_twice_is_dropped_in_the_end(
    installation, alice, late
):
    first = send(late, Accept="application/json").headers["Gate-Held"]
    second = sent_again(late, first).headers["Gate-Held"]
    installation.sign_in(alice, late)
    assert first != second

    assert sent_again(late, second).status_code == 200
    assert late.get("/_gate/held").headers["Location"] == "/"


def test_another_tab_loses_nothing_by_what_a_page_sends_again(
    installation, alice, late
):
    mark = send(late, Accept="application/json").headers["Gate-Held"]
    send(late, body=b"comment=of+another+tab")
    installation.sign_in(alice, late)

    assert sent_again(late, mark).status_code == 200
    assert "of another tab" in late.get("/_gate/held").text


def test_nobody_drops_what_another_has_left(installation, alice, late):
    mark = send(late, Accept="application/json").headers["Gate-Held"]
    device = late.get_cookie(DEVICE, domain=HOST).value
    bob = installation.sign_in(installation.add_user("bob"))
    bob.set_cookie(DEVICE, device, domain=HOST, secure=True)
    assert sent_again(bob, mark).status_code == 409
    assert sent_again(installation.client(), mark).status_code == 401

    installation.sign_in(alice, late)
    assert "A long comment" in late.get("/_gate/held").text


@pytest.mark.parametrize("late_by", [0, 16 * 60])
def test_what_one_user_wrote_never_goes_out_as_another(
    installation, alice, late, late_by, capsys
):
    mark = send(late, Accept="application/json").headers["Gate-Held"]
    installation.clock.tick(late_by)
    installation.sign_in(installation.add_user("bob"), late)

    answer = sent_again(late, mark)
    assert answer.status_code == 409
    assert answer.json["error"] == "held_for_another_user"
    assert '"detail": "kept for another user"' in capsys.readouterr().err
    assert echo.calls == 0

    installation.accounts.store.end_sessions("bob")
    installation.sign_in(alice, late)
    assert sent_again(late, mark).status_code == 200


@pytest.mark.parametrize("mark", ["", "x", "é", "0" * 48, "-" * 48])
def test_a_mark_that_is_none_of_ours_stops_at_most_its_sender(
    installation, alice, late, mark
):
    installation.sign_in(alice, late)

    assert sent_again(late, mark).status_code in {200, 409}
    assert sent_again(late, mark[:40]).status_code == 200


def test_what_may_wait_still_is_not_sent(installation, alice, late, monkeypatch):
    mark = send(late, Accept="application/json").headers["Gate-Held"]
    installation.sign_in(alice, late)

    def fail(*_args, **_known):
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(installation.accounts.store, "take_held", fail)

    assert sent_again(late, mark).status_code == 503
    assert echo.calls == 0


def test_one_form_that_is_sent_twice_reaches_the_application_once(
    installation, alice, late
):
    send(late)
    installation.sign_in(alice, late)
    text = late.get("/_gate/held").text
    hidden = dict(re.findall(r'type="hidden" name="(.*?)" value="(.*?)"', text)[:3])
    assert hidden["act"] == "send"

    first = late.post("/_gate/held", data=hidden)
    second = late.post("/_gate/held", data=hidden)

    assert (first.status_code, second.status_code) == (200, 303)
    assert echo.calls == 1


@pytest.mark.parametrize(
    ("method", "kind", "body"),
    [
        pytest.param("POST", "application/json", b'{"a": [1, "\xc3\xa4"]}', id="json"),
        pytest.param("PUT", "image/png", bytes(range(256)) * 99, id="octets"),
        pytest.param("PATCH", "text/plain", b"x" * (1024 * 1024), id="a megabyte"),
        pytest.param("POST", "multipart/form-data; boundary=b", b"--b--", id="upload"),
    ],
)
def test_a_script_gets_the_401_and_every_octet_arrives(
    installation, alice, late, method, kind, body
):
    script = {"Accept": "application/json", "Content-Type": kind, "X-Csrf": "t"}
    answer = send(late, body=body, method=method, **script)

    assert answer.status_code == 401
    assert answer.json["error"] == "login_required"
    assert answer.headers["Gate-Held"]
    installation.sign_in(alice, late)
    received = press(late, "Send it now").json
    assert received["REQUEST_METHOD"] == method
    assert received["CONTENT_TYPE"] == kind
    assert received["HTTP_X_CSRF"] == "t"
    assert received["body"].encode("latin-1") == body


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({"Origin": "https://evil.example"}, id="foreign origin"),
        pytest.param({"Origin": "null"}, id="null"),
        pytest.param({"Origin": "http://app.example.com"}, id="plain http"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="cross-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="same-site"),
        pytest.param({"Sec-Fetch-Site": "none"}, id="none"),
        pytest.param(
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
            id="they disagree",
        ),
    ],
)
def test_from_a_foreign_site_nothing_is_kept(installation, alice, late, sent):
    assert "Gate-Held" not in send(late, **sent).headers

    installation.sign_in(alice, late)
    assert late.get("/_gate/held").status_code == 303


def test_without_any_word_of_where_it_comes_from_nothing_is_kept(late):
    answer = late.post("/comment", data=BODY, headers=FORM)

    assert "Gate-Held" not in answer.headers


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"method": "DELETE"}, id="another method"),
        pytest.param({"body": b""}, id="empty"),
        pytest.param({"body": b"x" * (1024 * 1024 + 1)}, id="too long"),
        pytest.param({"X-Much": "y" * 40_000}, id="too long a head"),
    ],
)
def test_what_is_not_kept(late, change):
    assert "Gate-Held" not in send(late, **change).headers


@pytest.mark.parametrize("gone", [DEVICE, SESSION])
def test_a_stranger_can_leave_nothing(late, gone):
    value = late.get_cookie(gone, domain=HOST).value
    late.set_cookie(gone, value[:-3] + "xyz", domain=HOST)
    assert "Gate-Held" not in send(late).headers

    late.delete_cookie(gone, domain=HOST)
    assert "Gate-Held" not in send(late).headers


def test_somebody_else_does_not_see_it(installation, late):
    bob = installation.add_user("bob")
    send(late)

    installation.sign_in(bob, late)

    assert late.get("/_gate/held").headers["Location"] == "/"
    assert echo.calls == 0


def test_the_same_user_elsewhere_does_not_see_it(installation, alice, late):
    send(late)

    elsewhere = installation.sign_in(alice)

    assert elsewhere.get("/_gate/held").headers["Location"] == "/"


def test_it_is_kept_for_a_quarter_of_an_hour(installation, alice, late):
    send(late)
    installation.clock.tick(15 * 60)

    installation.sign_in(alice, late)

    assert late.get("/_gate/held").headers["Location"] == "/"


def test_a_browser_has_room_for_three_and_one_for_what_is_the_same(late):
    for _ in range(5):
        assert send(late, "/poll").headers["Gate-Held"]
    assert send(late, "/poll", body=b"another=1").headers["Gate-Held"]
    assert send(late, "/third").headers["Gate-Held"]

    assert "Gate-Held" not in send(late, "/fourth").headers


def test_a_poll_takes_no_place_from_what_somebody_typed(installation, alice, late):
    """A page may send everything to one address, as with GraphQL."""
    kind = {"Content-Type": "application/json"}
    send(late, "/api", body=b'{"mutation": "a long comment"}', **kind)
    for number in range(5):
        send(late, "/api", body=b'{"query": "news since %d"}' % number, **kind)
    installation.sign_in(alice, late)

    seen = ""
    for _ in range(3):
        seen += late.get("/_gate/held").text
        press(late, "Discard it")
    assert "a long comment" in seen
    assert late.get("/_gate/held").headers["Location"] == "/"


def test_all_browsers_together_have_a_bound(late, monkeypatch):
    monkeypatch.setattr("totp_gate.accounts.held.MOST_IN_ALL", 1)
    assert send(late, "/first").headers["Gate-Held"]

    assert "Gate-Held" not in send(late, "/second").headers


def test_it_lies_sealed_in_the_store(installation, late):
    send(late, "/secret-path")

    store = installation.accounts.store
    (held,) = store.held(
        installation.accounts.browsers.series(
            late.get_cookie(DEVICE, domain=HOST).value
        ),
        now=installation.clock(),
    )
    assert "comment" not in held.sealed
    assert "secret-path" not in held.sealed


def test_a_form_of_another_site_sends_nothing(installation, alice, late):
    send(late)
    installation.sign_in(alice, late)
    text = late.get("/_gate/held").text
    hidden = dict(re.findall(r'type="hidden" name="(.*?)" value="(.*?)"', text)[:3])

    evil = {"Origin": "https://evil.example"}
    assert late.post("/_gate/held", data=hidden, headers=evil).status_code == 403
    bare = hidden | {"csrf_token": "x"}
    assert late.post("/_gate/held", data=bare, headers=HERE).status_code == 403
    assert echo.calls == 0


def test_a_user_who_was_disabled_sends_nothing(installation, alice, late):
    send(late)
    installation.sign_in(alice, late)
    text = late.get("/_gate/held").text
    hidden = dict(re.findall(r'type="hidden" name="(.*?)" value="(.*?)"', text)[:3])
    store = installation.accounts.store
    store.change_user("alice", disabled=True)

    assert late.post("/_gate/held", data=hidden).status_code == 303
    assert echo.calls == 0


def test_the_policy_judges_it_once_more(tmp_path):
    rules = '[[rules]]\nname = "closed"\npaths = ["/closed/*"]\npolicy = "deny"\n'
    installation = Installation(echo, tmp_path)
    person = installation.add_user("alice")
    browser = installation.sign_in(person)
    installation.clock.tick(3601)
    echo.calls = 0
    send(browser, "/closed/x")
    settings = installation.path.read_text()
    installation.path.write_text(settings + rules)
    installation.restart()
    browser.application = installation.gate
    installation.sign_in(person, browser)

    assert press(browser, "Send it now").status_code == 403
    assert echo.calls == 0
    installation.accounts.store.close()


def test_a_relative_address_in_the_answer_keeps_its_meaning(tmp_path):
    def app(environ, start_response):
        start_response("303 See Other", [("Location", "done?x=1")])
        return [b""]

    installation = Installation(app, tmp_path)
    person = installation.add_user("alice")
    browser = installation.sign_in(person)
    installation.clock.tick(3601)
    send(browser, "/shop/pay")
    installation.sign_in(person, browser)

    assert press(browser, "Send it now").headers["Location"] == "/shop/done?x=1"
    installation.accounts.store.close()


def test_json_is_shown_in_order(installation, alice, late):
    send(
        late, body=json.dumps({"a": 1}).encode(), **{"Content-Type": "application/json"}
    )
    installation.sign_in(alice, late)

    assert "&#34;a&#34;: 1" in late.get("/_gate/held").text


def test_a_length_that_is_none_is_refused_before_anything_is_kept(late):
    answer = late.open(
        "/comment",
        method="POST",
        data=BODY,
        headers=HERE | FORM,
        environ_overrides={"CONTENT_LENGTH": "9" * 5000},
    )

    assert answer.status_code == 400
    assert echo.calls == 0
