"""What the gate is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from totp_gate.core.urls import Origin
from totp_gate.telemetry.audit import Audit
from totp_gate.telemetry.metrics import Meter
from totp_gate.web.admit import Admission
from totp_gate.web.arrival import Arrivals
from totp_gate.web.held import HeldPages
from totp_gate.web.judgement import Judgement
from totp_gate.web.jwks import Assertions
from totp_gate.web.request import CookieNames
from totp_gate.web.routes import Routes
from totp_gate.web.trouble import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the gate is made of.

    Attributes:
        origins: those the gate answers for, the main one first.
        prefix: where its own pages live.
        identity: names of the identity headers.
        clock: Unix seconds.
        assertions: states in a header who asks; None: nothing does.
    """

    origins: tuple[Origin, ...]
    prefix: str
    names: CookieNames
    identity: tuple[str, ...]
    judgement: Judgement
    arrivals: Arrivals
    routes: Routes
    admission: Admission
    held: HeldPages
    trouble: Trouble
    audit: Audit
    clock: Callable[[], float]
    meter: Meter = field(default_factory=Meter)
    assertions: Assertions | None = None
