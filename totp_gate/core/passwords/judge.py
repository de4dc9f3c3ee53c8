"""Hashing passwords and verifying them, at a cost that is the same for everybody.

Strategy: new hashes are Argon2id. Hashes that other programs wrote (bcrypt, Werkzeug's
scrypt and pbkdf2) are understood within bounds and reported as stale, so that the first
right password replaces them. Where there is nothing to verify against, a dummy made
with the current parameters is, and a failure lasts as long whichever hash was judged
(``pace``), so that neither answer nor time tells who exists. Memory is bounded: so many
verifications run at once in a process, so many wait, the rest are turned away before
anything was tried.
"""

from __future__ import annotations

import secrets
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import argon2
import bcrypt
from argon2.exceptions import Argon2Error, VerifyMismatchError
from werkzeug.security import check_password_hash

from totp_gate.core.passwords.apache import is_apache_hash_of
from totp_gate.core.passwords.hashes import (
    MAX_ARGON2_WORK,
    MAX_MEMORY_KIB,
    MAX_PARALLELISM,
    MAX_TIME,
    WEAK,
    cost_of,
    scheme,
)
from totp_gate.core.passwords.pace import LONGEST, Pace
from totp_gate.errors import Overloaded
from totp_gate.waiting import Runner, call_here

OCTETS = 4096  # of a password in UTF-8: four for each of the 1,024 characters allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one Argon2id hash costs.

    The default takes about 0.15 s of one core; workers are the parallelism.

    Attributes:
        memory_kib: memory in KiB, at least 19456.
        time: passes over it, at least 2.
        parallelism: lanes.

    Raises:
        ValueError: below the floor, or above what would be verified again.

    Source:
        OWASP Password Storage Cheat Sheet (floor 19 MiB, 2, 1); RFC 9106.
    """

    memory_kib: int = 65536
    time: int = 3
    parallelism: int = 1

    def __post_init__(self) -> None:
        for name, low, high in (
            ("memory_kib", 19456, MAX_MEMORY_KIB),
            ("time", 2, MAX_TIME),
            ("parallelism", 1, MAX_PARALLELISM),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be between {low} and {high}")
        if self.memory_kib * self.time > MAX_ARGON2_WORK:
            raise ValueError(f"memory_kib times time must be at most {MAX_ARGON2_WORK}")

    @classmethod
    def cheap_for_tests(cls) -> Profile:
        """Return a profile far below the floor, for tests and for nothing else."""
        profile = object.__new__(cls)
        for name, value in (("memory_kib", 8), ("time", 1), ("parallelism", 1)):
            object.__setattr__(profile, name, value)
        return profile


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a password.

    Attributes:
        right: it is the one.
        stale: it is, but its hash is foreign or has other than the current parameters:
            store ``Passwords.hash`` of it.
    """

    right: bool
    stale: bool = False


def _sleep(seconds: float) -> None:
    time.sleep(seconds)  # looked up when it is called: gevent puts another in its place


