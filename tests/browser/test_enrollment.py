"""Connecting an authenticator: the picture is read as a phone would read it."""

from __future__ import annotations

import io
import time

import pyotp
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import expect

from tests.browser.steps import alert, enter_code, enter_password


def scan(page) -> str:
    """Return what a camera reads in the QR code on the screen."""
    shot = page.get_by_role("img", name="QR code").screenshot()
    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(shot)).convert("L"))
    assert len(found) == 1
    return found[0].text


def typed_key(page) -> str:
    """Return the setup key for people who cannot scan."""
    page.get_by_text("Type the setup key").click()
    return page.locator("code.key").inner_text().replace(" ", "")


def confirm(page, code):
    page.get_by_label("6-digit code").fill(code)
    page.get_by_role("button", name="Connect").click()


def keep_recovery_codes(page):
    """Return the codes for the day the phone is lost, and go on."""
    expect(page.get_by_role("heading")).to_have_text("Save your recovery codes")
    codes = page.locator(".codes code").all_inner_texts()
    page.get_by_text("I have saved them").click()
    return codes


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="light"),
        pytest.param({"color_scheme": "dark"}, id="dark"),
        pytest.param({"viewport": {"width": 375, "height": 740}}, id="phone"),
    ],
)
def test_a_scanned_picture_makes_codes_that_open(house, profile, options):
    dora = house.person(enrolled=False)
    page = profile(**options).new_page()
    page.goto(house.origin + "/report?year=2026")
    enter_password(page, dora.name, dora.password)
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Connect your authenticator"
    )

    uri = scan(page)
    app = pyotp.parse_uri(uri)
    assert (app.issuer, app.name) == ("Example reports", dora.name)
    assert app.secret == typed_key(page)
    assert uri == page.get_by_role("link", name="Open in an").get_attribute("href")

    confirm(page, "000000")
    assert "That code is not right" in alert(page)
    assert scan(page) == uri
    confirm(page, app.now())
    assert len(set(keep_recovery_codes(page))) == 10
    expect(page.get_by_role("heading")).to_have_text(f"Hello {dora.name}")
    assert page.url == house.origin + "/report?year=2026"


def test_the_confirming_code_is_spent_and_the_next_one_opens(house, page, profile):
    dora = house.person(enrolled=False)
    page.goto(house.origin)
    enter_password(page, dora.name, dora.password)
    app = pyotp.parse_uri(scan(page))
    now = time.time()
    confirm(page, app.at(now))
    keep_recovery_codes(page)
    expect(page.get_by_role("heading")).to_have_text(f"Hello {dora.name}")

    again = profile().new_page()
    again.goto(house.origin)
    enter_password(again, dora.name, dora.password)
    enter_code(again, app.at(now))
    assert "That code was not right" in alert(again)
    enter_code(again, app.at(now + 30))

    expect(again.get_by_role("heading")).to_have_text(f"Hello {dora.name}")
