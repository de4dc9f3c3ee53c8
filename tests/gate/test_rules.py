"""What the rules of a settings file do to requests, seen from outside."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest

from tests.applications import echo
from totp_gate.testing import Client, Installation

PROGRAM = {"Accept": "application/json"}
RULES = """
[[rules]]
name = "secret"
paths = ["/pub/secret/*"]
policy = "deny"
[[rules]]
name = "public"
paths = ["/pub/*"]
policy = "public"
[[rules]]
name = "read"
paths = ["/read"]
methods = ["GET"]
policy = "public"
[[rules]]
name = "kept"
paths = ["/kept/*"]
methods = ["DELETE"]
policy = "deny"
[[rules]]
name = "callback"
paths = ["/hook"]
query = { kind = "ping" }
policy = "public"
[[rules]]
name = "admin"
paths = ["/admin/*"]
groups = ["staff"]
networks = ["127.0.0.0/8"]
[[rules]]
name = "fresh"
paths = ["/fresh"]
max_age = "10m"
[[rules]]
name = "api"
paths = ["/api/*"]
methods = ["GET", "POST"]
preflight = true
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    made = Installation(echo, tmp_path_factory.mktemp("rules"), RULES)
    yield made
    made.accounts.store.close()


@pytest.fixture(scope="module")
def staff(gate):
    return gate.sign_in(gate.add_user("alice", groups=["staff"]))


@pytest.fixture(scope="module")
def other(gate):
    return gate.sign_in(gate.add_user("bob"))


@pytest.fixture(autouse=True)
def _count():
    echo.calls = 0


def ask(browser, raw, method="GET", headers=(), **environ):
    """Send the request target *raw*, with what a server makes of it."""
    path, _, query = raw.partition("?")
    overrides = {
        "RAW_URI": raw,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        **environ,
    }
    sent = {**PROGRAM, **dict(headers)}
    if "Content-Length" in sent:
        overrides["CONTENT_LENGTH"] = sent.pop("Content-Length")
    return browser.open("/", method=method, headers=sent, environ_overrides=overrides)


def test_a_public_place_lets_everybody_in_as_nobody(gate):
    answer = ask(gate.client(), "/pub/page")

    assert answer.status_code == 200
    assert answer.json["HTTP_REMOTE_USER"] == ""
    assert "REMOTE_USER" not in answer.json


def test_whoever_is_signed_in_is_named_in_a_public_place_too(staff):
    assert ask(staff, "/pub/page").json["HTTP_REMOTE_USER"] == "alice"


INTO_THE_DENIED = [
    "/pub/secret",
    "/pub/secret/",
    "/pub/secret/x",
    "/pub/SECRET/x",
    "/PUB/secret/x",
    "/pub/Secret",
    "/pub/%73ecret/x",
    "/pub/%53ecret/x",
    "/pub/s%65cret",
    "/%70ub/secret/x",
    "/pub/%2573ecret/x",
    "/pub/%252573ecret/x",
    "/pub%2Fsecret/x",
    "/pub%2fsecret%2fx",
    "/pub%252Fsecret/x",
    "/pub/secret%2Fx",
    "/pub//secret/x",
    "//pub/secret/x",
    "///pub/secret/x",
    "/pub///secret//x",
    "/pub/secret//",
    "/pub/./secret/x",
    "/pub/x/../secret/x",
    "/pub/%2e/secret/x",
    "/pub/x/%2e%2e/secret/x",
    "/pub/x/%252e%252e/secret/x",
    "/pub/..;/pub/secret/x",
    "/pub/x/..;a/secret/x",
    "/pub/secret;a=1/x",
    "/pub/secret;/x",
    "/pub;a=1/secret/x",
    "/pub/;/secret/x",
    "/pub/;a/secret",
    "/pub/secret%3Ba/x",
    "/pub/secret%3B",
    "/pub/secret%3Fx",
    "/pub/secret%23x",
    "/pub/secret%00",
    "/pub/secret%00/x",
    "/pub%5Csecret/x",
    "/pub\\secret/x",
    "/pub/secret%5C",
    "/pub/%C5%BFecret/x",
    "/pub/secret/x?a=/pub/page",
    "/pub/secret?",
    "//evil.example/../pub/secret/x",
    "/x//pub/secret/../../../pub/secret",
]


@pytest.mark.parametrize("raw", INTO_THE_DENIED)
def test_no_spelling_leads_from_the_denied_to_the_public(gate, staff, raw):
    for browser in (gate.client(), staff):
        assert ask(browser, raw).status_code in {400, 401, 403, 405}
    assert echo.calls == 0


