"""What two want at once has one winner: among threads, greenlets and processes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.stores.conftest import START
from tests.stores.crew import Crew, attempts
from tests.stores.records import authenticator, browser, handoff, link, session
from totp_gate.errors import Conflict, StoreUnavailable
from totp_gate.model import User
from totp_gate.stores.base import Store

CREW = 8


@pytest.fixture(scope="module")
def crew():
    crew = Crew(CREW)
    yield crew
    crew.dismiss()


def at_once(deed, *, times: int, threads: int = 16) -> list:
    start = threading.Barrier(threads)

    def one(number: int) -> object:
        if number < threads:
            start.wait()
        return deed(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(times)))


class TestThreads:
    def test_one_thread_has_its_step_accepted(self, store: Store):
        won = at_once(lambda _: store.accept_step("a1", 7, now=START), times=50)

        assert won.count(True) == 1

    def test_parallel_attempts_never_exceed_the_budget(self, store: Store):
        allowed = at_once(lambda _: attempts(store, 10, 1), times=200, threads=32)

        assert sum(allowed) == 10
        assert store.count("password:alice").failures == 10

    def test_one_thread_redeems_the_link(self, store: Store):
        store.add_link(link())

        won = at_once(
            lambda number: store.redeem_link(
                "l1",
                authenticator=authenticator(f"a{number}"),
                password_hash=None,
                now=START,
            ),
            times=16,
        )

        assert won.count(True) == 1
        assert len(store.authenticators("alice")) == 1

    def test_one_thread_takes_the_hand_off(self, store: Store):
        store.add_hand_off(handoff())

        won = at_once(lambda _: store.take_hand_off("d1", now=START), times=16)

        assert [each for each in won if each] == [handoff()]

    def test_one_thread_rotates_the_browser(self, store: Store):
        store.add_browser(browser())

        answers = at_once(
            lambda number: store.rotate_browser(
                "b1", "alice", shown="first", next=f"n{number}", now=START, grace=30
            ),
            times=16,
        )

        assert sorted(answers) == ["grace"] * 15 + ["rotated"]

    def test_no_more_sessions_than_allowed(self, store: Store):
        at_once(
            lambda number: store.add_session(session(f"s{number}"), max_per_user=3),
            times=32,
        )

        assert len(store.sessions("alice")) == 3

    def test_a_name_is_added_once(self, store: Store):
        def add(_: int) -> bool:
            try:
                store.add_users([User(name="alice")])
            except Conflict:
                return False
            return True

        assert at_once(add, times=16).count(True) == 1

    def test_readers_do_not_wait_for_a_writer(self, open_file):
        store = open_file(patience=0.2)
        store.add_session(session())

        def judge(_count: object) -> None:
            assert store.session("s1") is not None  # while the write is open

        assert store.begin_attempt(["a"], now=START, judge=judge) is None


class TestProcesses:
    def test_all_that_open_a_new_state_at_once_find_the_same(self, crew: Crew, state):
        found = crew.all_do(state, "instance")

        assert len(set(found)) == 1
        assert sorted(each.name for each in state.parent.iterdir()) == [
            "gate.db",
            "gate.db-bell",
            "gate.db-shm",
            "gate.db-wal",
        ]

    def test_one_process_has_its_step_accepted(self, crew: Crew, open_file, state):
        open_file().add_authenticator(authenticator(), only=True)

        for step in range(8):
            assert crew.all_do(state, "accept", step).count(True) == 1

    @pytest.mark.parametrize("deed", ["spend", "fetch"])
    def test_one_process_uses_it_up(self, crew: Crew, open_file, state, deed):
        store = open_file()
        for _ in range(5):
            store.add_link(link())
            store.replace_recovery("alice", ["r1"], START)
            store.take_hand_off("d1", now=START)
            store.add_hand_off(handoff())

            assert crew.all_do(state, deed).count(True) == 1

    def test_one_process_enrolls_the_first(self, crew: Crew, open_file, state):
        store = open_file()

        assert crew.all_do(state, "first", me=True).count(True) == 1
        assert len(store.authenticators("alice")) == 1

    def test_one_process_redeems_the_link(self, crew: Crew, open_file, state):
        store = open_file()
        store.add_users([User(name="alice")])
        store.add_link(link())

        assert crew.all_do(state, "redeem", me=True).count(True) == 1

        winner = store.authenticators("alice")
        assert [f"hash {each.id}" for each in winner] == [
            store.user("alice").password_hash
        ]

    def test_one_process_replaces_the_session(self, crew: Crew, open_file, state):
        store = open_file()
        store.add_session(session())

        assert crew.all_do(state, "replace", me=True).count(True) == 1
        assert len(store.sessions()) == 1

    def test_attempts_of_all_never_exceed_the_budget(
        self, crew: Crew, open_file, state
    ):
        store = open_file()

        allowed = crew.all_do(state, "attempts", 10, 25)

        assert sum(allowed) == 10
        assert store.count("address:192.0.2.7").failures == 10

    def test_an_end_elsewhere_is_heard_and_read(self, crew: Crew, open_file, state):
        store = open_file()
        store.add_session(session())
        rung, known = store.bell.cell[0], store.last_revocation()

        assert crew.all_do(state, "end", "s1").count(True) == 1

        assert store.bell.cell[0] != rung
        assert [line.session for line in store.revoked_since(known)] == ["s1"]

    def test_no_line_of_the_feed_is_missed(self, crew: Crew, open_file, state):
        store = open_file(patience=30)
        seen: list[str] = []
        done = threading.Event()

        def follow() -> None:
            number = 0
            while True:
                last_round = done.is_set()
                for line in store.revoked_since(number):
                    number = line.number
                    seen.append(line.session)
                if last_round:
                    return

        reader = threading.Thread(target=follow)
        reader.start()
        ended = crew.all_do(state, "churn", 10, me=True)
        done.set()
        reader.join()

        assert ended == [10] * CREW
        assert sorted(seen) == sorted(
            f"m{m} {n}" for m in range(CREW) for n in range(10)
        )


class TestKilled:
    def test_no_accepted_step_is_lost_with_its_process(self, open_file, state: Path):
        open_file().close()
        crew = Crew(1)
        [(hand, pipe)] = crew.hands
        pipe.send((state, "steps", (1000,), 0.0))
        said = [pipe.recv() for _ in range(150)]
        hand.kill()
        with suppress(EOFError):
            while True:
                said.append(pipe.recv())
        crew.dismiss()

        store = open_file()

        assert said[-1] < 999, "it was killed too late to prove anything"
        assert store.last_step("a1") in (said[-1], said[-1] + 1)
        assert store.accept_step("a1", said[-1], now=START) is False


class TestForks:
    def in_child(self, deed) -> int:
        child = os.fork()
        if child == 0:
            try:
                os._exit(deed())
            except BaseException:
                os._exit(99)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def open_in_this_process(self, state: Path) -> set[str]:
        """Name what is open beside *state*; other tests may have left states too."""
        links = list(Path("/proc/self/fd").iterdir())
        places = [each.readlink() for each in links if each.is_symlink()]
        return {place.name for place in places if place.parent == state.parent}

    def test_a_child_has_none_of_the_parents_connections(self, open_file, state: Path):
        store = open_file()
        store.accept_step("a1", 1, now=START)
        assert "gate.db" in self.open_in_this_process(state)

        left = self.in_child(
            lambda: len(self.open_in_this_process(state) - {"gate.db-bell"})
        )

        assert left == 0

    def test_opening_leaves_no_connection_to_inherit(self, open_file, state: Path):
        open_file()

        assert self.open_in_this_process(state) == {"gate.db-bell"}

    def test_parent_and_child_both_go_on(self, open_file):
        store = open_file()
        store.add_session(session())
        rung = store.bell.cell[0]

        def deed() -> int:
            accepted = store.accept_step("a1", 1, now=START)
            return 7 if accepted and store.end_session("s1") else 8

        assert self.in_child(deed) == 7

        assert store.bell.cell[0] != rung
        assert store.accept_step("a1", 1, now=START) is False
        assert store.accept_step("a1", 2, now=START) is True

    def test_a_fork_amid_writes_leaves_both_able_to_write(self, open_file):
        store = open_file()
        stop = threading.Event()

        def write() -> None:
            step = 0
            while not stop.is_set():
                store.accept_step("busy", step := step + 1, now=START)

        writer = threading.Thread(target=write)
        writer.start()
        codes = {
            self.in_child(lambda n=n: store.accept_step("a1", n, now=START))
            for n in range(5)
        }
        stop.set()
        writer.join()

        assert codes == {1}
        assert store.last_step("a1") == 4


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import gevent, sys
from tests.stores.crew import attempts
from totp_gate.stores.sql import open_store
store = open_store(sys.argv[1])
jobs = [gevent.spawn(attempts, store, 10, 1) for _ in range(200)]
gevent.joinall(jobs, raise_error=True)
print(sum(job.value for job in jobs))
store.close()
"""


