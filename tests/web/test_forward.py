"""Web servers that ask: one decision, believed from trusted proxies, whole or not."""

import json

import pytest

from tests.applications import echo
from totp_gate.errors import StoreUnavailable
from totp_gate.testing import Installation

PROXY = "10.0.0.2"
VISITOR = "192.0.2.7"
OTHER = "https://other.example.org"
NGINX, FORWARD, ENVOY = "/_gate/auth/nginx", "/_gate/auth/forward", "/_gate/auth/envoy"
IDENTITY = ["Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email"]
NAVIGATION = {"Accept": "text/html"}
PROGRAM = {"Accept": "application/json"}
RULES = """
[[rules]]
name = "open"
paths = ["/public/*"]
policy = "public"
[[rules]]
name = "closed"
paths = ["/closed/*"]
policy = "deny"
[[rules]]
name = "from the office"
paths = ["/office/*"]
networks = ["198.51.100.0/24"]
policy = "two-factor"
[[rules]]
name = "reading"
paths = ["/wiki/*"]
methods = ["GET"]
policy = "public"
[[rules]]
name = "api"
paths = ["/api/*"]
preflight = true
[[rules]]
name = "fresh"
paths = ["/fresh/*"]
policy = "two-factor"
max_age = "10m"
"""


def furnished(folder):
    return Installation(
        echo,
        folder,
        f'{RULES}\n[audit]\nfile = "audit.log"\n',
        gate={
            "trusted_proxies": [PROXY],
            "origin": ["https://app.example.com", OTHER],
        },
    )


def sign_in(made):
    known = {"groups": ["staff", "ops"], "display": "Alice Ä"}
    return made.sign_in(made.add_user("alice", **known))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """An installation and a browser in which Alice is signed in, for all tests."""
    made = furnished(tmp_path_factory.mktemp("forward"))
    yield made, sign_in(made)
    made.accounts.store.close()


@pytest.fixture
def installation(shared):
    echo.calls = 0
    yield shared[0]
    assert echo.calls == 0


@pytest.fixture
def browser(installation, shared):
    shared[1].delete_cookie("theme", domain="app.example.com")
    return shared[1]


@pytest.fixture
def own(tmp_path):
    """An installation of one's own, to end sessions and let time pass."""
    made = furnished(tmp_path)
    yield made
    made.accounts.store.close()


@pytest.fixture
def events(installation):
    """Return a field of the events so far."""

    def read(field="event"):
        path = installation.folder / "audit.log"
        return [json.loads(line).get(field) for line in path.read_text().splitlines()]

    return read


def described_for(page, method, url):
    """Return the address that is asked, the method, and the headers that describe."""
    scheme, _, rest = url.partition("://")
    host, slash, target = rest.partition("/")
    told = {"X-Forwarded-For": VISITOR}
    if page == NGINX:
        return NGINX, "GET", told | {"X-Original-URL": url, "X-Original-Method": method}
    told["X-Forwarded-Proto"] = scheme
    if page == ENVOY:
        return f"{ENVOY}{slash}{target}", method, told | {"Host": host}
    told |= {
        "X-Forwarded-Method": method,
        "X-Forwarded-Host": host,
        "X-Forwarded-Uri": slash + target,
    }
    return FORWARD, "GET", told


def ask(
    client, page, url="https://app.example.com/", method="GET", *, peer=PROXY, **more
):
    """Ask about a request as the web server of *page* does; None takes a header out."""
    path, own, told = described_for(page, method, url)
    more = {name.replace("_", "-"): value for name, value in more.items()}
    sent = {name: v for name, v in (told | more).items() if v is not None}
    return client.open(
        path, method=own, headers=sent, environ_base={"REMOTE_ADDR": peer}
    )


every_endpoint = pytest.mark.parametrize("page", [NGINX, FORWARD, ENVOY])


@every_endpoint
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PROPFIND"])
def test_somebody_signed_in_passes_with_their_name(browser, page, method):
    answer = ask(browser, page, method=method)

    assert answer.status_code == 200
    assert answer.data == b""
    assert answer.headers["Remote-User"] == "alice"
    assert answer.headers["Remote-Groups"] == "staff,ops"
    assert answer.headers["Remote-Name"] == "Alice Ä".encode().decode("latin-1")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


@every_endpoint
def test_every_identity_header_is_there_where_nothing_is_to_say(installation, page):
    answer = ask(
        installation.client(),
        page,
        "https://app.example.com/public/a",
        Remote_User="mallory",
    )

    assert answer.status_code == 200
    assert [answer.headers.get(name) for name in IDENTITY] == [""] * 4


