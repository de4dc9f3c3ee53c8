"""``key``: keys change, and nobody notices."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cli.conftest import PASSWORD, Terminal
from totp_gate.cli import keyfile
from totp_gate.core.keys import KeyRing
from totp_gate.errors import SealBroken


def ring(terminal: Terminal) -> KeyRing:
    return KeyRing.parse((terminal.folder / "gate.keys").read_text())


def seed_of_alice(terminal: Terminal) -> bytes:
    accounts = terminal.open()
    user = accounts.directory.find("alice")
    assert user is not None
    try:
        return accounts.factors.seed(accounts.factors.of(user)[0], user)
    finally:
        accounts.store.close()


def test_keys_are_made_where_the_settings_say(terminal: Terminal):
    (terminal.folder / "gate.keys").unlink()
    text = terminal.path.read_text() + 'keys_file = "other.keys"\n'
    terminal.path.write_text(text)

    terminal.do("key", "init")

    made = terminal.folder / "other.keys"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert len(KeyRing.parse(made.read_text()).keys) == 1
    assert terminal.json("key", "status")["keys"][0]["newest"] is True


def test_keys_are_never_overwritten(terminal: Terminal):
    before = (terminal.folder / "gate.keys").read_bytes()

    assert "not overwritten" in terminal.refused("key", "init")
    assert (terminal.folder / "gate.keys").read_bytes() == before


def test_keys_that_others_can_read_are_not_overwritten_either(terminal: Terminal):
    (terminal.folder / "gate.keys").chmod(0o644)

    assert "not overwritten" in terminal.refused("key", "init")


def test_other_problems_of_the_settings_keep_keys_from_being_made(terminal: Terminal):
    (terminal.folder / "gate.keys").unlink()
    terminal.path.write_text("[gate]\norigin = 'nowhere'\n")

    assert "gate.origin" in terminal.refused("key", "init", code=2)
    assert not (terminal.folder / "gate.keys").exists()


def test_a_rotation_seals_everything_anew(alice: Terminal):
    before, seed = ring(alice), seed_of_alice(alice)

    alice.do("key", "rotate")

    after = ring(alice)
    assert after.keys[1:] == before.keys
    status = alice.json("key", "status")["keys"]
    assert [each["sealed"] for each in status] == [1, 0]
    assert seed_of_alice(alice) == seed
    assert stat.S_IMODE((alice.folder / "gate.keys").stat().st_mode) == 0o600
    assert not list(alice.folder.glob(".gate.keys.*"))


def test_a_pruned_key_is_gone_and_nothing_is_lost(alice: Terminal):
    seed = seed_of_alice(alice)
    alice.do("key", "rotate")

    alice.do("key", "prune")

    assert len(ring(alice).keys) == 1
    assert seed_of_alice(alice) == seed
    assert "nothing to remove" in alice.do("key", "prune")


def test_a_key_that_seals_something_is_not_pruned(alice: Terminal):
    keys = alice.folder / "gate.keys"
    line = keyfile.fresh_line(0)
    keyfile.replace(keys, keyfile.with_first(keys.read_text(), line))

    assert "totp-gate key rotate" in alice.refused("key", "prune")
    assert len(ring(alice).keys) == 2


def test_keys_that_are_lost_are_not_replaced_by_mistake(alice: Terminal):
    (alice.folder / "gate.keys").unlink()

    assert "from the backup" in alice.refused("check", code=2)
    complaint = alice.refused("key", "init")
    assert "1 secret(s) sealed with other keys" in complaint
    assert "from the backup" in complaint
    assert not (alice.folder / "gate.keys").exists()


def test_a_state_without_secrets_needs_no_old_keys(terminal: Terminal):
    terminal.do("user", "add", "bob", "--password-stdin", "--no-link", input=PASSWORD)
    (terminal.folder / "gate.keys").unlink()

    terminal.do("key", "init")

    assert terminal.json("key", "status")["missing"] == {}


@pytest.mark.parametrize(
    ("octets", "word"),
    [
        pytest.param(b"", "there is no key in it", id="empty"),
        pytest.param(b"nonsense\n", "line 1 is not", id="no key"),
        pytest.param(b"\xef\xbb\xbfk1 2026-01-01 x\n", "no plain ASCII", id="a mark"),
        pytest.param("k\n".encode("utf-16"), "no plain ASCII", id="UTF-16"),
        pytest.param(b"\0" * 40, "line 1 is not", id="zeros"),
    ],
)
@pytest.mark.parametrize("words", [("user", "list"), ("key", "rotate"), ("check",)])
def test_a_spoilt_file_of_keys_is_one_line_with_its_path_and_what_helps(
    terminal: Terminal, octets: bytes, word: str, words: tuple[str, ...]
):
    path = terminal.folder / "gate.keys"
    path.write_bytes(octets)

    complaint = terminal.refused(*words, code=2)

    (line,) = [each for each in complaint.splitlines() if "gate.keys_file" in each]
    for part in (str(path), word, "put it back from the backup"):
        assert part in line


def test_programs_are_told_what_was_made(alice: Terminal):
    made = alice.json("key", "rotate")
    pruned = alice.json("key", "prune")
    again = alice.json("key", "prune")

    newest = ring(alice).newest
    assert made["key"] == {"id": newest.id, "made": newest.made}
    assert (made["sealed"], made["broken"]) == (1, 0)
    assert len(pruned["removed"]) == 1
    assert again == {**pruned, "removed": []}

    (alice.folder / "gate.keys").unlink()
    first = alice.json("key", "init", "--lose-authenticators")
    assert first["key"]["id"] == ring(alice).newest.id
    assert first["file"] == str(alice.folder / "gate.keys")


def test_what_cannot_be_opened_is_told_and_left_alone(alice: Terminal):
    (alice.folder / "gate.keys").unlink()
    alice.do("key", "init", "--lose-authenticators")

    result = alice.run("key", "rotate")

    assert result.exit_code == 0
    assert "1 secret(s) cannot be opened" in result.stderr
    assert list(alice.json("key", "status")["missing"].values()) == [1]
    with pytest.raises(SealBroken):
        seed_of_alice(alice)


def test_words_of_the_administrator_stay_in_the_file(alice: Terminal):
    keys = alice.folder / "gate.keys"
    keys.write_text("# ours\n" + keys.read_text() + "# the end\n")

    alice.do("key", "rotate")
    alice.do("key", "prune")

    assert keys.read_text().startswith("# ours\n")
    assert keys.read_text().endswith("# the end\n")


def test_a_link_to_the_keys_stays_a_link(alice: Terminal):
    keys, elsewhere = alice.folder / "gate.keys", alice.folder / "safe"
    elsewhere.mkdir()
    keys.rename(elsewhere / "keys")
    keys.symlink_to(elsewhere / "keys")

    alice.do("key", "rotate")

    assert keys.is_symlink()
    assert len(ring(alice).keys) == 2


def test_a_file_that_cannot_be_written_whole_stays_as_it_was(
    tmp_path: Path, monkeypatch
):
    path = tmp_path / "keys"
    keyfile.write_new(path, keyfile.fresh_line(0))
    before = path.read_text()

    def fail(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keyfile.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        keyfile.replace(path, keyfile.with_first(before, keyfile.fresh_line(0)))

    assert path.read_text() == before
    assert [each.name for each in tmp_path.iterdir()] == ["keys"]
