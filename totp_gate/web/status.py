"""Is the gate alive, is it ready, and what has it counted?

Anybody may ask whether it is alive and ready. What is wrong, and the figures, are for
the networks of ``[metrics]`` only; for others there are no figures here.

To be ready means that the state could be written, so an answer is good for a second:
however many ask, the disk and the application hear of it once.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping

from totp_gate.core.headers import Networks
from totp_gate.errors import GateError
from totp_gate.telemetry.metrics import CONTENT_TYPE, Meter
from totp_gate.web.desk import Desk
from totp_gate.web.pages import Answer
from totp_gate.web.request import PageRequest

READY_EVERY = 1.0
_PLAIN = "text/plain; charset=utf-8"


class StatusPages:
    """Answers for monitors.

    Args:
        checks: by name, each raising ``GateError`` where its part is not ready.
        meter: what was counted.
        insiders: who may know more than yes and no.
        monotonic: seconds that never go back.
    """

    def __init__(
        self,
        desk: Desk,
        checks: Mapping[str, Callable[[], object]],
        *,
        meter: Meter,
        insiders: Networks,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk = desk
        self._checks = checks
        self._meter = meter
        self._insiders = insiders
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._checked_at = -math.inf
        self._wrong: list[str] = []

    def shows(self) -> dict[str, Callable[[PageRequest], Answer]]:
        """Return the pages, by their address."""
        return {
            "/healthz": self.alive,
            "/readyz": self.ready,
            "/metrics": self.figures,
        }

    def alive(self, _request: PageRequest) -> Answer:
        """Answer 200 as long as the process can answer at all."""
        return self._text("ok\n")

    def ready(self, request: PageRequest) -> Answer:
        """Answer 200 where everything needed is there, else 503."""
        with self._lock:
            wrong = self._look(request)
        if not wrong:
            return self._text("ready\n")
        told = "".join(wrong) if self._is_insider(request) else ""
        return self._text("not ready\n" + told, status=503)

    def _look(self, request: PageRequest) -> list[str]:
        """Return what is wrong: found now, or within the last second."""
        if self._monotonic() - self._checked_at < READY_EVERY:
            return self._wrong
        wrong = []
        for name, check in self._checks.items():
            try:
                check()
            except GateError as error:
                what = f"not ready: {name}"
                self._desk.audit.trouble(request.environ, what, error, seldom=True)
                wrong.append(f"{name}: {error}\n")
        self._wrong, self._checked_at = wrong, self._monotonic()
        return wrong

    def figures(self, request: PageRequest) -> Answer:
        """Answer with all metrics, in the text format of Prometheus."""
        if not self._is_insider(request):
            return self._desk.trouble.answer(request.environ, 404, home_url="/")
        try:
            text = self._meter.text(request.now)
        except OSError as error:
            self._desk.audit.trouble(request.environ, "no figures", error, seldom=True)
            return self._text("the workers' numbers cannot be read\n", status=503)
        return self._desk.pages.finish(Answer(text, content_type=CONTENT_TYPE))

    def _is_insider(self, request: PageRequest) -> bool:
        return self._insiders.contains(request.address)

    def _text(self, text: str, status: int = 200) -> Answer:
        answer = Answer(text, status=status, content_type=_PLAIN)
        return self._desk.pages.finish(answer)
