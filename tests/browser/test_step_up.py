"""A rule that wants a fresh code, in a browser whose code has grown old."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.ahead import set_ahead
from tests.browser.conftest import https_house
from tests.browser.steps import enter_fresh_code, sign_in

ADMIN = """
[[rules]]
name = "admin"
paths = ["/admin/*"]
policy = "two-factor"
max_age = "10m"
"""
PLACE = "/admin/users?page=2"
COOKIE = "__Host-totp_gate"


@pytest.fixture(scope="module")
def admin(tmp_path_factory):
    """A gate over https with a place for fresh codes."""
    with https_house(tmp_path_factory.mktemp("admin"), settings=ADMIN) as house:
        yield house


def session(context):
    """Return the cookie of the session."""
    (found,) = [each for each in context.cookies() if each["name"] == COOKIE]
    return found


def test_after_ten_minutes_one_place_asks_for_a_code_and_leads_on(admin, profile):
    context = profile()
    page, alice = context.new_page(), admin.person()
    hello = page.get_by_role("heading", name=f"Hello {alice.name}")
    page.goto(admin.origin + PLACE)
    sign_in(page, alice, admin.installation.code(alice))
    expect(hello).to_be_visible()
    expect(page).to_have_url(admin.origin + PLACE)
    before = session(context)

    set_ahead(admin.folder, 600)
    page.goto(admin.origin + "/")
    expect(hello).to_be_visible()
    page.goto(admin.origin + PLACE)
    expect(page.get_by_role("heading", name="Enter a fresh code")).to_be_visible()
    expect(hello).to_have_count(0)
    assert session(context) == before
    enter_fresh_code(page, admin.installation.code(alice, steps=20))

    expect(hello).to_be_visible()
    expect(page).to_have_url(admin.origin + PLACE)
    assert session(context)["value"] != before["value"]
    thief = profile()
    thief.add_cookies([before])
    window = thief.new_page()
    window.goto(admin.origin + "/")
    expect(window.get_by_label("User name")).to_be_visible()
