"""What is sealed opens only for its purpose and owner, unchanged."""

import secrets

import pytest

from totp_gate.core.sealing import Sealer
from totp_gate.errors import SealBroken

OLD = {"old1": secrets.token_bytes(32)}
NEW = {"new1": secrets.token_bytes(32)}


def test_what_was_sealed_opens():
    sealer = Sealer(NEW)
    sealed = sealer.seal(b"seed", purpose="authenticator", owner="alice|1")

    assert sealer.open(sealed, purpose="authenticator", owner="alice|1") == b"seed"


@pytest.mark.parametrize(
    ("purpose", "owner"),
    [
        pytest.param("authenticator", "bob|1", id="moved to another user"),
        pytest.param("enrollment", "alice|1", id="used for another purpose"),
    ],
)
def test_a_moved_secret_does_not_open(purpose, owner):
    sealer = Sealer(NEW)
    sealed = sealer.seal(b"seed", purpose="authenticator", owner="alice|1")

    with pytest.raises(SealBroken):
        sealer.open(sealed, purpose=purpose, owner=owner)


def test_no_changed_character_opens():
    sealer = Sealer(NEW)
    sealed = sealer.seal(b"seed", purpose="p", owner="o")

    for at in range(len(sealed)):
        other = "A" if sealed[at] != "A" else "B"
        with pytest.raises(SealBroken):
            sealer.open(sealed[:at] + other + sealed[at + 1 :], purpose="p", owner="o")


@pytest.mark.parametrize("text", ["", "s1", "s1.new1", "s1.new1.", "s2.new1.AAAA", "é"])
def test_nonsense_does_not_open(text):
    with pytest.raises(SealBroken):
        Sealer(NEW).open(text, purpose="p", owner="o")


def test_an_old_key_still_opens_and_the_new_one_seals():
    sealed = Sealer(OLD).seal(b"seed", purpose="p", owner="o")
    both = Sealer(NEW | OLD)

    assert both.open(sealed, purpose="p", owner="o") == b"seed"
    assert not both.is_current(sealed)
    assert both.is_current(both.seal(b"seed", purpose="p", owner="o"))


def test_without_its_key_nothing_opens():
    sealed = Sealer(OLD).seal(b"seed", purpose="p", owner="o")

    with pytest.raises(SealBroken, match="old1"):
        Sealer(NEW).open(sealed, purpose="p", owner="o")


def test_a_key_that_was_made_since_opens_too():
    made: dict[str, bytes] = {}
    running = Sealer(OLD, lambda: made)
    sealed = Sealer(NEW | OLD).seal(b"seed", purpose="p", owner="o")
    with pytest.raises(SealBroken):
        running.open(sealed, purpose="p", owner="o")

    made.update(NEW)

    assert running.open(sealed, purpose="p", owner="o") == b"seed"
    assert not running.is_current(sealed)