@every_endpoint
@pytest.mark.parametrize("name", ["remote-user", "Remote_User", "REMOTE.USER"])
def test_nobody_brings_a_name_along(browser, page, name):
    answer = browser.open(
        *described_for(page, "GET", "https://app.example.com/public/a")[:1],
        headers=described_for(page, "GET", "https://app.example.com/public/a")[2]
        | {name: "mallory"},
        environ_base={"REMOTE_ADDR": PROXY},
    )

    assert answer.headers.getlist("Remote-User") == ["alice"]
    assert "mallory" not in str(answer.headers)


@every_endpoint
@pytest.mark.parametrize(
    "peer",
    [
        pytest.param("127.0.0.1", id="loopback is nobody special"),
        pytest.param("192.0.2.1", id="a stranger"),
        pytest.param("", id="a unix socket"),
    ],
)
def test_only_trusted_proxies_are_answered(installation, browser, events, page, peer):
    installation.clock.tick(61)  # one line a minute of those without an address
    answer = ask(browser, page, peer=peer)

    assert answer.status_code == 403
    assert "Remote-User" not in answer.headers
    assert events()[-1] == "forward.untrusted"


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (NGINX, "X-Original-URL"),
        (NGINX, "X-Original-Method"),
        (NGINX, "X-Forwarded-For"),
        (FORWARD, "X-Forwarded-Method"),
        (FORWARD, "X-Forwarded-Proto"),
        (FORWARD, "X-Forwarded-Host"),
        (FORWARD, "X-Forwarded-Uri"),
        (FORWARD, "X-Forwarded-For"),
        (ENVOY, "X-Forwarded-Proto"),
        (ENVOY, "X-Forwarded-For"),
    ],
)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_half_a_description_is_none(browser, events, page, name, value):
    answer = ask(browser, page, "https://app.example.com/public/a", **{name: value})

    assert answer.status_code == 403
    assert events()[-1] == "forward.unclear"


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (NGINX, "X-Forwarded-Uri"),
        (NGINX, "X-Forwarded-Method"),
        (FORWARD, "X-Original-URL"),
        (FORWARD, "X-Original-Method"),
        (ENVOY, "X-Original-URL"),
        (ENVOY, "X-Forwarded-Uri"),
    ],
)
def test_two_conventions_are_not_mixed(browser, page, name):
    assert ask(browser, page, **{name: "/"}).status_code == 403


@pytest.mark.parametrize(
    ("page", "sent"),
    [
        pytest.param(page, sent, id=f"{page.rpartition('/')[2]}: {name}")
        for page, name, sent in [
            (NGINX, "relative", {"X-Original-URL": "/public/a"}),
            (NGINX, "no path", {"X-Original-URL": "https://app.example.com"}),
            (NGINX, "scheme", {"X-Original-URL": "ftp://app.example.com/public/a"}),
            (NGINX, "user", {"X-Original-URL": "https://u@app.example.com/public/a"}),
            (
                NGINX,
                "two slashes",
                {"X-Original-URL": "https://app.example.com//public"},
            ),
            (
                NGINX,
                "fragment",
                {"X-Original-URL": "https://app.example.com/public/a#"},
            ),
            (
                NGINX,
                "twice",
                {
                    "X-Original-URL": "https://app.example.com/public/a,https://app.example.com/x"
                },
            ),
            (
                NGINX,
                "twice with a query",
                {
                    "X-Original-URL": "https://app.example.com/public/a?b,https://app.example.com/x"
                },
            ),
            (NGINX, "methods", {"X-Original-Method": "GET,GET"}),
            (NGINX, "trace", {"X-Original-Method": "TRACE"}),
            (NGINX, "connect", {"X-Original-Method": "CONNECT"}),
            (FORWARD, "small method", {"X-Forwarded-Method": "get"}),
            (FORWARD, "methods", {"X-Forwarded-Method": "GET, POST"}),
            (FORWARD, "schemes", {"X-Forwarded-Proto": "https,https"}),
            (FORWARD, "paths", {"X-Forwarded-Uri": "/public/a,/x"}),
            (FORWARD, "paths and a query", {"X-Forwarded-Uri": "/public/a?b,/x"}),
            (FORWARD, "paths with a space", {"X-Forwarded-Uri": "/public/a, /x"}),
            (FORWARD, "hosts", {"X-Forwarded-Host": "evil.example, app.example.com"}),
            (
                FORWARD,
                "absolute",
                {"X-Forwarded-Uri": "https://app.example.com/public/a"},
            ),
            (FORWARD, "relative", {"X-Forwarded-Uri": "public/a"}),
            (FORWARD, "asterisk", {"X-Forwarded-Uri": "*"}),
            (FORWARD, "two slashes", {"X-Forwarded-Uri": "//public/a"}),
            (ENVOY, "host", {"Host": "a b"}),
        ]
    ],
)
def test_what_is_described_strangely_is_refused(browser, page, sent):
    url = "https://app.example.com/public/a"

    assert ask(browser, page, url, **sent).status_code in {400, 401, 403}