OUT_OF_THE_PUBLIC = [
    "/pub",
    "/Pub/x",
    "/PUB/x",
    "/public/x",
    "/pubx",
    "/pub%2F",
    "/pub%2Fx",
    "/pub;/x",
    "/pub;a/x",
    "/pub%3B/x",
    "/pub/../admin/x",
    "/pub/%2e%2e/admin/x",
    "/pub/%2E%2E%2Fadmin",
    "/pub/..%2fadmin",
    "/pub/..;/admin/x",
    "/pub/%252e%252e/admin",
    "/pub/..%5Cadmin",
    "/pub/..\\admin",
    "/pub//..//admin",
    "//pub/x",
    "//pub//x",
    "//x/pub/x",
    "/admin/x?/pub/x",
    "/admin/x#/pub/x",
    "/admin/x;/pub/x",
    "/admin%3F/pub/x",
    "/%61dmin/x",
    "/admin//pub/x",
    "/x/pub/y",
    "/*",
    "*",
    "/read/",
    "/Read",
    "/read/x",
    "/read;x",
    "/read%2F",
    "/read%20",
    "http://app.example.com/admin/x",
    "http://evil.example/pub/x",
    "/hook",
    "/hook?kind=Ping",
    "/hook?Kind=ping",
    "/hook?kind=ping&kind=x",
    "/hook?kind=x&kind=ping",
    "/hook?x=1;kind=ping",
    "/hook?kind=ping;x=1",
    "/hook?kind[]=ping",
    "/hook?xkind=ping",
]


@pytest.mark.parametrize("raw", OUT_OF_THE_PUBLIC)
def test_no_spelling_leads_out_of_the_public(gate, raw):
    assert ask(gate.client(), raw).status_code in {400, 401, 403}
    assert echo.calls == 0


@pytest.mark.parametrize(
    "raw",
    [
        "/pub/",
        "/pub/x",
        "/pub/%78",
        "/%70ub/x",
        "/pub/a/b?c=/admin/x",
        "/read",
        "/hook?kind=ping&a=1",
    ],
)
def test_the_public_is_public(gate, raw):
    assert ask(gate.client(), raw).status_code == 200


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "get"]
)
def test_another_method_is_not_meant(gate, method):
    assert ask(gate.client(), "/read", method=method).status_code == 401
    assert echo.calls == 0


def test_get_covers_head(gate):
    assert ask(gate.client(), "/read", method="HEAD").status_code == 200


@pytest.mark.parametrize(
    "header",
    ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"],
)
def test_a_header_makes_no_other_method_of_one_that_is_meant(gate, staff, header):
    """Frameworks that believe it would do a DELETE where a rule only lets GET pass."""
    sent = {header: "DELETE"}
    assert ask(staff, "/read").status_code == 200

    assert ask(gate.client(), "/read", headers=sent).status_code == 400
    assert ask(staff, "/read", headers=sent).status_code == 400
    assert echo.calls == 1
    assert ask(staff, "/x", headers=sent).status_code == 200


OVERRIDE = "X-HTTP-Method-Override"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({OVERRIDE: "GET,DELETE"}, id="two"),
        pytest.param({OVERRIDE: "GET, GET"}, id="the same twice"),
        pytest.param({OVERRIDE: "DELETE,DELETE"}, id="what is denied, twice"),
        pytest.param({OVERRIDE: "DELETE;q=1"}, id="with a parameter"),
        pytest.param({OVERRIDE: "GET DELETE"}, id="with a space"),
        pytest.param({OVERRIDE: ""}, id="none"),
        pytest.param({OVERRIDE: "\xdf"}, id="no letter of a method"),
        pytest.param({"X.HTTP.Method.Override": "DELETE"}, id="dots"),
        pytest.param({"X_HTTP_Method_Override": "DELETE"}, id="underscores"),
        pytest.param({"X-Http~Method": "delete"}, id="another sign"),
        pytest.param({OVERRIDE: "GET", "X-HTTP.Method-Override": "GET"}, id="twice"),
    ],
)
def test_what_could_be_read_as_another_method_is_refused(gate, staff, sent):
    assert ask(gate.client(), "/read", headers=sent).status_code == 400
    assert ask(staff, "/read", headers=sent).status_code == 400
    assert ask(staff, "/kept/1", method="POST", headers=sent).status_code == 400
    assert echo.calls == 0


def test_the_application_finds_what_was_judged_under_its_usual_name(gate):
    answer = ask(gate.client(), "/read", headers={"X.HTTP.Method.Override": "head"})

    assert answer.json["HTTP_X_HTTP_METHOD_OVERRIDE"] == "head"
    assert "HTTP_X.HTTP.METHOD.OVERRIDE" not in answer.json


def test_those_a_rule_names_may_pass(gate, staff, other):
    assert ask(staff, "/admin/users").status_code == 200
    assert ask(other, "/admin/users").status_code == 403
    assert ask(gate.client(), "/admin/users").status_code == 401
    assert echo.calls == 1