class Passwords:
    """Hashes and verifies; one for a process, shared by its threads.

    Make it in the worker that uses it (after a fork, and after gevent has patched).

    Args:
        profile: cost of new hashes.
        concurrency: how many may run at once; each takes ``profile.memory_kib``.
        queue: how many more may wait.
        wait: seconds one may wait.
        run: does the work; argon2 and bcrypt let other native threads go on.
        clock: seconds, for measuring. sleep: waits so many, and lets others go on.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        concurrency: int = 2,
        queue: int = 32,
        wait: float = 10.0,
        run: Runner = call_here,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = _sleep,
    ) -> None:
        if concurrency < 1 or queue < 0 or wait < 0:
            raise ValueError("at least one password is judged at a time")
        self._hasher = argon2.PasswordHasher(
            time_cost=profile.time,
            memory_cost=profile.memory_kib,
            parallelism=profile.parallelism,
        )
        self._run = run
        self._wait = wait
        self._lobby = threading.BoundedSemaphore(concurrency + queue)
        self._slots = threading.BoundedSemaphore(concurrency)
        self._clock = clock
        self._sleep = sleep
        self._pace = Pace()
        # Here, as nobody waits yet: a process with one thread serves a little faster.
        self._dummy = self._hash(secrets.token_hex(16))
        self._cost = cost_of(self._dummy) or ""

    def check_room(self) -> None:
        """Raise if nothing more could be judged now, before anything else is done.

        Raises:
            Overloaded: too many are at work.
        """
        if not self._lobby.acquire(blocking=False):
            raise Overloaded("too many passwords are waiting to be judged")
        self._lobby.release()

    def hash(self, password: str) -> str:
        """Return the hash of *password* (normalised to NFC) for the store.

        Raises:
            ValueError: empty, over 4096 octets of UTF-8, with a zero octet, or no
                text; ``password_rules.judge`` refuses all that first, in words.
            Overloaded: too many are at work; nothing was done.
        """
        spellings = _spellings(password)
        if not spellings:
            raise ValueError(f"a password is text of 1 to {OCTETS} octets")
        with self._place(), self._slot():
            return self._run(lambda: self._hash(spellings[0]))

    def verify(self, stored: str | None, password: str) -> Verdict:
        """Judge *password* against the hash *stored*.

        A hash that cannot be used makes every password wrong, which is no error, and a
        wrong password takes as long whatever it was held against. Whoever waits for
        that keeps no other from being judged.

        Args:
            stored: as in the store or the settings; None: an unknown or disabled user,
                whose password is wrong at the same cost.
            password: as typed. It is tried in NFC, and as it is where that differs.

        Raises:
            Overloaded: too many are at work; nothing was tried.
        """
        spellings = _spellings(password)
        if not spellings:
            return Verdict(right=False)
        with self._place():
            with self._slot():
                verdict, early = self._run(lambda: self._judge(stored, spellings))
            if early > 0:
                self._sleep(early)
        return verdict

    def is_stale(self, stored: str) -> bool:
        """Tell whether *stored* is foreign or has other than the current parameters."""
        if scheme(stored) != "argon2id":
            return True
        return self._hasher.check_needs_rehash(stored)

    def measure(self, hashes: Iterable[str], *, times: int = 3) -> dict[str, float]:
        """Learn how long hashes of each cost among *hashes* take, before anybody asks.

        Nothing is done where all have the current parameters.

        Args:
            times: how often each is measured; once if it takes longer than failures
                are drawn out (``pace.LONGEST``).

        Returns:
            The usual seconds by cost (``cost_of``).
        """
        examples = {self._cost: self._dummy}
        for stored in hashes:
            cost = cost_of(stored)
            if cost is not None:
                examples.setdefault(cost, stored)
        for cost, stored in examples.items() if len(examples) > 1 else ():
            judging = partial(self._judge, stored, ["?"])
            for _ in range(times):
                with self._place(), self._slot():
                    self._run(judging)
                if self._pace.usual().get(cost, 0.0) > LONGEST:
                    break
        return self._pace.usual()

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Be one of those who are judged or wait: so many threads it may take."""
        if not self._lobby.acquire(blocking=False):
            raise Overloaded("too many passwords are waiting to be judged")
        try:
            yield
        finally:
            self._lobby.release()

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """Be one of those for whom memory and a core are there."""
        if not self._slots.acquire(timeout=self._wait):
            raise Overloaded("judging passwords takes too long at the moment")
        try:
            yield
        finally:
            self._slots.release()

    def _hash(self, password: str) -> str:
        try:
            return self._hasher.hash(password)
        except Argon2Error as error:
            raise Overloaded("no memory to hash a password") from error

    def _judge(self, stored: str | None, spellings: list[str]) -> tuple[Verdict, float]:
        """Return the verdict, and by how many seconds it comes too early."""
        early = 0.0
        for spelling in spellings:
            begun = self._clock()
            cost = self._hold_against(stored, spelling)
            took = self._clock() - begun
            if cost is None and stored is not None:
                stale = spelling != spellings[0] or self.is_stale(stored)
                return Verdict(right=True, stale=stale), 0.0
            judged = cost or self._cost
            self._pace.note(judged, took)
            early += max(0.0, self._pace.due(judged) - took)
        return Verdict(right=False), early

    def _hold_against(self, stored: str | None, password: str) -> str | None:
        """Return None if *password* is right, else the cost of what was judged."""
        cost = None if stored is None else cost_of(stored)
        if stored is None or cost is None:
            self._waste(password)
            return self._cost
        try:
            return None if self._is_right(stored, password) else cost
        except (Argon2Error, ValueError):
            # Over bcrypt's 72 octets, or damaged inside: wrong, and as slow as wrong.
            self._waste(password)
            return self._cost

    def _is_right(self, stored: str, password: str) -> bool:
        kind = scheme(stored)
        if kind == "bcrypt":
            return bcrypt.checkpw(password.encode(), stored.encode())
        if kind in WEAK:
            return is_apache_hash_of(password.encode(), stored)
        if kind != "argon2id":
            return check_password_hash(stored, password)
        try:
            return self._hasher.verify(stored, password)
        except VerifyMismatchError:
            return False

    def _waste(self, password: str) -> None:
        try:
            self._hasher.verify(self._dummy, password)
        except VerifyMismatchError:
            return
        except Argon2Error as error:
            raise Overloaded("no memory to judge a password") from error


def _spellings(password: str) -> list[str]:
    """Return NFC and, where it differs, what was typed; empty: nothing to hash."""
    # Inside an HMAC (pbkdf2, scrypt) a zero octet at the end would be as good as none.
    if not 0 < len(password) <= OCTETS or "\x00" in password:
        return []
    both = list(dict.fromkeys((unicodedata.normalize("NFC", password), password)))
    try:
        sizes = [len(each.encode()) for each in both]
    except UnicodeEncodeError:
        return []
    return both if max(sizes) <= OCTETS else both[:1] if sizes[0] <= OCTETS else []
