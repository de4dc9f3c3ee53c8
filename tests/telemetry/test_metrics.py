from __future__ import annotations

import re
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from totp_gate.errors import ConfigError, StoreUnavailable
from totp_gate.telemetry.figures import METRICS
from totp_gate.telemetry.metrics import CONTENT_TYPE, PERMITTED, Meter

NOW = 1772366400.0


@pytest.fixture
def meter():
    return Meter()


def samples(meter):
    """Return {name: {labels: value}} as Prometheus reads it."""
    found = {}
    for family in text_string_to_metric_families(meter.text(NOW).decode()):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_every_metric_is_shown_from_the_start_and_at_zero(meter):
    for metric in METRICS:
        if metric.asked:
            meter.ask(metric.name, lambda now: 0)
    seen = samples(meter)

    base = {re.sub("_(bucket|sum|count|created)$", "", name) for name in seen}
    assert base == {metric.name for metric in METRICS} | {"gate_build_info"}
    nonzero = {name for name, series in seen.items() if any(series.values())}
    assert nonzero == {"gate_processes", "gate_build_info"}


def test_a_permitted_request_is_one_addition(meter):
    meter.cells.values[PERMITTED] += 1
    meter.count("gate_requests_total", "challenged")

    series = samples(meter)["gate_requests_total"]
    assert series[("outcome", "permitted"),] == 1
    assert series[("outcome", "challenged"),] == 1
    assert sum(series.values()) == 2


def test_no_duration_is_lost_while_another_is_written_down(meter):
    name = next(
        one.name for one in METRICS if one.kind == "histogram" and not one.labels
    )

    class Interrupted(float):
        """Seconds during whose conversion another thread counts."""

        def __mul__(self, by):
            meter.observe(name, 1.0)
            return super().__mul__(by)

    meter.observe(name, Interrupted(2.0))

    assert samples(meter)[name + "_sum"][()] == 3.0


@pytest.mark.parametrize(
    ("name", "labels", "counted"),
    [
        pytest.param(
            "gate_events_total", ["made-up"], {"event": "other"}, id="an event"
        ),
        pytest.param(
            "gate_sign_ins_total",
            ["code", "x" * 9999],
            {"step": "code", "result": "other"},
            id="one of two labels",
        ),
        pytest.param(
            "gate_upstream_failures_total", ["new"], {"kind": "other"}, id="a kind"
        ),
    ],
)
def test_what_is_on_no_list_makes_no_new_series(meter, name, labels, counted):
    before = len(meter.text(NOW).splitlines())
    meter.count(name, *labels)

    assert samples(meter)[name][tuple(sorted(counted.items()))] == 1
    assert len(meter.text(NOW).splitlines()) == before


def test_a_histogram_says_how_many_took_how_long(meter):
    for seconds in (0.0001, 0.0002, 0.003, 99):
        meter.observe("gate_store_seconds", seconds, "read")

    seen = samples(meter)
    buckets = {
        dict(labels)["le"]: value
        for labels, value in seen["gate_store_seconds_bucket"].items()
        if dict(labels)["operation"] == "read"
    }
    assert buckets["0.0002"] == 2
    assert buckets["0.0025"] == 2
    assert buckets["0.005"] == 3
    assert buckets["2.5"] == 3
    assert buckets["+Inf"] == 4
    assert seen["gate_store_seconds_count"][("operation", "read"),] == 4
    total = seen["gate_store_seconds_sum"][("operation", "read"),]
    assert total == pytest.approx(99.0033)
    assert seen["gate_store_seconds_count"][("operation", "write"),] == 0


def test_a_gauge_is_asked_for_when_somebody_reads(meter):
    asked = []
    meter.ask("gate_sessions", lambda now: asked.append(now) or 12)

    assert asked == []
    assert samples(meter)["gate_sessions"] == {(): 12}
    assert asked == [NOW]


def test_what_cannot_be_asked_is_left_out_and_hides_nothing_else(meter):
    def broken(now):
        raise StoreUnavailable("the state is busy")

    meter.ask("gate_sessions", broken)

    seen = samples(meter)
    assert "gate_sessions" not in seen
    assert "gate_requests_total" in seen


def test_no_label_can_hold_what_somebody_sent():
    for metric in METRICS:
        assert all(metric.labels.values())
        assert len(metric.series()) <= 60


def test_the_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TOTP_GATE_METRICS_DIR", str(tmp_path))
    Meter.of_environment()

    assert len(list(tmp_path.glob("*.cells"))) == 1


def test_a_folder_that_cannot_be_used_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TOTP_GATE_METRICS_DIR", str(tmp_path / "none"))

    with pytest.raises(ConfigError, match=r"TOTP_GATE_METRICS_DIR: .*/none cannot be"):
        Meter.of_environment()


def test_nobody_who_does_not_read_metrics_imports_their_library():
    program = (
        "import sys; from totp_gate.telemetry.metrics import Meter\n"
        "meter = Meter(); meter.count('gate_audit_failures_total')\n"
        "assert 'prometheus_client' not in sys.modules\n"
        "meter.text(0)\n"
        "assert 'prometheus_client' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_metrics_of_the_application_are_not_mixed_with_ours(meter):
    program = (
        "from prometheus_client import Counter\n"
        "Counter('theirs', 'x').inc()\n"
        "from totp_gate.telemetry.metrics import Meter\n"
        "assert b'theirs' not in Meter().text(0)\n"
        "from prometheus_client import generate_latest\n"
        "assert b'gate_' not in generate_latest()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_promtool_has_nothing_to_say(program, meter):
    for metric in METRICS:
        if metric.asked:
            meter.ask(metric.name, lambda now: 1)
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=meter.text(NOW),
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")
