"""Form tokens: proof that a form was shown to this browser, by us, for this use.

Strategy: a token names its action, the browser (the pre-login id, or the session once
there is one) and when it was made, and is signed. It is stateless, so many tabs can be
open. Who sends a wrong one gets a fresh form, and nothing is counted as an attempt.

Source:
    OWASP Cross-Site Request Forgery Prevention, signed double submit; login CSRF.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from totp_gate.core.signing import Tokens

FORM_LIFE = 12 * 3600


@dataclass(frozen=True, slots=True)
class Form:
    """What a template needs for one form.

    Attributes:
        hidden: further fields that travel with it.
    """

    action: str
    token: str
    hidden: dict[str, str] = field(default_factory=dict)


class FormTokens:
    """Makes and checks form tokens."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def make(self, action: str, binding: str, *, now: float) -> str:
        """Return a token for *action* (a path below the prefix) in one browser."""
        return self._tokens.write("form", {"a": action, "b": binding, "t": int(now)})

    def check(self, token: str, action: str, binding: str, *, now: float) -> bool:
        """Tell whether *token* was made for this action and browser, and lately."""
        claims = self._tokens.read("form", token)
        if claims is None or claims.get("a") != action or claims.get("b") != binding:
            return False
        age = self.age(token, action, now=now)
        return age is not None and -60 <= age < FORM_LIFE

    def age(self, token: str, action: str, *, now: float) -> float | None:
        """Return the seconds since *token* was made, in any browser; None: not ours."""
        claims = self._tokens.read("form", token)
        made = claims.get("t") if claims and claims.get("a") == action else None
        return now - made if isinstance(made, int) else None
