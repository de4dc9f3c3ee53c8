"""Requests that met a session that had ended, kept until their sender is back.

Strategy: only a browser in which somebody has signed in before may leave something
here: its signed reference (``accounts.browsers``) names the series, and the series
belongs to one user, so what is kept is found again by the same user in the same browser
and by nobody else. Kept is little (``MOST_PER_BROWSER``, ``MOST_IN_ALL``), for a short
time (``LIFE``), sealed; a request for the same target with the same body replaces the
one before, so a page that asks again and again fills one place, and takes none from
what somebody typed. Taking one out is one use.

What is kept has a mark, which its page shows when it sends the request again itself. It
says for whom it was kept, though not by name, so that nobody else sends it.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from totp_gate.accounts.browsers import Browsers
from totp_gate.core.sealing import Sealer
from totp_gate.core.signing import digest
from totp_gate.errors import SealBroken
from totp_gate.model import HeldRequest
from totp_gate.stores.base import Store

LIFE = 15 * 60
MOST_PER_BROWSER = 3
MOST_IN_ALL = 1000
LONGEST_BODY = 1024 * 1024
LENGTH_OF_MARK = 48
_PURPOSE = "held"
_MARK = 16
_SIZE = struct.Struct(">I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One request that waits.

    Attributes:
        id: names it in forms.
        environ: what has to be set for it: method, target, headers.
    """

    id: str
    environ: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Held:
    """Use cases over requests that wait."""

    def __init__(self, *, store: Store, sealer: Sealer, browsers: Browsers) -> None:
        self._store = store
        self._sealer = sealer
        self._browsers = browsers

    def keep(
        self, cookie: str | None, environ: Mapping[str, str], body: bytes, *, now: float
    ) -> str | None:
        """Keep a request, and return its mark.

        None: nobody has signed in there, or there is no room.

        Args:
            cookie: the reference of the browser.
            now: Unix seconds.

        Raises:
            StoreUnavailable: nothing was kept.
        """
        series, owner = self._browsers.series(cookie), self._browsers.owner(cookie)
        if series is None or owner is None:
            return None
        target = f"{environ['REQUEST_METHOD']} {environ.get('target', '')}"
        content = hashlib.sha256(body).hexdigest()
        place = digest(f"{series} {content} {target}")[:32]
        head = json.dumps(dict(environ)).encode()
        clear = _SIZE.pack(len(head)) + head + body
        held = HeldRequest(
            id=place,
            browser=series,
            sealed=self._sealer.seal(clear, purpose=_PURPOSE, owner=place),
            expires=now + LIFE,
        )
        kept = self._store.hold(
            held, now=now, per_browser=MOST_PER_BROWSER, in_all=MOST_IN_ALL
        )
        return _mark(held) + owner if kept else None

    def waiting(self, cookie: str | None, user: str, *, now: float) -> Kept | None:
        """Return what *user* left in this browser, the newest; None: nothing."""
        series = self._browsers.series(cookie, user)
        if series is None:
            return None
        for held in self._store.held(series, now=now):
            kept = self._opened(held)
            if kept is not None:
                return kept
        return None

    def take(
        self, cookie: str | None, user: str, id: str, *, now: float
    ) -> Kept | None:
        """Take one out; of two that ask for it, one gets it and the other None."""
        series = self._browsers.series(cookie, user)
        if series is None:
            return None
        held = self._store.take_held(id, series, now=now)
        return None if held is None else self._opened(held)

    def drop(self, cookie: str | None, user: str, mark: str, *, now: float) -> bool:
        """Forget what *user* left in this browser as *mark*; False: it is not there.

        What has taken the same place since has another mark, and stays.
        """
        series = self._browsers.series(cookie, user)
        if series is None:
            return False
        for held in self._store.held(series, now=now):
            if _mark(held) == mark[:_MARK]:
                return self._store.take_held(held.id, series, now=now) is not None
        return False

    def is_for(self, mark: str, user: str) -> bool:
        """Tell whether *mark* is of what *user* left, be it kept still or not."""
        return self._browsers.owns(mark[_MARK:], user)

    def move(self, old: str | None, new: str, user: str) -> None:
        """Let what *user* left under the reference *old* be found under *new*."""
        before = self._browsers.series(old, user)
        after = self._browsers.series(new, user)
        if before is not None and after is not None and before != after:
            self._store.move_held(before, after)

    def _opened(self, held: HeldRequest) -> Kept | None:
        try:
            clear = self._sealer.open(held.sealed, purpose=_PURPOSE, owner=held.id)
        except SealBroken:
            return None
        (size,) = _SIZE.unpack_from(clear)
        start = _SIZE.size + size
        head = json.loads(clear[_SIZE.size : start])
        return Kept(id=held.id, environ=head, body=clear[start:])


def _mark(held: HeldRequest) -> str:
    return digest(held.sealed)[:_MARK]
