"""A crew of real processes that do the same to one state at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
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


def steps(store: SqlStore, many: int) -> int:
    """Accept step after step, and say each aloud once it is accepted."""
    for step in range(many):
        if store.accept_step("a1", step, now=START):
            print(step, flush=True)
    return many


DEEDS: dict[str, Callable[..., object]] = {
    "attempts": attempts,
    "steps": steps,
    "instance": lambda store: store.instance(),
    "accept": lambda store, step: store.accept_step("a1", step, now=START),
    "take": lambda store: store.take_link("l1", now=START) is not None,
    "spend": lambda store: store.spend_recovery("alice", "r1", now=START),
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
    """*size* processes that wait for orders."""

    def __init__(self, size: int) -> None:
        command = [sys.executable, "-m", "tests.stores.crew"]
        root = Path(__file__).parents[2]
        self.hands = [
            subprocess.Popen(
                command,
                cwd=root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(size)
        ]

    def all_do(self, state: Path, deed: str, *args: object, me: bool = False) -> list:
        """Let everyone do *deed* at once; what each got. *me*: each gives a name."""
        at = time.time() + 0.1
        for number, hand in enumerate(self.hands):
            named = [f"m{number}", *args] if me else list(args)
            self.order(hand, state, deed, *named, at=at)
        return [self.answer(hand) for hand in self.hands]

    def order(self, hand, state: Path, deed: str, *args: object, at: float = 0) -> None:
        order = {"url": f"sqlite:///{state}", "deed": deed, "args": args, "at": at}
        hand.stdin.write(json.dumps(order) + "\n")
        hand.stdin.flush()

    def answer(self, hand) -> object:
        line = hand.stdout.readline()
        assert line, "a process of the crew died"
        return json.loads(line)

    def dismiss(self) -> None:
        for hand in self.hands:
            hand.kill()
            hand.communicate()


def main() -> None:
    stores: dict[str, SqlStore] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if order["deed"] != "instance":  # opening is a part of that deed
            stores.setdefault(order["url"], open_store(order["url"], patience=30))
        time.sleep(max(0.0, order["at"] - time.time()))
        if order["url"] not in stores:
            stores[order["url"]] = open_store(order["url"], patience=30)
        deed = DEEDS[order["deed"]]
        print(json.dumps(deed(stores[order["url"]], *order["args"])), flush=True)


if __name__ == "__main__":
    main()
