"""Carrying a session from the host where people sign in to another.

Strategy: it stays the same session, so its end is felt at every host; only its cookie
is another (``accounts.references``). The host that has the session makes a code, which
the browser carries to the other host. The code fetches the session once, within
``LIFE`` seconds, at the one origin and in the one browser it was made for; whatever is
wrong about it, it is used up. The store keeps its digest, and the secret of the session
sealed for that digest. A code is signed, so that nobody bothers the store with one they
have made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from totp_gate.accounts.live import Live, LiveSessions
from totp_gate.accounts.references import References
from totp_gate.core.sealing import Sealer
from totp_gate.core.signing import Tokens, digest
from totp_gate.core.urls import Origin
from totp_gate.errors import SealBroken
from totp_gate.model import HandOff, Level
from totp_gate.stores.base import Store

LIFE = 60
_PURPOSE = "hand-off"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A session that was fetched.

    Attributes:
        token: the cookie's value at the host that fetched it.
    """

    token: str = field(repr=False)
    live: Live


@dataclass(frozen=True, slots=True)
class Lost:
    """A code that fetches nothing.

    Attributes:
        reason: for the audit: ``unknown`` (never made, used or too old),
            ``another-host``, ``another-browser`` or ``session-over``.
    """

    reason: str


class HandOffs:
    """Makes codes and takes them back."""

    def __init__(
        self,
        *,
        store: Store,
        tokens: Tokens,
        references: References,
        sealer: Sealer,
        live: LiveSessions,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._references = references
        self._sealer = sealer
        self._live = live

    def give(
        self, token: str, *, here: Origin, there: Origin, browser: str, now: float
    ) -> str | None:
        """Return a code that fetches the session of *token*; None: there is none.

        Args:
            token: the cookie's value at the origin *here*.
            there: the origin that may fetch it.
            browser: what names the browser there; nothing is made for no browser.
            now: Unix seconds.

        Raises:
            StoreUnavailable: nothing was made.
        """
        secret = self._references.secret(token, here.host)
        live = self._live.find(token, host=here.host, now=now)
        if secret is None or live is None or not _is_complete(live) or not browser:
            return None
        code = self._tokens.reference("hand-off")
        known_as = digest(code)
        handoff = HandOff(
            digest=known_as,
            session=live.session.id,
            origin=there.text,
            browser=browser,
            sealed=self._sealer.seal(secret, purpose=_PURPOSE, owner=known_as),
            expires=now + LIFE,
        )
        self._store.add_hand_off(handoff)
        return code

    def take(
        self, code: str, *, there: Origin, browser: str, now: float
    ) -> Arrived | Lost:
        """Use *code* up and return the session it fetches, or why there is none.

        ``LiveSessions.catch_up`` must have been called for this request.

        Args:
            there: the origin that was asked.
            browser: what names the browser that asks.
            now: Unix seconds.

        Raises:
            StoreUnavailable: nothing was fetched.
        """
        if self._tokens.verify("hand-off", code) is None:
            return Lost("unknown")
        handoff = self._store.take_hand_off(digest(code), now=now)
        if handoff is None:
            return Lost("unknown")
        if handoff.origin != there.text:
            return Lost("another-host")
        if not browser or handoff.browser != browser:
            return Lost("another-browser")
        return self._fetched(handoff, there.host, now) or Lost("session-over")

    def name_of(self, token: str, host: str) -> str:
        """Return what names a browser by the session whose cookie it shows at *host*.

        The session may have ended; a browser that shows none has no name, and gets
        nothing.
        """
        known_as = self._references.id_of(token, host)
        return "" if known_as is None else self.name(known_as)

    def name(self, session: str) -> str:
        """Return what names the browsers that have a cookie of *session* (its id)."""
        return digest(f"session {session}")[:32]

    def _fetched(self, handoff: HandOff, host: str, now: float) -> Arrived | None:
        try:
            secret = self._sealer.open(
                handoff.sealed, purpose=_PURPOSE, owner=handoff.digest
            )
        except SealBroken:
            return None
        token = self._references.sign(secret, host)
        live = self._live.find(token, host=host, now=now)
        if live is None or not _is_complete(live) or live.session.id != handoff.session:
            return None
        return Arrived(token, live)


def _is_complete(live: Live) -> bool:
    """Tell whether it is a session of both factors; nothing else is ever carried."""
    return live.scope is None and live.session.level is Level.SECOND_FACTOR
