"""Passwords: which hashes are understood, how one is judged, and how long it takes."""

from totp_gate.core.passwords.hashes import (
    WEAK,
    Scheme,
    Weak,
    cost_of,
    scheme,
    understands,
)
from totp_gate.core.passwords.judge import OCTETS, Passwords, Profile, Verdict
from totp_gate.core.passwords.pace import LONGEST

__all__ = [
    "LONGEST",
    "OCTETS",
    "WEAK",
    "Passwords",
    "Profile",
    "Scheme",
    "Verdict",
    "Weak",
    "cost_of",
    "scheme",
    "understands",
]
