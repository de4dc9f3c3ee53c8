"""Hashing passwords and verifying them, at a cost that is the same for everybody.

Strategy: new hashes are Argon2id. Hashes that other programs wrote (bcrypt, Werkzeug's
scrypt and pbkdf2) are understood within bounds and reported as stale, so that the first
right password replaces them. Where there is nothing to verify against, a dummy made
with the current parameters is, so that neither answer nor time tells who exists; only
foreign and old hashes have a time of their own until they are replaced. Memory is
bounded: so many verifications run at once in a process, so many wait, the rest are
turned away before anything was tried.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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
    Scheme,
    scheme,
)
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


class Passwords:
    """Hashes and verifies; one for a process, shared by its threads.

    Make it in the worker that uses it (after a fork, and after gevent has patched).

    Args:
        profile: cost of new hashes.
        concurrency: how many may run at once; each takes ``profile.memory_kib``.
        queue: how many more may wait.
        wait: seconds one may wait.
        run: does the work; argon2 and bcrypt let other native threads go on.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        concurrency: int = 2,
        queue: int = 32,
        wait: float = 10.0,
        run: Runner = call_here,
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
        self._dummy = self.hash(secrets.token_hex(16))

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
        with self._slot():
            return self._run(lambda: self._hash(spellings[0]))

    def verify(self, stored: str | None, password: str) -> Verdict:
        """Judge *password* against the hash *stored*.

        A hash that cannot be used makes every password wrong, and so does a password
        that is too long: neither is an error, and neither is quicker than the other.

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
        with self._slot():
            return self._run(lambda: self._judge(stored, spellings))

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._lobby.acquire(blocking=False):
            raise Overloaded("too many passwords are waiting to be judged")
        try:
            if not self._slots.acquire(timeout=self._wait):
                raise Overloaded("judging passwords takes too long at the moment")
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._lobby.release()

    def _hash(self, password: str) -> str:
        try:
            return self._hasher.hash(password)
        except Argon2Error as error:
            raise Overloaded("no memory to hash a password") from error

    def _judge(self, stored: str | None, spellings: list[str]) -> Verdict:
        kind = None if stored is None else scheme(stored)
        for spelling in spellings:
            if stored is None or kind is None:
                self._waste(spelling)
            elif self._is_right(kind, stored, spelling):
                return Verdict(
                    right=True,
                    stale=kind != "argon2id"
                    or spelling != spellings[0]
                    or self._hasher.check_needs_rehash(stored),
                )
        return Verdict(right=False)

    def _is_right(self, kind: Scheme, stored: str, password: str) -> bool:
        try:
            if kind == "argon2id":
                return self._hasher.verify(stored, password)
            if kind == "bcrypt":
                return bcrypt.checkpw(password.encode(), stored.encode())
            if kind in WEAK:
                return self._is_weak_hash(stored, password)
            return check_password_hash(stored, password)
        except VerifyMismatchError:
            return False
        except (Argon2Error, ValueError):
            # Over bcrypt's 72 octets, or damaged inside: wrong, and as slow as wrong.
            self._waste(password)
            return False

    def _is_weak_hash(self, stored: str, password: str) -> bool:
        """Judge in no time; a failure costs what others cost."""
        right = is_apache_hash_of(password.encode(), stored)
        if not right:
            self._waste(password)
        return right

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
