"""Nobody but root and the gate's own user may change what decides who gets in."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from tests.config.conftest import GOOD_HASH, GOOD_SECRET
from totp_gate.config import load_config
from totp_gate.config.permissions import meddled
from totp_gate.errors import ConfigError

GATE = '[gate]\norigin = "https://app.example.com"\n'
ALICE = GATE + '[[users]]\nname = "alice"\n'
NOBODY = 65534


def give_away(path: Path) -> None:
    try:
        os.chown(path, NOBODY, -1)
    except PermissionError:
        pytest.skip("files can be given away by root only")


def problems(folder: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load_config(folder / "gate.toml", environ={})
    return list(caught.value.problems)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o644, 0o444])
def test_settings_only_their_owner_can_change_are_fine(files, mode):
    files.write("gate.toml", GATE, mode=mode)

    assert load_config(files.folder / "gate.toml", environ={}).origins


@pytest.mark.parametrize("mode", [0o602, 0o646, 0o666, 0o777])
def test_settings_everybody_can_change_are_refused(files, mode):
    files.write("gate.toml", GATE, mode=mode)

    ((key, reason),) = problems(files.folder)
    assert key == "gate.toml"
    assert "everybody can write to" in reason
    assert "chmod go-w" in reason


def test_what_is_wrong_in_such_settings_is_said_too(files):
    files.write("gate.toml", GATE + "[session]\nidle = 3\n", mode=0o666)

    assert [key for key, _ in problems(files.folder)] == [
        "gate.toml",
        "session.idle (line 4)",
    ]


def test_settings_of_somebody_else_are_refused(files):
    give_away(files.write("gate.toml", GATE))

    ((key, reason),) = problems(files.folder)
    assert key == "gate.toml"
    assert "is owned by nobody: run this as that user, or chown" in reason


def test_settings_in_a_folder_where_everybody_can_replace_them_are_refused(files):
    files.write("gate.toml", GATE)
    files.folder.chmod(0o777)

    ((key, reason),) = problems(files.folder)
    assert key == "gate.toml"
    assert f"everybody can write to {files.folder}" in reason

    files.folder.chmod(0o1777)
    assert load_config(files.folder / "gate.toml", environ={}).origins


@pytest.fixture
def shared(tmp_path):
    """A file its group can write to, as with a umask of 0002."""
    path = tmp_path / "shared"
    path.touch()
    path.chmod(0o664)
    return path


def a_group(monkeypatch, name, members):
    found = grp.struct_group((name, "x", os.getgid(), members))
    monkeypatch.setattr(grp, "getgrgid", lambda gid: found)


def test_the_group_of_one_user_alone_may_write(shared, monkeypatch):
    me = pwd.getpwuid(os.geteuid()).pw_name
    for members in ([], [me]):
        a_group(monkeypatch, me, members)
        assert meddled(shared) == ""


def test_any_other_group_may_not(shared, monkeypatch):
    me = pwd.getpwuid(os.geteuid()).pw_name
    for name, members in ((me, [me, "mallory"]), ("users", []), ("staff", [me])):
        a_group(monkeypatch, name, members)
        assert "a group can write to" in meddled(shared)
        assert "chmod g-w" in meddled(shared)


def test_a_group_nobody_knows_may_not(shared, monkeypatch):
    def unknown(gid):
        raise KeyError(gid)

    monkeypatch.setattr(grp, "getgrgid", unknown)

    assert "a group can write to" in meddled(shared)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        pytest.param("htpasswd", GATE + 'htpasswd = "htpasswd"\n', id="htpasswd"),
        pytest.param(
            "ca.pem",
            GATE + '[upstream]\nurl = "https://a"\nca_file = "ca.pem"\n',
            id="authorities",
        ),
        pytest.param(
            "notify", GATE + '[audit]\ncommand = ["notify"]\n', id="a command"
        ),
    ],
)
def test_what_the_settings_name_may_be_changed_by_nobody_else(files, name, settings):
    path = files.write(name, "x", mode=0o757)
    files.write("gate.toml", settings)

    ((_, reason),) = problems(files.folder)
    assert f"everybody can write to {path}" in reason

    path.chmod(0o755)
    give_away(path)
    ((_, reason),) = problems(files.folder)
    assert f"{path} is owned by nobody" in reason


def test_a_secret_in_a_file_of_somebody_else_is_refused(files):
    files.write("gate.toml", ALICE + 'password_hash_file = "a.hash"\n')
    give_away(files.write("a.hash", GOOD_HASH))

    ((key, reason),) = problems(files.folder)
    assert key == "users[1].password_hash_file (line 5)"
    assert "is owned by nobody" in reason


@pytest.mark.parametrize("name", ["theme", "theme/login.html", "theme/assets/gate.css"])
def test_a_theme_somebody_else_can_change_is_refused(files, name):
    (files.folder / "theme" / "assets").mkdir(parents=True)
    files.write("theme/login.html", "")
    files.write("theme/assets/gate.css", "", mode=0o644)
    files.write("gate.toml", GATE + 'theme = "theme"\n')
    assert load_config(files.folder / "gate.toml", environ={}).gate.theme

    path = files.folder / name
    path.chmod(0o1777)
    ((key, reason),) = problems(files.folder)

    assert key == "gate.theme (line 3)"
    assert f"everybody can write to {path}" in reason


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (f'password_hash = "{GOOD_HASH}"', "users[1].password_hash (line 5)"),
        (
            f'password_hash_file = "a.hash"\ntotp_secret = "{GOOD_SECRET}"',
            "users[1].totp_secret (line 6)",
        ),
    ],
)
@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_secrets_in_settings_others_can_read_are_refused(files, settings, key, mode):
    files.write("a.hash", GOOD_HASH)
    files.write("gate.toml", ALICE + settings, mode=mode)

    ((found, reason),) = problems(files.folder)
    assert found == key
    assert "others can read" in reason
    assert "run chmod 600" in reason
    assert GOOD_HASH not in reason


def test_what_is_no_secret_may_be_read_by_everybody(files):
    files.write("a.hash", GOOD_HASH)
    files.write("gate.toml", ALICE + 'password_hash_file = "a.hash"', mode=0o644)

    assert load_config(files.folder / "gate.toml", environ={}).file_users()
