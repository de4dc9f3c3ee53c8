"""Recovery codes: made for a user, and used in place of a code of an authenticator."""

from __future__ import annotations

from totp_gate.core import recovery
from totp_gate.stores.base import Store


class Recovery:
    """Use cases over the recovery codes of everybody."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    def renew(self, user: str, *, now: float) -> list[str]:
        """Return ten fresh codes of *user*, to be shown once; every older one is dead.

        Raises:
            StoreUnavailable: the older ones still count.
        """
        codes = recovery.new_codes()
        digests = [recovery.digest(code, owner=user) for code in codes]
        self._store.replace_recovery(user, digests, now)
        return [code.text for code in codes]

    def spend(self, user: str, typed: str, *, now: float) -> bool:
        """Use one code up; True for the one caller that typed it first.

        Args:
            typed: as typed.
            now: Unix seconds.

        Raises:
            StoreUnavailable: nothing was used up, and nobody may sign in.
        """
        code = recovery.parse(typed)
        if code is None:
            return False
        digest = recovery.digest(code, owner=user)
        return self._store.spend_recovery(user, digest, now=now)

    def left(self, user: str) -> int:
        """Return how many unused codes *user* has."""
        return self._store.recovery_left(user)
