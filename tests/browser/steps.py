"""What a person does on the pages of the gate, by the words on the buttons."""

from __future__ import annotations

from playwright.sync_api import Page

from totp_gate.testing import Person


def enter_password(page: Page, name: str, password: str) -> None:
    """Fill in the first page and send it."""
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Continue").click()


def enter_code(page: Page, code: str) -> None:
    """Fill in the second page and send it."""
    page.get_by_label("Code from your authenticator app").fill(code)
    page.get_by_role("button", name="Sign in").click()


def enter_fresh_code(page: Page, code: str) -> None:
    """Fill in the page that asks somebody who is signed in, and send it."""
    page.get_by_label("Code from your authenticator app").fill(code)
    page.get_by_role("button", name="Continue").click()


def sign_in(page: Page, person: Person, code: str) -> None:
    """Do both, from the first page on."""
    enter_password(page, person.name, person.password)
    enter_code(page, code)


def alert(page: Page) -> str:
    """Return what a screen reader announces as wrong."""
    return page.get_by_role("alert").inner_text()
