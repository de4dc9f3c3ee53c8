"""Counting, and what Prometheus is shown of it.

Strategy: every number has its cell (``telemetry.cells``), and counting is an addition
in memory. Only who asks for ``/metrics`` pays: the cells of all processes are added up,
and prometheus-client, which takes long to import, writes them down. It keeps no number
itself: its own way over several processes would have to be chosen before anything
imports it, also for the application behind the gate.

A permitted request is counted by ``meter.cells.values[PERMITTED] += 1``, all else by
the methods.
"""

from __future__ import annotations

import os
import platform
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from totp_gate.errors import ConfigError, GateError
from totp_gate.telemetry.cells import Cells
from totp_gate.telemetry.figures import METRICS, OTHER, REQUESTS, Metric

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOLDER_VARIABLE = "TOTP_GATE_METRICS_DIR"
"""Names the folder that the workers of one server share, and nobody else."""

PERMITTED = REQUESTS.index("permitted")
_MICROSECONDS = 1_000_000

_BY_NAME = {metric.name: metric for metric in METRICS}


def _furnish() -> tuple[list[str], dict[tuple[str, ...], int]]:
    """Return the name of each cell, and where the first of each series is."""
    names: list[str] = []
    places = {}
    for metric in METRICS:
        for labels in metric.series():
            places[metric.name, *labels] = len(names)
            names += [" ".join((metric.name, *labels, c)) for c in metric.cells()]
    return names, places


_NAMES, _PLACES = _furnish()
_PROCESSES = _PLACES[("gate_processes",)]
_PASSING = [_PLACES[(one.name,)] for one in METRICS if one.kind == "gauge"]


class Meter:
    """Counts what happens in this process, and adds up all processes.

    Args:
        folder: shared by the workers of one server; None: there is one worker.

    Raises:
        ConfigError: the folder cannot be used.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._asked: dict[str, Callable[[float], float]] = {}
        try:
            self.cells = Cells(_NAMES, folder, passing=_PASSING, present=_PROCESSES)
        except OSError as error:
            reason = f"{folder} cannot be used ({error.strerror}): name another folder"
            raise ConfigError([(FOLDER_VARIABLE, reason)]) from error

    @classmethod
    def of_environment(cls) -> Meter:
        """Return a meter over the folder that ``TOTP_GATE_METRICS_DIR`` names."""
        folder = os.environ.get(FOLDER_VARIABLE)
        return cls(Path(folder) if folder else None)

    def place(self, name: str, *labels: str) -> int:
        """Return which cell of ``cells.values`` counts one series."""
        place = _PLACES.get((name, *labels))
        return _other(name, labels) if place is None else place

    def count(self, name: str, *labels: str, by: int = 1) -> None:
        """Add *by* to one series; values that are not on the list count as other."""
        self.cells.values[self.place(name, *labels)] += by

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """Add one duration to a histogram."""
        place = _PLACES[name, *labels]
        buckets = _BY_NAME[name].buckets
        microseconds = int(seconds * _MICROSECONDS)
        values = self.cells.values
        # No call between reading and writing: another thread would go on there.
        values[place + bisect_left(buckets, seconds)] += 1
        values[place + len(buckets) + 1] += microseconds

    def ask(self, name: str, source: Callable[[float], float]) -> None:
        """Let *source* say the value of a gauge whenever somebody reads.

        Args:
            source: gets Unix seconds; what it cannot say (``GateError``) is left out.
        """
        self._asked[name] = source

    def text(self, now: float) -> bytes:
        """Return all metrics in the text format of Prometheus.

        Args:
            now: Unix seconds.

        Raises:
            OSError: the shared folder cannot be used any more.
        """
        from prometheus_client import generate_latest

        return generate_latest(_Families(self.cells.total(), self._answers(now)))

    def _answers(self, now: float) -> dict[str, float]:
        answers = {}
        for name, source in self._asked.items():
            try:
                answers[name] = source(now)
            except GateError:
                continue
        return answers


class _Families:
    """What prometheus-client calls a collector."""

    def __init__(self, cells: list[int], answers: Mapping[str, float]) -> None:
        self._cells = cells
        self._answers = answers

    def collect(self) -> Iterator[Family]:
        """Yield every metric."""
        for metric in METRICS:
            if metric.kind == "histogram":
                yield self._histogram(metric)
            elif not metric.asked or metric.name in self._answers:
                yield self._number(metric)
        yield _build()

    def _number(self, metric: Metric) -> Family:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(metric.name, metric.help, labels=list(metric.labels))
        for labels in metric.series():
            value: float = self._cells[_PLACES[metric.name, *labels]]
            family.add_metric(labels, self._answers.get(metric.name, value))
        return family

    def _histogram(self, metric: Metric) -> Family:
        from prometheus_client.core import HistogramMetricFamily

        family = HistogramMetricFamily(
            metric.name, metric.help, labels=list(metric.labels)
        )
        bounds = [*map(str, metric.buckets), "+Inf"]
        for labels in metric.series():
            place = _PLACES[metric.name, *labels]
            end = place + len(bounds)
            counts = accumulate(self._cells[place:end])
            buckets = list(zip(bounds, map(float, counts), strict=True))
            family.add_metric(labels, buckets, self._cells[end] / _MICROSECONDS)
        return family


def _build() -> Family:
    from importlib.metadata import PackageNotFoundError, version

    from prometheus_client.core import GaugeMetricFamily

    try:
        running = version("totp_gate")
    except PackageNotFoundError:
        running = "unknown"
    family = GaugeMetricFamily(
        "gate_build_info", "What is running", labels=["version", "python"]
    )
    family.add_metric([running, platform.python_version()], 1)
    return family


def _other(name: str, labels: tuple[str, ...]) -> int:
    """Return where a series is counted whose label values are not all on the list."""
    known = zip(labels, _BY_NAME[name].labels.values(), strict=True)
    return _PLACES[name, *(v if v in values else OTHER for v, values in known)]