def run(program: str, *args: str) -> str:
    """Run *program* in a process of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program, *args],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_greenlets_never_exceed_the_budget(state: Path):
    assert run(GREENLETS, f"sqlite:///{state}") == "10"


WAITING = """
from gevent import monkey; monkey.patch_all()
import gevent, sqlite3, sys
from totp_gate.stores.sql import open_store
store = open_store("sqlite:///" + sys.argv[1])
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
waiting = [gevent.spawn(store.accept_step, "a1", n, now=0) for n in (1, 2)]
ticks = 0
for _ in range(30):
    gevent.sleep(0.01)
    ticks += not any(each.ready() for each in waiting)
other.execute("ROLLBACK")
gevent.joinall(waiting, raise_error=True)
print(ticks, store.last_step("a1"))
"""


def test_greenlets_go_on_while_one_waits_for_another_process(state: Path):
    assert run(WAITING, str(state)) == "30 2"


def test_a_judge_that_breaks_counts_nothing(store: Store):
    def broken(_count: object) -> float | None:
        raise StoreUnavailable("out of order")

    with pytest.raises(StoreUnavailable):
        store.begin_attempt(["a"], now=START, judge=broken)

    assert store.count("a").failures == 0
    assert store.begin_attempt(["a"], now=START, judge=lambda _: math.inf) == math.inf
