from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.servers import runs, wait_until
from tests.telemetry.asked import NOON
from totp_gate.telemetry.hook import Hook


def tell(hook, line, *, event="enrollment", outcome="success", user="alice", now=NOON):
    hook.tell({"event": event, "outcome": outcome, "user": user}, line, now=now)


@pytest.fixture
def failures():
    return []


@pytest.fixture
def make(tmp_path, failures):
    """Make a hook that runs a shell script; ``$OUT`` in it is a file of the test."""

    def make(script, **limits):
        program = tmp_path / "hook"
        program.write_text(script.replace("$OUT", str(tmp_path / "out")))
        command = ["/bin/sh", str(program), "one", "two words"]
        events = ["enrollment", "sign-in.password", "password-changed"]
        return Hook(command, events, failures.append, **limits)

    return make


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_the_command_reads_the_event(make, out, failures):
    hook = make("cat >> $OUT")
    tell(hook, '{"user": "alice"}')
    tell(hook, '{"user": "bob"}')

    assert hook.finish(60)
    assert out.read_text() == '{"user": "alice"}\n{"user": "bob"}\n'
    assert failures == []


def test_other_events_run_nothing(make, out):
    hook = make("cat >> $OUT")
    tell(hook, "{}", event="sign-out")

    assert hook.finish(60)
    assert not out.exists()


def test_the_command_learns_nothing_but_the_event(make, out, monkeypatch):
    monkeypatch.setenv("TOTP_GATE__GATE__KEYS", "canary")
    monkeypatch.setenv("LD_PRELOAD_OF_SOMEBODY", "canary")
    program = (
        f"exec '{sys.executable}' -I -c '"
        "import json, os, sys\n"
        'fds = sorted(map(int, os.listdir("/proc/self/fd")))\n'
        "seen = dict(env=dict(os.environ), args=sys.argv[1:], "
        "fds=fds, leader=os.getpgid(0) == os.getpid())\n"
        f'open("{out}", "w").write(json.dumps(seen))\' "$@"'
    )
    inherited, other = os.pipe()
    os.set_inheritable(inherited, True)
    hook = make(program)
    tell(hook, "{}")

    assert hook.finish(60)
    os.close(inherited)
    os.close(other)
    seen = json.loads(out.read_text())
    assert set(seen["env"]) - {"PWD", "LC_CTYPE", "SHLVL", "_", "OLDPWD"} == {
        "PATH",
        "LANG",
    }
    assert "canary" not in out.read_text()
    assert seen["args"] == ["one", "two words"]
    assert seen["leader"]
    # The fourth is the folder being listed.
    assert len(seen["fds"]) == 4


def test_a_command_that_fails_is_reported(make, failures):
    hook = make("exit 3")
    tell(hook, "{}")

    assert hook.finish(60)
    assert failures == ["/bin/sh failed (status 3)"]


def test_a_command_that_is_not_there_is_reported(failures):
    hook = Hook(["/none/such"], ["enrollment"], failures.append)
    tell(hook, "{}")

    assert hook.finish(60)
    assert failures == ["/none/such cannot be started (No such file or directory)"]


def test_an_event_that_nobody_can_be_told_keeps_no_other_from_it(make, out, caplog):
    hook = make("cat >> $OUT")
    tell(hook, "not ASCII: \N{SNOWMAN}")
    tell(hook, "{}")

    assert hook.finish(60)
    assert out.read_text() == "{}\n"
    assert "did not reach /bin/sh" in caplog.text


def test_a_command_that_reads_nothing_is_no_trouble(make, failures):
    hook = make("exec 0<&-; exit 0")
    for _ in range(20):
        tell(hook, "x" * 4000)

    assert hook.finish(60)
    assert failures == []


def test_a_command_that_hangs_is_ended_with_all_it_started(make, out, failures):
    hook = make("sleep 300 & echo $! > $OUT; wait", longest_run=0.5)
    tell(hook, "{}")

    assert hook.finish(60)
    assert failures == ["/bin/sh was ended after 0.5 seconds"]
    started = int(out.read_text())
    wait_until(lambda: not runs(started), "the end of what it started", seconds=5)


