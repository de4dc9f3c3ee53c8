"""Whoever goes round between sign-in and application is told why."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.applications import echo
from totp_gate.testing import Client, Installation

LOGIN = "/_gate/login?next=/reports"


def bounce(browser, times: int, page: str = LOGIN) -> list[int]:
    return [browser.get(page).status_code for _ in range(times)]


def test_the_fifth_time_within_a_minute_is_told(browser):
    assert bounce(browser, 4) == [303] * 4

    answer = browser.get(LOGIN)

    assert answer.status_code == 403
    assert "The application itself sends you back" in answer.text
    assert "another host" in answer.text
    assert "clock" in answer.text
    assert browser.get(LOGIN).status_code == 303


def test_slow_rounds_are_no_loop(installation, browser):
    for _ in range(8):
        assert browser.get(LOGIN).status_code == 303
        installation.clock.tick(20)


def test_many_tabs_are_no_loop(browser):
    pages = [f"/_gate/login?next=/tab/{number}" for number in range(9)]

    assert [browser.get(page).status_code for page in pages] == [303] * 9


def test_a_stranger_is_shown_the_form_as_often_as_they_like(installation):
    assert bounce(installation.client(), 9) == [200] * 9


def form_of(client: Client, headers=()) -> tuple[str, dict[str, str]]:
    page = client.get(LOGIN, headers=dict(headers)).text
    token = re.search(r'name="csrf_token" value="(.*?)"', page)[1]
    action = re.search(r'<form method="post" action="(.*?)"', page)[1]
    fields = {"username": "alice", "password": "x", "csrf_token": token}
    return unescape(action), fields


@pytest.mark.parametrize(
    ("peer", "said", "shown"),
    [
        pytest.param("https", "blocks cookies", True, id="cookies blocked"),
        pytest.param("https", "plain http", False, id="not over http"),
    ],
)
def test_a_browser_without_cookies_is_told(installation, peer, said, shown):
    client = Client(installation.gate, use_cookies=False)
    action, fields = form_of(client)

    answer = client.post(action, data=fields)

    assert answer.status_code == 403
    assert (said in answer.text) is shown


def test_secure_cookies_over_plain_http_are_named(installation):
    client = Client(installation.gate, use_cookies=False)
    client.origin = installation.origin.replace("https", "http")
    action, fields = form_of(client)

    answer = client.post(action, data=fields)

    assert "only for https" in answer.text


def test_https_that_ends_before_the_gate_is_not_taken_for_plain_http(tmp_path):
    trusting = {"trusted_proxies": ["127.0.0.1"]}
    made = Installation(echo, tmp_path, gate=trusting)
    client = Client(made.gate, use_cookies=False)
    client.origin = made.origin.replace("https", "http")
    told = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    action, fields = form_of(client, told)

    answer = client.post(action, data=fields, headers=told)
    made.accounts.store.close()

    assert answer.status_code == 403
    assert "blocks cookies" in answer.text
    assert "only for https" not in answer.text


def test_an_old_form_is_old_and_no_loop(installation):
    client = Client(installation.gate, use_cookies=False)
    action, fields = form_of(client)
    installation.clock.tick(61)

    answer = client.post(action, data=fields)

    assert "open for too long" in answer.text


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        pytest.param("/favicon.ico", {}, id="favicon"),
        pytest.param("/app.JS", {}, id="script"),
        pytest.param("/a/style.css", {}, id="style"),
        pytest.param("/api/data.json", {}, id="data"),
        pytest.param(
            "/inner",
            {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
            id="frame",
        ),
    ],
)
def test_nobody_lands_on_what_is_no_page(installation, path, sent):
    answer = installation.client().get(path, headers=sent)

    assert answer.headers["Location"] == "/_gate/login"


def test_a_page_that_looks_like_a_script_is_a_place_where_the_browser_says_so(
    installation,
):
    sent = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    answer = installation.client().get("/source/app.js", headers=sent)

    assert answer.headers["Location"] == "/_gate/login?next=/source/app.js"
