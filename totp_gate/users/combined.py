"""Several directories, asked in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from totp_gate.errors import ConfigError
from totp_gate.model import User
from totp_gate.users.base import Directory


class Combined:
    """A ``Directory`` of *directories*; the first that knows a name has the say.

    A name should be known to one only (``check`` at every start): whoever can write to
    one directory could otherwise become somebody of another. Should it happen while the
    gate runs, the first still wins, so put the one that is hardest to write first.
    """

    def __init__(self, directories: Sequence[Directory]) -> None:
        self._directories = tuple(directories)

    def problems(self) -> list[tuple[str, str]]:
        """Return (key, reason) for every name that two directories know.

        Raises:
            StoreUnavailable: one of the directories could not be asked.
        """
        seen: dict[str, User] = {}
        found: list[tuple[str, str]] = []
        for directory in self._directories:
            if directory is self._directories[-1] and not seen:
                break  # whoever is in the last one is in no other
            for user in directory.everyone():
                first = seen.setdefault(user.name, user)
                if first is not user:
                    where = f"both in {first.source} and in {user.source}"
                    reason = f"{user.name} is {where}; remove or rename one"
                    found.append(("users", reason))
        return found

    def check(self) -> None:
        """Raise for what ``problems`` finds.

        Raises:
            ConfigError: two directories know one name.
            StoreUnavailable: one of the directories could not be asked.
        """
        problems = self.problems()
        if problems:
            raise ConfigError(problems)

    def find(self, name: str) -> User | None:
        """Return what the first directory says that knows *name*, or None."""
        for directory in self._directories:
            user = directory.find(name)
            if user is not None:
                return user
        return None

    def everyone(self) -> Iterable[User]:
        """Return all users, by name; one who is shadowed is left out."""
        return iter(sorted(self._first_ones(), key=lambda user: user.name))

    def _first_ones(self) -> Iterator[User]:
        seen: set[str] = set()
        for directory in self._directories:
            for user in directory.everyone():
                if user.name not in seen:
                    seen.add(user.name)
                    yield user

    def renew_hash(self, name: str, old: str, new: str) -> bool:
        """Replace the hash where *name* was found; False: cannot be written there."""
        for directory in self._directories:
            if directory.find(name) is not None:
                return directory.renew_hash(name, old, new)
        return False
