"""What the commands work with, opened when the first of them asks for it."""

from __future__ import annotations

import difflib
import importlib
import os
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from totp_gate.errors import ConfigError, Conflict, GateError, NotFound
from totp_gate.model import User, canonical_name

if TYPE_CHECKING:
    from totp_gate.app import Accounts
    from totp_gate.config import Config
    from totp_gate.core.passwords import Profile


class Refused(click.ClickException):
    """What was asked for is not done; the text says why and what would be."""

    exit_code = 1


class Unusable(click.ClickException):
    """The settings, or what they name, cannot be used; a line for each problem."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the problems, each like a single one."""
        for line in self.message.splitlines():
            click.echo(f"Error: {line}", file=file, err=True)


class Noun(click.Group):
    """Commands of which one that is misspelt is told."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that *args* name.

        Raises:
            UsageError: there is none.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            if not near:
                raise
            ctx.fail(f"{error.message} Did you mean {near[0]}?")


class Program(Noun):
    """The commands, each imported when it is asked for; trouble becomes a text.

    Args:
        nouns: modules beside this one, each with a command of its own name.
    """

    def __init__(self, *args: Any, nouns: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._nouns = tuple(nouns)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands, in the order of their first use."""
        return list(self._nouns)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Return the command called *cmd_name*, or None."""
        if cmd_name not in self._nouns:
            return None
        module = importlib.import_module(f"totp_gate.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; trouble becomes a text and an exit status."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise Unusable(str(error)) from error
        except GateError as error:
            raise Refused(str(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise Refused(f"{where}{error.strerror or error}") from error


class Parts:
    """The settings and the accounts of one installation.

    Attributes:
        path: the settings file.
    """

    def __init__(
        self,
        path: Path = Path("gate.toml"),
        *,
        clock: Callable[[], float] = time.time,
        profile: Profile | None = None,
    ) -> None:
        self.path = path
        self.clock = clock
        self.profile = profile
        self._accounts: Accounts | None = None

    @cached_property
    def config(self) -> Config:
        """The settings."""
        from totp_gate.config import load_config

        return load_config(self.path)

    @property
    def accounts(self) -> Accounts:
        """The use cases over keys and state, open until ``close``."""
        from totp_gate.app import open_accounts

        if self._accounts is None:
            self._accounts = open_accounts(
                _quiet(self.config), clock=self.clock, profile=self.profile
            )
        return self._accounts

    def now(self) -> float:
        """Return the time, Unix seconds."""
        return self.clock()

    def close(self) -> None:
        """Close the state where it was opened; it opens again when it is needed."""
        if self._accounts is not None:
            self._accounts.store.close()
            self._accounts = None

    def user(self, name: str) -> User:
        """Return the user called *name*, in any spelling.

        Raises:
            NotFound: there is none.
        """
        found = self.accounts.directory.find(canonical_name(name))
        if found is None:
            raise self.nobody(name)
        return found

    @staticmethod
    def nobody(name: str) -> NotFound:
        """Return what says that there is no user called *name*."""
        return NotFound(f"there is no user called {name}; see totp-gate user list")

    def stored_user(self, name: str) -> User:
        """Return the user called *name*, who is kept in the store.

        Raises:
            NotFound: there is none.
            Conflict: the settings file has them, which no command changes.
        """
        user = self.user(name)
        if user.source != "store":
            raise Conflict(
                f"{user.name} stands in {self.config.path.name}, which no command"
                " changes: edit [[users]] there, then reload or restart the gate"
            )
        return user

    def address(self, secret: str) -> str:
        """Return where the one-time link with this secret part leads."""
        origin = self.config.origins[0].text
        return f"{origin}{self.config.gate.prefix}/enroll/{secret}"

    def record(self, name: str, event: str, detail: str = "") -> None:
        """Write what was done into the audit, and keep it for ``totp-gate audit``.

        Args:
            name: canonical name; empty: not about one user.
            event: a name of ``telemetry.inventory``.
        """
        from totp_gate.telemetry.audit import Occasion

        ctx = click.get_current_context()
        words = ctx.command_path.removeprefix(ctx.find_root().command_path)
        occasion = Occasion(now=self.now(), agent=f"totp-gate{words}")
        who = f"by user id {os.getuid()}"
        said = f"{detail}, {who}" if detail else who
        self.accounts.audit.event(occasion, event, "success", user=name, detail=said)


def _quiet(config: Config) -> Config:
    """Return *config* with an audit that does not write between a command's results.

    The standard error of a running gate goes to a log; that of a command goes to
    whoever typed it, and what they did is kept in the store anyway.
    """
    if config.audit.file != "-":
        return config
    silent = config.audit.model_copy(update={"file": os.devnull})
    return config.model_copy(update={"audit": silent})


pass_parts = click.make_pass_decorator(Parts, ensure=True)
