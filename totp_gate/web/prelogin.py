"""The login cookie: one for a browser that is not signed in yet.

Before the password it is a random reference, which may remember for which places home
was asked (``web.handoff``); between the steps it carries the sealed ``LoginState``. Its
*binding* stays the same from the first page to the last, so that several tabs can be at
different steps; it never becomes a session.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from totp_gate.core.sealing import Sealer
from totp_gate.core.signing import Tokens, digest
from totp_gate.errors import SealBroken
from totp_gate.model import LoginState

ASK_EVERY = 60
MOST_ASKED = 8
_PURPOSE = "login-state"


@dataclass(frozen=True, slots=True)
class PreLogin:
    """What the login cookie says.

    Attributes:
        binding: names the browser; 32 hex digits.
        state: the proven password, where there is one (its age is not judged here).
        fresh: a new cookie value the answer must set, or empty.
        asked: for which places home was asked, by digest, and when (Unix seconds).
    """

    binding: str
    state: LoginState | None = None
    fresh: str = ""
    asked: Mapping[str, int] = field(default_factory=dict)

    def has_asked(self, place: str, *, now: float) -> bool:
        """Tell whether home was asked for *place* within ``ASK_EVERY`` seconds."""
        return _lately(self.asked.get(_digest(place)), now)


class LoginCookie:
    """Reads and writes the login cookie's value."""

    def __init__(self, tokens: Tokens, sealer: Sealer) -> None:
        self._tokens = tokens
        self._sealer = sealer

    def read(self, value: str | None) -> PreLogin:
        """Return what *value* says; a fresh pre-login where it says nothing."""
        if value is not None:
            if self._tokens.verify("login", value) is not None:
                return PreLogin(_binding(value))
            claims = self._tokens.read("asked", value)
            if claims is not None:
                return PreLogin(str(claims["b"]), asked=_asked(claims["a"]))
            state = self._state(value)
            if state is not None:
                return PreLogin(state.binding, state)
        fresh = self._tokens.reference("login")
        return PreLogin(_binding(fresh), None, fresh)

    def asking(self, prelogin: PreLogin, place: str, *, now: float) -> str:
        """Return the cookie value that remembers that home is asked for *place*."""
        lately = {known: at for known, at in prelogin.asked.items() if _lately(at, now)}
        lately[_digest(place)] = int(now)
        newest = sorted(lately.items(), key=lambda one: one[1])
        asked = dict(newest[-MOST_ASKED:])
        return self._tokens.write("asked", {"b": prelogin.binding, "a": asked})

    def write(self, state: LoginState) -> str:
        """Return the cookie value that carries *state*, unreadable to its holder."""
        clear = json.dumps(
            {
                "user": state.user,
                "binding": state.binding,
                "at": state.at,
                "credential": state.credential,
            },
            ensure_ascii=False,  # escaped, a long name would fit into no cookie
        )
        sealed = self._sealer.seal(clear.encode(), purpose=_PURPOSE, owner="")
        return self._tokens.write("login-state", {"s": sealed})

    def _state(self, value: str) -> LoginState | None:
        claims = self._tokens.read("login-state", value)
        if claims is None:
            return None
        try:
            clear = self._sealer.open(str(claims["s"]), purpose=_PURPOSE, owner="")
        except SealBroken:
            return None
        return LoginState(**json.loads(clear))


def _binding(value: str) -> str:
    return digest(value)[:32]


def _digest(place: str) -> str:
    return digest(place)[:16]


def _lately(at: int | None, now: float) -> bool:
    return at is not None and -ASK_EVERY < now - at < ASK_EVERY


def _asked(claim: object) -> dict[str, int]:
    pairs = claim.items() if isinstance(claim, dict) else ()
    return {str(place): int(at) for place, at in pairs}
