"""A terminal to type commands into, in a folder with settings and keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.moments import copy_files
from totp_gate.app import Accounts
from totp_gate.cli import main
from totp_gate.cli.parts import Parts
from totp_gate.core.passwords import Profile
from totp_gate.testing import Clock, write_settings

PASSWORD = "correct horse battery"


class Terminal:
    """Runs commands in one folder, without a terminal on standard input.

    Attributes:
        clock: what the commands take for now.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "gate.toml"
        self.clock = Clock()
        self._runner = CliRunner()

    def parts(self) -> Parts:
        """Return what a command would work with, hashing cheaply."""
        profile = Profile.cheap_for_tests()
        return Parts(self.path, clock=self.clock, profile=profile)

    def run(self, *words: str, input: str | bytes | None = None) -> Result:
        """Run a command, whatever it ends with; only a traceback is not accepted."""
        arguments = ["--config", str(self.path), *words]
        result = self._runner.invoke(main, arguments, input=input, obj=self.parts())
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return result

    def do(self, *words: str, input: str | bytes | None = None) -> str:
        """Run a command that has to end well, and return what it printed."""
        result = self.run(*words, input=input)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *words: str, input: str | bytes | None = None) -> Any:
        """Return what a command prints with ``--json``."""
        return json.loads(self.do(*words, "--json", input=input))

    def refused(self, *words: str, code: int = 1, input: str | None = None) -> str:
        """Run a command that has to end with *code*, and return what it complained."""
        result = self.run(*words, input=input)
        assert result.exit_code == code, result.output
        return result.stderr

    def open(self) -> Accounts:
        """Open the accounts; close the store when done."""
        return self.parts().accounts


@pytest.fixture
def empty(tmp_path: Path) -> Terminal:
    """A terminal in an empty folder."""
    return Terminal(tmp_path)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal in a folder with settings and keys, and no users."""
    write_settings(tmp_path)
    return Terminal(tmp_path)


@pytest.fixture(scope="session")
def with_alice(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """The terminal that ``alice`` is a copy of."""
    terminal = Terminal(tmp_path_factory.mktemp("alice"))
    write_settings(terminal.folder)
    words = ("user", "add", "alice", "--password-stdin", "--no-link")
    terminal.do(*words, input=PASSWORD + "\n")
    accounts = terminal.open()
    factor = accounts.factors.draw()
    ready = accounts.factors.sealed(
        factor, "alice", name="Phone", last=-1, now=terminal.clock()
    )
    accounts.store.add_authenticator(ready, only=True)
    accounts.store.close()
    return terminal


@pytest.fixture
def alice(with_alice: Terminal, tmp_path: Path) -> Terminal:
    """A terminal where alice has a password and an authenticator."""
    copy_files(with_alice.folder, tmp_path)
    terminal = Terminal(tmp_path)
    terminal.clock.now = with_alice.clock.now
    return terminal
