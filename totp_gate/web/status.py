"""Is the gate alive, and is it ready?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from totp_gate.errors import GateError
from totp_gate.web.desk import Desk
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest


class StatusPages:
    """Answers for monitors.

    Args:
        checks: by name, each raising ``GateError`` where its part is not ready.
    """

    def __init__(self, desk: Desk, checks: Mapping[str, Callable[[], object]]) -> None:
        self._desk = desk
        self._checks = checks

    def alive(self, _request: PageRequest) -> Answer:
        """Answer 200 as long as the process can answer at all."""
        return self._text("ok\n")

    def ready(self, request: PageRequest) -> Answer:
        """Answer 200 where everything needed is there, else 503."""
        for name, check in self._checks.items():
            try:
                check()
            except GateError as error:
                self._desk.audit.trouble(request.environ, f"not ready: {name}", error)
                return self._text("not ready\n", status=503)
        return self._text("ready\n")

    def _text(self, text: str, status: int = 200) -> Answer:
        answer = Answer(text, status=status, content_type="text/plain; charset=utf-8")
        return self._desk.pages.finish(answer)
