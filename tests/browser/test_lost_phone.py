"""A person's year: a printed link, a phone, a lost phone, a new one."""

import time

import pyotp
import pytest
from playwright.sync_api import expect

from tests.browser.steps import enter_code, enter_password
from tests.browser.test_enrollment import confirm, keep_recovery_codes, scan
from totp_gate.model import User

pytestmark = pytest.mark.browser

PASSWORD = "plover-meridian-quartz-71"


@pytest.fixture
def link(house):
    """What ``totp-gate user add`` prints for somebody new."""
    accounts = house.installation.accounts
    accounts.store.add_users([User(name="edna")])
    secret, _ = accounts.enrollment.make_link(
        "edna", "password-and-authenticator", now=time.time()
    )
    yield f"{house.origin}/_gate/enroll/{secret}"
    accounts.store.remove_user("edna")


def greeted(page):
    expect(page.get_by_role("heading")).to_have_text("Hello edna")


def test_from_a_printed_link_to_a_lost_phone_and_a_new_one(house, profile, link):
    page = profile().new_page()
    page.goto(link)
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("The same password again", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    old_phone = pyotp.parse_uri(scan(page))
    now = time.time()
    confirm(page, old_phone.at(now))
    codes = keep_recovery_codes(page)
    greeted(page)

    found = profile().new_page()
    found.goto(house.origin)
    enter_password(found, "edna", PASSWORD)
    found.get_by_role("link", name="recovery code").click()
    found.get_by_label("Recovery code").fill(codes[0].lower().replace("-", " "))
    found.get_by_role("button").first.click()
    new_phone = pyotp.parse_uri(scan(found))
    assert new_phone.secret != old_phone.secret
    confirm(found, new_phone.at(now + 30))
    expect(found.get_by_role("heading", level=1)).to_have_text("Your account")
    found.goto(house.origin)
    greeted(found)

    page.goto(house.origin)
    expect(page.get_by_role("heading")).to_have_text("Sign in")
    enter_password(page, "edna", PASSWORD)
    enter_code(page, old_phone.at(now + 30))
    expect(page.get_by_role("alert")).to_contain_text("That code was not right")
