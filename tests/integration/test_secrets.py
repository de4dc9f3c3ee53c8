"""Canaries: no secret is in anything that the gate writes, says or shows to others."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.integration.house import House
from tests.integration.lives import BODY, RULES, Lives, spellings
from tests.servers import free_port, wait_until
from tests.visitor import Answer
from totp_gate.telemetry.inventory import told_events

#: Writes down all that a program can learn: its input, arguments and environment.
HOOK = """
import json, os, sys
told = dict(line=sys.stdin.read(), args=sys.argv, environment=dict(os.environ))
with open("told", "a") as file:
    file.write(json.dumps(told) + "\\n")
"""
COMMANDS = [
    "user list",
    "user list --json",
    "user show dora",
    "user show dora --json",
    "user show erin --json",
    "audit tail --lines 1000",
    "audit tail --lines 1000 --json",
    "session list",
    "session list --json",
    "token list",
    "token list --json",
    "key status --json",
    "check",
    "explain GET http://127.0.0.1/private --user dora",
]
PAGES = {"/_gate/enroll", "/_gate/account/recovery-codes", "/_gate/account/token"}


def shown_by(answer: Answer) -> bytes:
    """Return the page without the name that somebody has just typed into it."""
    return re.sub(r'<input[^>]* name="username"[^>]*>', "", answer.text).encode()


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    """Lives behind the gate, lived, with the server still running."""
    folder = tmp_path_factory.mktemp("house")
    hook = folder / "hook"
    hook.write_text(HOOK.replace('"told"', repr(str(folder / "told"))))
    hook.chmod(0o600)
    events = [*told_events(), "sign-in.password", "token.refused", "form-refused"]
    settings = (
        f"[audit]\nfile = 'audit.log'\ncommand = ['{sys.executable}', '{hook}']\n"
        f"command_events = {events}\n{RULES}"
    )
    port = free_port()
    with House(
        folder,
        settings=settings,
        workers=2,
        ports=[port],
        gate={"origin": [f"http://127.0.0.1:{port}", f"http://localhost:{port}"]},
        arguments=["--log-level", "debug"],
    ) as house:
        made = Lives(house)
        made.live()
        keys = (folder / "gate.keys").read_text().split()
        made.secrets["key of the gate"] = max(keys, key=len)
        yield made


def test_no_secret_is_in_a_line_of_the_audit(lives):
    lines = (lives.house.folder / "audit.log").read_text()
    events = {json.loads(line)["event"] for line in lines.splitlines()}

    assert {
        *("enrollment", "sign-in.password", "sign-in.code", "sign-in.recovery"),
        *("browser.passed", "hand-off.given", "hand-off.taken", "token-made"),
        *("token.refused", "request-held", "held-sent", "proof.code"),
        *("password-changed", "form-refused", "request-refused", "refused"),
        *("session.forged", "browser.forged", "identity.forged"),
        *("forward.untrusted", "recovery-renewed", "sign-out"),
    } <= events
    assert lives.found_in(lines.encode()) == []


def test_no_secret_is_on_standard_error_or_in_the_access_log(lives):
    lines = lives.house.server.stderr

    assert "canary-query=harmless" in lines
    for name, secret in lives.in_urls.items():
        assert secret in lines, name
    assert lives.found_in(lines.encode(), urls=False) == []
    elsewhere = re.sub(r"/enroll/\S+|[?&]code=[^&\s]+", "its own address", lines)
    assert lives.found_in(elsewhere.encode()) == []


def test_no_secret_is_in_a_url_but_those_for_one_use(lives):
    visited = [path for path, _ in lives.answers]
    own = "|".join(re.escape(secret) for secret in lives.in_urls.values())
    others = [path for path in visited if not re.search(own, path)]

    assert len(others) < len(visited)
    assert lives.found_in("\n".join(visited).encode(), urls=False) == []
    assert lives.found_in("\n".join(others).encode()) == []


def test_no_secret_is_in_a_page_that_says_what_went_wrong(lives):
    wrong = [(path, one) for path, one in lives.answers if one.status >= 400]

    assert {one.status for _, one in wrong} >= {400, 401, 403, 413}
    for path, one in wrong:
        assert lives.found_in(shown_by(one)) == [], path


def test_a_secret_is_shown_where_it_is_given_and_nowhere_else(lives):
    kept = [name for name in lives.secrets if not name.startswith("cookie")]
    shown = set()
    for path, one in lives.answers:
        page = path.partition("?")[0]
        found = set(lives.found_in(shown_by(one), urls=False)) & set(kept)
        if found and found != {"held body"}:
            shown.add(page)
    assert shown <= PAGES | {f"/_gate/enroll/{lives.link}"}

    with_body = [path for path, one in lives.answers if BODY in one.text]
    assert [path.partition("?")[0] for path in with_body] == ["/_gate/held"] * 2


def test_no_secret_is_in_a_figure(lives):
    figures = lives.guest.get("/_gate/metrics").text

    assert 'gate_events_total{event="token-made"} 1.0' in figures
    assert lives.found_in(figures.encode()) == []


def test_no_secret_reaches_the_command_of_the_audit(lives):
    told = lives.house.folder / "told"
    wanted = {"password-changed", "token-made", "token.refused", "form-refused"}

    def events():
        *lines, _ = told.read_text().split("\n")
        return {json.loads(json.loads(line)["line"])["event"] for line in lines}

    wait_until(lambda: told.exists() and wanted <= events(), "what both workers tell")
    assert lives.found_in(told.read_bytes()) == []


@pytest.mark.parametrize("words", COMMANDS)
def test_no_secret_is_in_what_a_command_prints(lives, words):
    config = str(lives.house.folder / "gate.toml")
    done = subprocess.run(
        [sys.executable, "-m", "totp_gate", "--config", config, *words.split()],
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert lives.found_in(done.stdout + done.stderr) == []


def test_no_secret_is_in_the_octets_of_the_state(lives):
    files = sorted(lives.house.folder.glob("gate.db*"))

    assert {"gate.db", "gate.db-wal"} <= {each.name for each in files}
    for each in files:
        assert lives.found_in(each.read_bytes()) == [], each.name
    lives.house.server.stop()
    assert lives.found_in((lives.house.folder / "gate.db").read_bytes()) == []


def test_a_secret_would_be_found(lives):
    for name, secret in (lives.secrets | lives.in_urls).items():
        raw = secret if isinstance(secret, bytes) else secret.encode()
        for each in spellings(raw):
            assert name in lives.found_in(b"before " + each + b" after")
    for code in lives.codes:
        assert f"code {code}" in lives.found_in(f"code={code}".encode())
