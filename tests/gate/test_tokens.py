"""App tokens at the gate: what they open, what they do not, what the upstream sees."""

from __future__ import annotations

import base64

import pytest

from tests.applications import echo
from tests.web.forms import page_of
from totp_gate.testing import Client, submit

PROGRAM = {"Accept": "*/*"}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


WAYS = [
    pytest.param(lambda text: {"Gate-Token": text}, id="own header"),
    pytest.param(lambda text: {"Authorization": f"Bearer {text}"}, id="bearer"),
    pytest.param(lambda text: {"Authorization": basic("x", text)}, id="basic"),
]


@pytest.fixture
def make(installation, alice):
    """Make a token of Alice's; returns its text and what is stored."""

    def make(life: float = 3600, **scope):
        now = installation.clock()
        made = installation.accounts.app_tokens
        return made.make("alice", "ci", now=now, expires=now + life, **scope)

    return make


@pytest.fixture
def ask(installation):
    """Ask as a program that shows a token in its own header."""

    def ask(text: str, path: str = "/", *, method: str = "GET", **known):
        sent = PROGRAM | {"Gate-Token": text} | known.pop("headers", {})
        client = installation.client()
        return client.open(path, method=method, headers=sent, **known)

    return ask


def held_back(text: str, answer) -> bool:
    """Tell whether nothing of the token reached the application."""
    received = str(answer.json)
    coded = base64.b64encode(f"x:{text}".encode()).decode()
    return text not in received and coded not in received


@pytest.mark.parametrize("way", WAYS)
def test_a_token_stands_for_its_owner_and_goes_no_further(installation, make, way):
    text, _ = make()

    answer = installation.client().get("/api?q=1", headers=PROGRAM | way(text))

    assert answer.status_code == 200
    assert answer.json["REMOTE_USER"] == "alice"
    assert answer.json["HTTP_REMOTE_GROUPS"] == "staff,ops"
    assert held_back(text, answer)
    assert "HTTP_GATE_TOKEN" not in answer.json
    assert "HTTP_AUTHORIZATION" not in answer.json
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(basic("alice", "secret"), id="basic"),
        pytest.param("Bearer eyJhbGciOi.x.y", id="bearer"),
        pytest.param('Digest username="a",  realm="b"', id="digest"),
        pytest.param("Basic  !!not base64", id="junk"),
        pytest.param("tg_short", id="like ours"),
    ],
)
def test_an_authorization_of_the_application_passes_untouched(ask, make, theirs):
    answer = ask(make()[0], headers={"Authorization": theirs})

    assert answer.json["HTTP_AUTHORIZATION"] == theirs
    assert "HTTP_GATE_TOKEN" not in answer.json


@pytest.mark.parametrize("way", WAYS)
def test_a_password_of_a_person_is_no_token(installation, alice, way):
    for password in (alice.password, installation.code(alice), ""):
        answer = installation.client().get("/", headers=PROGRAM | way(password))
        assert answer.status_code == 401
    named = {"Authorization": basic("alice", alice.password)}
    assert installation.client().get("/", headers=named).status_code == 303
    assert echo.calls == 0


@pytest.mark.parametrize("path", ["/", "/_gate/account", "/_gate/held"])
def test_a_token_is_no_session_also_where_it_is_remembered(
    installation, ask, make, path
):
    """A process looks up both by their text."""
    text, _ = make()
    assert ask(text).status_code == 200
    browser = installation.client()
    browser.set_cookie("__Host-totp_gate", text, domain="app.example.com", secure=True)

    answer = browser.get(path)

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/_gate/login")
    assert echo.calls == 1


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]
)
@pytest.mark.parametrize(
    ("method", "meant", "status"),
    [
        pytest.param("GET", "DELETE", 403, id="beyond the scope"),
        pytest.param("GET", "post", 200, id="within it"),
        pytest.param("POST", "PUT", 403, id="as frameworks take it"),
    ],
)
def test_no_header_asks_for_a_method_outside_the_scope(
    ask, make, header, method, meant, status
):
    text, _ = make(methods=["GET", "POST"])

    answer = ask(text, method=method, headers={header: meant})

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        pytest.param({"methods": ["POST"]}, 400, id="methods"),
        pytest.param({"paths": ["/*"]}, 200, id="no methods"),
    ],
)
def test_a_header_with_several_methods_is_none_for_a_scope(ask, make, scope, status):
    text, _ = make(**scope)

    answer = ask(text, method="POST", headers={"X-HTTP-Method": "POST,PUT"})

    assert answer.status_code == status


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spoil", ["expired", "revoked", "made up"])
def test_a_dead_token_beside_a_session_goes_no_further(
    installation, alice, make, way, spoil
):
    browser = installation.sign_in(alice)
    text, token = make(life=60)
    if spoil == "expired":
        installation.clock.tick(61)
    elif spoil == "revoked":
        installation.accounts.app_tokens.revoke(token.id)
    else:
        text = "tg_" + "A" * 43

    answer = browser.get("/", headers=way(text))

    assert answer.status_code == 200
    assert held_back(text, answer)
    assert "HTTP_AUTHORIZATION" not in answer.json


