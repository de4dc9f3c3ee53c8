"""What every store promises, in words.

A store holds everything that must survive a restart and be the same for all processes:
users, authenticators, sessions, one-time links, recovery codes, known browsers, app
tokens, requests that are held, hand-offs, counts of failures, events. Each method is
one transaction: when it returns, what it did is durable, and when it raises
``StoreUnavailable`` nothing was done. What two processes may want at once has one
winner, decided inside the store.

Every end of a session, of a user's sessions, of a user or of an app token, and every
change of a user, is also written to the *revocation feed*, in the same transaction.
Processes that remember sessions read the feed (``revoked_since``); ``bell`` tells them,
for next to nothing, whether they must.

Every method may raise ``StoreUnavailable``.
"""

from __future__ import annotations

from typing import Protocol

from totp_gate.stores.base.people import (
    AuthenticatorRecords,
    BrowserRecords,
    HeldRecords,
    LinkRecords,
    RecoveryRecords,
    Rotation,
    TokenRecords,
    UserChange,
    UserRecords,
)
from totp_gate.stores.base.traffic import (
    Bell,
    CountRecords,
    EventRecords,
    HandOffRecords,
    SessionRecords,
    Sought,
)

__all__ = ["Bell", "Rotation", "Sought", "Store", "UserChange"]


class Store(
    UserRecords,
    AuthenticatorRecords,
    SessionRecords,
    HandOffRecords,
    LinkRecords,
    RecoveryRecords,
    BrowserRecords,
    TokenRecords,
    HeldRecords,
    CountRecords,
    EventRecords,
    Protocol,
):
    """What must survive a restart."""

    def instance(self) -> str:
        """Return the random id this state was created with."""
        ...

    def ping(self) -> None:
        """Write and read back a heartbeat; raises where either is not possible."""
        ...

    def close(self) -> None:
        """Release connections; idempotent."""
        ...
