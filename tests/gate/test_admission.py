"""Nothing passes without a session, whatever it looks like; with one, all of it does."""

import pytest

from tests.applications import broken, echo, greedy
from totp_gate.testing import Client, Installation

PROGRAM = {"Accept": "application/json"}
SHAPES = [
    pytest.param("GET", "/", {}, id="a page"),
    pytest.param("HEAD", "/", {}, id="head"),
    pytest.param("POST", "/form", {}, id="post"),
    pytest.param("OPTIONS", "/", {}, id="options"),
    pytest.param(
        "OPTIONS",
        "/",
        {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
        id="preflight",
    ),
    pytest.param("PROPFIND", "/", {}, id="unknown method"),
    pytest.param("TRACE", "/", {}, id="trace"),
    pytest.param("CONNECT", "/", {}, id="connect"),
    pytest.param("GET", "/favicon.ico", {}, id="favicon"),
    pytest.param("GET", "/robots.txt", {}, id="robots"),
    pytest.param("GET", "/healthz", {}, id="a path called like ours"),
    pytest.param("GET", "/", {"User-Agent": "kube-probe/1.0"}, id="a health check"),
    pytest.param("GET", "/", {"Authorization": "Basic YWxpY2U6eA=="}, id="basic"),
    pytest.param("GET", "/", {"Authorization": "Bearer x"}, id="bearer"),
    pytest.param("GET", "/", {"Remote-User": "alice"}, id="forged user"),
    pytest.param("GET", "/", {"Upgrade": "websocket"}, id="upgrade"),
    pytest.param("GET", "/", {"X-Forwarded-Uri": "/_gate/login"}, id="forged uri"),
    pytest.param("GET", "/", {"X-Original-URL": "/_gate/login"}, id="original url"),
    pytest.param("GET", "/", {"Cookie": "__Host-totp_gate=x"}, id="garbage cookie"),
    pytest.param("GET", "/", {"Cookie": "é=\x00;;,=__Host"}, id="malformed cookie"),
    pytest.param("GET", "/", {"Cookie": "a" * 8000}, id="huge cookie"),
    pytest.param("GET", "/_gate%2flogin", {}, id="own page with an escaped slash"),
    pytest.param("GET", "/%5fgate/login", {}, id="own page with an escaped letter"),
    pytest.param("GET", "/_GATE/login", {}, id="own page in capitals"),
    pytest.param("GET", "//_gate/login", {}, id="own page behind two slashes"),
    pytest.param("GET", "/_gate;x/login", {}, id="own page with a parameter"),
    pytest.param("GET", "/_gate/nothing", {}, id="no such page of ours"),
    pytest.param("GET", "/a/../_gate/login", {}, id="dots"),
    pytest.param("GET", "/%00", {}, id="nul"),
]


@pytest.mark.parametrize(("method", "path", "sent"), SHAPES)
def test_a_stranger_never_reaches_the_application(installation, method, path, sent):
    answer = installation.client().open(path, method=method, headers=sent)

    assert answer.status_code in {303, 308, 400, 401, 403, 404, 405} or (
        path.lower().lstrip("/").replace("%5f", "_") == "_gate/login"
    )
    assert echo.calls == 0


@pytest.mark.parametrize("path", [param.values[1] for param in SHAPES[-8:]])
def test_nothing_under_the_prefix_reaches_the_application(browser, path):
    echo.calls = 0

    browser.get(path)

    assert echo.calls == 0


def test_a_person_is_sent_to_sign_in_and_back(installation):
    answer = installation.client().get("/reports?year=2026&q=a%20b")

    assert answer.status_code == 303
    place = "/_gate/login?next=/reports%3Fyear%3D2026%26q%3Da%2520b"
    assert answer.headers["Location"] == place
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_program_is_told_where_to_sign_in(installation):
    answer = installation.client().get("/api", headers=PROGRAM)

    assert answer.status_code == 401
    url = "https://app.example.com/_gate/login"
    assert answer.json == {"error": "login_required", "login_url": url}
    assert answer.headers["Gate-Login-URL"] == url
    assert answer.headers["WWW-Authenticate"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({"X-Requested-With": "XMLHttpRequest"}, id="xhr"),
        pytest.param({"Sec-Fetch-Mode": "cors"}, id="fetch"),
        pytest.param({"Sec-Fetch-Mode": "no-cors"}, id="image"),
        pytest.param({"Sec-Fetch-Mode": "websocket"}, id="websocket"),
    ],
)
def test_a_script_is_never_redirected(installation, sent):
    assert installation.client().get("/", headers=sent).status_code == 401


def test_a_form_that_meets_no_session_is_not_turned_into_a_place(installation):
    answer = installation.client().post("/save", data={"a": "b"})

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/_gate/login"


def test_who_is_signed_in_reaches_the_application(browser):
    assert browser.get("/anything").status_code == 200


def test_every_request_of_a_connection_is_judged(installation, browser):
    assert browser.get("/").status_code == 200
    browser.delete_cookie("__Host-totp_gate", domain="app.example.com")
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("evil.example", id="another name"),
        pytest.param("app.example.com.evil.example", id="our name in front"),
        pytest.param("evilapp.example.com", id="our name behind"),
        pytest.param("app.example.com:8443", id="another port"),
        pytest.param("app.example.com@evil.example", id="user part"),
        pytest.param("app.example.com, evil.example", id="two"),
        pytest.param("a b", id="space"),
        pytest.param("", id="empty"),
    ],
)
def test_another_host_is_400_and_not_shown(installation, browser, host):
    echo.calls = 0

    answer = browser.get("/", headers={"Host": host})

    assert answer.status_code == 400
    assert "evil" not in answer.text + str(answer.headers)
    assert echo.calls == 0


@pytest.mark.parametrize(
    "host", ["APP.EXAMPLE.COM", "app.example.com.", "app.example.com:443"]
)
def test_other_spellings_of_the_host_are_the_same(browser, host):
    cookie = browser.get_cookie("__Host-totp_gate", domain="app.example.com")
    client = Client(browser.application, use_cookies=False)
    sent = {"Host": host, "Cookie": f"__Host-totp_gate={cookie.value}"}

    answer = client.get("/", headers=sent)

    assert answer.status_code == 200


def test_what_the_application_says_reaches_the_client_without_our_cookies(tmp_path):
    installation = Installation(greedy, tmp_path)
    browser = installation.sign_in(installation.add_user("alice"))

    answer = browser.get("/")

    assert answer.headers.getlist("Set-Cookie") == ["own=1"]
    assert "Service-Worker-Allowed" not in answer.headers
    assert answer.text == "greedy"


def test_an_error_of_the_application_is_the_applications(tmp_path):
    installation = Installation(broken, tmp_path)
    browser = installation.sign_in(installation.add_user("alice"))

    with pytest.raises(RuntimeError, match="the application is broken"):
        browser.get("/")


def test_the_answer_of_the_application_is_passed_on_as_it_is(tmp_path):
    class Body:
        closed = False

        def __iter__(self):
            return iter([b"x"])

        def close(self):
            Body.closed = True

    body = Body()

    def app(environ, start_response):
        start_response("200 OK", [])
        return body

    installation = Installation(app, tmp_path)
    browser = installation.sign_in(installation.add_user("alice"))
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SCRIPT_NAME": "",
        "HTTP_HOST": "app.example.com",
        "wsgi.url_scheme": "https",
        "HTTP_COOKIE": "__Host-totp_gate="
        + browser.get_cookie("__Host-totp_gate", domain="app.example.com").value,
    }

    assert installation.gate(environ, lambda *_: None) is body
