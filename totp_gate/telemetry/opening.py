"""The audit and the meter as the settings want them, wired together."""

from __future__ import annotations

from collections.abc import Sequence

from totp_gate.telemetry.audit import Audit, Keep
from totp_gate.telemetry.hook import Hook
from totp_gate.telemetry.metrics import Meter
from totp_gate.telemetry.sinks import open_sink


def open_audit(
    target: str,
    *,
    command: Sequence[str] = (),
    events: Sequence[str] = (),
    keep: Keep | None = None,
    meter: Meter | None = None,
) -> Audit:
    """Return an audit that writes to *target* (``sinks.open_sink``).

    Args:
        command: runs for each of *events*; empty: none does.
        keep: takes what stays with an account or the gate.
        meter: counts events and what went wrong with them.

    Raises:
        ConfigError: *target* cannot be opened.
    """
    counts = meter or Meter()
    sink = open_sink(target)
    if not command:
        return Audit(sink, keep=keep, meter=counts)

    def failed(reason: str) -> None:
        counts.count("gate_hook_failures_total")
        audit.trouble({}, "audit.command", reason, seldom=True, tell=False)

    hook = Hook(command, events, failed)
    audit = Audit(sink, keep=keep, tell=hook.tell, meter=counts)
    return audit
