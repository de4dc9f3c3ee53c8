"""Plain http on purpose: it works, and every page says what that means."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.steps import sign_in
from tests.integration.house import House


@pytest.fixture
def plain_house(tmp_path):
    with House(tmp_path, "tests.browser.wrapped:application") as house:
        yield house


def test_plain_http_works_and_warns(plain_house, page, screenshots):
    alice = plain_house.person()
    page.goto(plain_house.origin + "/report")
    page.screenshot(path=screenshots / "login-plain-http.png")
    expect(page.get_by_role("note")).to_have_text(
        "Plain http: anyone on this network can read what you type."
    )

    sign_in(page, alice, plain_house.installation.code(alice))

    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")
    names = {each["name"] for each in page.context.cookies()}
    assert "totp_gate" in names
    assert not any(name.startswith("__") for name in names)
