"""Passwords: which hashes are understood, and how one is judged."""

from totp_gate.core.passwords.hashes import WEAK, Scheme, Weak, scheme, understands
from totp_gate.core.passwords.judge import OCTETS, Passwords, Profile, Verdict

__all__ = [
    "OCTETS",
    "WEAK",
    "Passwords",
    "Profile",
    "Scheme",
    "Verdict",
    "Weak",
    "scheme",
    "understands",
]
