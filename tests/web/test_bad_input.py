"""Whatever a stranger sends is a clear 4xx page, and counts as no attempt."""

import re
from html import unescape

import pytest

from totp_gate.testing import submit

LOGIN = "/_gate/login"
FORM = "application/x-www-form-urlencoded"
NAUGHTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' OR 1=1 --",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "\u202egnp.exe",
    "a\u2028b\u2029c",
    "\x1b[31mred",
    "Ω≈ç√∫µ≤≥÷",
    "田中さんにあげて下さい",
    "\ufeff\u200b",
    "../../etc/passwd",
    "%00%0d%0aSet-Cookie:x=1",
    "\U0001f469\U0001f3fd" * 20,
    "A" * 300,
]


def page_and_fields(browser, page=LOGIN):
    shown = browser.get(page)
    found = re.findall(
        r'<input type="hidden" name="([^"]+)" value="([^"]*)">', shown.text
    )
    return {name: unescape(value) for name, value in found}


@pytest.fixture
def fields(installation):
    browser = installation.client()
    return browser, page_and_fields(browser) | {"username": "alice", "password": "x"}


def failures(installation):
    return installation.accounts.store.count("address:127.0.0.1").failures


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"", FORM, 400, id="empty"),
        pytest.param(b"username=a", FORM, 400, id="fields missing"),
        pytest.param(
            b"username=a&username=b&password=c&csrf_token=d", FORM, 400, id="twice"
        ),
        pytest.param(b"username[]=a&password=c&csrf_token=d", FORM, 400, id="array"),
        pytest.param(
            b"&".join(b"f%d=1" % n for n in range(10_000)),
            FORM,
            413,
            id="10,000 fields",
        ),
        pytest.param(
            b"&".join(b"f%d=1" % n for n in range(100)), FORM, 400, id="100 fields"
        ),
        pytest.param(b"a" * 10_000_000, FORM, 413, id="10 MB"),
        pytest.param(b'{"username": "alice"}', "application/json", 415, id="JSON"),
        pytest.param(
            b"--x\r\n", "multipart/form-data; boundary=x", 415, id="multipart"
        ),
        pytest.param(b"username=a", "text/plain", 415, id="text"),
        pytest.param(b"username=a", "", 415, id="no type"),
        pytest.param(
            b"username=a", FORM + "; charset=utf-16", 415, id="another charset"
        ),
        pytest.param(
            b"username=%ff&password=a&csrf_token=b", FORM, 400, id="not UTF-8"
        ),
        pytest.param(
            b"username=\xff&password=a&csrf_token=b", FORM, 400, id="raw octets"
        ),
        pytest.param(b"&&&===", FORM, 400, id="nonsense"),
    ],
)
def test_a_bad_body_is_refused_and_counts_nothing(installation, body, kind, status):
    answer = installation.client().post(LOGIN, data=body, content_type=kind)

    assert answer.status_code == status
    assert "<h1>" in answer.text
    assert failures(installation) == 0


@pytest.mark.parametrize(
    ("length", "status"),
    [
        pytest.param("9" * 5000, 400, id="5,000 digits"),
        pytest.param("9" * 18, 413, id="more than any disk has"),
        pytest.param("\u00b2", 400, id="a digit elsewhere than in ASCII"),
        pytest.param("-1", 400, id="negative"),
        pytest.param("1_0", 400, id="as Python writes it"),
        pytest.param("500", 400, id="more than was sent"),
    ],
)
def test_a_length_that_is_none_is_refused(installation, length, status):
    answer = installation.client().post(
        LOGIN,
        data=b"username=a&password=b&csrf_token=c",
        content_type=FORM,
        environ_overrides={"CONTENT_LENGTH": length},
    )

    assert answer.status_code == status
    assert failures(installation) == 0


def test_a_field_no_form_of_ours_has_is_refused(installation, fields):
    browser, sent = fields

    assert browser.post(LOGIN, data=sent | {"role": "admin"}).status_code == 400
    assert failures(installation) == 0


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("next=/a&next=/b", id="twice"),
        pytest.param("n=1&" * 20 + "next=/a", id="more fields than a page has"),
    ],
)
@pytest.mark.parametrize("page", ["/login", "/second-factor", "/held"])
def test_a_query_of_two_minds_is_refused(browser, query, page):
    assert browser.get(f"/_gate{page}?{query}").status_code == 400


