"""Listing and ending sessions, and tidying up what nobody can use any more."""

from __future__ import annotations

import contextlib

from totp_gate.accounts.references import References
from totp_gate.core.sessions import Limits, is_live
from totp_gate.errors import StoreUnavailable
from totp_gate.model import Session
from totp_gate.stores.base import Store

TIDY_EVERY = 300


class Sessions:
    """Use cases over the sessions of everybody.

    Every end is in the revocation feed and so felt by all processes.
    """

    def __init__(self, *, store: Store, references: References, limits: Limits) -> None:
        self._store = store
        self._references = references
        self._limits = limits
        self._tidy_at = float("-inf")

    def running(self, user: str, *, now: float) -> list[Session]:
        """Return the sessions of *user* that still count, newest first."""
        known = self._store.sessions(user)
        return [one for one in known if is_live(one, self._limits, now=now)]

    def end_token(self, token: str, host: str) -> bool:
        """End, everywhere, the session of *token* at *host*; False: there is none.

        Raises:
            StoreUnavailable: it goes on.
        """
        known_as = self._references.id_of(token, host)
        return known_as is not None and self._store.end_session(known_as)

    def tidy(self, *, now: float) -> int:
        """Delete what is over (``forget_expired``); how many rows went.

        Does something at most every ``TIDY_EVERY`` seconds, and a bounded amount of it,
        so that it may be called at every sign-in. What cannot be deleted now is deleted
        later; nothing that is over counts because it is still there.
        """
        if now < self._tidy_at:
            return 0
        self._tidy_at = now + TIDY_EVERY
        with contextlib.suppress(StoreUnavailable):
            return self._store.forget_expired(
                idle_before=now - self._limits.idle,
                created_before=now - self._limits.lifetime,
            )
        return 0
