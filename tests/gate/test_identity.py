"""The application is told who it is by the gate, and by nobody else."""

import itertools

import pytest

from tests.applications import echo
from totp_gate.model import Level
from totp_gate.testing import Client, Installation

NAMES = ["Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"]
FORGED = [
    name.replace("-", mark)
    for name, mark in itertools.product(NAMES, "-_.!~'*+|^`#$%&")
] + [name.upper() for name in NAMES]


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """One gate for all: nothing here changes what the next test sees."""
    made = Installation(echo, tmp_path_factory.mktemp("identity"))
    yield made
    made.accounts.store.close()


@pytest.fixture(scope="module")
def alice(installation):
    return installation.add_user(
        "alice", groups=["staff", "ops"], display="Alice Ä", email="a@example.com"
    )


@pytest.fixture(scope="module")
def browser(installation, alice):
    return installation.sign_in(alice)


def seen(answer):
    return answer.json


def test_the_application_learns_who_it_is(browser):
    environ = seen(browser.get("/"))

    assert environ["REMOTE_USER"] == "alice"
    assert environ["HTTP_REMOTE_USER"] == "alice"
    assert environ["HTTP_REMOTE_GROUPS"] == "staff,ops"
    assert environ["HTTP_REMOTE_NAME"] == "Alice Ä".encode().decode("latin-1")
    assert environ["HTTP_REMOTE_EMAIL"] == "a@example.com"


@pytest.fixture
def telling(tmp_path):
    """A gate, and the identities that its application has been told of."""
    found = []

    def app(environ, start_response):
        found.append(environ["totp_gate.identity"])
        start_response("200 OK", [])
        return []

    with Installation(app, tmp_path) as made:
        yield made, found


def test_the_application_gets_an_identity(telling):
    installation, found = telling
    started = installation.clock()
    installation.sign_in(installation.add_user("alice", groups=["staff"])).get("/")

    (identity,) = found
    assert (identity.user, identity.groups) == ("alice", ("staff",))
    assert identity.level is Level.SECOND_FACTOR
    assert identity.second_factor_at == started + 30
    assert identity.session_id


