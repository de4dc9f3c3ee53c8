"""``explain``: the rule that decides, why no earlier one did, and what is answered."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Terminal
from totp_gate.testing import write_settings

RULES = """
[password]
min_length = 15
[[rules]]
name = "health"
paths = ["/healthz"]
policy = "public"
[[rules]]
name = "feed"
paths = ["/feed/*"]
policy = "one-factor"
[[rules]]
name = "office"
paths = ["/office"]
networks = ["10.0.0.0/8"]
[[rules]]
name = "admin"
paths = ["/admin/*"]
users = ["alice"]
max_age = "10m"
[[rules]]
name = "api"
paths = ["/api/*"]
preflight = true
"""


@pytest.fixture
def ruled(alice: Terminal) -> Terminal:
    """A terminal in a folder with rules, where alice is a user and bob is not named."""
    write_settings(alice.folder, RULES)
    words = ("user", "add", "bob", "--password-stdin", "--no-link")
    alice.do(*words, input="a password of bob\n")
    return alice


ALICE = ("--user", "Alice")


@pytest.mark.parametrize(
    ("words", "decision", "rule"),
    [
        pytest.param(("GET", "/healthz"), "permit", "health", id="public"),
        pytest.param(("GET", "/feed/x"), "challenge", "feed", id="nobody"),
        pytest.param(
            ("GET", "/feed/x", *ALICE, "--level", "password"),
            "permit",
            "feed",
            id="a password",
        ),
        pytest.param(
            ("GET", "/", *ALICE, "--level", "password"),
            "challenge",
            "default",
            id="a password where it is too little",
        ),
        pytest.param(("GET", "/", *ALICE), "permit", "default", id="both factors"),
        pytest.param(("GET", "/admin/x", *ALICE), "permit", "admin", id="a fresh code"),
        pytest.param(
            ("GET", "/admin/x", *ALICE, "--age", "10m"),
            "challenge",
            "admin",
            id="an old code",
        ),
        pytest.param(
            ("GET", "/admin/x", "--user", "bob"), "refuse", "admin", id="not named"
        ),
        pytest.param(
            ("GET", "/office", *ALICE, "--ip", "10.1.2.3"), "permit", "office", id="in"
        ),
        pytest.param(("GET", "/office", *ALICE), "refuse", "office", id="outside"),
        pytest.param(
            ("OPTIONS", "/api/x", "--preflight"), "permit", "api", id="a preflight"
        ),
        pytest.param(("OPTIONS", "/api/x"), "challenge", "api", id="no preflight"),
        pytest.param(
            ("GET", "https://APP.example.com:443/healthz#part"),
            "permit",
            "health",
            id="an address as people copy it",
        ),
        pytest.param(
            ("GET", "/straße"),
            "challenge",
            "default",
            id="letters as people write them",
        ),
        pytest.param(
            ("GET", "/x%2f..%2fhealthz"), "bad-request", None, id="dots in disguise"
        ),
        pytest.param(
            ("GET", "//feed/x"), "bad-request", "feed", id="two readings, two rules"
        ),
        pytest.param(
            ("GET", "https://other.example/"), "bad-request", None, id="another host"
        ),
        pytest.param(("TRACE", "/healthz"), "bad-request", None, id="trace"),
        pytest.param(("GET", "/_gate/login"), "own", None, id="a page of the gate"),
    ],
)
def test_it_says_what_the_gate_would_do(ruled: Terminal, words, decision, rule):
    told = ruled.json("explain", *words)

    assert (told["decision"], told["rule"]) == (decision, rule)


def test_it_says_why_each_earlier_rule_did_not_decide(ruled: Terminal):
    told = ruled.do("explain", "GET", "/office", "--user", "alice", "--ip", "192.0.2.1")

    lines = told.splitlines()
    assert lines[1].split(maxsplit=2)[:2] == ["health", "no"]
    assert "the path /office is none of its paths" in lines[1]
    assert lines[3].split(maxsplit=2)[:2] == ["office", "yes"]
    assert "outside the rule's networks" in lines[3]
    assert lines[-1] == "answer: 403"
    assert len(lines) == 5


def test_it_tells_a_person_from_a_program(ruled: Terminal):
    nobody = ruled.do("explain", "GET", "/x")
    stale = ruled.do("explain", "GET", "/admin/x", "--user", "alice", "--age", "1h")

    assert "401 login_required" in nobody
    assert "401 step_up_required" in stale


def test_nobody_stands_for_a_user_who_is_disabled(ruled: Terminal):
    ruled.do("user", "disable", "alice")

    result = ruled.run("explain", "GET", "/x", "--user", "alice")

    assert "disabled" in result.stderr
    assert "sent to sign-in" in result.stdout


def test_a_user_who_is_not_there_is_not_found(ruled: Terminal):
    assert "carol" in ruled.refused("explain", "GET", "/x", "--user", "carol")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("GET", "/", "--level", "password"), id="a level of nobody"),
        pytest.param(("GET", "/", "--age", "5m"), id="an age of nobody"),
        pytest.param(("GET", "/", "--user", "alice", "--age", "5"), id="no unit"),
        pytest.param(("GET", "/", "--ip", "here"), id="no address"),
        pytest.param(("GET", "/", "--preflight"), id="a preflight that is none"),
        pytest.param(("GET",), id="no address to explain"),
    ],
)
def test_wrong_usage_is_said(ruled: Terminal, words):
    ruled.refused("explain", *words, code=2)


def test_check_warns_of_rules_that_decide_nothing_or_too_much(ruled: Terminal):
    extra = '[[rules]]\nname = "{}"\npaths = ["{}"]\npolicy = "{}"\n'
    text = (
        RULES
        + extra.format("late", "/healthz", "deny")
        + extra.format("all", "/*", "public")
    )
    write_settings(ruled.folder, text)

    result = ruled.run("check")

    assert result.exit_code == 0
    assert "rules.late: decides only other spellings: 'health' comes" in result.stderr
    assert "and says public instead" in result.stderr
    assert "warning: rules.all: lets everybody in everywhere" in result.stderr
    assert "rules: 7" in result.stdout


def test_check_warns_of_rules_for_people_there_are_not(ruled: Terminal):
    who = 'users = ["alice", "carol"]\ngroups = ["staff"]\n'
    write_settings(ruled.folder, f'[[rules]]\nname = "admin"\n{who}')

    told = ruled.run("check").stderr

    assert "warning: rules.admin.users: there is no user called carol" in told
    assert "warning: rules.admin.groups: nobody is in the group staff" in told
    assert "alice" not in told
