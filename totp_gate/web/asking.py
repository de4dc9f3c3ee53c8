"""What one host of the gate asks another, in a signed note that a visitor carries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from totp_gate.core import headers
from totp_gate.core.signing import MAX_TOKEN, Tokens
from totp_gate.core.urls import Origin
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

ASK_LIFE = 600
_EARLY = 60  # the clock of another machine may be this much ahead
_PREFETCH = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_MOZ")


@dataclass(frozen=True, slots=True)
class Ask:
    """One question.

    Attributes:
        origin: who asks.
        place: where the visitor goes there afterwards.
        browser: what names their browser there; of ``back`` nothing does.
        at: when it was asked, Unix seconds.
    """

    origin: Origin
    place: str
    browser: str
    at: float

    def is_recent(self, now: float) -> bool:
        """Tell whether it was asked within ``ASK_LIFE`` seconds."""
        return -_EARLY <= now - self.at < ASK_LIFE


class Asks:
    """Writes and reads the notes.

    Args:
        origins: those the gate answers for.
        purpose: ``ask``: a host asks home who its visitor is; ``back``: home is told
            where a visitor goes on. One never stands for the other.
    """

    def __init__(
        self,
        tokens: Tokens,
        origins: Iterable[Origin],
        purpose: Literal["ask", "back"] = "ask",
    ) -> None:
        self._tokens = tokens
        self._purpose: Literal["ask", "back"] = purpose
        self._origins = {origin.text: origin for origin in origins}

    def write(
        self, request: PageRequest, place: str, *, browser: str = ""
    ) -> str | None:
        """Return the note of the origin *request* came to; None: *place* is too long.

        Args:
            place: a path there, checked or ours.
        """
        claims = {
            "o": request.origin.text,
            "p": place,
            "b": browser,
            "t": int(request.now),
        }
        note = self._tokens.write(self._purpose, claims)
        return note if len(note) <= MAX_TOKEN else None

    def read(self, note: str) -> Ask | None:
        """Return what is asked; None: not by us, or by a host that is ours no more."""
        claims = self._tokens.read(self._purpose, note)
        origin = self._origins.get(str(claims["o"])) if claims else None
        if claims is None or origin is None:
            return None
        at = float(str(claims["t"]))
        return Ask(origin, str(claims["p"]), str(claims["b"]), at)


def is_visit(request: PageRequest) -> bool:
    """Tell whether a person is on their way here, in a window of their own.

    Source:
        Fetch Metadata (W3C), ``Sec-Fetch-Dest``; Speculation Rules, ``Sec-Purpose``.
    """
    environ = request.environ
    return (
        request.method == "GET"
        and headers.is_navigation(environ)
        and headers.is_for_a_window(environ)
        and not any("prefetch" in environ.get(key, "").lower() for key in _PREFETCH)
    )


def quiet(answer: Answer) -> Answer:
    """Return *answer* so that nobody is told the address it was asked at."""
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
