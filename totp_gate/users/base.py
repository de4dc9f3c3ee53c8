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

    def renew_hash(self, name: str, old: str, new: str) -> bool:
        """Replace the hash *old* of *name* by another form of it; it ends no session.

        False where this directory cannot be written, or the hash is no longer *old*.

        Raises:
            StoreUnavailable: nothing was changed.
        """
        ...
