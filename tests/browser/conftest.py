"""A browser, a fresh profile of it for every test, and a gate for it to meet."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    expect,
    sync_playwright,
)

from tests.integration.house import House

HERE = Path(__file__).parent

#: Debian's Chromium, and nothing that talks to the world on its own.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: What Chromium writes to the console about every answer of 400 and more.
EXPECTED = "Failed to load resource: the server responded with a status of 4"

#: How long a page may take on a busy machine, in milliseconds.
PATIENCE = 30_000

Profile = Callable[..., BrowserContext]

expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


# Not for the whole session: while it runs, Playwright's event loop counts as running,
# and tests of other folders could not run one of their own.
@pytest.fixture(scope="package")
def browser(program: Callable[[str], Path]) -> Iterator[Browser]:
    """One Chromium for all tests of this folder."""
    chromium = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=FLAGS, timeout=60_000
        )
        yield browser
        browser.close()


@pytest.fixture
def profile(browser: Browser) -> Iterator[Profile]:
    """Make profiles of somebody who has never been anywhere: ``profile(**options)``.

    At the end no page may have complained: scripts that fail, and whatever the content
    security policy forbids, are errors of the test.
    """
    made: list[BrowserContext] = []
    complaints: list[str] = []

    def note(text: str) -> None:
        if not text.startswith(EXPECTED):
            complaints.append(text)

    def make(**options: object) -> BrowserContext:
        known = {"locale": "en-US", "ignore_https_errors": True}
        context = browser.new_context(**(known | options))
        context.set_default_timeout(PATIENCE)
        context.on("console", lambda said: said.type == "error" and note(said.text))
        context.on("weberror", lambda error: note(str(error.error)))
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()
    assert complaints == []


@pytest.fixture
def page(profile: Profile) -> Page:
    """A page of a browser that has never been anywhere."""
    return profile().new_page()


def https_house(
    folder: Path, app: str = "tests.browser.wrapped:application", **more: Any
) -> House:
    """Return a gate over https in front of *app*; *more* as for ``House``."""
    write_certificate(folder)
    return House(
        folder,
        app,
        scheme="https",
        arguments=["--certfile", "certificate.pem", "--keyfile", "key.pem"],
        **more,
    )


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gate over https; whoever has no authenticator connects one at first sign-in."""
    with https_house(
        tmp_path_factory.mktemp("house"),
        settings='[second_factor]\nenrollment = "first-login"\ntrusted_device = "30d"\n',
        gate={"name": "Example reports"},
    ) as house:
        yield house


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: ``SCREENSHOTS`` of the environment, or a passing folder."""
    chosen = os.environ.get("SCREENSHOTS")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_certificate(folder: Path) -> None:
    """Write ``certificate.pem`` for loopback, signed by its own ``key.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(IPv4Address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    octets = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(octets)
    octets = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(octets)
