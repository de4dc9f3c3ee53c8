"""How long to wait after failed attempts.

Strategy: the first few mistakes cost nothing; after that the wait doubles, up to a
ceiling. At the hard stop it ends: whoever guesses has had ``hard`` tries in all,
however patient they are. Nobody is locked out for good by it, since a browser that is
known has a count of its own. Counting is the store's work, sleeping is nobody's: these
functions only turn a count into seconds, so they need no clock, no store and no mock to
be tested.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass

from totp_gate.model import Count

MOST_IN_A_ROW = 100  # NIST SP 800-63B-4, 3.2.2
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: IPv4 in the last 32 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The shape of the wait.

    Attributes:
        free: failures that cost nothing.
        first: wait after the next failure, in seconds.
        ceiling: longest wait, in seconds.
        hard: failures in a row after which it is over; 0: never.
        forgive_every: seconds, counted from the first failure, after each of which one
            is forgiven; 0: never, only a success forgives.

    Raises:
        ValueError: the numbers contradict each other.
    """

    free: int = 3
    first: int = 2
    ceiling: int = 900
    hard: int = 0
    forgive_every: int = 0

    def __post_init__(self) -> None:
        if self.free < 0 or self.forgive_every < 0:
            raise ValueError("free and forgive_every must not be negative")
        if not 1 <= self.first <= self.ceiling:
            raise ValueError("first must be between 1 and ceiling")
        if self.hard and not self.free < self.hard <= MOST_IN_A_ROW:
            raise ValueError(f"hard must be over free and at most {MOST_IN_A_ROW}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guessing:
    """The budgets for guessing, and why they are what they are.

    Attributes:
        password: per account, of all strangers together: 14 tries within 20 minutes,
            then 96 a day, and 100 in all, which takes a day. Whoever knows the name can
            bring it to its end, so this closes only browsers that are not known.
        code: per account, of all strangers together, for TOTP, HOTP and recovery codes,
            and only reachable with the right password. Three codes of a million are
            right at a time: one try an hour without an end finds one with a chance of
            2.6 % a year, 100 tries find one with 0.03 % and take four days. That is all
            there is, however often the owner signs in from a browser that is known:
            only a complete sign-in of a stranger starts anew, another password, or an
            administrator.
        address: per client address (IPv6: per /64), generous for whole offices: 30, and
            six an hour on average; hours without a failure are not saved up.
        device: per browser that has signed the user in before; only its own failures
            count, and at the end it is a stranger again.
        forget_after: seconds of rest after which counts that have no hard stop are
            forgotten: those of addresses.
        most_strangers: counts of unknown names, and of addresses, that are kept.

    Source:
        NIST SP 800-63B-4 section 3.2.2 (at most 100 in a row); RFC 4226 section 7.3;
        OWASP, Blocking Brute Force Attacks (device cookies).
    """

    password: Backoff = Backoff(free=5, first=4, ceiling=900, hard=100)
    code: Backoff = Backoff(free=4, first=60, ceiling=3600, hard=100)
    address: Backoff = Backoff(free=29, first=4, ceiling=900, forgive_every=600)
    device: Backoff = Backoff(free=10, first=4, ceiling=900, hard=100)
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

    No wait is reported longer than it is. An attempt further in the future than the
    longest wait was counted before the clock was set back, and holds nobody up.

    Args:
        count: attempts still being judged are in it.
        now: Unix seconds.
    """
    if backoff.hard and count.failures >= backoff.hard:
        return math.inf
    if now < count.last - backoff.ceiling:
        return None
    wait = wait_after(count.failures - _forgiven(count, backoff, now), backoff)
    passed = max(0.0, now - count.last)
    return wait - passed if passed < wait else None


def is_over(count: Count, backoff: Backoff, *, now: float, forget_after: float) -> bool:
    """Tell whether *count* says nothing any more, so that the next begins at one.

    What is forgiven over time is not saved up, and a name is forgotten after the same
    rest whether somebody has it or not. What ends for good is never over.

    Args:
        now: Unix seconds.
        forget_after: seconds of rest after which a count is forgotten.
    """
    if backoff.hard:
        return False
    rested = now - count.last >= forget_after
    return rested or 0 < count.failures <= _forgiven(count, backoff, now)


def _forgiven(count: Count, backoff: Backoff, now: float) -> int:
    """Return how many failures have been forgiven since the first of *count*."""
    if not backoff.forgive_every:
        return 0
    return int(max(0.0, now - count.since) // backoff.forgive_every)


def address_key(address: str) -> str:
    """Return under what *address* is counted: IPv6 by /64, where one host has all.

    IPv4 inside IPv6 counts as the IPv4 address it is. What is no address (the peer of a
    Unix socket) is counted as one.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "elsewhere"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if parsed in _NAT64:
        return str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF))
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))


def account_key(name: str, key: bytes) -> str:
    """Return under what a name nobody has is counted: a keyed digest of it.

    People type passwords where names belong; no state may show them.

    Args:
        name: canonical.
        key: 16 to 64 secret bytes.
    """
    if len(key) < 16:
        raise ValueError("the key of unknown names has at least 16 bytes")
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), key=key, digest_size=12)
    return "?" + digest.hexdigest()
