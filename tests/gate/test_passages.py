"""What was permitted a moment ago: found quickly, and never more than that.

The judgement is the measure: with what is remembered and without, a request gets the
same answer, and the application the same request.
"""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.applications import echo
from totp_gate.core.headers import environ_key
from totp_gate.testing import Installation
from totp_gate.web import passages
from totp_gate.web.passages import NOTICED, key_for

HOST = "app.example.com"
CLIENT = "192.0.2.9"
PROXY = "127.0.0.2"
TOKEN = "tgt_" + "a" * 43
RULES = """
[[rules]]
name = "near"
paths = ["/near/*"]
networks = ["198.51.100.0/24"]
policy = "public"

[[rules]]
name = "asked"
query = { open = "yes" }
policy = "public"

[[rules]]
name = "write"
methods = ["DELETE"]
policy = "deny"
"""


class Read(dict):
    """An environ that knows which of its keys were looked at."""

    def __init__(self, *args):
        super().__init__(*args)
        self.keys_read = set()

    def __getitem__(self, key):
        self.keys_read.add(key)
        return super().__getitem__(key)

    def __contains__(self, key):
        self.keys_read.add(key)
        return super().__contains__(key)

    def get(self, key, default=None):
        self.keys_read.add(key)
        return super().get(key, default)

    def pop(self, key, *default):
        self.keys_read.add(key)
        return super().pop(key, *default)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("passages")
    echo.calls = 0
    with Installation(echo, folder, RULES, gate={"trusted_proxies": [PROXY]}) as made:
        yield made


@pytest.fixture(scope="module")
def cookie(house):
    return cookies_of(house.sign_in(house.add_user("alice", groups=["staff"])))


@pytest.fixture
def usual(house, cookie):
    """What a browser asks again and again; it was permitted already."""
    asked = environ_of(cookie)
    assert answer(house, asked)[0] == "200 OK"
    assert key_for(asked) in house.gate._passages._known
    return asked


def cookies_of(browser):
    """Return the Cookie header the browser sends."""
    return "; ".join(f"{c.key}={c.value}" for c in browser._cookies.values())


def environ_of(cookie, path="/report", **more):
    environ = EnvironBuilder(path, f"https://{HOST}").get_environ()
    environ |= {"HTTP_COOKIE": cookie, "REMOTE_ADDR": CLIENT, "HTTP_ACCEPT": "*/*"}
    return environ | more


def answer(house, environ):
    """Return what the gate of *house* says (``answer_of``)."""
    return answer_of(house.gate, environ)


def answer_of(gate, environ):
    """Return the status and, where the application was asked, what it received."""
    body, status, _ = run_wsgi_app(gate, copy.copy(environ), buffered=True)
    if status != "200 OK":
        return status, {}
    received = json.loads(b"".join(body))
    received.pop("totp_gate.request_id", None)  # drawn anew each time
    return status, received


def token_of(house):
    """Return the text of an app token of a user who never signs in."""
    if house.accounts.store.user("robot") is None:
        house.add_user("robot")
    now = house.clock()
    made = house.accounts.app_tokens.make("robot", "ci", now=now, expires=now + 3600)
    return made[0]


def is_found(house, environ):
    return house.gate._passages.open(copy.copy(environ))


def test_what_was_permitted_is_found(house, usual):
    assert is_found(house, usual)


def test_it_reaches_the_application_as_it_did(house, usual):
    found = answer(house, usual)
    house.gate._passages._known.clear()

    assert found == answer(house, usual)
    assert found[1]["REMOTE_USER"] == "alice"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("peer", [CLIENT, PROXY])
@pytest.mark.parametrize("path", ["/report", "/near/", "/?open=yes", "/?open=no"])
def test_whatever_the_judgement_reads_is_part_of_the_key(
    house, cookie, method, peer, path
):
    told = {"HTTP_X_FORWARDED_FOR": CLIENT, "HTTP_X_FORWARDED_PROTO": "https"}
    sent = environ_of(cookie, path, REQUEST_METHOD=method, REMOTE_ADDR=peer)
    sent |= told if peer == PROXY else {}
    environ = Read(sent)
    assert house.gate._judge(environ) is None

    held = Read(sent | dict.fromkeys(("HTTP_X_FORWARDED_HOST", *told), ""))
    key_for(held)
    ours = {"REMOTE_USER", "AUTH_TYPE", "totp_gate.told", "REQUEST_URI"}
    movers = {"HTTP_SCRIPT_NAME", "HTTP_PATH_INFO"}  # never plain: only proxies' names
    assert environ.keys_read - ours - movers <= held.keys_read | NOTICED


@pytest.mark.parametrize("key", sorted(NOTICED))
def test_what_makes_a_difference_is_judged(house, usual, key):
    assert not is_found(house, usual | {key: "1"})


@pytest.mark.parametrize("key", ["HTTP_AUTHORIZATION", "HTTP_GATE_TOKEN"])
def test_a_token_opens_nothing_for_a_request_without_it(house, key):
    text = token_of(house)
    stranger = environ_of("theme=dark", "/with-token")
    shown = {key: f"Bearer {text}" if key == "HTTP_AUTHORIZATION" else text}

    assert answer(house, stranger | shown)[1]["REMOTE_USER"] == "robot"
    assert answer(house, stranger)[0].startswith("401")


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "PUT"])
def test_only_reading_is_remembered(house, usual, method):
    asked = usual | {"REQUEST_METHOD": method}
    assert answer(house, asked)[0] == "200 OK"

    assert not is_found(house, asked)


