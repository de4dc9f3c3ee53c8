"""What is said about a wrong code, on every page that asks for one."""

from __future__ import annotations

from totp_gate.accounts.factors import Factors
from totp_gate.model import User
from totp_gate.telemetry.audit import Audit
from totp_gate.web import words
from totp_gate.web.request import PageRequest


class WrongCodes:
    """Finds out whether a clock is off."""

    def __init__(self, factors: Factors, audit: Audit) -> None:
        self._factors = factors
        self._audit = audit

    def explain(
        self, request: PageRequest, user: User, code: str, otherwise: str
    ) -> str:
        """Return what to say about the wrong *code* of *user*.

        Args:
            otherwise: said where no clock is behind.
        """
        offset = self._factors.clock_offset(user, code, now=request.now)
        if offset is None:
            return otherwise
        self._audit.event(
            request, "clock-off", "failure", user=user.name, detail=f"{offset:+d} s"
        )
        return words.clock(offset) or otherwise
