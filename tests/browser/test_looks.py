"""Every page in light, dark and on a phone; pictures for people to look at.

``SCREENSHOTS=folder`` keeps them. What a machine can tell is asserted: nothing is wider
than the screen, every field has a name, and every button is large enough for a thumb.
"""

from __future__ import annotations

import itertools

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

PAPER = {"viewport": {"width": 794, "height": 1123}}

WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
SMALL = """() => [...document.querySelectorAll("button, a, input:not([type=hidden])")]
  .filter((each) => each.checkVisibility() && !each.closest("p"))
  .map((each) => [each.textContent || each.name, each.getBoundingClientRect().height])
  .filter(([, height]) => height < 24)"""


# Number and code of each line, as boxes; the number is generated, so its width is that
# of its text in its font.
LINES = """() => [...document.querySelectorAll(".codes li")].map((line, at) => {
  const number = document.createElement("canvas").getContext("2d");
  number.font = getComputedStyle(line, "::before").font;
  const box = line.getBoundingClientRect();
  const code = line.querySelector("code");
  const range = document.createRange();
  range.selectNodeContents(code);
  const rows = [...range.getClientRects()];
  return {
    top: box.top, bottom: box.bottom, left: box.left, right: box.right,
    number: number.measureText(`${at + 1}.`).width,
    rows: rows.length, from: rows[0].left, to: rows[0].right,
  };
})"""


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
    for closed in page.locator("summary").all():
        closed.click()
    take("account-open")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("new name")
    take("account-renamed")
    page.goto(house.origin + "/_gate/account/password")
    take("change-password")
    page.goto(house.origin + "/_gate/account/confirm")
    take("confirm")
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
    expect(page.get_by_role("heading")).to_have_text("Save your recovery codes")


def test_further_authenticators_look_right(house, look):
    page, take = look
    eve = house.person()
    page.goto(house.origin)
    enter_password(page, eve.name, eve.password)
    enter_code(page, house.installation.code(eve))
    expect(page.get_by_role("heading")).to_have_text(f"Hello {eve.name}")

    page.goto(house.origin + "/_gate/account")
    page.get_by_text("Counter-based device (HOTP)?").click()
    page.get_by_role("button", name="Add a counter-based one").click()
    take("enroll-counter")
    page.get_by_text("Type the setup key").click()
    key = pyotp.HOTP(page.locator("code.key").inner_text().replace(" ", ""))
    page.get_by_label("6-digit code").fill(key.at(0))
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("status")).to_contain_text("is connected")
    take("account-connected")
    page.get_by_role("button", name="Remove test").click()
    take("remove")
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("status")).to_contain_text("is removed")

    page.goto(house.origin + "/_gate/logout")
    page.get_by_role("button", name="Sign out").click()
    page.goto(house.origin)
    enter_password(page, eve.name, eve.password)
    take("code-counter")
    page.get_by_label("Next code from your authenticator").fill(key.at(0))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("was not right")
    page.get_by_label("Next code from your authenticator").fill(key.at(1))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading")).to_have_text(f"Hello {eve.name}")


def test_a_sign_in_with_few_recovery_codes_looks_right(house, look):
    page, take = look
    eve = house.person()
    store = house.installation.accounts.store
    for left in (2, 0):
        store.replace_recovery(eve.name, [f"digest {n}" for n in range(left)], 0)
        page.goto(house.origin)
        enter_password(page, eve.name, eve.password)
        expect(page.locator(".ways")).to_contain_text(
            "left." if left else "no recovery"
        )
        take(f"code-{left}-left")
    enter_code(page, house.installation.code(eve))
    expect(page.get_by_role("heading")).to_have_text("Save your recovery codes")


def test_news_in_a_trusted_browser_look_right(house, look, profile):
    page, take = look
    eve = house.person()
    page.goto(house.origin)
    enter_password(page, eve.name, eve.password)
    page.get_by_label("Trust this browser").check()
    take("code-trust")
    enter_code(page, house.installation.code(eve))
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    stranger = profile().new_page()
    stranger.goto(house.origin)
    enter_password(stranger, eve.name, eve.password)
    enter_code(stranger, "000000")
    expect(stranger.get_by_role("alert")).to_contain_text("was not right")

    page.goto(house.origin + "/report")
    enter_password(page, eve.name, eve.password)
    expect(page.get_by_role("status")).to_contain_text("a wrong code was typed once")
    take("news")
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_text("/report")).to_be_visible()


@pytest.mark.parametrize("width", [794, 560, 375], ids=["A4", "A5", "narrow"])
def test_printed_recovery_codes_stand_apart(house, profile, screenshots, width):
    page = profile(viewport=PAPER["viewport"] | {"width": width}).new_page()
    eve = house.person()
    house.installation.accounts.store.replace_recovery(eve.name, [], 0)
    page.goto(house.origin)
    enter_password(page, eve.name, eve.password)
    enter_code(page, house.installation.code(eve))
    expect(page.get_by_role("heading")).to_have_text("Save your recovery codes")

    page.emulate_media(media="print")
    page.screenshot(path=screenshots / f"recovery-codes-paper-{width}.png")
    lines = page.evaluate(LINES)

    heading = page.get_by_role("heading").inner_text()
    assert heading == f"Recovery codes of {eve.name}"
    assert len(lines) == 10
    for line in lines:
        assert line["rows"] == 1
        assert line["left"] + line["number"] < line["from"]
        assert line["to"] <= line["right"]
    for above, below in itertools.pairwise(lines):
        assert above["bottom"] <= below["top"] or above["right"] <= below["left"]


def test_the_file_of_recovery_codes_says_whose_they_are(house, page, tmp_path):
    eve = house.person()
    house.installation.accounts.store.replace_recovery(eve.name, [], 0)
    page.goto(house.origin)
    enter_password(page, eve.name, eve.password)
    enter_code(page, house.installation.code(eve))
    expect(page.locator(".codes code")).to_have_count(10)
    codes = page.locator(".codes code").all_inner_texts()

    with page.expect_download() as begun:
        page.get_by_role("button", name="Download").click()
    begun.value.save_as(tmp_path / "codes")

    whose = f"ecovery codes of {eve.name} for Example reports"
    assert begun.value.suggested_filename == f"r{whose}.txt"
    head, _, rest = (tmp_path / "codes").read_text().partition("\n\n")
    assert head == f"R{whose}. Each works once."
    assert rest.split() == codes


def test_on_a_phone_the_app_of_the_phone_comes_first(house, profile):
    page = profile(**LOOKS["phone"]).new_page()
    dora = house.person(enrolled=False)
    page.goto(house.origin)
    enter_password(page, dora.name, dora.password)

    link = page.get_by_role("link", name="Open in an authenticator app")
    picture = page.get_by_role("img", name="QR code")

    assert link.bounding_box()["y"] < picture.bounding_box()["y"]


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