def test_a_web_server_that_the_settings_forgot_is_told_of_again(house, usual):
    asked = usual | {"HTTP_X_FORWARDED_FOR": "198.51.100.1"}
    assert answer(house, asked)[0] == "200 OK"

    assert not is_found(house, asked)


@pytest.mark.parametrize(
    "change",
    [
        {"REQUEST_METHOD": "DELETE"},
        {"REQUEST_METHOD": "TRACE"},
        {"RAW_URI": "/other", "PATH_INFO": "/other"},
        {"RAW_URI": "/other"},
        {"PATH_INFO": "/other"},
        {"SCRIPT_NAME": "/other"},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_COOKIE": "theme=dark"},
        {"REMOTE_ADDR": PROXY},
        {"wsgi.url_scheme": "http"},
        {"HTTP_X_FORWARDED_FOR": "198.51.100.1"},
        {"HTTP_X_FORWARDED_PROTO": "http"},
        {"HTTP_X_FORWARDED_HOST": "evil.example"},
        {"HTTP_X_REAL_IP": "198.51.100.1"},
        {"HTTP_REMOTE_USER": "root"},
        {"HTTP_REMOTE.USER": "root"},
        {"HTTP_SCRIPT_NAME": "/x"},
        {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"},
        {"HTTP_X_HTTP.METHOD_OVERRIDE": "DELETE"},
        {"HTTP_TRANSFER_ENCODING": "chunked"},
        {"CONTENT_LENGTH": "5"},
        {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"},
        {"HTTP_GATE_TOKEN": TOKEN},
        {"HTTP_UPGRADE": "websocket", "HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_NEVER_SEEN_BEFORE": "1"},
    ],
    ids=lambda change: " ".join(change),
)
def test_another_request_is_judged(house, usual, change):
    asked = usual | change

    assert not is_found(house, asked)
    found = answer(house, asked)
    house.gate._passages._known.clear()
    assert found == answer(house, asked)


_NAMES = [
    *("Accept", "Origin", "Range", "Authorization", "Gate-Token", "Upgrade"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP"),
    *("Remote-User", "X-Custom", "X-HTTP-Method", "Gate-Held", "Connection"),
]
_VALUES = ["", "x", "https", "http", CLIENT, "198.51.100.7", HOST, "root", "DELETE"]
_REQUESTS = st.fixed_dictionaries(
    {
        "REQUEST_METHOD": st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS"]),
        "REMOTE_ADDR": st.sampled_from([CLIENT, PROXY, "198.51.100.7"]),
        "HTTP_HOST": st.sampled_from([HOST, HOST.upper(), "evil.example"]),
        "target": st.sampled_from(["/", "/near/", "/?open=yes", "/a?b", "/%2e%2e/a"]),
        "headers": st.dictionaries(
            st.sampled_from(_NAMES), st.sampled_from(_VALUES), max_size=4
        ),
        "known": st.booleans(),
    }
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=st.lists(_REQUESTS, min_size=2, max_size=6))
def test_with_what_is_remembered_and_without_the_answers_are_the_same(
    house, cookie, requests
):
    asked = [_environ(drawn, cookie) for drawn in requests]
    asked += asked  # the second time it may be found

    remembered = [answer(house, environ) for environ in asked]

    for environ, before in zip(asked, remembered, strict=True):
        house.gate._passages._known.clear()
        assert answer(house, environ) == before


def _environ(drawn, cookie):
    environ = environ_of(cookie if drawn["known"] else "theme=dark", drawn["target"])
    environ |= {key: value for key, value in drawn.items() if key.isupper()}
    return environ | {environ_key(n): v for n, v in drawn["headers"].items()}


def test_whoever_goes_on_asking_the_same_stays(installation, browser):
    """A session ends when it is idle, and a passage must not make it look so."""
    idle = installation.accounts.config.session.idle

    for _ in range(3 * int(idle) // 600):
        installation.clock.tick(600)
        assert browser.get("/").status_code == 200


@pytest.mark.parametrize("end", ["end_session", "change_user", "save_password"])
def test_it_ends_with_its_session(installation, browser, end):
    browser.get("/")
    assert browser.get("/").status_code == 200
    accounts = installation.accounts
    store = accounts.store

    if end == "end_session":
        store.end_session(store.sessions("alice")[0].id)
    elif end == "change_user":
        store.change_user("alice", disabled=True)
    else:
        store.save_password("alice", accounts.passwords.hash("another one"))

    assert browser.get("/").status_code == 303


def test_a_fresh_code_that_grows_old_is_asked_for_again(tmp_path):
    rules = '[[rules]]\nname = "fresh"\nmax_age = "30s"\npolicy = "two-factor"\n'
    with Installation(echo, tmp_path, rules) as made:
        browser = made.sign_in(made.add_user("alice"))
        assert [browser.get("/").status_code for _ in range(2)] == [200, 200]

        made.clock.tick(31)  # sooner than its activity is written down

        assert browser.get("/").status_code == 303


def test_only_so_many_are_remembered_and_none_that_is_long(
    installation, browser, monkeypatch
):
    monkeypatch.setattr(passages, "MAX_PASSAGES", 8)
    known = installation.gate._passages._known
    for number in range(30):
        browser.get(f"/{number}")
        assert len(known) <= 8

    known.clear()
    browser.get("/" + "x" * passages.LONGEST_KEY)
    assert not known
