"""The sessions a process remembers, and how it learns that they ended.

Strategy: a session is read from the store once and then kept. Each request asks two
cheap questions: did the bell ring (something was revoked on this machine), and has a
second passed since the feed was read, or was the clock set back (something was revoked
elsewhere)? Only then the feed is read, and whatever it names is forgotten. A session
that is remembered is thus right to within the feed, and the store's load grows with
sign-ins, not with requests.

When in doubt, nobody is signed in: a feed that cannot be read raises at once if the
bell rang, and after ``FEED_PATIENCE`` seconds otherwise.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from totp_gate.accounts.feed import FEED_EVERY, FEED_PATIENCE, FeedMark
from totp_gate.accounts.references import References
from totp_gate.core.sessions import (
    Limits,
    is_live,
    live_from,
    live_until,
    must_write,
)
from totp_gate.core.signing import digest
from totp_gate.errors import StoreUnavailable
from totp_gate.model import AppToken, Level, Session, Subject, User
from totp_gate.stores.base import Store
from totp_gate.users.base import Directory

TOKEN_EVERY = 60.0
MAX_REMEMBERED = 20_000


class Live:
    """One remembered session.

    Attributes:
        session: as read from the store.
        host: where the cookie that was shown is good; empty: it is no cookie's.
        environ: what a request of this session carries to the application.
        since: Unix time before which it does not count: the clock was set back.
        until: Unix time at which it has to be looked at again.
        write_at: Unix time from which activity has to be written down.
        alive: False once it was revoked, or has to be read anew.
        permits: until when which requests may pass, kept by the gate.
        scope: the app token this stands on, or None for a session.
        assertions: by origin, when it was made and its text; kept by the gate.
        dressed: what else a request carries for the client it came from last, and what
            both make together; kept by the gate.
    """

    __slots__ = (
        "alive",
        "assertions",
        "dressed",
        "environ",
        "host",
        "permits",
        "scope",
        "session",
        "since",
        "subject",
        "until",
        "user",
        "write_at",
    )

    def __init__(
        self,
        session: Session,
        user: User,
        environ: dict[str, object],
        limits: Limits,
        host: str = "",
    ) -> None:
        self.session = session
        self.user = user
        self.subject = Subject(
            user=user.name,
            groups=frozenset(user.groups),
            level=session.level,
            second_factor_at=session.second_factor_at,
        )
        self.host = host
        self.environ = environ
        self.since = live_from(session)
        self.until = live_until(session, limits)
        self.write_at = session.seen + limits.write_every
        self.scope: AppToken | None = None
        self.permits: dict[tuple[str | None, ...], float] = {}
        self.assertions: dict[str, tuple[float, str]] = {}
        self.dressed: tuple[dict[str, str], dict[str, object]] | None = None
        self.alive = True


class LiveSessions:
    """Finds the session of a cookie, from memory wherever that is safe.

    Args:
        dress: makes ``Live.environ`` for a session, its user, and the app token that
            stands for it, or None.
        clock: Unix seconds. ``monotonic``: seconds that never go back.

    Attributes:
        mark: where it covers a moment, ``catch_up`` has nothing to do.
    """

    def __init__(
        self,
        *,
        store: Store,
        directory: Directory,
        references: References,
        limits: Limits,
        dress: Callable[[Session, User, AppToken | None], dict[str, object]],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self.mark = FeedMark(store.bell)
        self._directory = directory
        self._references = references
        self._limits = limits
        self._dress = dress
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._by_token: dict[str, Live] = {}
        self._number = -1
        self._read_ok = float("-inf")

    def catch_up(self, now: float) -> None:
        """Learn what was revoked; costs next to nothing when nothing was.

        Raises:
            StoreUnavailable: the feed cannot be read, and what is remembered may no
                longer be believed.
        """
        if self.mark.covers(now):
            return
        with self._lock:
            self._read_feed(now)

    def find(self, token: str, *, host: str, now: float) -> Live | None:
        """Return the live session of the cookie *token*, or None.

        ``catch_up`` must have been called for this request.

        Args:
            host: of the origin that was asked; a cookie of another one is nobody's.

        Raises:
            StoreUnavailable: the store was needed and did not answer.
        """
        live = self._remembered(token, host, now) or self._load(token, host, now)
        if live is None or now < live.write_at or self.touch(live, now):
            return live
        return None

    def find_token(self, text: str, *, now: float) -> Live | None:
        """Return who the app token *text* stands for, or None.

        ``catch_up`` must have been called for this request.

        Raises:
            StoreUnavailable: the store was needed and did not answer.
        """
        return self._remembered(text, "", now) or self._load_token(text, now)

    def touch(self, live: Live, now: float) -> bool:
        """Write the activity of *live* down; False: it has ended meanwhile.

        Raises:
            StoreUnavailable: nothing was written.
        """
        session = live.session
        if not must_write(session, self._limits, now=now):
            return True
        live.write_at = now + self._limits.write_every
        try:
            kept = self._store.touch_session(session.id, now)
        except StoreUnavailable:
            live.write_at = now
            raise
        if kept:
            live.session = replace(session, seen=max(now, session.seen))
            live.since = live_from(live.session)
            live.until = live_until(live.session, self._limits)
        else:
            live.alive = False
        return kept

    def still(self, token: str, host: str) -> bool:
        """Tell whether the session of *token* goes on, without counting as activity.

        For connections that outlive a request; False also where nobody can tell.
        """
        try:
            now = self._clock()
            self.catch_up(now)
            live = self._remembered(token, host, now) or self._load(token, host, now)
        except StoreUnavailable:
            return False
        return live is not None

    def _remembered(self, token: str, host: str, now: float) -> Live | None:
        """Return what is known of *token*, while it is believed, where it is good."""
        live = self._by_token.get(token)
        if live is None or live.host != host or not live.alive:
            return None
        return live if live.since <= now < live.until else None

    def _load(self, token: str, host: str, now: float) -> Live | None:
        known_as = self._references.id_of(token, host)
        if known_as is None:
            return None
        number = self._number
        session = self._store.session(known_as)
        if session is None or not is_live(session, self._limits, now=now):
            self._forget(token)
            return None
        user = self._directory.find(session.user)
        if user is None or user.disabled or user.credential != session.credential:
            self._forget(token)
            return None
        live = Live(session, user, self._dress(session, user, None), self._limits, host)
        # Whoever prints an environ must not print with it what opens a session.
        live.environ["totp_gate.alive"] = lambda: self.still(token, host)
        self._remember(token, live, number)
        return live

    def _load_token(self, text: str, now: float) -> Live | None:
        """Read an app token; what is found is believed for ``TOKEN_EVERY`` seconds."""
        number = self._number
        token = self._store.token(digest(text))
        if token is None or now >= token.expires:
            self._forget(text)
            return None
        user = self._directory.find(token.user)
        if user is None or user.disabled:
            return None
        self._store.touch_token(token.digest, now)
        session = Session(
            id=f"token {token.id}",
            user=user.name,
            created=token.created,
            seen=now,
            password_at=token.created,
            second_factor_at=token.created,
        )
        live = Live(session, user, self._dress(session, user, token), self._limits)
        live.scope = token
        live.subject = Subject(
            user=user.name, groups=frozenset(user.groups), level=Level.SECOND_FACTOR
        )
        live.until = min(token.expires, now + TOKEN_EVERY)
        live.write_at = math.inf
        live.environ["totp_gate.alive"] = lambda: self._still_token(text)
        self._remember(text, live, number)
        return live

    def _still_token(self, text: str) -> bool:
        try:
            now = self._clock()
            self.catch_up(now)
            return self.find_token(text, now=now) is not None
        except StoreUnavailable:
            return False

    def _remember(self, token: str, live: Live, number: int) -> None:
        """Remember *live*, which was read after line *number* of the feed.

        The feed reaches what is in ``_by_token`` and nothing else. So whatever is not
        there, any more or because the feed has moved on since, is not alive: it serves
        the request it was read for, and whoever keeps it asks again.
        """
        with self._lock:
            if number != self._number:
                live.alive = False
                return
            if len(self._by_token) >= MAX_REMEMBERED:
                self._forget(next(iter(self._by_token)))
            self._forget(token)
            self._by_token[token] = live

    def _forget(self, token: str) -> None:
        live = self._by_token.pop(token, None)
        if live is not None:
            live.alive = False

    def _read_feed(self, now: float) -> None:
        mark = self.mark
        rung = mark.bell.cell[0]
        if mark.covers(now):
            return  # another thread has read it meanwhile
        started = self._monotonic()
        try:
            self._apply_feed()
        except StoreUnavailable:
            if rung != mark.rung or started - self._read_ok > FEED_PATIENCE:
                raise
            mark.since, mark.until = now, now + FEED_EVERY / 4
            return
        mark.rung = rung
        self._read_ok = started
        mark.since, mark.until = now, now + FEED_EVERY

    def _apply_feed(self) -> None:
        if self._number < 0:
            self._number = self._store.last_revocation()
            self._forget_all()
            return
        lines = self._store.revoked_since(self._number)
        if lines is None:
            self._number = self._store.last_revocation()
            self._forget_all()
            return
        if not lines:
            return
        sessions = {line.session for line in lines if line.session}
        users = {line.user for line in lines if line.user}
        for token, live in list(self._by_token.items()):
            if live.session.id in sessions or live.user.name in users:
                self._forget(token)
        self._number = lines[-1].number

    def _forget_all(self) -> None:
        for live in self._by_token.values():
            live.alive = False
        self._by_token.clear()
