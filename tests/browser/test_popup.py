"""A page whose session ends goes on after a sign-in in a window that closes itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import write_certificate
from tests.browser.steps import sign_in
from tests.browser.wrapped_polling import SNIPPET
from tests.integration.house import House


@pytest.fixture(scope="module")
def polling(tmp_path_factory):
    """A gate over https in front of a page that polls."""
    folder = tmp_path_factory.mktemp("polling")
    write_certificate(folder)
    with House(
        folder,
        "tests.browser.wrapped_polling:application()",
        scheme="https",
        arguments=["--certfile", "certificate.pem", "--keyfile", "key.pem"],
    ) as house:
        yield house


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


def test_the_snippet_is_short():
    assert len(SNIPPET.strip().splitlines()) <= 20
