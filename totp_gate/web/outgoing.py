"""The application's answers, without what would touch the gate.

The application may neither set nor end a cookie of the gate, also not by having the
browser clear all of them, and no service worker of its own may be given the gate's
pages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from totp_gate.core import cookies

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

Headers = list[tuple[str, str]]

_CLEARING = "clear-site-data"
_ALL_BUT_COOKIES = '"cache", "storage", "executionContexts"'
_WATCHED = {"set-cookie", "service-worker-allowed", _CLEARING}
_LENGTHS = frozenset(map(len, _WATCHED))


class Outgoing:
    """Cleans the headers of answers.

    Args:
        cookie_names: of the gate.

    Attributes:
        start: ``(start_response, *arguments)`` passes the application's call of
            ``start_response`` on, with clean headers.
    """

    def __init__(self, cookie_names: tuple[str, ...]) -> None:
        self._cookie_names = cookie_names
        self.start = self._starter()

    def clean(self, answer: Headers) -> Headers:
        """Return the application's headers without those that would touch the gate."""
        left = ((name, self._left(name, value)) for name, value in answer)
        return [(name, value) for name, value in left if value is not None]

    def _starter(self) -> Callable[..., Callable[[bytes], object]]:
        clean, watched, lengths = self.clean, _WATCHED, _LENGTHS

        def start(
            start_response: StartResponse,
            status: str,
            answer: Headers,
            exc_info: Any = None,
        ) -> Callable[[bytes], object]:
            for name, _ in answer:
                if len(name) in lengths and name.lower() in watched:
                    answer = clean(answer)
                    break
            if exc_info is None:
                return start_response(status, answer)
            return start_response(status, answer, exc_info)

        return start

    def _left(self, name: str, value: str) -> str | None:
        """Return what may go out of a header; None: nothing of it."""
        known_as = name.lower()
        if known_as == "set-cookie":
            ours = cookies.is_gate_cookie(value, self._cookie_names)
            return None if ours else value
        if known_as == _CLEARING:
            return _without_cookies(value) or None
        return None if known_as in _WATCHED else value


def _without_cookies(cleared: str) -> str:
    """Return *cleared* so that a browser keeps the cookies of this host.

    Source:
        Clear Site Data (W3C) section 3.1; ``*`` is all there is.
    """
    wanted = [each.strip() for each in cleared.split(",")]
    if '"*"' in wanted:
        return _ALL_BUT_COOKIES
    return ", ".join(each for each in wanted if each.lower() != '"cookies"')
