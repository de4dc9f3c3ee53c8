"""What a directory of users promises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from totp_gate.model import User


class Directory(Protocol):
    """Finds users by their canonical name."""

    def find(self, name: str) -> User | None:
        """Return the user called *name*, or None.

        Args:
            name: canonical name (``model.canonical_name``).

        Raises:
            StoreUnavailable: the directory could not be asked; nobody may sign in.
        """
        ...

    def everyone(self) -> Iterable[User]:
        """Return all users this directory knows, by name.

        Raises:
            StoreUnavailable: the directory could not be asked.
        """
        ...

    def save_password(self, name: str, password_hash: str) -> bool:
        """Replace the hash of *name*; False where this directory cannot be written.

        Used to upgrade old hashes at sign-in; it ends no session.

        Raises:
            StoreUnavailable: nothing was changed.
        """
        ...
