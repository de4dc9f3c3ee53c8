"""Every metric there is, as a table; ``docs/metrics.md`` shows it to operators.

A label takes its values from a list that is written here, so what strangers send can
never make another time series. What is not on the list counts as ``other`` where there
is such a value, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from totp_gate.telemetry.inventory import EVENTS, OUTCOMES

OTHER = "other"
REQUESTS = ("permitted", "challenged", "refused", "bad_request", "closed", "own")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        help: what is counted; one sentence without its full stop.
        labels: names of labels and the values each may have.
        buckets: upper bounds in seconds, for a histogram.
        asked: not counted but asked for when somebody reads.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()
    asked: bool = False

    def series(self) -> list[tuple[str, ...]]:
        """Return all combinations of label values, in order."""
        return list(product(*self.labels.values()))

    def cells(self) -> tuple[str, ...]:
        """Return what is kept for each series: a number, or buckets and a sum."""
        if self.kind != "histogram":
            return ("value",)
        return (*(f"le={bound:g}" for bound in self.buckets), "le=+Inf", "microseconds")


METRICS = (
    Metric(
        name="gate_requests_total",
        kind="counter",
        help="Requests by what the gate did with them: permitted (passed on), "
        "challenged (sign in first), refused (by a rule), bad_request, closed (the "
        "gate was broken), own (a page of the gate)",
        labels={"outcome": REQUESTS},
    ),
    Metric(
        name="gate_processes",
        kind="gauge",
        help="Processes whose numbers are added up; fewer than there are workers: they "
        "share no folder",
    ),
    Metric(
        name="gate_sign_ins_total",
        kind="counter",
        help="Steps of sign-ins by result; locked: not judged, since there were too "
        "many failures before",
        labels={
            "step": ("password", "code", "recovery", OTHER),
            "result": (*OUTCOMES, OTHER),
        },
    ),
    Metric(
        name="gate_events_total",
        kind="counter",
        help="Events of the audit",
        labels={"event": (*EVENTS, OTHER)},
    ),
    Metric(
        name="gate_audit_failures_total",
        kind="counter",
        help="Lines of the audit that could not be written where they belong",
    ),
    Metric(
        name="gate_hook_failures_total",
        kind="counter",
        help="Events that the command of [audit] was not told of, or failed at",
    ),
    Metric(
        name="gate_sessions",
        kind="gauge",
        help="Sessions that were used within the idle time",
        asked=True,
    ),
    Metric(
        name="gate_locked_accounts",
        kind="gauge",
        help="Accounts that are closed to browsers they do not know, after too "
        "many failures in a row",
        asked=True,
    ),
    Metric(
        name="gate_password_seconds",
        kind="histogram",
        help="Time it took to hash one password or to verify it, without waiting",
        buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5),
    ),
    Metric(
        name="gate_passwords_in_progress",
        kind="gauge",
        help="Passwords that are being judged or wait for it",
    ),
    Metric(
        name="gate_passwords_refused_total",
        kind="counter",
        help="Passwords that were not judged, since too many waited (503)",
    ),
    Metric(
        name="gate_store_seconds",
        kind="histogram",
        help="Time an operation of the store took",
        labels={"operation": ("read", "write")},
        buckets=(0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5),
    ),
    Metric(
        name="gate_store_failures_total",
        kind="counter",
        help="Operations of the store that failed; each closes the gate for a request",
        labels={"operation": ("read", "write")},
    ),
    Metric(
        name="gate_upstream_seconds",
        kind="histogram",
        help="Time until the head of the application's answer came",
        buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
    ),
    Metric(
        name="gate_upstream_answers_total",
        kind="counter",
        help="Answers of the application, and whether a kept connection was used again",
        labels={
            "status": ("1xx", "2xx", "3xx", "4xx", "5xx", OTHER),
            "connection": ("new", "reused"),
        },
    ),
    Metric(
        name="gate_upstream_failures_total",
        kind="counter",
        help="Requests the application did not answer, or not in HTTP",
        labels={
            "kind": (
                *("unreachable", "untrusted", "no-answer", "malformed"),
                *("silent", "full", OTHER),
            )
        },
    ),
    Metric(
        name="gate_upstream_idle",
        kind="gauge",
        help="Connections to the application that are kept for a next request (pool)",
    ),
    Metric(
        name="gate_tunnels",
        kind="gauge",
        help="Open upgraded connections (WebSocket)",
    ),
    Metric(
        name="gate_tunnels_opened_total",
        kind="counter",
        help="Upgraded connections that were opened",
    ),
)
"""In the order in which they are shown; ``gate_requests_total`` comes first."""
