"""A crew of real processes that do the same to one state at the same moment."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.stores.conftest import START
from tests.stores.records import authenticator, session
from totp_gate.model import Count
from totp_gate.stores.sql import SqlStore, open_store


def attempts(store: SqlStore, budget: int, times: int) -> int:
    """Begin *times* attempts; how many were allowed."""

    def judge(count: Count) -> float | None:
        return None if count.failures < budget else 60.0

    keys = ["password:alice", "address:192.0.2.7"]
    waits = [store.begin_attempt(keys, now=START, judge=judge) for _ in range(times)]
    return waits.count(None)


def steps(store: SqlStore, many: int, say: Callable[[int], None]) -> int:
    """Accept step after step, and say each aloud once it is accepted."""
    for step in range(many):
        if store.accept_step("a1", step, now=START):
            say(step)
    return many


DEEDS: dict[str, Callable[..., object]] = {
    "attempts": attempts,
    "steps": steps,
    "instance": lambda store: store.instance(),
    "accept": lambda store, step: store.accept_step("a1", step, now=START),
    "spend": lambda store: store.spend_recovery("alice", "r1", now=START),
    "fetch": lambda store: store.take_hand_off("d1", now=START) is not None,
    "first": lambda store, me: store.add_authenticator(authenticator(me), only=True),
    "redeem": lambda store, me: store.redeem_link(
        "l1", authenticator=authenticator(me), password_hash=f"hash {me}", now=START
    ),
    "replace": lambda store, me: store.replace_session("s1", session(me)),
    "end": lambda store, ended: store.end_session(ended),
    "churn": lambda store, me, many: [
        store.add_session(session(f"{me} {number}")) == []
        and store.end_session(f"{me} {number}")
        for number in range(many)
    ].count(True),
}


class Crew:
    """*size* processes that wait for orders.

    They come from one process that has imported everything and opened nothing.
    """

    def __init__(self, size: int) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self.hands: list[tuple[BaseProcess, Connection]] = []
        for _ in range(size):
            mine, theirs = context.Pipe()
            hand = context.Process(target=work, args=(theirs,), daemon=True)
            hand.start()
            theirs.close()
            self.hands.append((hand, mine))

    def all_do(self, state: Path, deed: str, *args: object, me: bool = False) -> list:
        """Let everyone do *deed* at once; what each got. *me*: each gives a name."""
        at = time.time() + 0.05
        for number, (_, pipe) in enumerate(self.hands):
            named = (f"m{number}", *args) if me else args
            pipe.send((state, deed, named, at))
        return [pipe.recv() for _, pipe in self.hands]

    def dismiss(self) -> None:
        for hand, pipe in self.hands:
            hand.kill()
            hand.join()
            pipe.close()


def work(pipe: Connection) -> None:
    """Follow the orders that come through *pipe*."""
    stores: dict[Path, SqlStore] = {}
    while True:
        state, deed, args, at = pipe.recv()
        if deed == "steps":
            args = (*args, pipe.send)
        if deed != "instance":  # opening is a part of that deed
            stores.setdefault(state, open_store(f"sqlite:///{state}", patience=30))
        time.sleep(max(0.0, at - time.time()))
        if state not in stores:
            stores[state] = open_store(f"sqlite:///{state}", patience=30)
        pipe.send(DEEDS[deed](stores[state], *args))
