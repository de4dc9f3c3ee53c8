"""Counting attempts before they are judged, so that nobody can guess their way in.

Strategy: an attempt is counted as a failure first, under the account and under the
client's address, in one transaction of the store; then it is judged; then it is
forgiven if it was right. However many arrive at once, on however many workers, no more
are judged than the budget allows. Passwords and codes have counts of their own: a right
password alone forgives nothing of the codes, only a complete sign-in does.

Names nobody has are counted like others, under a digest, in a table that stays small,
and what is forgotten after a day of rest is forgotten of everybody's name. A
browser that has signed the user in before has a count of its own: strangers cannot lock
it out, and it can lock out nobody else (OWASP, device cookies). When it has failed too
often it is a stranger again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Literal, Self

from totp_gate.core import throttle
from totp_gate.model import Count
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
        hard: only an administrator (or a known browser) can end this.
        known: whether there is such a user; for the audit, never for the page.
    """

    seconds: int
    hard: bool = False
    known: bool = field(default=True, compare=False)


class Attempt:
    """One attempt, counted as failed until it proves right.

    As a context manager it takes itself back when judging it broke down, since then
    nobody guessed.
    """

    def __init__(self, store: Store, keys: Sequence[str]) -> None:
        self._store = store
        self._keys = keys

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
        wait = self._store.begin_attempt(
            keys,
            now=now,
            judge=lambda count: self._judge(count, now),
            is_over=lambda count: self._is_over(count, now),
        )
        self._bound(now)
        if wait == math.inf and visitor.device:
            stranger = replace(visitor, device="")
            return self.begin(kind, name, stranger, known=known, now=now)
        if wait is None:
            return Attempt(self._store, keys)
        return Wait(
            seconds=int(min(max(1, math.ceil(min(wait, LONGEST_WAIT))), LONGEST_WAIT)),
            hard=math.isinf(wait),
            known=known,
        )

    def succeeded(self, name: str, visitor: Visitor) -> None:
        """Clear the counts of a user who has signed in completely."""
        keys = [f"password:{name}", f"code:{name}"]
        if visitor.device:
            keys += [f"device:{visitor.device}"]
        self._store.forgive(keys, one=False)

    def password_succeeded(self, name: str) -> None:
        """Clear the count of wrong passwords of a user whose password is enough.

        Nothing else: who has only the password may not begin anew to guess codes, and a
        browser that is known counts both together.
        """
        self._store.forgive([f"password:{name}"], one=False)

    def unlock(self, name: str) -> bool:
        """Clear the counts of *name*; False: there were none."""
        keys = [f"password:{name}", f"code:{name}"]
        counted = any(self._store.count(key).failures for key in keys)
        self._store.forgive(keys, one=False)
        return counted

    def waits(self, name: str, *, now: float) -> dict[str, Wait]:
        """Return for which steps *name* has to wait, and how long."""
        found = {}
        for kind in ("password", "code"):
            wait = self._judge(self._store.count(f"{kind}:{name}"), now)
            if wait is not None:
                seconds = LONGEST_WAIT if math.isinf(wait) else math.ceil(wait)
                found[kind] = Wait(seconds, math.isinf(wait))
        return found

    def locked(self, *, now: float) -> list[str]:
        """Return the users who have to wait just now, by name."""
        names = set()
        for kind in ("password", "code"):
            for count in self._store.counts(f"{kind}:", at_least=1):
                name = count.key.removeprefix(f"{kind}:")
                if not name.startswith("?") and self._judge(count, now) is not None:
                    names.add(name)
        return sorted(names)

    def _keys(
        self, kind: Kind, name: str, visitor: Visitor, *, known: bool
    ) -> list[str]:
        if visitor.device:
            return [f"device:{visitor.device}"]
        account = name if known else throttle.account_key(name, self._key)
        return [
            f"{kind}:{account}",
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
            before = now - self._params.forget_after
            for prefix in ("password:?", "address:"):
                self._store.bound_counts(
                    prefix, keep=self._params.most_strangers, before=before
                )
