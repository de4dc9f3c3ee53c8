"""The login cookie: one for a browser that is not signed in yet.

Before the password it is a random reference; between the steps it carries the sealed
``LoginState``. Its *binding* stays the same from the first page to the last, so that
several tabs can be at different steps; it never becomes a session.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from totp_gate.core.sealing import Sealer
from totp_gate.core.signing import Tokens, digest
from totp_gate.errors import SealBroken
from totp_gate.model import LoginState

_PURPOSE = "login-state"


@dataclass(frozen=True, slots=True)
class PreLogin:
    """What the login cookie says.

    Attributes:
        binding: names the browser; 32 hex digits.
        state: the proven password, where there is one (its age is not judged here).
        fresh: a new cookie value the answer must set, or empty.
    """

    binding: str
    state: LoginState | None = None
    fresh: str = ""


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
            state = self._state(value)
            if state is not None:
                return PreLogin(state.binding, state)
        fresh = self._tokens.reference("login")
        return PreLogin(_binding(fresh), None, fresh)

    def write(self, state: LoginState) -> str:
        """Return the cookie value that carries *state*, unreadable to its holder."""
        clear = json.dumps(
            {
                "user": state.user,
                "binding": state.binding,
                "at": state.at,
                "credential": state.credential,
                "recovered": state.recovered,
            }
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
