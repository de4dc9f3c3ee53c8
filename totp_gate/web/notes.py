"""Short notes about what was just done, shown once on the page a form leads to.

Strategy: the address of that page carries which of our sentences it is, signed for one
browser and a minute. So nobody can make a page say what was not done, a page that is
loaded again later is silent, and neither cookie nor store is needed.
"""

from __future__ import annotations

from totp_gate.core.signing import Tokens, digest
from totp_gate.web import words

NOTE_LIFE = 60


class Notes:
    """Writes and reads the notes."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def write(self, what: str, binding: str, *, now: float) -> str:
        """Return the note that says ``words.DONE[what]`` to one browser.

        Args:
            binding: names the browser: its session, or its pre-login id.
        """
        claims = {"w": what, "b": _short(binding), "t": int(now)}
        return self._tokens.write("note", claims)

    def read(self, note: str, binding: str, *, now: float) -> words.Told | None:
        """Return what the note says; None: not ours, not for this browser, too old."""
        claims = self._tokens.read("note", note)
        if claims is None or claims["b"] != _short(binding):
            return None
        if not -NOTE_LIFE < now - float(str(claims["t"])) < NOTE_LIFE:
            return None
        return words.DONE.get(str(claims["w"]))


def _short(binding: str) -> str:
    return digest(binding)[:16]