@pytest.mark.parametrize(
    "name",
    [
        "Gate_Token",
        "Gate.Token",
        "gate-token",
        "GATE~TOKEN",
        "Gate'Token",
        "gate+token",
    ],
)
def test_no_spelling_of_the_header_reaches_the_application(
    installation, alice, make, name
):
    browser = installation.sign_in(alice)
    text, _ = make()
    key = "HTTP_" + name.upper().replace("-", "_")

    answer = browser.get("/", environ_overrides={key: text})

    assert answer.status_code == 200
    assert text not in str(answer.json)


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        pytest.param({"paths": ["/files/*"]}, "GET", "/other", id="path"),
        pytest.param({"paths": ["/files/*"]}, "GET", "/filesystem", id="beside"),
        pytest.param({"paths": ["/files/*"]}, "GET", "/files", id="the folder itself"),
        pytest.param({"paths": ["/files"]}, "GET", "/files/a", id="below"),
        pytest.param({"paths": ["/files/*"]}, "GET", "/FILES/a", id="case"),
        pytest.param({"methods": ["GET"]}, "POST", "/", id="method"),
        pytest.param({"methods": ["POST"]}, "HEAD", "/", id="head"),
        pytest.param({"networks": ["10.0.0.0/8"]}, "GET", "/", id="network"),
    ],
)
def test_outside_its_scope_a_token_is_403(ask, make, scope, method, path):
    answer = ask(make(**scope)[0], path, method=method)

    assert answer.status_code == 403
    assert echo.calls == 0


@pytest.mark.parametrize(
    "path",
    ["/files/../other", "/files/%2e%2e/other", "/files/..%2fother", "/files//../other",
     "/files/..;/other", "/files/%2e%2e%2fother", "/files\\..\\other", "/other/../files/"],
)  # fmt: skip
def test_a_path_is_in_scope_in_all_its_readings_or_not(ask, make, path):
    answer = ask(make(paths=["/files/*"])[0], path)

    assert answer.status_code in {400, 403} or answer.json["PATH_INFO"].startswith(
        "/files/"
    )
    if answer.status_code == 200:
        assert ".." not in answer.json["PATH_INFO"]


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        pytest.param({"paths": ["/files/*"]}, "GET", "/files/a", id="path"),
        pytest.param({"methods": ["GET"]}, "HEAD", "/", id="GET covers HEAD"),
        pytest.param({"networks": ["127.0.0.0/8"]}, "GET", "/", id="network"),
    ],
)
def test_inside_its_scope_a_token_opens(ask, make, scope, method, path):
    assert ask(make(**scope)[0], path, method=method).status_code == 200


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        pytest.param({"User-Agent": "git/2.39.5"}, True, id="git"),
        pytest.param({"User-Agent": "Mozilla/5.0"}, False, id="browser"),
        pytest.param({"User-Agent": ""}, False, id="nobody says"),
        pytest.param({"User-Agent": "x", "Origin": "https://a.b"}, False, id="page"),
        pytest.param({"User-Agent": "x", "Sec-Fetch-Mode": "cors"}, False, id="script"),
    ],
)
def test_only_what_is_no_browser_is_asked_for_basic(installation, sent, asked):
    answer = installation.client().get("/", headers=PROGRAM | sent)

    offered = answer.headers.getlist("WWW-Authenticate")
    assert answer.status_code == 401
    assert any(each.startswith("Basic ") for each in offered) is asked


