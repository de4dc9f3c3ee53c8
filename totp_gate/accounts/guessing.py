"""Counting attempts before they are judged, so that nobody can guess their way in.

Strategy: an attempt is counted as a failure first, under the account and under the
client's address, in one transaction of the store; then it is judged; then it is
forgiven if it was right. However many arrive at once, on however many workers, no more
are judged than the budget allows. Passwords and codes have counts of their own: a right
password alone forgives nothing of the codes, only a complete sign-in does.

Names nobody has are counted like others, under a digest, in a table that stays small.

A browser that has signed the user in before has a count of its own: strangers cannot
lock it out, and it can lock out nobody else (OWASP, device cookies). Nor does it
forgive strangers anything: they would see a wait end when somebody signs in, and so
learn that there is such a user, and guess anew every day. When it has failed too often
it is a stranger again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Literal, Self

from totp_gate.core import throttle
from totp_gate.model import Count, account_keys, device_key
from totp_gate.stores.base import Store

Kind = Literal["password", "code"]
LONGEST_WAIT = 86_400
SWEEP_EVERY = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """From where somebody signs in.

    Attributes:
        address: the client's, behind trusted proxies.
        agent: as the browser calls itself, made harmless and short.
        device: id of the series by which this browser is known to have signed the user
            in before, or empty.
    """

    address: str = ""
    agent: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """The attempt was not judged.

    Attributes:
        seconds: after which another makes sense.
        hard: another never makes sense: only an administrator or a known browser can
            end this.
        known: whether there is such a user; for the audit, never for the page.
    """

    seconds: int
    hard: bool = False
    known: bool = field(default=True, compare=False)


class Attempt:
    """One attempt, counted as failed until it proves right.

    As a context manager it takes itself back when judging it broke down, since then
    nobody guessed.

    Attributes:
        last: if it is wrong, strangers have no other at this account. Of any number of
            attempts at once, one is the last.
    """

    def __init__(
        self, store: Store, keys: Sequence[str], *, last: bool = False
    ) -> None:
        self._store = store
        self._keys = keys
        self.last = last

    def was_right(self) -> None:
        """Take this one attempt back."""
        self._store.forgive(self._keys, one=True)

    def __enter__(self) -> Self:
        """Begin judging."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the attempt back if judging raised."""
        if kind is not None:
            self.was_right()