@pytest.mark.parametrize("text", NAUGHTY)
@pytest.mark.parametrize("field", ["username", "password", "csrf_token"])
def test_naughty_text_is_never_markup(installation, fields, field, text):
    browser, sent = fields

    answer = browser.post(LOGIN, data=sent | {field: text})

    assert 400 <= answer.status_code < 500
    assert "<script>alert" not in answer.text
    assert "onerror=" not in answer.text.replace("onerror=alert(1)&gt;", "")
    assert answer.text.count("<h1") == 1


@pytest.mark.parametrize("text", NAUGHTY)
@pytest.mark.parametrize("place", ["next", "nonsense"])
def test_naughty_queries_are_never_markup(installation, place, text):
    answer = installation.client().get(LOGIN, query_string={place: text})

    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "onerror=" not in answer.text


@pytest.mark.parametrize("text", NAUGHTY)
def test_naughty_headers_change_nothing(installation, text):
    octets = text.encode().decode("latin-1")
    overrides = {
        "HTTP_USER_AGENT": octets,
        "HTTP_COOKIE": octets,
        "HTTP_REFERER": octets,
        "HTTP_ACCEPT": "text/html," + octets,
    }

    answer = installation.client().get(LOGIN, environ_overrides=overrides)

    assert answer.status_code == 200


@pytest.mark.parametrize("text", NAUGHTY)
def test_naughty_codes_are_wrong_codes(installation, alice, text):
    browser = installation.client()
    submit(browser, LOGIN, username="alice", password=alice.password)

    answer = submit(browser, "/_gate/second-factor", code=text)

    assert answer.status_code == 401


def test_nul_in_a_name_is_an_ordinary_failure(fields):
    browser, sent = fields

    assert browser.post(LOGIN, data=sent | {"username": "a\0b"}).status_code == 401


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param({"Origin": "https://evil.example"}, 403, id="another origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="a sibling"),
        pytest.param({"Origin": "https://app.example.com"}, 401, id="our own"),
        pytest.param({"Origin": "null"}, 401, id="no origin told"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 401, id="same origin"),
    ],
)
def test_a_form_from_elsewhere_is_refused(installation, fields, sent, status):
    browser, given = fields

    answer = browser.post(LOGIN, data=given, headers=sent)

    assert answer.status_code == status
    assert (failures(installation) == 0) is (status == 403)


def test_a_form_without_its_token_shows_a_fresh_form(installation, fields):
    browser, given = fields

    answer = browser.post(LOGIN, data=given | {"csrf_token": "x"})

    assert answer.status_code == 403
    assert 'name="csrf_token"' in answer.text
    assert failures(installation) == 0


def test_a_token_of_another_browser_is_refused(installation, alice):
    attacker, victim = installation.client(), installation.client()
    stolen = page_and_fields(attacker)
    victim.get(LOGIN)

    answer = victim.post(
        LOGIN, data=stolen | {"username": "alice", "password": alice.password}
    )

    assert answer.status_code == 403


def test_a_token_of_another_form_is_refused(installation, alice):
    browser = installation.client()
    submit(browser, LOGIN, username="alice", password=alice.password)
    token = page_and_fields(browser)["csrf_token"]

    answer = browser.post(
        "/_gate/second-factor",
        data={"code": installation.code(alice), "csrf_token": token},
    )

    assert answer.status_code == 403


def test_a_page_left_open_for_a_day_gives_a_fresh_form(installation, fields):
    browser, given = fields
    installation.clock.tick(13 * 3600)

    answer = browser.post(LOGIN, data=given)

    assert answer.status_code == 403
    assert "open for too long" in answer.text


@pytest.mark.parametrize(
    ("page", "allow"),
    [
        ("/login", "GET, HEAD, POST"),
        ("/second-factor", "GET, HEAD, POST"),
        ("/logout", "GET, HEAD, POST"),
        ("/enroll", "GET, HEAD, POST"),
        ("/healthz", "GET, HEAD"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_another_method_is_405_with_what_is_allowed(installation, page, allow, method):
    answer = installation.client().open("/_gate" + page, method=method)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == allow


def test_the_service_worker_of_an_application_cannot_be_a_page_of_ours(installation):
    sent = {"Service-Worker": "script"}

    assert installation.client().get(LOGIN, headers=sent).status_code == 403
