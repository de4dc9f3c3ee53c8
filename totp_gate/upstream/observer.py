"""What telemetry may want to count about the application behind the gate."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """What telemetry may want to count; every call must be cheap and never raise."""

    def answered(self, status: int, seconds: float, *, reused: bool) -> None:
        """The head of an answer came *seconds* after the request was begun."""

    def failed(self, kind: str) -> None:
        """No answer: ``unreachable``, ``no-answer``, ``malformed``, ``silent``, ..."""

    def untrusted(self, request: str, reason: str) -> None:
        """The certificate of the application did not fit, in *request* (its id)."""

    def idle(self, change: int) -> None:
        """So many more connections are kept for a next request, or fewer."""

    def tunnel_opened(self) -> None:
        """A tunnel was opened."""

    def tunnel_closed(self, seconds: float) -> None:
        """A tunnel was closed, *seconds* after it was opened."""


class NoObserver:
    """Counts nothing."""

    def answered(self, status: int, seconds: float, *, reused: bool) -> None:
        """Ignore it."""

    def failed(self, kind: str) -> None:
        """Ignore it."""

    def untrusted(self, request: str, reason: str) -> None:
        """Ignore it."""

    def idle(self, change: int) -> None:
        """Ignore it."""

    def tunnel_opened(self) -> None:
        """Ignore it."""

    def tunnel_closed(self, seconds: float) -> None:
        """Ignore it."""
