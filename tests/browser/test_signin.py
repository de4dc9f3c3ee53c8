"""Signing in and out as a person does it, over https."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.steps import alert, enter_code, enter_password, sign_in

PLACE = "/report?year=2026&q=a%20b&next=/x"
SESSION = "__Host-totp_gate"


def cookie(page, name=SESSION):
    found = [each for each in page.context.cookies() if each["name"] == name]
    return found[0] if found else None


def test_a_person_signs_in_and_comes_back_to_where_they_were_going(house, page):
    alice = house.person(display="Alice")
    page.goto(house.origin + PLACE)
    assert page.title() == "Sign in · Example reports"
    expect(page.get_by_label("User name")).to_be_focused()

    enter_password(page, alice.name, alice.password)
    expect(page.get_by_label("Code from your authenticator app")).to_be_focused()
    assert cookie(page) is None
    enter_code(page, house.installation.code(alice))

    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")
    assert page.url == house.origin + PLACE
    assert page.locator("p").inner_text() == PLACE
    mine = cookie(page)
    assert (mine["secure"], mine["httpOnly"], mine["sameSite"], mine["path"]) == (
        True,
        True,
        "Lax",
        "/",
    )


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_wrong_password_is_said_and_the_name_is_kept(house, page, known):
    name = house.person().name if known else "nobody-at-all"
    page.goto(house.origin)

    enter_password(page, name, "not the password")

    assert alert(page) == "That did not match. Check the user name and the password."
    assert page.title().startswith("Error: ")
    assert page.get_by_label("User name").input_value() == name
    assert page.get_by_label("Password", exact=True).input_value() == ""
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    assert cookie(page) is None


def test_after_a_wrong_code_the_right_one_still_opens(house, page):
    alice = house.person()
    page.goto(house.origin + PLACE)
    enter_password(page, alice.name, alice.password)
    right = house.installation.code(alice)

    enter_code(page, f"{(int(right) + 1) % 10**6:06}")

    assert "That code was not right" in alert(page)
    assert cookie(page) is None
    enter_code(page, f"{right[:3]} {right[3:]}")
    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")
    assert page.url == house.origin + PLACE


def test_a_code_opens_once(house, page, profile):
    alice = house.person()
    code = house.installation.code(alice)
    page.goto(house.origin)
    sign_in(page, alice, code)
    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")

    other = profile().new_page()
    other.goto(house.origin)
    sign_in(other, alice, code)

    assert "That code was not right" in alert(other)
    assert cookie(other) is None


def test_signing_out_closes_the_application(house, page):
    alice = house.person()
    page.goto(house.origin)
    sign_in(page, alice, house.installation.code(alice))
    page.get_by_role("link", name="Sign out").click()

    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading")).to_have_text("You are signed out")
    assert cookie(page) is None
    page.go_back()
    page.goto(house.origin)
    expect(page.get_by_role("heading")).to_have_text("Sign in")


def test_half_a_sign_in_can_be_started_over_as_somebody_else(house, page):
    alice, bob = house.person(), house.person()
    page.goto(house.origin + PLACE)
    enter_password(page, alice.name, alice.password)

    page.get_by_role("button", name="Not you? Start over").click()

    sign_in(page, bob, house.installation.code(bob))
    expect(page.get_by_role("heading")).to_have_text(f"Hello {bob.name}")


def test_two_tabs_each_come_to_their_own_place(house, page):
    alice = house.person()
    other = page.context.new_page()
    page.goto(house.origin + "/first?a=1")
    other.goto(house.origin + "/second?b=2")
    enter_password(page, alice.name, alice.password)
    enter_password(other, alice.name, alice.password)
    enter_code(page, house.installation.code(alice))
    expect(page.locator("p")).to_have_text("/first?a=1")

    enter_code(other, "000000")

    expect(other.locator("p")).to_have_text("/second?b=2")


def test_a_sign_in_page_left_open_leads_on_once_another_tab_has_signed_in(house, page):
    alice = house.person()
    other = page.context.new_page()
    other.goto(house.origin + "/second?b=2")
    page.goto(house.origin)
    sign_in(page, alice, house.installation.code(alice))
    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")

    enter_password(other, alice.name, alice.password)

    expect(other.locator("p")).to_have_text("/second?b=2")


def test_everything_works_without_javascript(house, profile):
    alice = house.person()
    page = profile(java_script_enabled=False).new_page()
    page.goto(house.origin + PLACE)
    assert page.get_by_role("button", name="Show").count() == 0

    sign_in(page, alice, house.installation.code(alice))

    assert page.locator("h1").inner_text() == f"Hello {alice.name}"
    assert page.url == house.origin + PLACE
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    assert page.locator("h1").inner_text() == "You are signed out"


def test_a_password_can_be_looked_at_before_it_is_sent(house, page):
    page.goto(house.origin)
    field = page.get_by_label("Password", exact=True)
    field.fill("correct horse")

    page.get_by_role("button", name="Show").click()
    assert field.get_attribute("type") == "text"
    page.get_by_role("button", name="Hide").click()

    assert field.get_attribute("type") == "password"
    assert field.input_value() == "correct horse"


def test_a_double_click_sends_a_code_once(house, page):
    alice = house.person()
    page.goto(house.origin)
    enter_password(page, alice.name, alice.password)
    field = page.get_by_label("Code from your authenticator app")
    field.fill(house.installation.code(alice))

    page.get_by_role("button", name="Sign in").dblclick()

    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")
