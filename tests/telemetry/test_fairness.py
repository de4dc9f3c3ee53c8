"""Whoever has most waiting loses it, and nobody else."""

import threading

import pytest

from totp_gate.telemetry.fairness import FairQueue, Waiting


def filled(longest, *owners_and_kinds):
    queue = FairQueue(longest)
    fits = [
        queue.put(Waiting(owner, kind, f"{owner} {kind} {number}"))
        for number, (owner, kind) in enumerate(owners_and_kinds)
    ]
    return queue, fits


def rest_of(queue):
    texts = []
    while queue.unfinished:
        texts.append(queue.take().text)
        queue.done()
    return texts


def test_what_came_first_is_taken_first():
    queue, fits = filled(3, ("alice", "a"), ("bob", "a"), ("alice", "b"))

    assert fits == [True] * 3
    assert rest_of(queue) == ["alice a 0", "bob a 1", "alice b 2"]


@pytest.mark.parametrize(
    ("those", "left"),
    [
        pytest.param(
            [("alice", "a")] * 4, ["alice a 0", "alice a 1", "alice a 2"], id="alone"
        ),
        pytest.param(
            [*[("alice", "a")] * 3, ("bob", "a")],
            ["alice a 0", "alice a 1", "bob a 3"],
            id="another owner finds a place",
        ),
        pytest.param(
            [*[("alice", "a")] * 3, ("alice", "b")],
            ["alice a 0", "alice a 1", "alice b 3"],
            id="so does another kind of one owner",
        ),
        pytest.param(
            [("alice", "a"), ("bob", "a"), ("bob", "b"), ("carol", "a")],
            ["alice a 0", "bob a 1", "carol a 3"],
            id="only who has most loses",
        ),
        pytest.param(
            [("alice", "a"), ("bob", "a"), ("carol", "a"), ("dora", "a")],
            ["alice a 0", "bob a 1", "carol a 2"],
            id="among equals the first stay",
        ),
    ],
)
def test_whoever_has_most_waiting_makes_room(those, left):
    queue, fits = filled(3, *those)

    assert fits == [True] * 3 + [False]
    assert rest_of(queue) == left


def test_what_is_taken_is_unfinished_until_it_is_done():
    queue, _ = filled(3, ("alice", "a"))
    queue.take()
    assert queue.unfinished == 1
    queue.done()

    assert queue.unfinished == 0


def test_whoever_takes_waits_for_something():
    queue = FairQueue(3)
    taken = []
    taker = threading.Thread(target=lambda: taken.append(queue.take().text))
    taker.start()
    queue.put(Waiting("alice", "a", "at last"))
    taker.join(10)

    assert taken == ["at last"]
