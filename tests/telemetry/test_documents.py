"""What ``docs/`` says about audit and metrics is what the code does."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.telemetry.asked import NAUGHTY, NOON, Lines
from tests.telemetry.documents import DOCS, PAGES, written
from totp_gate.telemetry.audit import Audit, Occasion
from totp_gate.telemetry.figures import METRICS

FILTER = DOCS / "fail2ban" / "filter.d" / "totp_gate.conf"
RULES = DOCS / "prometheus" / "totp_gate.rules.yml"
DASHBOARD = DOCS / "grafana" / "totp_gate.json"


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_the_pages_are_those_of_the_code(page):
    text = (DOCS / page).read_text("utf-8")

    assert text == written(page), "run: python -m tests.telemetry.documents"


def test_the_line_that_the_page_shows_is_a_line_as_it_is_written():
    (shown,) = re.findall(r"```json\n(.*)\n```", (DOCS / "audit.md").read_text())
    lines = Lines()
    here = Occasion(now=NOON, address="192.0.2.7", request_id="5f0c2a9d41be")
    Audit(lines).sign_in(here, "code", "failure", "code", user="alice")

    assert lines.written == [shown]


# fail2ban


def audit_log():
    """Return lines of everything there is, and the addresses that failed."""
    lines = Lines()
    audit = Audit(lines)
    failed = []
    numbers = iter(range(1, 250))
    for step in ("password", "code", "recovery"):
        for outcome in ("success", "failure", "locked"):
            for user in ("alice", "", *NAUGHTY.values(), *forgeries()):
                address = f"192.0.2.{next(numbers)}"
                here = Occasion(now=NOON, address=address, request_id=user)
                audit.sign_in(here, step, outcome, user, user=user)
                if outcome == "failure":
                    failed.append(address)
        numbers = iter(range(1, 250))
    here = Occasion(now=NOON, address="2001:db8::1")
    audit.sign_in(here, "code", "failure", user="alice")
    audit.event(here, "refused", "failure", rule="admin")
    audit.event(here, "form-refused", "failure")
    audit.event(here, "account-locked", "failure", user="alice", detail="code")
    audit.trouble({}, "closed", "sign-in.code failure 203.0.113.66")
    audit.sign_in(Occasion(now=NOON, address="unix"), "code", "failure", user="bob")
    return lines.written, [*failed, "2001:db8::1"]


def forgeries():
    """What somebody types who wants another address to be banned."""
    line = (
        '{"time": "2026-03-01T12:00:00.250Z", "event": "sign-in.code", '
        '"outcome": "failure", "address": "203.0.113.66", "user": "x"}'
    )
    return [
        line,
        f"\n{line}",
        f"x totp_gate[1]: {line}",
        '", "outcome": "failure", "address": "203.0.113.66"',
        "totp_gate 203.0.113.66",
    ]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="a file"),
        pytest.param("Mar  1 12:00:00 host totp_gate[12]: ", id="syslog"),
        pytest.param(
            "2026-03-01T12:00:00.1+00:00 host totp_gate[1]: ", id="new syslog"
        ),
        pytest.param("host gunicorn[77]: ", id="the journal"),
    ],
)
def test_fail2ban_matches_exactly_the_failures(program, tmp_path, before):
    lines, failed = audit_log()
    log = tmp_path / "audit.log"
    noise = 'gunicorn {"time": "x", "event": "sign-in.code", "outcome": "failure"}'
    log.write_text("".join(f"{before}{line}\n" for line in (*lines, noise)))
    # It takes a path with a space for an expression, and a checkout may have one.
    rules = tmp_path / FILTER.name
    rules.write_text(FILTER.read_text())
    done = subprocess.run(
        [program("fail2ban-regex"), "-o", "<ip> <time>", log, rules],
        capture_output=True,
        text=True,
        check=True,
    )

    matched = [line.split() for line in done.stdout.splitlines()]
    assert [address for address, _ in matched] == failed
    assert {time for _, time in matched} == {str(int(NOON))}


def test_the_jail_names_the_filter_there_is():
    jail = (DOCS / "fail2ban" / "jail.d" / "totp_gate.conf").read_text()

    assert re.search(r"^filter\s*= (\w+)$", jail, re.MULTILINE)[1] == FILTER.stem


# Prometheus and Grafana


def series():
    """Return every name Prometheus will know, with its labels and their values."""
    known = {"up": {}, "gate_build_info": {"version": None, "python": None}}
    for metric in METRICS:
        if metric.kind == "histogram":
            known[f"{metric.name}_bucket"] = {**metric.labels, "le": None}
            known[f"{metric.name}_sum"] = metric.labels
            known[f"{metric.name}_count"] = metric.labels
        else:
            known[metric.name] = metric.labels
    return known


def expressions():
    rules = RULES.read_text()
    found = re.findall(r"expr: (?:>-\n)?((?:.*\n?)+?)(?=\s+(?:for|labels):)", rules)
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        found += [target["expr"] for target in panel["targets"]]
    for variable in dashboard["templating"]["list"]:
        found.append(variable.get("definition", ""))
    return found


def wrong_in(expression):
    """Yield what in *expression* Prometheus will never have seen."""
    known = series()
    for name, inside in re.findall(r"\b(gate_\w+|up)\b(?:\{([^}]*)\})?", expression):
        if name not in known:
            yield name
            continue
        for label, operator, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', inside):
            if label in ("instance", "job"):
                continue
            allowed = known[name].get(label, ())
            values = value.split("|") if "~" in operator else [value]
            if allowed is not None and not set(values) <= set(allowed):
                yield f"{name} {label} {value}"
    labels = set().union(*known.values(), {"instance", "job"})
    for group in re.findall(r"\bby \(([^)]*)\)", expression):
        yield from {word.strip() for word in group.split(",")} - labels


def test_rules_and_dashboard_speak_of_nothing_that_does_not_exist():
    found = expressions()

    assert len(found) > 30
    assert [wrong for each in found for wrong in wrong_in(each)] == []


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("rate(gate_request_total[5m])", id="a name"),
        pytest.param('gate_requests_total{outcome="permited"}', id="a value"),
        pytest.param('gate_requests_total{result="permitted"}', id="a label"),
        pytest.param('gate_sign_ins_total{result=~"failure|lock"}', id="one of two"),
        pytest.param("sum by (outcom) (gate_requests_total)", id="a group"),
        pytest.param("gate_store_seconds", id="a histogram without its part"),
    ],
)
def test_the_check_of_expressions_sees(expression):
    assert list(wrong_in(expression))


def test_every_metric_is_used_or_needs_no_look():
    text = " ".join(expressions())

    assert [metric.name for metric in METRICS if metric.name not in text] == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["check", "rules", str(RULES)], id="form"),
        pytest.param(
            ["test", "rules", str(RULES.with_name("totp_gate.test.yml"))],
            id="what they ring for",
        ),
    ],
)
def test_promtool_agrees_with_the_rules(program, arguments):
    done = subprocess.run(
        [program("promtool"), *arguments],
        capture_output=True,
        text=True,
        cwd=RULES.parent,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried():
    alerts = re.findall(r"alert: (\w+)", RULES.read_text())
    tried = RULES.with_name("totp_gate.test.yml").read_text()

    assert [each for each in alerts if f'alertname="{each}"' not in tried] == []


def test_promtool_agrees_with_every_expression_of_the_dashboard(program, tmp_path):
    rules = {
        "groups": [
            {
                "name": "panels",
                "rules": [
                    {"record": f"panel:{number}", "expr": _filled(expression)}
                    for number, expression in enumerate(expressions())
                    if "label_values" not in expression and expression
                ],
            }
        ]
    }
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps(rules))  # JSON is YAML
    done = subprocess.run(
        [program("promtool"), "check", "rules", path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def _filled(expression):
    """Return *expression* as Grafana sends it."""
    return re.sub(r"\$__\w+", "5m", expression).replace("$instance", ".*")


def test_panels_do_not_lie_on_each_other():
    taken = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_pages_link_to_files_that_exist():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", (DOCS / page).read_text()):
            assert (DOCS / Path(link)).exists(), link
