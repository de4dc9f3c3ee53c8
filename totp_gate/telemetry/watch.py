"""The parts of the gate, watched: as they are, and counted.

Each is put in place of the part where everything is wired (``app``), so that neither a
store nor the hashing of passwords knows that anybody counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

from totp_gate.core.passwords import Passwords, Profile, Verdict
from totp_gate.errors import Overloaded, StoreUnavailable
from totp_gate.stores.base import Store
from totp_gate.telemetry.audit import Audit, Occasion
from totp_gate.telemetry.figures import OTHER
from totp_gate.telemetry.metrics import Meter
from totp_gate.waiting import Runner, call_here

T = TypeVar("T")

_READS = """
    user users authenticators last_step is_retired session sessions count_sessions
    revoked_since last_revocation link links recovery_left browsers count counts events
    token tokens held
"""
_WRITES = """
    add_users change_user save_password renew_hash remove_user add_authenticator
    replace_authenticators rename_authenticator remove_authenticator
    remove_authenticators replace_sealed accept_step add_session touch_session
    replace_session end_session end_sessions forget_expired add_link remove_links
    redeem_link replace_recovery spend_recovery add_browser rotate_browser
    forget_browser begin_attempt forgive bound_counts add_event add_token touch_token
    remove_token hold take_held move_held add_hand_off take_hand_off ping
"""
READS = frozenset(_READS.split())
WRITES = frozenset(_WRITES.split())
"""Methods of a store that are timed; the others cost next to nothing."""


def watched_store(store: Store, meter: Meter) -> Store:
    """Return *store*, each of its operations timed and its failures counted."""
    return cast("Store", _WatchedStore(store, meter))


class _WatchedStore:
    """Has the methods of a store as attributes, each from its first use on."""

    def __init__(self, store: Store, meter: Meter) -> None:
        self._store = store
        self._meter = meter

    def __getattr__(self, name: str) -> Any:
        """Return what the store has, timed if it is to be, and remember it."""
        found = getattr(self._store, name)
        if name in READS:
            found = _timed(found, "read", self._meter)
        elif name in WRITES:
            found = _timed(found, "write", self._meter)
        setattr(self, name, found)
        return found


def _timed(
    method: Callable[..., Any], operation: str, meter: Meter
) -> Callable[..., Any]:
    @wraps(method)
    def timed(*args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        try:
            return method(*args, **kwargs)
        except StoreUnavailable:
            meter.count("gate_store_failures_total", operation)
            raise
        finally:
            spent = time.perf_counter() - begun
            meter.observe("gate_store_seconds", spent, operation)

    return timed


class WatchedPasswords(Passwords):
    """``Passwords``, with their time, and how many are at work or wait."""

    def __init__(
        self,
        profile: Profile,
        meter: Meter,
        *,
        concurrency: int = 2,
        queue: int = 32,
        run: Runner = call_here,
    ) -> None:
        self._meter = meter
        self._do = run
        super().__init__(
            profile, concurrency=concurrency, queue=queue, run=self._timed_run
        )

    def check_room(self) -> None:
        """Raise if nothing more could be judged now; see ``Passwords``."""
        try:
            super().check_room()
        except Overloaded:
            self._meter.count("gate_passwords_refused_total")
            raise

    def hash(self, password: str) -> str:
        """Return the hash of *password*; see ``Passwords``."""
        with self._in_progress():
            return super().hash(password)

    def verify(self, stored: str | None, password: str) -> Verdict:
        """Judge *password* against the hash *stored*; see ``Passwords``."""
        with self._in_progress():
            return super().verify(stored, password)

    @contextmanager
    def _in_progress(self) -> Iterator[None]:
        self._meter.count("gate_passwords_in_progress")
        try:
            yield
        except Overloaded:
            self._meter.count("gate_passwords_refused_total")
            raise
        finally:
            self._meter.count("gate_passwords_in_progress", by=-1)

    def _timed_run(self, work: Callable[[], T], /) -> T:
        begun = time.perf_counter()
        try:
            return self._do(work)
        finally:
            self._meter.observe("gate_password_seconds", time.perf_counter() - begun)


class UpstreamCounts:
    """Counts what the proxy says (``upstream.observer``).

    An answer comes with every proxied request, and so does a connection that is kept,
    so where they are counted is looked up once: answers by the first digit of their
    status, and whether the connection was used before.

    Attributes:
        audit: told of certificates that do not fit, once there is one.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.audit: Audit | None = None
        self._idle = meter.place("gate_upstream_idle")
        self._answers = {
            (digit, reused): meter.place(
                "gate_upstream_answers_total",
                f"{digit}xx" if digit else OTHER,
                "reused" if reused else "new",
            )
            for digit in range(6)
            for reused in (False, True)
        }

    def answered(self, status: int, seconds: float, *, reused: bool) -> None:
        """Count an answer, and how long its head took."""
        digit = status // 100
        place = self._answers.get((digit, reused)) or self._answers[0, reused]
        self._meter.cells.values[place] += 1
        self._meter.observe("gate_upstream_seconds", seconds)

    def failed(self, kind: str) -> None:
        """Count a request without an answer."""
        self._meter.count("gate_upstream_failures_total", kind)

    def untrusted(self, request: str, reason: str) -> None:
        """Tell the audit that a certificate does not fit, and why."""
        if self.audit is not None:
            asked = Occasion(now=time.time(), request_id=request)
            self.audit.event(asked, "upstream.untrusted", "failure", detail=reason)

    def idle(self, change: int) -> None:
        """Count so many more connections that wait for a request, or fewer."""
        self._meter.cells.values[self._idle] += change

    def tunnel_opened(self) -> None:
        """Count an open tunnel."""
        self._meter.count("gate_tunnels_opened_total")
        self._meter.count("gate_tunnels")

    def tunnel_closed(self, _seconds: float) -> None:
        """Count one less."""
        self._meter.count("gate_tunnels", by=-1)