@every_endpoint
@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/public/../closed/",
        "https://app.example.com/public/%2e%2e/closed/",
        "https://app.example.com/public/..%2fclosed/",
        "https://app.example.com/public/%252e%252e/closed/",
        "https://app.example.com/public/..;/closed/",
        "https://app.example.com/public\\..\\closed/",
        "https://app.example.com/public/%00",
        "https://app.example.com/public/a%zz",
        "https://app.example.com/public%2fa/..",
        "https://evil.example/public/a",
        "https://app.example.com.evil.example/public/a",
        "https://app.example.com:8443/public/a",
        "http://app.example.com/public/a",
    ],
)
def test_no_spelling_of_an_address_opens_a_door(browser, page, url):
    answer = ask(browser, page, url)

    assert answer.status_code in ({403} if page == NGINX else {400, 403})
    assert "Remote-User" not in answer.headers


@every_endpoint
@pytest.mark.parametrize(
    "path",
    ["/_gate/login", "/_gate/auth/nginx", "/_GATE/login", "/%5fgate/login", "/_gate"],
)
def test_the_gates_own_pages_are_not_let_through(browser, page, path):
    assert ask(browser, page, f"https://app.example.com{path}").status_code == 403


@every_endpoint
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/wiki/a", 200),
        ("HEAD", "/wiki/a", 200),
        ("POST", "/wiki/a", 401),
        ("OPTIONS", "/wiki/a", 401),
        ("GET", "/closed/a", 403),
        ("GET", "/office/a", 403),
        ("GET", "/", 401),
    ],
)
def test_a_stranger_is_judged_by_the_rules(installation, page, method, path, status):
    url = f"https://app.example.com{path}"

    answer = ask(installation.client(), page, url, method, **PROGRAM)

    assert answer.status_code == status


@every_endpoint
def test_the_visitors_address_counts_not_the_web_servers(browser, page):
    url = "https://app.example.com/office/a"

    assert ask(browser, page, url).status_code == 403
    assert ask(browser, page, url, X_Forwarded_For="198.51.100.9").status_code == 200


@every_endpoint
def test_an_old_code_is_not_enough_where_a_rule_wants_a_fresh_one(own, page):
    browser = sign_in(own)
    url = "https://app.example.com/fresh/a"
    fresh = ask(browser, page, url, **PROGRAM).status_code
    own.clock.tick(601)

    assert (fresh, ask(browser, page, url, **PROGRAM).status_code) == (200, 401)


@every_endpoint
def test_a_session_that_ended_passes_no_more(own, page):
    browser = sign_in(own)
    before = ask(browser, page, **PROGRAM).status_code
    own.accounts.store.end_sessions("alice")

    assert (before, ask(browser, page, **PROGRAM).status_code) == (200, 401)


@every_endpoint
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({"Upgrade": "websocket"}, id="passed on"),
        pytest.param({"Sec-WebSocket-Key": "x"}, id="hop by hop left out"),
        pytest.param({"Sec-WebSocket-Version": "13"}, id="over http/2"),
    ],
)
def test_a_websocket_of_another_site_is_refused(browser, page, sent):
    own = ask(browser, page, **sent, Origin="https://app.example.com")
    foreign = ask(browser, page, **sent, Origin="https://evil.example")

    assert (own.status_code, foreign.status_code) == (200, 403)


def test_nginx_is_told_where_to_sign_in(installation):
    url = "https://app.example.com/reports?year=2026&q=a%20b"

    answer = ask(installation.client(), NGINX, url, **NAVIGATION)

    place = "/_gate/login?next=/reports%3Fyear%3D2026%26q%3Da%2520b"
    assert answer.status_code == 401
    assert answer.headers["Gate-Login-URL"] == f"https://app.example.com{place}"
    assert answer.headers["WWW-Authenticate"].startswith("Cookie ")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Location" not in answer.headers
    assert "X-Accel-Expires" not in answer.headers