@pytest.fixture
def showing(tmp_path):
    """A gate whose application shows its environ, and what Alice has for it."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [repr(environ).encode()]

    with Installation(app, tmp_path) as made:
        yield made, made.add_user("alice")


def test_whoever_prints_an_environ_prints_no_cookie_of_ours(showing):
    installation, alice = showing
    browser = installation.sign_in(alice)

    shown = browser.get("/").text

    assert "totp_gate.alive" in shown
    for cookie in browser._cookies.values():
        assert cookie.value not in shown


def test_whoever_prints_an_environ_prints_no_app_token(showing):
    installation, alice = showing
    now = installation.clock()
    tokens = installation.accounts.app_tokens
    text, _ = tokens.make(alice.name, "ci", now=now, expires=now + 99)

    shown = installation.client().get("/", headers={"Gate-Token": text}).text

    assert "'REMOTE_USER': 'alice'" in shown
    assert text not in shown
    assert text.removeprefix("tg_") not in shown


def test_an_app_token_proves_no_factor(telling):
    installation, found = telling
    installation.add_user("alice", groups=["staff"])
    now = installation.clock()
    tokens = installation.accounts.app_tokens
    text, _ = tokens.make("alice", "ci", now=now, expires=now + 99)
    installation.client().get("/", headers={"Gate-Token": text})

    (identity,) = found
    assert (identity.user, identity.groups) == ("alice", ("staff",))
    assert identity.level is Level.NONE
    assert (identity.password_at, identity.second_factor_at) == (None, None)


def test_groups_arrive_whole(installation):
    groups = [f"department-number-{number}" for number in range(40)]
    carol = installation.add_user("carol", groups=groups)

    environ = seen(installation.sign_in(carol).get("/"))

    assert environ["HTTP_REMOTE_GROUPS"] == ",".join(groups)


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_identity_never_arrives(browser, name):
    key = "HTTP_" + name.upper().replace("-", "_")

    environ = browser.get("/", environ_overrides={key: "root"}).json

    assert "root" not in environ.values()
    assert environ["REMOTE_USER"] == environ["HTTP_REMOTE_USER"] == "alice"


@pytest.mark.parametrize("key", ["REMOTE_USER", "AUTH_TYPE"])
def test_an_identity_of_the_server_before_us_does_not_count(browser, key):
    environ = browser.get("/", environ_overrides={key: "root"}).json

    assert "root" not in environ.values()


def test_a_header_with_nothing_to_say_is_there_and_empty(installation):
    bob = installation.add_user("bob")

    environ = seen(installation.sign_in(bob).get("/"))

    for key in ("HTTP_REMOTE_GROUPS", "HTTP_REMOTE_NAME", "HTTP_REMOTE_EMAIL"):
        assert environ[key] == ""


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For",
        "X_Forwarded_For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Forwarded-User",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Real-IP",
        "Forwarded",
        "Proxy",
    ],
)
def test_a_strangers_forwarding_header_is_gone(browser, header):
    key = "HTTP_" + header.upper().replace("-", "_")

    sent = {"REMOTE_ADDR": "203.0.113.9", key: "6.6.6.6"}
    environ = browser.get("/", environ_overrides=sent).json

    assert "6.6.6.6" not in environ.values()
    assert environ["HTTP_X_FORWARDED_FOR"] == "203.0.113.9"
    assert environ["HTTP_X_FORWARDED_HOST"] == "app.example.com"
    assert environ["HTTP_X_FORWARDED_PROTO"] == "https"


def test_a_trusted_proxy_tells_the_address_of_the_client(tmp_path):
    installation = Installation(
        echo, tmp_path, gate={"trusted_proxies": ["127.0.0.0/8"]}
    )
    browser = installation.sign_in(installation.add_user("alice"))

    environ = browser.get(
        "/",
        headers={"X-Forwarded-For": "6.6.6.6, 192.0.2.7", "X-Forwarded-Proto": "https"},
    ).json

    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.7"


@pytest.mark.parametrize(
    ("header", "left"),
    [
        pytest.param("{gate}", None, id="only ours"),
        pytest.param("a=1; {gate}; b=2", "a=1; b=2", id="in the middle"),
        pytest.param("{gate}; a=1", "a=1", id="first"),
        pytest.param("a=1; {gate}", "a=1", id="last"),
        pytest.param('a="x;y"; {gate}', 'a="x;y"', id="a quoted neighbour"),
        pytest.param("totp_gate=old; {gate}; a=1", "a=1", id="without the prefix too"),
    ],
)
def test_the_application_never_sees_our_cookies(installation, browser, header, left):
    cookie = browser.get_cookie("__Host-totp_gate", domain="app.example.com")
    header = header.format(gate=f"__Host-totp_gate={cookie.value}")

    client = Client(installation.gate, use_cookies=False)

    environ = client.get("/", headers={"Cookie": header}).json

    assert environ.get("HTTP_COOKIE") == left


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(
            {"SCRIPT_NAME": "/admin", "PATH_INFO": "/public"}, id="shifted path"
        ),
        pytest.param({"PATH_INFO": "/other"}, id="another path"),
        pytest.param({"HTTP_SCRIPT_NAME": "/admin"}, id="a header that moves"),
        pytest.param({"HTTP_PATH_INFO": "/other"}, id="a header that replaces"),
    ],
)
def test_the_path_judged_is_the_path_served(browser, overrides):
    echo.calls = 0

    answer = browser.get("/x", environ_overrides={"RAW_URI": "/x", **overrides})

    assert answer.status_code == 400
    assert echo.calls == 0


@pytest.mark.parametrize(
    "raw",
    [
        "/a/../b",
        "/a/%2e%2e/b",
        "/a\\b",
        "/a%5cb",
        "/%00",
        "/a#b",
        "/%zz",
        "/%c0%af",
        "http://evil.example/",
        "evil",
        "/\x01",
        "/é",
        "/" + "a" * 9000,
    ],
)
def test_an_ambiguous_target_is_refused(browser, raw):
    echo.calls = 0

    answer = browser.get("/", environ_overrides={"RAW_URI": raw})

    assert answer.status_code in {400, 414}
    assert echo.calls == 0


def test_an_absolute_target_of_our_own_is_understood(browser):
    overrides = {"RAW_URI": "https://app.example.com/x?y=1", "PATH_INFO": "/x"}

    environ = browser.get("/x?y=1", environ_overrides=overrides).json

    assert environ["RAW_URI"] == "/x?y=1"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        pytest.param("https://app.example.com", 200, id="our own"),
        pytest.param(None, 200, id="no browser"),
        pytest.param("https://evil.example", 403, id="another site"),
        pytest.param("null", 403, id="a sandboxed frame"),
    ],
)
def test_an_upgrade_is_for_our_own_pages(browser, capsys, origin, status):
    sent = {"Upgrade": "websocket", "Connection": "Upgrade"}
    if origin:
        sent["Origin"] = origin

    assert browser.get("/ws", headers=sent).status_code == status
    told = '"event": "refused"' in capsys.readouterr().err
    assert told == (status == 403)
