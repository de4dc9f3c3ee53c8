"""A gate in front of an application that tells what it received."""

import pytest

from tests.applications import echo
from totp_gate.testing import Installation


@pytest.fixture
def installation(tmp_path):
    echo.calls = 0
    made = Installation(echo, tmp_path)
    yield made
    made.accounts.store.close()


@pytest.fixture
def alice(installation):
    return installation.add_user(
        "alice", groups=["staff", "ops"], display="Alice Ä", email="a@example.com"
    )


@pytest.fixture
def browser(installation, alice):
    """A browser in which Alice is signed in."""
    return installation.sign_in(alice)