def test_an_escape_that_means_itself_changes_nothing(staff, other):
    assert ask(staff, "/%61dmin/users").status_code == 200
    assert ask(other, "/%61dmin/users").status_code == 403


def test_a_rule_is_held_to_wherever_a_session_is_carried(staff):
    """What was permitted to a session from one address is not from another."""
    assert ask(staff, "/admin/x").status_code == 200
    assert ask(staff, "/admin/x", REMOTE_ADDR="192.0.2.1").status_code == 403
    assert ask(staff, "/admin/x").status_code == 200


def test_nobody_learns_outside_the_networks_that_a_sign_in_would_help(gate):
    answer = ask(gate.client(), "/admin/x", REMOTE_ADDR="192.0.2.1")

    assert answer.status_code == 403


def test_what_no_rule_decides_needs_two_factors(gate, other):
    assert ask(gate.client(), "/elsewhere").status_code == 401
    assert ask(other, "/elsewhere").status_code == 200


PREFLIGHT = {
    "Origin": "https://other.example",
    "Access-Control-Request-Method": "POST",
}


def without(name):
    return {key: value for key, value in PREFLIGHT.items() if key != name}


@pytest.mark.parametrize(
    ("raw", "method", "headers", "status"),
    [
        pytest.param("/api/x", "OPTIONS", PREFLIGHT, 200, id="a preflight"),
        pytest.param("/x", "OPTIONS", PREFLIGHT, 401, id="no rule says so"),
        pytest.param("/admin/x", "OPTIONS", PREFLIGHT, 401, id="a rule without it"),
        pytest.param("/pub/secret", "OPTIONS", PREFLIGHT, 403, id="denied"),
        pytest.param("/api/x", "OPTIONS", without("Origin"), 401, id="no origin"),
        pytest.param("/api/x", "OPTIONS", {}, 401, id="just options"),
        pytest.param(
            "/api/x",
            "OPTIONS",
            without("Access-Control-Request-Method"),
            401,
            id="no method to come",
        ),
        pytest.param("/api/x", "GET", PREFLIGHT, 401, id="another method"),
        pytest.param("/api/x", "POST", PREFLIGHT, 401, id="a method of the rule"),
        pytest.param(
            "/API/x", "OPTIONS", PREFLIGHT, 200, id="a strict rule reads wide"
        ),
        pytest.param(
            "/api/x", "OPTIONS", {**PREFLIGHT, "Content-Length": "3"}, 401, id="a body"
        ),
        pytest.param(
            "/api/x",
            "OPTIONS",
            {**PREFLIGHT, "Transfer-Encoding": "chunked"},
            401,
            id="a body of unknown length",
        ),
        *(
            pytest.param("/api/x", "OPTIONS", {**PREFLIGHT, name: "POST"}, 400, id=name)
            for name in ("X-HTTP-Method-Override", "X.HTTP_Method", "x-method-override")
        ),
        pytest.param(
            "/api/x",
            "OPTIONS",
            {**PREFLIGHT, "Upgrade": "h2c", "Connection": "Upgrade"},
            403,
            id="an upgrade",
        ),
        pytest.param(
            "/api/x",
            "OPTIONS",
            {
                **PREFLIGHT,
                "Origin": "https://app.example.com",
                "Upgrade": "websocket",
                "Connection": "Upgrade",
            },
            401,
            id="an upgrade for our own page",
        ),
    ],
)
def test_a_preflight_passes_where_a_rule_says_so(gate, raw, method, headers, status):
    answer = ask(gate.client(), raw, method=method, headers=headers)

    assert answer.status_code == status
    assert echo.calls == (status == 200)


def test_a_preflight_that_passed_lets_nothing_else_pass(gate):
    client = gate.client()

    assert ask(client, "/api/x", method="OPTIONS", headers=PREFLIGHT).status_code == 200
    assert ask(client, "/api/x").status_code == 401


def test_an_app_token_stands_for_no_fresh_code(gate, staff):
    text, _ = gate.accounts.app_tokens.make(
        "alice", "cron", now=gate.clock(), expires=gate.clock() + 3600
    )
    client = Client(gate.gate, use_cookies=False)
    sent = {"Gate-Token": text}

    assert ask(client, "/x", headers=sent).status_code == 200
    assert ask(client, "/admin/x", headers=sent).status_code == 200
    assert ask(client, "/fresh", headers=sent).status_code == 403
    assert ask(client, "/pub/secret", headers=sent).status_code == 403


def test_a_policy_that_fails_closes_the_gate(gate, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no judgement")

    monkeypatch.setattr(gate.gate._judgement.policy, "decide", fail)

    assert ask(gate.client(), "/pub/x").status_code == 500
    assert echo.calls == 0
