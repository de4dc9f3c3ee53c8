"""What every page of the gate has."""

import re

import pytest
from jinja2 import Environment

from totp_gate.errors import ConfigError
from totp_gate.testing import Installation
from totp_gate.web.pages import Pages

PAGES = [
    "/_gate/login",
    "/_gate/logout",
    "/_gate/second-factor",
    "/_gate/enroll/unknown",
    "/_gate/nothing",
    "/_gate/healthz",
    "/_gate/readyz",
    "/_gate/assets/nothing",
    "/page",
    "/a/../b",
]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_every_answer_of_the_gate_is_locked_down(installation, path, accept):
    answer = installation.client().get(path, headers={"Accept": accept})
    headers = answer.headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "max-age=31536000" in headers["Strict-Transport-Security"]
    if answer.data:
        assert (
            "charset=utf-8" in headers["Content-Type"]
            or "json" in headers["Content-Type"]
        )


def test_plain_http_on_purpose_is_said_on_every_page(tmp_path):
    from tests.applications import echo

    installation = Installation(echo, tmp_path, origin="http://127.0.0.1:8000")
    answer = installation.client().get("/_gate/login")

    assert "Plain http" in answer.text
    assert "Strict-Transport-Security" not in answer.headers
    line = answer.headers["Set-Cookie"]
    assert line.startswith("totp_gate_login=")
    assert "Secure" not in line


def test_a_sign_in_over_plain_http_on_purpose_works(tmp_path):
    from tests.applications import echo

    installation = Installation(echo, tmp_path, origin="http://127.0.0.1:8000")
    browser = installation.sign_in(installation.add_user("alice"))

    assert browser.get("/").json["REMOTE_USER"] == "alice"


def test_assets_are_versioned_and_kept_for_ever(installation):
    page = installation.client().get("/_gate/login").text
    urls = re.findall(r'(?:href|src)="(/_gate/assets/[^"]+)"', page)

    assert len(urls) >= 3
    for url in urls:
        answer = installation.client().get(url)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert "?v=" in url


@pytest.mark.parametrize(
    "name",
    ["../base.html", "..%2fbase.html", ".hidden", "gate.css/x", "%2e%2e/login.html"],
)
def test_nothing_but_assets_is_served_as_one(installation, name):
    answer = installation.client().get(f"/_gate/assets/{name}")

    assert answer.status_code in {400, 404}
    assert "Gets:" not in answer.text


def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(installation):
    page = installation.client().get("/_gate/login").text

    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert not re.findall(r"\son\w+=", page)
    assert "style=" not in page
    assert "<style" not in page
    assert not re.findall(r"<script(?! src=)", page)


def test_password_managers_find_the_fields(installation):
    page = installation.client().get("/_gate/login").text

    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert 'type="password"' in page
    assert "onpaste" not in page


def test_a_theme_goes_before_the_shipped_templates(tmp_path):
    from tests.applications import echo

    theme = tmp_path / "theme"
    theme.mkdir()
    (theme / "signed_out.html").write_text("<h1>Bye from {{ site }}</h1>")
    installation = Installation(
        echo, tmp_path, gate={"theme": "theme", "name": "Our place"}
    )

    assert "Bye from Our place" in installation.client().get("/_gate/logout").text
    assert installation.client().get("/_gate/login").status_code == 200


@pytest.fixture
def themed(tmp_path):
    """Begin a gate whose theme has one template."""
    from tests.applications import echo

    opened = []

    def begin(name, source):
        (tmp_path / "theme").mkdir()
        (tmp_path / "theme" / name).write_bytes(source)
        opened.append(Installation(echo, tmp_path, gate={"theme": "theme"}))
        return opened[-1]

    yield begin
    for one in opened:
        one.accounts.store.close()


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        pytest.param("base.html", b"<p>\n{% if %}", "(line 2): Expected", id="syntax"),
        pytest.param("own.html", b"{{ a | no }}", "(line 1): No filter", id="a filter"),
        pytest.param("login.html", b"\xff", "utf-8", id="octets"),
    ],
)
def test_a_theme_that_cannot_be_read_does_not_start(
    themed, tmp_path, name, source, said
):
    with pytest.raises(ConfigError) as caught:
        themed(name, source)

    ((key, reason),) = caught.value.problems
    assert key == "gate.theme"
    assert str(tmp_path / "theme" / name) in reason
    assert said in reason
    assert reason.endswith(": correct it")


