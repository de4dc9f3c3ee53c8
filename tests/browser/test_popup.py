"""A page whose session ends goes on after a sign-in in a window that closes itself."""

from __future__ import annotations

import re
from functools import partial

import pytest
from playwright.sync_api import expect

from tests.browser.ahead import set_ahead
from tests.browser.conftest import https_house
from tests.browser.steps import enter_fresh_code, sign_in
from tests.browser.wrapped_polling import SNIPPET

FRESH = """
[[rules]]
name = "ticks"
paths = ["/tick"]
policy = "two-factor"
max_age = "10m"
"""


@pytest.fixture(scope="module")
def polling(tmp_path_factory):
    """A gate over https in front of a page that polls."""
    app = "tests.browser.wrapped_polling:application()"
    folder = tmp_path_factory.mktemp("polling")
    with https_house(folder, app, settings=FRESH) as house:
        yield house


@pytest.fixture
def later(polling):
    """Set the clock of the server ahead, for one test."""
    yield partial(set_ahead, polling.folder)
    set_ahead(polling.folder, 0)


def waits(context, house):
    """Tell whether a request waits to be sent."""
    answer = context.request.get(f"{house.origin}/_gate/held", max_redirects=0)
    return answer.status == 200


def test_a_page_that_polls_goes_on_without_being_loaded_again(polling, profile):
    context = profile()
    page, alice = context.new_page(), polling.person()
    page.goto(polling.origin)
    sign_in(page, alice, polling.installation.code(alice))
    ticks = page.locator("output")
    expect(ticks).to_have_text(re.compile(r"\d+"))
    page.locator("textarea").fill("not lost")

    polling.installation.accounts.store.end_sessions(alice.name)
    again = page.get_by_role("button", name="Sign in again")
    expect(again).to_be_visible()
    before = int(ticks.inner_text())
    with context.expect_page() as opened:
        again.click()
    window = opened.value
    with window.expect_event("close"):
        sign_in(window, alice, polling.installation.code(alice, steps=1))

    page.wait_for_function(
        f"Number(document.querySelector('output').textContent) > {before}"
    )
    expect(again).to_have_count(0)
    assert page.locator("textarea").input_value() == "not lost"
    assert not waits(context, polling)


def test_a_page_whose_code_is_too_old_goes_on_after_another(polling, profile, later):
    context = profile()
    page, alice = context.new_page(), polling.person()
    page.goto(polling.origin)
    sign_in(page, alice, polling.installation.code(alice))
    ticks = page.locator("output")
    expect(ticks).to_have_text(re.compile(r"\d+"))

    later(600)
    again = page.get_by_role("button", name="Sign in again")
    expect(again).to_be_visible()
    before = int(ticks.inner_text())
    assert waits(context, polling)
    with context.expect_page() as opened:
        again.click()
    window = opened.value
    with window.expect_event("close"):
        enter_fresh_code(window, polling.installation.code(alice, steps=20))

    page.wait_for_function(
        f"Number(document.querySelector('output').textContent) > {before}"
    )
    assert not waits(context, polling)


def test_the_snippet_is_short():
    assert len(SNIPPET.strip().splitlines()) <= 20