def test_an_expired_token_opens_nothing(installation, ask, make):
    text, _ = make(life=30)
    assert ask(text).status_code == 200

    installation.clock.tick(30)

    assert ask(text).status_code == 401


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda a, t: a.app_tokens.revoke(t.id), id="revoked"),
        pytest.param(lambda a, t: a.store.remove_user("alice"), id="user removed"),
        pytest.param(
            lambda a, t: a.store.change_user("alice", disabled=True),
            id="user disabled",
        ),
    ],
)
def test_an_end_is_felt_by_every_process_at_once(
    installation, ask, make, twin, end, monkeypatch
):
    text, token = make()
    sent = PROGRAM | {"Gate-Token": text}
    other = Client(twin)
    assert ask(text).status_code == 200
    assert other.get("/", headers=sent).status_code == 200

    end(installation.accounts, token)

    assert ask(text).status_code == 401
    assert other.get("/", headers=sent).status_code == 401


@pytest.mark.parametrize(
    "page", ["/account", "/account/password", "/account/confirm", "/enroll", "/logout"]
)
@pytest.mark.parametrize("way", WAYS)
def test_a_token_opens_no_page_of_the_gate(installation, make, way, page):
    text, _ = make()

    answer = installation.client().get(f"/_gate{page}", headers=way(text))

    assert "alice" not in answer.text.lower()
    if page.startswith("/account"):
        assert answer.headers["Location"].startswith("/_gate/login")


def test_when_a_token_was_used_is_written_down(installation, ask, make):
    text, _ = make()
    assert installation.accounts.app_tokens.of("alice")[0].used is None

    ask(text)

    assert installation.accounts.app_tokens.of("alice")[0].used == installation.clock()


class TestTheAccountPage:
    def made(self, browser, **fields):
        sent = {"name": "ci", "paths": "/files/*", "methods": "get", "networks": ""}
        return submit(browser, "/_gate/account", **(sent | {"days": "30"} | fields))

    def test_a_token_is_made_shown_once_and_works(self, installation, browser, ask):
        answer = self.made(browser)
        shown = browser.get(answer.headers["Location"])
        text = shown.text.split("<code>")[1].split("</code>")[0]

        assert ask(text, "/files/a").status_code == 200
        assert ask(text, "/other").status_code == 403
        assert text not in answer.headers["Location"] + str(answer.headers)
        again = browser.get(answer.headers["Location"])
        assert again.headers["Location"] == "/_gate/account"
        account = browser.get("/_gate/account").text
        assert text not in account
        assert "GET /files/*" in account

    def test_making_one_needs_a_fresh_proof(self, installation, browser):
        installation.clock.tick(3000)
        browser.get("/")

        answer = self.made(browser)

        assert page_of(answer) == "/_gate/account/confirm"
        assert installation.accounts.app_tokens.of() == []

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param({"paths": "files"}, id="path"),
            pytest.param({"methods": "G/T"}, id="method"),
            pytest.param({"networks": "home"}, id="network"),
            pytest.param({"days": "1e9"}, id="days"),
            pytest.param({"name": " "}, id="name"),
        ],
    )
    def test_a_scope_without_sense_makes_nothing(self, installation, browser, fields):
        assert self.made(browser, **fields).status_code == 400
        assert installation.accounts.app_tokens.of() == []

    def test_a_form_from_elsewhere_makes_nothing(self, installation, browser):
        fields = {"name": "a", "paths": "", "methods": "", "networks": "", "days": "30"}
        answer = browser.post(
            "/_gate/account/make-token", data=fields | {"csrf_token": "x"}
        )

        assert answer.status_code == 403
        assert installation.accounts.app_tokens.of() == []

    def test_a_token_is_revoked(self, browser, make, ask):
        text, token = make()

        page = browser.get("/_gate/account").text
        form = page.split("/_gate/account/revoke-token")[1]
        sent = form.split('name="csrf_token" value="')[1].split('"')[0]
        browser.post(
            "/_gate/account/revoke-token", data={"csrf_token": sent, "id": token.id}
        )

        assert ask(text).status_code == 401


def test_a_token_in_the_place_of_a_session_cookie_is_nobody(installation, make, ask):
    text, _ = make()
    assert ask(text).status_code == 200

    browser = installation.client()
    browser.set_cookie("__Host-totp_gate", text, domain="app.example.com")

    assert browser.get("/").status_code == 303
    assert browser.get("/_gate/account").status_code == 303
