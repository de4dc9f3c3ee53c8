"""What waits for the disk is handed to whoever waits without stopping others."""

import sqlite3
import subprocess
import sys

import pytest

from totp_gate.errors import StoreUnavailable
from totp_gate.stores.sql import open_store

COOPERATIVE = """
from gevent import monkey; monkey.patch_all()
import gevent, sys
from totp_gate.app.threads import for_commits
from totp_gate.stores.sql import open_store

sleep = monkey.get_original("time", "sleep")
beside = for_commits()

def wait_and(commit):
    before = len(ticks)
    for _ in range(2000):  # at most twenty seconds, where the loop stands still
        sleep(0.01)
        if len(ticks) > before + 10:
            break
    return commit()

def slow(commit):
    return beside(lambda: wait_and(commit))

ticks = []
def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.001)
ticking = gevent.spawn(tick)
store = open_store(f"sqlite:///{sys.argv[1]}/gate.db", commit=slow)
ticks.clear()
writers = [gevent.spawn(store.ping) for _ in range(3)]
gevent.joinall(writers, raise_error=True)
ticking.kill()
print(len(ticks) > 30)
"""


def test_every_write_is_committed_there_and_no_read_is(tmp_path):
    commits = []

    def commit(work):
        commits.append(work)
        return work()

    store = open_store(f"sqlite:///{tmp_path / 'gate.db'}", commit=commit)
    commits.clear()
    store.counts("", at_least=1)
    assert not commits
    store.begin_attempt(["password:alice"], now=1.0, judge=lambda _: None)
    store.close()

    assert len(commits) == 1
    again = open_store(f"sqlite:///{tmp_path / 'gate.db'}")
    assert again.count("password:alice").failures == 1
    again.close()


def test_a_commit_that_fails_leaves_nothing_behind(tmp_path):
    failing = []

    def commit(work):
        if failing:
            raise sqlite3.OperationalError("disk I/O error")
        return work()

    store = open_store(f"sqlite:///{tmp_path / 'gate.db'}", commit=commit)
    failing.append(True)
    with pytest.raises(StoreUnavailable):
        store.begin_attempt(["password:alice"], now=1.0, judge=lambda _: None)
    failing.clear()

    assert store.count("password:alice").failures == 0
    store.begin_attempt(["password:alice"], now=1.0, judge=lambda _: None)
    assert store.count("password:alice").failures == 1
    store.close()


def test_under_gevent_the_loop_goes_on_while_the_disk_is_slow(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", COOPERATIVE, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ran.stdout, ran.returncode) == ("True\n", 0), ran.stderr
