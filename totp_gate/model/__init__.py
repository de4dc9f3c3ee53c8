"""The words of the gate as frozen records; nothing here acts.

Times are Unix seconds (float), addresses are text, user names are canonical
(``canonical_name``). A record never holds a secret in the clear: passwords are hashes,
seeds are sealed, and a session id appears only as its digest.
"""

from __future__ import annotations

from totp_gate.model.access import (
    AccessRequest,
    Challenge,
    Decision,
    Permit,
    Refuse,
    Subject,
)
from totp_gate.model.people import (
    AppToken,
    Authenticator,
    AuthenticatorKind,
    Browser,
    Count,
    Event,
    HandOff,
    HeldRequest,
    Identity,
    Level,
    Link,
    LinkPurpose,
    LoginState,
    Revocation,
    Session,
    User,
    account_keys,
    canonical_name,
    device_key,
)

__all__ = [
    "AccessRequest",
    "AppToken",
    "Authenticator",
    "AuthenticatorKind",
    "Browser",
    "Challenge",
    "Count",
    "Decision",
    "Event",
    "HandOff",
    "HeldRequest",
    "Identity",
    "Level",
    "Link",
    "LinkPurpose",
    "LoginState",
    "Permit",
    "Refuse",
    "Revocation",
    "Session",
    "Subject",
    "User",
    "account_keys",
    "canonical_name",
    "device_key",
]
