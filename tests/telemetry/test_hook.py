from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers import wait_until
from totp_gate.telemetry.hook import Hook


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
        return Hook(command, ["enrollment"], failures.append, **limits)

    return make


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_the_command_reads_the_event(make, out, failures):
    hook = make("cat >> $OUT")
    hook.tell("enrollment", '{"user": "alice"}')
    hook.tell("enrollment", '{"user": "bob"}')

    assert hook.finish()
    assert out.read_text() == '{"user": "alice"}\n{"user": "bob"}\n'
    assert failures == []


def test_other_events_run_nothing(make, out):
    hook = make("cat >> $OUT")
    hook.tell("sign-out", "{}")

    assert hook.finish()
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
    hook.tell("enrollment", "{}")

    assert hook.finish()
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
    hook.tell("enrollment", "{}")

    assert hook.finish()
    assert failures == ["/bin/sh failed (status 3)"]


def test_a_command_that_is_not_there_is_reported(failures):
    hook = Hook(["/none/such"], ["enrollment"], failures.append)
    hook.tell("enrollment", "{}")

    assert hook.finish()
    assert failures == ["/none/such cannot be started (No such file or directory)"]


def test_a_command_that_reads_nothing_is_no_trouble(make, failures):
    hook = make("exec 0<&-; exit 0")
    for _ in range(20):
        hook.tell("enrollment", "x" * 4000)

    assert hook.finish()
    assert failures == []


def test_a_command_that_hangs_is_ended_with_all_it_started(make, out, failures):
    hook = make("sleep 300 & echo $! > $OUT; wait", longest_run=0.5)
    hook.tell("enrollment", "{}")

    assert hook.finish()
    assert failures == ["/bin/sh was ended after 0.5 seconds"]
    deadline = time.monotonic() + 5
    while _runs(int(out.read_text())) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(int(out.read_text()))


def _runs(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_slow_command_costs_the_caller_nothing_and_the_queue_ends(
    make, out, failures
):
    hook = make("echo begun >> $OUT; sleep 2", longest_queue=3)
    hook.tell("enrollment", "{}")
    wait_until(out.exists, "the first command")
    for _ in range(10):
        hook.tell("enrollment", "{}")

    assert out.read_text() == "begun\n", "a caller waited for a command"
    assert failures == ["3 events wait already; one was not told"] * 7


def test_one_runs_at_a_time(make, out):
    hook = make("echo begin >> $OUT; sleep 0.05; echo end >> $OUT")
    for _ in range(4):
        hook.tell("enrollment", "{}")

    assert hook.finish()
    assert out.read_text().split() == ["begin", "end"] * 4


def test_a_process_forked_later_has_a_worker_of_its_own(make, out):
    hook = make("cat >> $OUT")
    hook.tell("enrollment", "parent")
    assert hook.finish()
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        hook.tell("enrollment", "child")
        os._exit(0 if hook.finish() else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert out.read_text().split() == ["parent", "child"]


_COMMAND_LINE = """
import sys
from totp_gate.telemetry.hook import Hook
Hook(["/bin/sh", "-c", "cat > " + sys.argv[1]], ["enrollment"], print).tell(
    "enrollment", "last words")
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
hook.tell("enrollment", "green")
assert hook.finish()
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
