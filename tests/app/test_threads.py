"""Hashes and commits are done in native threads, and hashes give way to all others."""

import multiprocessing
import os
import subprocess
import sys
import threading

import pytest

from totp_gate.app import threads as native

COOPERATIVE = """
from gevent import monkey; monkey.patch_all()
import gevent, os, time
from totp_gate.app.threads import NICE, Threads

ticks = []
def tick():
    while True:
        ticks.append(1)
        gevent.sleep(0.001)
gevent.spawn(tick)

sleep = monkey.get_original("time", "sleep")
def work():
    for _ in range(2000):  # at most twenty seconds, where the loop stands still
        sleep(0.01)
        if len(ticks) > 5:
            break
    return os.getpriority(os.PRIO_PROCESS, 0)

threads = Threads(1, nice=NICE)
assert threads(work) >= NICE
assert len(ticks) > 5, "the loop stood still"
try:
    threads(lambda: 1 / 0)
except ZeroDivisionError:
    print("well")
"""


def niceness():
    return os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no nice of its own")
def test_who_hashes_gives_way_and_who_serves_does_not():
    before = niceness()

    assert native.Threads(1, nice=native.NICE)(niceness) >= native.NICE
    assert niceness() == before


def test_where_it_may_not_give_way_it_works_all_the_same(monkeypatch):
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbidden)

    assert native.Threads(1, nice=native.NICE)(lambda: 17) == 17


def test_what_the_work_returns_or_raises_comes_back():
    threads = native.Threads(1)

    assert threads(lambda: 17) == 17
    with pytest.raises(ZeroDivisionError):
        threads(lambda: 1 / 0)
    assert threads(lambda: 18) == 18


def test_no_more_than_agreed_hash_at_once():
    threads, inside = native.Threads(2), threading.Barrier(2)
    workers = set()

    def work():
        inside.wait(10)  # passes only if two are here at the same time
        workers.add(threading.get_ident())

    callers = [threading.Thread(target=threads, args=(work,)) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert len(workers) == 2


def test_a_process_that_was_forked_hashes_with_threads_of_its_own():
    threads, context = native.Threads(1), multiprocessing.get_context("fork")
    threads(lambda: 0)
    told = context.SimpleQueue()

    child = context.Process(target=lambda: told.put(threads(os.getpid)))
    child.start()
    child.join(10)
    child.kill()

    assert not told.empty(), "the child waits for threads that it does not have"
    assert told.get() == child.pid


def test_under_gevent_the_loop_goes_on_meanwhile():
    ran = subprocess.run(
        [sys.executable, "-c", COOPERATIVE],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ran.stdout, ran.returncode) == ("well\n", 0), ran.stderr


@pytest.mark.parametrize(("cores", "at_once"), [(1, 1), (2, 1), (3, 1), (4, 2), (9, 4)])
def test_half_of_the_cores_hash(monkeypatch, cores, at_once):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(os, "cpu_count", lambda: cores)

    assert native.concurrency() == at_once
