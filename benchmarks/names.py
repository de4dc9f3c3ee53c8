"""Whether the answers to a wrong sign-in tell who exists.

Every attempt is the first of its name and of its address. Argon2id is as cheap as it
can be here: it is the same for all kinds, and whatever differs around it shows. A ratio
of medians near one and a p of more than 0.01 mean that the kinds cannot be told apart
(Mann-Whitney, two-sided, normal approximation).

The second table has Argon2id as it is, and beside it users of an htpasswd file: a wrong
password of theirs has to take what one of nobody takes, whatever bcrypt costs.

    python -m benchmarks.names       the second table alone
"""

from __future__ import annotations

import math
import random
import re
import time
from typing import Any

import bcrypt

from benchmarks import signed_in
from benchmarks.table import Row, show
from totp_gate import Gate
from totp_gate.core.passwords import Passwords, Profile
from totp_gate.model import User
from totp_gate.testing import Client, Installation, write_settings

KINDS = ("wrong password", "unknown", "disabled", "without a password")
SAMPLES = 60
HASHES = ("unknown", "argon2id", "bcrypt 5", "bcrypt 10", "bcrypt 12")
SAMPLES_OF_HASHES = 30
PASSWORD = b"the right password"
_SIGNED = re.compile(r'(name="csrf_token" value=")[^"]+|request [0-9a-f]+')


def run(rounds: int, seconds: float) -> list[Row]:
    """Measure and print the table."""
    number = max(SAMPLES, int(SAMPLES * rounds * seconds))
    with signed_in.installation(trusted=()) as made:
        names = {kind: _names(made, kind, number) for kind in KINDS}
        rows = _table(f"Who exists? {number} attempts of each kind", made.gate, names)
    return rows + run_hashes(max(SAMPLES_OF_HASHES, number // 10))


def run_hashes(number: int = SAMPLES_OF_HASHES) -> list[Row]:
    """Measure *number* attempts at users of every kind of hash."""
    names = {
        kind: [random.randbytes(6).hex() for _ in range(number)] for kind in HASHES
    }
    with signed_in.installation(trusted=()) as made:
        lines = []
        for kind in HASHES:
            if kind.startswith("bcrypt"):
                salt = bcrypt.gensalt(int(kind.split()[1]))
                hashed = bcrypt.hashpw(PASSWORD, salt).decode()
                lines += [f"{name}:{hashed}\n" for name in names[kind]]
        (made.folder / "people").write_text("".join(lines))
        write_settings(made.folder, gate={"htpasswd": "people"}, origin=made.origin)
        hashed = Passwords(Profile()).hash(PASSWORD.decode())
        made.accounts.store.add_users(
            [User(name=name, password_hash=hashed) for name in names["argon2id"]]
        )
        gate = signed_in.gate(made)
        try:
            title = f"Whose hash is foreign? {number} attempts of each kind"
            return _table(title, gate, names)
        finally:
            gate.accounts.store.close()


def _table(title: str, gate: Gate, names: dict[str, list[str]]) -> list[Row]:
    times, looks = _sample(gate, names)
    rows = []
    first, *others = names
    for kind in others:
        apart = len(looks[kind] ^ looks[first])
        ratio = _median(times[kind]) / _median(times[first])
        apart_by = max(ratio, 1 / ratio)
        rows += [
            Row(f"{kind}, {first}: ratio of the medians", [apart_by], at_most=1.05),
            Row(f"{kind}, {first}: p", [_p(times[kind], times[first])], at_least=0.01),
            Row(f"{kind}, {first}: answers that differ", [apart], at_most=0),
        ]
        rows.append(Row(f"{kind}: seconds", times[kind]))
    return show(title, rows)


def _sample(
    gate: Gate, names: dict[str, list[str]]
) -> tuple[dict[str, list[float]], dict[str, set[Any]]]:
    """Return the seconds of the attempts, and what the answers looked like."""
    times: dict[str, list[float]] = {kind: [] for kind in names}
    looks: dict[str, set[Any]] = {kind: set() for kind in names}
    browser = Client(gate)
    browser.origin = f"http://{signed_in.HOST}"
    page = browser.get("/_gate/login").text
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    for at in range(min(map(len, names.values()))):
        for kind in random.sample(list(names), len(names)):
            took, look = _attempt(browser, names[kind][at], found[1])
            times[kind].append(took)
            looks[kind].add(look)
    return times, looks


def _names(made: Installation, kind: str, number: int) -> list[str]:
    """Add *number* users of *kind*; return their names, all of one length."""
    names = [random.randbytes(6).hex() for _ in range(number)]
    accounts = made.accounts
    hashed = accounts.passwords.hash("the right password")
    if kind != "unknown":
        accounts.store.add_users(
            [
                User(
                    name=name,
                    password_hash=None if kind == "without a password" else hashed,
                    disabled=kind == "disabled",
                    created=made.clock(),
                )
                for name in names
            ]
        )
    return names


def _attempt(browser: Client, name: str, token: str) -> tuple[float, Any]:
    sent = {"username": name, "password": "a wrong password", "csrf_token": token}
    address = ".".join(map(str, b"\x0a" + random.randbytes(3)))
    begun = time.perf_counter()
    answer = browser.post(
        "/_gate/login",
        data=sent,
        headers={"Origin": f"http://{signed_in.HOST}"},
        environ_base={"REMOTE_ADDR": address},
    )
    took = time.perf_counter() - begun
    text = _SIGNED.sub(r"\1", answer.text).replace(name, "NAME")
    headers = tuple(pair for pair in answer.headers if pair[0] != "Date")
    return took, (answer.status, text, headers)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _p(one: list[float], other: list[float]) -> float:
    """Return how likely so different samples are where nothing differs."""
    ranked = sorted(
        (value, at) for at, values in enumerate((one, other)) for value in values
    )
    ranks = sum(rank for rank, (_, at) in enumerate(ranked, 1) if at == 0)
    n, m = len(one), len(other)
    mean = n * (n + m + 1) / 2
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(ranks - mean) / deviation / math.sqrt(2))


if __name__ == "__main__":
    run_hashes()
