"""Everything that can go wrong, as one tree.

GateError
├── ConfigError        gate.toml, its keys or its state cannot be used
├── NotFound           a named user, session or authenticator does not exist
├── Conflict           what was asked for contradicts what is there
├── StoreUnavailable   the store cannot be read or written
├── Overloaded         more work than the process may take on at once
├── UpstreamUnavailable  the application behind the gate cannot be reached
├── SealBroken         a sealed secret cannot be opened
└── BadRequest         a request no two parsers would read alike

Wrong input of a person (a wrong password, a wrong code) is no error: it is an ordinary
value. Broken machinery is an error, and every error closes the gate.
"""

from __future__ import annotations

from collections.abc import Sequence


class GateError(Exception):
    """Root of the tree: ``except GateError`` catches all of it and nothing else."""


class ConfigError(GateError):
    """The settings cannot be used.

    Attributes:
        problems: ``(key, reason)`` pairs in file order; never empty. The reason ends
            with the remedy.
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(f"{key}: {reason}" for key, reason in self.problems)


class NotFound(GateError):
    """What was named does not exist; the text says what."""


class Conflict(GateError):
    """What was asked for contradicts what is there; the text says how."""


class StoreUnavailable(GateError):
    """The store could not be read or written; nothing was recorded."""


class Overloaded(GateError):
    """The process is doing as much of this as it may; nothing was tried.

    Attributes:
        retry_after: seconds after which another try makes sense.
    """

    def __init__(self, reason: str, *, retry_after: int = 5) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class UpstreamUnavailable(GateError):
    """The application behind the gate cannot be reached."""


class SealBroken(GateError):
    """A sealed secret was changed, moved, or sealed with a key that is gone."""


class BadRequest(GateError):
    """A request that two parsers could read differently, or that breaks HTTP.

    Attributes:
        status: the answer's status code, 400 unless said otherwise.
    """

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status