@pytest.mark.parametrize("path", ["/_gate/nothing", "/_gate/login", "/a/../b"])
def test_an_error_page_that_breaks_is_said_in_words(themed, caplog, path):
    house = themed("error.html", b"{{ nobody_gives_this }}")
    answer = house.client().get(path, headers={"Host": "evil.example"})

    assert answer.status_code == 400
    assert answer.mimetype == "text/plain"
    assert "evil.example" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    request_id = answer.text.split()[-1]
    assert f"request {request_id} got no page" in caplog.text
    assert "nobody_gives_this" in caplog.text


def test_a_page_that_breaks_is_an_error_page(themed):
    answer = (
        themed("login.html", b"{{ nobody_gives_this }}").client().get("/_gate/login")
    )

    assert answer.status_code == 500
    assert "Something broke" in answer.text


def test_assets_are_read_at_the_start_whatever_is_asked_for(tmp_path):
    from tests.applications import echo

    style = tmp_path / "theme" / "assets" / "own.css"
    style.parent.mkdir(parents=True)
    style.write_text("h1 { color: teal }")
    installation = Installation(echo, tmp_path, gate={"theme": "theme"})
    browser = installation.client()
    style.unlink()
    for number in range(100):
        assert browser.get(f"/_gate/assets/{number}.css").status_code == 404

    assert browser.get("/_gate/assets/own.css").text == "h1 { color: teal }"


def test_a_template_is_compiled_anew_only_when_it_was_edited(tmp_path, monkeypatch):
    compiled = []
    compile_it = Environment._generate

    def compile_and_count(self, source, name, *rest, **more):
        compiled.append(name)
        return compile_it(self, source, name, *rest, **more)

    monkeypatch.setattr(Environment, "_generate", compile_and_count)
    theme = tmp_path / "own.html"

    def text(source):
        theme.write_text(source)
        pages = Pages(site="Our place", prefix="/_gate", theme=str(tmp_path))
        return pages.render("own.html").get_data(as_text=True)

    assert text("One: {{ site }}") == "One: Our place"
    assert text("One: {{ site }}") == "One: Our place"
    assert compiled == ["own.html"]
    assert text("Two: {{ site }}") == "Two: Our place"
    assert compiled == ["own.html", "own.html"]


@pytest.mark.parametrize("path", ["/_gate/healthz", "/_gate/readyz"])
def test_monitors_may_ask_by_any_name(installation, path):
    answer = installation.client().get(path, headers={"Host": "10.0.0.5:8000"})

    assert answer.status_code == 200


def test_a_remote_browser_never_gets_the_form_over_plain_http(installation):
    answer = installation.client().get(
        "/_gate/login",
        base_url="http://app.example.com",
        environ_overrides={"REMOTE_ADDR": "192.0.2.7"},
    )

    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert "trusted_proxies" in answer.text


def test_a_trusted_proxy_that_says_http_is_sent_to_https(tmp_path):
    from tests.applications import echo

    installation = Installation(
        echo, tmp_path, gate={"trusted_proxies": ["127.0.0.1/32"]}
    )
    answer = installation.client().get(
        "/_gate/login?next=/a", headers={"X-Forwarded-Proto": "http"}
    )

    assert answer.status_code == 308
    location = "https://app.example.com/_gate/login?next=/a"
    assert answer.headers["Location"] == location
