"""Passwords that got out are found in a list, wherever they stand in it."""

from __future__ import annotations

import hashlib
import random

import pytest

from totp_gate.errors import ConfigError, StoreUnavailable
from totp_gate.users.breached import BreachedPasswords

WORDS = [f"password {number}" for number in range(500)]


def digest(word: str) -> str:
    """Return what the list calls *word*."""
    return hashlib.sha1(word.encode()).hexdigest().upper()


def lines(words=WORDS, seed: int = 1) -> list[str]:
    """Return the list as it is published; counts have one digit, or eight."""
    count = random.Random(seed)
    return [f"{one}:{10 ** count.randrange(8)}" for one in sorted(map(digest, words))]


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "breached.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


SHAPES = {
    "as published": lambda rows: "\r\n".join(rows),
    "with a line's end at the end": lambda rows: "\n".join(rows) + "\n",
    "without counts": lambda rows: "\n".join(line[:40] for line in rows),
    "in small letters": lambda rows: "\n".join(rows).lower(),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("size", [1, 2, 3, 500])
def test_all_that_is_in_the_list_is_found_and_nothing_else(write, shape, size):
    known = BreachedPasswords(write(shape(lines(WORDS[:size]))))

    assert [word for word in WORDS[:size] if word not in known] == []
    others = [f"another {number}" for number in range(500)]
    assert [word for word in others if word in known] == []


def test_the_first_and_the_last_are_found_and_what_lies_outside_is_not(write):
    ordered = sorted(WORDS, key=digest)
    known = BreachedPasswords(write("\n".join(lines(ordered[1:-1]))))

    assert ordered[1] in known
    assert ordered[-2] in known
    assert ordered[0] not in known
    assert ordered[-1] not in known


def test_a_password_is_looked_up_as_it_would_be_hashed(write):
    known = BreachedPasswords(write("\n".join(lines(["caf\u00e9 caf\u00e9"]))))

    assert "cafe\u0301 cafe\u0301" in known


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("\n".join(reversed(lines())), "not in order", id="backwards"),
        pytest.param(
            "\n".join(sorted(lines(), key=lambda line: line[41:])),
            "not in order",
            id="ordered by count",
        ),
        pytest.param("\n".join(WORDS), "no HASH:count line", id="plain words"),
        pytest.param(b"\0" * 100_000, "no HASH:count line", id="no text"),
        pytest.param("\n".join(x[:32] + ":1" for x in lines()), "NTLM", id="NTLM"),
        pytest.param(
            "\n".join([*lines(), "the end"]), "no HASH:count line", id="a last line"
        ),
    ],
)
def test_what_is_no_list_in_order_is_refused(write, text, said):
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        BreachedPasswords(path)

    ((key, reason),) = caught.value.problems
    assert key == "password.breached_file"
    assert str(path) in reason
    assert said in reason
    assert ": " in reason


def test_a_list_that_is_gone_closes_and_does_not_open(write):
    path = write("\n".join(lines()))
    known = BreachedPasswords(path)
    path.unlink()

    with pytest.raises(StoreUnavailable, match=r"breached\.txt cannot be read"):
        assert "anything" in known
