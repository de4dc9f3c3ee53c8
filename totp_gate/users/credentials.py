"""What tells that a password in a file has changed."""

from __future__ import annotations

import hashlib


def credential_of(password_hash: str | None) -> str:
    """Return what changes with the hash and does not tell it."""
    text = "totp_gate user of the file\n" + (password_hash or "")
    return hashlib.sha256(text.encode()).hexdigest()[:32]
