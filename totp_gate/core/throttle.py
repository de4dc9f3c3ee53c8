"""How long to wait after failed attempts.

Strategy: nobody is locked out for good by a stranger. The first few mistakes cost
nothing; after that the wait doubles, up to a ceiling. Only at the hard stop it ends:
whoever guesses codes has had ``hard`` tries in all, however patient they are. Counting
is the store's work, sleeping is nobody's: these functions only turn a count into
seconds, so they need no clock, no store and no mock to be tested.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass, field

from totp_gate.model import Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The shape of the wait.

    Attributes:
        free: failures that cost nothing.
        first: wait after the next failure, in seconds.
        ceiling: longest wait, in seconds.
        hard: failures in a row after which it is over; 0: never.
    """

    free: int = 3
    first: int = 2
    ceiling: int = 900
    hard: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guessing:
    """The budgets for guessing.

    Attributes:
        password: per account. Strangers can reach it, so it never ends for good.
        code: per account, only reachable with the right password, so it may.
        address: per client address (IPv6: per /64), generous for whole offices.
        device: per browser that has signed the user in before.
        forget_after: seconds after which counts of strangers may be forgotten.
        most_strangers: counts of unknown names, and of addresses, that are kept.

    Source:
        NIST SP 800-63B-4 section 3.2.2 (at most 100 in a row); RFC 4226 section 7.3;
        OWASP, Blocking Brute Force Attacks (device cookies).
    """

    password: Backoff = field(
        default_factory=lambda: Backoff(free=5, first=4, ceiling=900)
    )
    code: Backoff = field(
        default_factory=lambda: Backoff(free=5, first=60, ceiling=3600, hard=100)
    )
    address: Backoff = field(
        default_factory=lambda: Backoff(free=30, first=4, ceiling=900)
    )
    device: Backoff = field(
        default_factory=lambda: Backoff(free=10, first=4, ceiling=900, hard=100)
    )
    forget_after: int = 86_400
    most_strangers: int = 10_000

    def budget(self, kind: str) -> Backoff:
        """Return the budget of one kind of count.

        Raises:
            ValueError: there is no such kind.
        """
        kinds = {
            "password": self.password,
            "code": self.code,
            "address": self.address,
            "device": self.device,
        }
        if kind not in kinds:
            raise ValueError(f"there is no budget for {kind!r}")
        return kinds[kind]


def wait_after(failures: int, backoff: Backoff) -> int:
    """Return the seconds to wait after *failures* failed attempts in a row."""
    paid = failures - backoff.free
    if paid <= 0:
        return 0
    return int(min(backoff.first * 2 ** min(paid - 1, 32), backoff.ceiling))


def wait_left(count: Count, backoff: Backoff, *, now: float) -> float | None:
    """Return the seconds until the next attempt, None: now, infinity: never.

    A clock that was set back does not prolong a wait beyond its length.
    """
    if backoff.hard and count.failures >= backoff.hard:
        return math.inf
    wait = wait_after(count.failures, backoff)
    passed = max(0.0, now - count.last)
    return wait - passed if passed < wait else None


def address_key(address: str) -> str:
    """Return under what *address* is counted: IPv6 by /64, where one host has all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "elsewhere"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)


def account_key(name: str, key: bytes) -> str:
    """Return under what a name nobody has is counted: a keyed digest of it."""
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), key=key, digest_size=12)
    return "?" + digest.hexdigest()