class Guessing:
    """The counts of failures of everybody.

    Args:
        params: the budgets.
        key: keeps the digests of unknown names from being looked up.
    """

    def __init__(self, *, store: Store, params: throttle.Guessing, key: bytes) -> None:
        self._store = store
        self._params = params
        self._key = key
        self._begun = 0

    def begin(
        self, kind: Kind, name: str, visitor: Visitor, *, known: bool, now: float
    ) -> Attempt | Wait:
        """Count an attempt; return it, or how long to wait where there were too many.

        Args:
            name: canonical name of the user, or what was typed for one.
            known: whether there is such a user.
            now: Unix seconds.

        Raises:
            StoreUnavailable: nothing was counted, and nothing may be judged.
        """
        keys = self._keys(kind, name, visitor, known=known)
        before = 0

        def judge(count: Count) -> float | None:
            nonlocal before
            if count.key.startswith(f"{kind}:"):
                before = count.failures
            return self._judge(count, now)

        wait = self._store.begin_attempt(
            keys,
            now=now,
            judge=judge,
            is_over=lambda count: self._is_over(count, now),
        )
        self._bound(now)
        if wait == math.inf and visitor.device:
            stranger = replace(visitor, device="")
            return self.begin(kind, name, stranger, known=known, now=now)
        if wait is None:
            last = before + 1 == self._params.budget(kind).hard
            return Attempt(self._store, keys, last=last)
        return replace(_as_wait(wait), known=known)

    def succeeded(self, name: str, visitor: Visitor) -> None:
        """Clear the counts of whoever has signed in completely.

        A stranger's of the account; a known browser's its own and no other.
        """
        keys = () if self._is_known(visitor) else account_keys(name)
        own = (device_key(visitor.device),) if visitor.device else ()
        self._store.forgive([*keys, *own], one=False)

    def password_succeeded(self, name: str, visitor: Visitor) -> None:
        """Clear the count of wrong passwords of a user whose password is enough.

        Nothing else: who has only the password may not begin anew to guess codes, and a
        browser that is known counts both together.
        """
        if not self._is_known(visitor):
            password, _ = account_keys(name)
            self._store.forgive([password], one=False)

    def unlock(self, name: str) -> bool:
        """Clear the counts of *name* and of browsers known to it; False: none there."""
        known = [device_key(each.id) for each in self._store.browsers(name)]
        keys = [*account_keys(name), *known]
        counted = any(self._store.count(key).failures for key in keys)
        self._store.forgive(keys, one=False)
        return counted

    def waits(self, name: str, *, now: float) -> dict[str, Wait]:
        """Return who has to wait, and how long.

        Under ``password`` and ``code`` what strangers have to wait, under ``browser``
        the longest wait of a browser that is known (at its end it is a stranger).
        """
        found = {}
        for key in account_keys(name):
            wait = self._judge(self._store.count(key), now)
            if wait is not None:
                found[key.partition(":")[0]] = _as_wait(wait)
        own = (
            self._judge(self._store.count(device_key(each.id)), now)
            for each in self._store.browsers(name)
        )
        longest = max((wait for wait in own if wait and wait < math.inf), default=0)
        return found | ({"browser": _as_wait(longest)} if longest else {})

    def locked(self, *, now: float) -> list[str]:
        """Return the users who have to wait just now somewhere, by name."""
        names = set()
        for kind in ("password", "code"):
            for name, count in self._counted(kind, at_least=1):
                if self._judge(count, now) is not None:
                    names.add(name)
        failed = {
            series
            for series, count in self._counted("device", at_least=1)
            if 0 < (self._judge(count, now) or 0) < math.inf
        }
        if failed:
            browsers = self._store.browsers(None)
            names |= {each.user for each in browsers if each.id in failed}
        return sorted(names)

    def stopped(self) -> list[str]:
        """Return the names at which strangers have no more attempts, in order."""
        names = set()
        for kind in ("password", "code"):
            hard = self._params.budget(kind).hard
            if hard:
                names |= {name for name, _ in self._counted(kind, at_least=hard)}
        return sorted(names)

    def _counted(self, kind: str, *, at_least: int) -> Iterator[tuple[str, Count]]:
        """Yield what was counted of whom; of names nobody has, nothing."""
        for count in self._store.counts(f"{kind}:", at_least=at_least):
            name = count.key.removeprefix(f"{kind}:")
            if not name.startswith("?"):
                yield name, count

    def _is_known(self, visitor: Visitor) -> bool:
        """Tell whether it is no stranger: a known browser with tries left."""
        if not visitor.device:
            return False
        failures = self._store.count(device_key(visitor.device)).failures
        return not 0 < self._params.device.hard <= failures

    def _keys(
        self, kind: Kind, name: str, visitor: Visitor, *, known: bool
    ) -> list[str]:
        if visitor.device:
            return [device_key(visitor.device)]
        account = name if known else throttle.account_key(name, self._key)
        password, code = account_keys(account)
        return [
            password if kind == "password" else code,
            f"address:{throttle.address_key(visitor.address)}",
        ]

    def _judge(self, count: Count, now: float) -> float | None:
        return throttle.wait_left(count, self._budget(count), now=now)

    def _is_over(self, count: Count, now: float) -> bool:
        rest = self._params.forget_after
        return throttle.is_over(count, self._budget(count), now=now, forget_after=rest)

    def _budget(self, count: Count) -> throttle.Backoff:
        return self._params.budget(count.key.partition(":")[0])

    def _bound(self, now: float) -> None:
        """Keep the counts of names nobody has, and of addresses, few.

        Every attempt has its turn, so that the time it takes tells nothing of the name.
        """
        self._begun += 1
        if self._begun % SWEEP_EVERY == 1:
            old = now - self._params.forget_after
            # A user's wrong passwords are not forgotten where they may end for good.
            never = 0.0 if self._params.password.hard else old
            for prefix, before in (("password:?", never), ("address:", old)):
                self._store.bound_counts(
                    prefix, keep=self._params.most_strangers, before=before
                )


def _as_wait(seconds: float) -> Wait:
    whole = max(1, math.ceil(min(seconds, LONGEST_WAIT)))
    return Wait(whole, hard=math.isinf(seconds))
