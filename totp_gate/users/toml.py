"""Users of the settings file: read once, never written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from totp_gate.errors import ConfigError
from totp_gate.model import User, canonical_name
from totp_gate.users.credentials import credential_of


class FileUsers:
    """A ``Directory`` of the users in ``[[users]]``.

    A user's ``credential`` follows from the hash in the file: a changed password
    ends the sessions that began with the old one.

    Args:
        users: as read; names may be spelled in any way.

    Raises:
        ConfigError: two of them have one name, or one has none.
    """

    source = "file"

    def __init__(self, users: Sequence[User]) -> None:
        self._users: dict[str, User] = {}
        problems: list[tuple[str, str]] = []
        for number, user in enumerate(users):
            name = canonical_name(user.name)
            if not name:
                problems.append((f"users.{number}.name", "is empty; give it a name"))
            elif name in self._users:
                reason = f"{name} is there twice (spelling aside); remove one"
                problems.append((f"users.{number}.name", reason))
            credential = user.credential or credential_of(user.password_hash)
            self._users[name] = replace(
                user,
                name=name,
                display=user.display or (user.name if user.name != name else ""),
                source=self.source,
                credential=credential,
            )
        if problems:
            raise ConfigError(problems)

    def find(self, name: str) -> User | None:
        """Return the user called *name*, or None."""
        return self._users.get(name)

    def everyone(self) -> list[User]:
        """Return all users of the file, by name."""
        return sorted(self._users.values(), key=lambda user: user.name)

    def renew_hash(self, name: str, old: str, new: str) -> bool:  # noqa: ARG002
        """Return False: the file belongs to whoever wrote it."""
        return False