def test_a_slow_command_costs_the_caller_nothing_and_the_queue_ends(
    make, out, failures
):
    hook = make(
        "echo begun >> $OUT; while [ ! -e $OUT.go ]; do sleep .05; done",
        longest_queue=3,
    )
    tell(hook, "{}")
    wait_until(lambda: out.exists() and out.read_text(), "the first command")
    for _ in range(10):
        tell(hook, "{}")

    assert out.read_text() == "begun\n", "a caller waited for a command"
    assert failures == ["3 events wait already; one was not told"] * 7
    out.with_name("out.go").touch()


def test_what_is_locked_is_never_told(make, out):
    hook = make("cat >> $OUT")
    tell(hook, "{}", outcome="locked")

    assert hook.finish(60)
    assert not out.exists()


def test_failures_are_told_once_a_minute_of_each_event_and_user(make, out):
    hook = make("cat >> $OUT; echo >> $OUT")
    for number in range(121):
        for user in ("alice", "bob"):
            line = f"{user} {number}"
            tell(hook, line, outcome="failure", user=user, now=NOON + number)

    assert hook.finish(60)
    told = out.read_text().split("\n")
    assert [line for line in told if line] == [
        f"{user} {number}" for number in (0, 60, 120) for user in ("alice", "bob")
    ]


@pytest.mark.parametrize(
    "crowd",
    [
        pytest.param([("enrollment", "success", "alice")] * 9, id="one account"),
        pytest.param(
            [("sign-in.password", "failure", f"user {n}") for n in range(9)],
            id="failures of many accounts",
        ),
        pytest.param([("sign-in.password", "success", "bob")] * 9, id="one kind"),
    ],
)
def test_no_crowd_keeps_a_notice_of_somebody_else_out(make, out, crowd):
    hook = make(
        "test -e $OUT || { touch $OUT; sleep 1; }; cat >> $OUT", longest_queue=3
    )
    tell(hook, "first", user="carol")
    wait_until(out.exists, "the first command")
    for event, outcome, user in crowd:
        tell(hook, "crowd", event=event, outcome=outcome, user=user)
    tell(hook, "yours", event="password-changed", user="bob")
    for event, outcome, user in crowd:
        tell(hook, "crowd", event=event, outcome=outcome, user=user)

    assert hook.finish(60)
    assert out.read_text().split().count("yours") == 1


def test_one_runs_at_a_time(make, out):
    hook = make("echo begin >> $OUT; sleep 0.05; echo end >> $OUT")
    for _ in range(4):
        tell(hook, "{}")

    assert hook.finish(60)
    assert out.read_text().split() == ["begin", "end"] * 4


def test_a_process_forked_later_has_a_worker_of_its_own(make, out):
    hook = make("cat >> $OUT")
    tell(hook, "parent")
    assert hook.finish(60)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        tell(hook, "child")
        os._exit(0 if hook.finish(60) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert out.read_text().split() == ["parent", "child"]


_COMMAND_LINE = """
import sys
from totp_gate.telemetry.hook import Hook
Hook(["/bin/sh", "-c", "cat > " + sys.argv[1]], ["enrollment"], print).tell(
    {"event": "enrollment", "outcome": "success"}, "last words", now=0.0)
"""

_UNDER_GEVENT = """
from gevent import monkey; monkey.patch_all()
import gevent, os, sys, time
from totp_gate.telemetry.hook import Hook
forks = []
os.register_at_fork(before=lambda: forks.append(1))
hook = Hook(["/bin/sh", "-c", "sleep 0.5; cat > " + sys.argv[1]], ["enrollment"], print)
ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1
gevent.spawn(tick)
hook.tell({"event": "enrollment", "outcome": "success"}, "green", now=0.0)
assert hook.finish(60)
assert ticks > 5, ticks
assert not forks
"""


@pytest.mark.parametrize(
    ("program", "said"),
    [
        pytest.param(_COMMAND_LINE, "last words\n", id="a process that ends at once"),
        pytest.param(_UNDER_GEVENT, "green\n", id="gevent, where nobody else waits"),
    ],
)
def test_the_command_runs_whatever_kind_of_process_this_is(out, program, said):
    done = subprocess.run(
        [sys.executable, "-c", program, str(out)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert out.read_text() == said