@pytest.mark.parametrize("page", [FORWARD, ENVOY])
def test_a_person_is_sent_to_sign_in_on_the_same_host(installation, page):
    answer = ask(installation.client(), page, f"{OTHER}/a?b=c", **NAVIGATION)

    assert answer.status_code == 303
    place = f"{OTHER}/_gate/login?next=/a%3Fb%3Dc"
    assert answer.headers["Location"] == place


@pytest.mark.parametrize("page", [FORWARD, ENVOY])
def test_a_form_sent_too_late_is_no_page_to_come_back_to(installation, page):
    answer = ask(installation.client(), page, f"{OTHER}/a", "POST", **NAVIGATION)

    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{OTHER}/_gate/login"


@every_endpoint
def test_a_program_is_told_and_never_sent_elsewhere(installation, page):
    answer = ask(installation.client(), page, **PROGRAM)

    assert answer.status_code == 401
    assert answer.json["error"] == "login_required"
    assert answer.headers["Gate-Login-URL"] == "https://app.example.com/_gate/login"


@pytest.mark.parametrize(
    ("page", "status"), [(NGINX, 403), (FORWARD, 503), (ENVOY, 503)]
)
def test_a_gate_that_cannot_tell_is_shut(
    installation, browser, monkeypatch, page, status
):
    def unavailable(*_):
        raise StoreUnavailable("the disk is gone")

    live = installation.gate._judgement.live
    monkeypatch.setattr(live, "catch_up", unavailable)

    assert ask(browser, page).status_code == status


@pytest.mark.parametrize(
    ("page", "status"), [(NGINX, 403), (FORWARD, 500), (ENVOY, 500)]
)
def test_a_gate_that_breaks_is_shut(installation, browser, monkeypatch, page, status):
    def broken(*_):
        raise RuntimeError("a bug")

    live = installation.gate._judgement.live
    monkeypatch.setattr(live, "catch_up", broken)

    assert ask(browser, page).status_code == status


def test_nginx_may_repeat_an_answer_for_seconds(browser):
    answer = ask(browser, NGINX)

    names = [name for name, _ in answer.headers]
    assert answer.headers["X-Accel-Expires"] == "5"
    assert names.index("X-Accel-Expires") < names.index("Cache-Control")


def test_no_answer_is_repeated_beyond_its_time(own):
    browser = sign_in(own)
    url = "https://app.example.com/fresh/a"
    ask(browser, NGINX, url)
    own.clock.tick(597)

    assert int(ask(browser, NGINX, url).headers["X-Accel-Expires"]) <= 3


@pytest.mark.parametrize("page", [FORWARD, ENVOY])
def test_nobody_else_is_told_to_repeat_answers(browser, page):
    assert "X-Accel-Expires" not in ask(browser, page).headers


@every_endpoint
def test_the_application_gets_the_other_cookies_and_its_own_authorization(
    browser, page
):
    browser.set_cookie("theme", "dark", domain="app.example.com")
    sent = {"Sec-Gate-Echo": "1", "Authorization": "Bearer of-the-application"}

    answer = ask(browser, page, **sent)

    assert answer.headers["Cookie"] == "theme=dark"
    assert answer.headers["Authorization"] == "Bearer of-the-application"


@every_endpoint
def test_cookies_are_not_shown_to_who_does_not_ask(browser, page):
    browser.set_cookie("theme", "dark", domain="app.example.com")

    answer = ask(browser, page, Authorization="Bearer of-the-application")

    assert "Cookie" not in answer.headers
    assert "Authorization" not in answer.headers


PREFLIGHT = {
    "Origin": "https://other.example",
    "Access-Control-Request-Method": "POST",
}


@pytest.mark.parametrize(
    ("page", "asked_with", "sent", "status"),
    [
        pytest.param(NGINX, "OPTIONS", {}, 200, id="nginx, known"),
        pytest.param(NGINX, "GET", {}, 401, id="nginx, unknown"),
        pytest.param(FORWARD, "OPTIONS", {}, 200, id="forward, known"),
        pytest.param(FORWARD, "GET", {}, 401, id="forward, unknown"),
        pytest.param(ENVOY, "OPTIONS", {}, 401, id="envoy never tells"),
        pytest.param(FORWARD, "OPTIONS", {"data": b"x"}, 401, id="a body"),
        pytest.param(
            FORWARD,
            "OPTIONS",
            {"environ_overrides": {"HTTP_TRANSFER_ENCODING": "chunked"}},
            401,
            id="a body of unknown length",
        ),
    ],
)
def test_a_preflight_is_one_where_it_surely_has_no_body(
    installation, page, asked_with, sent, status
):
    path, _, told = described_for(page, "OPTIONS", "https://app.example.com/api/a")

    answer = installation.client().open(
        path,
        method=asked_with,
        headers=told | PREFLIGHT | PROGRAM,
        environ_base={"REMOTE_ADDR": PROXY},
        **sent,
    )

    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/_gate/auth", "/_gate/auth/", "/_gate/auth/other"])
