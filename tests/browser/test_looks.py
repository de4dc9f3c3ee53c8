"""Every page in light, dark and on a phone; pictures for people to look at.

``SCREENSHOTS=folder`` keeps them. What a machine can tell is asserted: nothing is wider
than the screen, every field has a name, and every button is large enough for a thumb.
"""

from __future__ import annotations

import pyotp
import pytest
from playwright.sync_api import expect

from tests.browser.steps import enter_code, enter_password

DESK = {"viewport": {"width": 900, "height": 700}}
LOOKS = {
    "light": DESK,
    "dark": DESK | {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 375, "height": 740}, "has_touch": True},
}

WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
SMALL = """() => [...document.querySelectorAll("button, a, input:not([type=hidden])")]
  .filter((each) => each.checkVisibility() && !each.closest("p"))
  .map((each) => [each.textContent || each.name, each.getBoundingClientRect().height])
  .filter(([, height]) => height < 24)"""


@pytest.fixture(params=list(LOOKS))
def look(request, profile, screenshots):
    """A page, and what takes a picture of it: ``take("login")``."""
    page = profile(**LOOKS[request.param]).new_page()

    def take(what):
        page.wait_for_load_state()
        page.screenshot(
            path=screenshots / f"{what}-{request.param}.png", full_page=True
        )
        assert not page.evaluate(WIDER), f"{what} is wider than the screen"
        assert page.evaluate(SMALL) == []

    return page, take


def test_signing_in_looks_right(house, look):
    page, take = look
    alice = house.person(display="Alice Example")
    page.goto(house.origin + "/report")
    take("login")

    enter_password(page, "somebody", "wrong")
    take("login-wrong")
    enter_password(page, alice.name, alice.password)
    take("code")
    enter_code(page, "000000")
    take("code-wrong")
    enter_code(page, house.installation.code(alice))
    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")

    page.goto(house.origin + "/_gate/account")
    take("account")
    page.goto(house.origin + "/_gate/logout")
    take("logout")
    page.get_by_role("button", name="Sign out").click()
    take("signed-out")


def test_enrollment_looks_right(house, look):
    page, take = look
    dora = house.person(enrolled=False)
    page.goto(house.origin)
    enter_password(page, dora.name, dora.password)
    take("enroll")
    page.get_by_text("Type the setup key").click()
    app = pyotp.TOTP(page.locator("code.key").inner_text().replace(" ", ""))
    take("enroll-key")
    for code, picture in (("000000", "enroll-wrong"), (app.now(), "recovery-codes")):
        page.get_by_label("6-digit code").fill(code)
        page.get_by_role("button", name="Connect").click()
        take(picture)
    expect(page.get_by_role("heading")).to_have_text("Keep your recovery codes")


def test_errors_look_right(house, look):
    page, take = look
    page.goto(house.origin + "/_gate/nothing")
    take("not-found")
    page.goto(house.origin + "/_gate/enroll/used-before")
    take("dead-link")


def test_a_link_looks_right(house, look):
    page, take = look
    person = house.person(enrolled=False)
    secret, _ = house.installation.accounts.enrollment.make_link(
        person.name, "password-and-authenticator", now=house.installation.clock()
    )
    page.goto(f"{house.origin}/_gate/enroll/{secret}")
    take("link")
    page.get_by_role("button", name="Begin").click()
    take("password")
    page.get_by_label("New password", exact=True).fill("password1234")
    page.get_by_label("The same password again", exact=True).fill("password1234")
    page.get_by_role("button", name="Continue").click()
    take("password-poor")


def test_the_picture_in_the_readme_is_of_this_page(house, profile, screenshots):
    page = profile(viewport={"width": 900, "height": 640}).new_page()
    page.goto(house.origin)
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password", exact=True).fill("correct horse")
    page.get_by_label("Password", exact=True).blur()
    page.screenshot(path=screenshots / "sign-in.png")

    assert page.title() == "Sign in · Example reports"
