"""A sign-in asks the store the same, however many users there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.applications import echo
from totp_gate.model import User
from totp_gate.testing import Installation


@contextmanager
def listening(installation: Installation) -> Iterator[list[str]]:
    """Collect what is said to the database meanwhile."""
    said: list[str] = []

    def listen(_c, _cursor, statement, _parameters, _context, _many) -> None:
        said.append(statement)

    engine = installation.accounts.store._database._engine
    event.listen(engine, "before_cursor_execute", listen)
    yield said
    event.remove(engine, "before_cursor_execute", listen)


def crowd(number: int) -> list[User]:
    return [User(name=f"user{each}", password_hash="x") for each in range(number)]


@pytest.fixture
def statements(state: Path):
    """What a sign-in says to the database, in front of *number* further users."""

    def statements_of(number: int) -> list[str]:
        folder = state.parent / str(number)
        folder.mkdir()
        installation = Installation(echo, folder)
        installation.accounts.store.add_users(crowd(number))
        alice = installation.add_user("alice")
        with listening(installation) as said:
            browser = installation.sign_in(alice)
            assert browser.get("/").json["REMOTE_USER"] == "alice"
        installation.accounts.store.close()
        return said

    return statements_of


def test_a_sign_in_says_the_same_among_ten_thousand_as_among_ten(statements):
    few, many = statements(10), statements(10_000)

    assert len(few) > 10
    assert many == few
    assert [each for each in many if "FROM users" in each and "WHERE" not in each] == []