def test_there_is_no_other_endpoint(browser, path):
    answer = browser.get(
        path,
        environ_base={"REMOTE_ADDR": PROXY},
        headers=PROGRAM | {"X-Forwarded-Proto": "https"},
    )

    assert answer.status_code == 404


def test_a_misspelt_endpoint_of_envoy_is_refused(browser, events):
    answer = browser.get(
        "/%5fgate/auth/envoy/public/a",
        headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": VISITOR},
        environ_base={"REMOTE_ADDR": PROXY},
    )

    assert answer.status_code == 403
    assert events("detail")[-1] == "the endpoint is spelled in another way"


def answer_for(client, method="GET", path="/a?b=c", *, peer=PROXY, **more):
    """Ask what to show to a visitor, with their own method and body."""
    told = described_for(FORWARD, method, f"https://app.example.com{path}")[2]
    return client.open(
        "/_gate/auth/answer",
        method=method,
        headers=told | NAVIGATION | more.pop("sent", {}),
        environ_base={"REMOTE_ADDR": peer},
        **more,
    )


def test_whom_a_web_server_turned_away_is_shown_the_way_in(installation):
    answer = answer_for(installation.client())

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/_gate/login?next=/a%3Fb%3Dc"


def test_whom_a_web_server_turned_away_is_never_shown_an_empty_page(browser):
    answer = answer_for(browser)

    assert answer.status_code == 403
    assert "open the page again" in answer.text
    assert "Remote-User" not in answer.headers


def test_only_trusted_proxies_are_told_what_to_show(installation):
    assert answer_for(installation.client(), peer=VISITOR).status_code == 403


def test_a_form_that_met_the_end_of_a_session_is_kept_by_the_answer(own):
    browser = sign_in(own)
    own.accounts.store.end_sessions("alice")
    sent = {"Origin": "https://app.example.com"}

    asked = ask(browser, NGINX, "https://app.example.com/form", "POST", **sent)
    shown = answer_for(browser, "POST", "/form", sent=sent, data={"text": "long"})

    assert "Gate-Held" not in asked.headers
    assert shown.status_code == 303
    assert shown.headers["Gate-Held"]


def test_what_a_page_sends_again_through_a_web_server_waits_no_longer(own):
    alice = own.add_user("alice")
    browser = own.sign_in(alice)
    own.accounts.store.end_sessions("alice")
    sent = {"Origin": "https://app.example.com"}
    shown = answer_for(browser, "POST", "/form", sent=sent, data={"text": "long"})
    own.clock.tick(30)
    own.sign_in(alice, browser)
    assert browser.get("/_gate/held").status_code == 200

    again = sent | {"Gate-Held": shown.headers["Gate-Held"]}
    asked = ask(browser, NGINX, "https://app.example.com/form", "POST", **again)

    assert asked.status_code == 200
    assert browser.get("/_gate/held").headers["Location"] == "/"


@pytest.mark.parametrize(("page", "status"), [(NGINX, 403), (FORWARD, 409)])
def test_what_one_user_wrote_never_goes_out_as_another(own, page, status):
    browser = sign_in(own)
    own.accounts.store.end_sessions("alice")
    sent = {"Origin": "https://app.example.com"}
    shown = answer_for(browser, "POST", "/form", sent=sent, data={"text": "long"})
    own.sign_in(own.add_user("bob"), browser)

    again = sent | {"Gate-Held": shown.headers["Gate-Held"]}
    asked = ask(browser, page, "https://app.example.com/form", "POST", **again)
    told = answer_for(browser, "POST", "/form", sent=again, data={"text": "long"})

    assert asked.status_code == status
    assert told.status_code == 409
    assert told.json["error"] == "held_for_another_user"


@every_endpoint
def test_the_assertion_is_told_too_and_empty_for_nobody(tmp_path, page):
    settings = RULES + '[identity]\nassertion = "Gate-Assertion"\n'
    made = Installation(echo, tmp_path, settings, gate={"trusted_proxies": [PROXY]})
    signed_in = ask(sign_in(made), page)
    nobody = ask(made.client(), page, "https://app.example.com/public/a")
    made.accounts.store.close()

    assert signed_in.headers["Gate-Assertion"].count(".") == 2
    assert nobody.headers["Gate-Assertion"] == ""
