"""Users who are kept in the store, as a directory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from totp_gate.model import User


class Records(Protocol):
    """The part of a store that is needed here (``stores.base.UserRecords`` has it)."""

    def user(self, name: str) -> User | None:
        """Return the user called *name*, or None."""
        ...

    def users(self) -> Iterable[User]:
        """Return all users."""
        ...

    def renew_hash(self, name: str, old: str, new: str) -> bool:
        """Replace the hash *old* by another form of it."""
        ...


class StoredUsers:
    """A ``Directory`` of the users in *store*.

    Every call asks the store, so a user who is disabled or removed is so at once.
    """

    source = "store"

    def __init__(self, store: Records) -> None:
        self._store = store

    def find(self, name: str) -> User | None:
        """Return the user called *name*, or None."""
        return self._store.user(name)

    def everyone(self) -> Iterable[User]:
        """Return all users of the store, by name."""
        return self._store.users()

    def renew_hash(self, name: str, old: str, new: str) -> bool:
        """Replace the hash by another form of it; False: it is no longer *old*."""
        return self._store.renew_hash(name, old, new)
