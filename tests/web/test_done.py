"""A sign-in in a window of its own ends on a page that closes it."""

from __future__ import annotations

import re

import pytest

from totp_gate.testing import submit


def test_a_sign_in_in_a_window_of_its_own_ends_there(installation, alice):
    client = installation.client()
    person = {"username": alice.name, "password": alice.password}
    answer = submit(client, "/_gate/login?next=/_gate/done", **person)
    assert answer.headers["Location"] == "/_gate/second-factor?next=/_gate/done"

    code = installation.code(alice)
    answer = submit(client, answer.headers["Location"], code=code)

    assert answer.headers["Location"] == "/_gate/done"
    page = client.get("/_gate/done")
    assert "done.js" in page.text
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_without_scripts_the_page_says_what_to_do(browser):
    text = browser.get("/_gate/done").text
    shown = re.sub(r"(?s)<(script|noscript|template)\b.*?</\1>", "", text)

    main = shown.partition("<main")[2]
    assert "You are signed in" in main
    assert "close this window and go on where you were" in main
    assert "load that page again" in main
    assert "hidden" not in main


@pytest.mark.parametrize(
    "place",
    [
        "/_gate/done?x",
        "/_gate/done/",
        "/_gate/logout",
        "/_gate/./done",
        "https://evil.example/_gate/done",
        "//_gate/done",
    ],
)
def test_no_other_page_of_the_gate_is_a_place_to_go_to(browser, place):
    answer = browser.get("/_gate/login", query_string={"next": place})

    assert answer.headers["Location"] == "/"


def test_who_is_signed_in_already_comes_there_at_once(browser):
    answer = browser.get("/_gate/login?next=/_gate/done")

    assert answer.headers["Location"] == "/_gate/done"
