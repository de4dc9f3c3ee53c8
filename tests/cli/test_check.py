"""``check``: all problems, or what there is."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.conftest import Terminal
from tests.servers import free_port
from totp_gate.testing import write_settings

BCRYPT = "$2b$04$ZqvEO2.miDZPG1XIlI5xD.0tXLHwuZT2ByXGlPl2UXZHlRc.K/ZT."


def test_a_good_installation_is_summed_up(alice: Terminal):
    told = alice.do("check")

    assert told.startswith(f"ok: {alice.path}")
    assert "origins: https://app.example.com" in told
    assert "users: 1 (0 in the settings file)" in told
    assert "keys: 1" in told


def test_problems_of_all_parts_are_named_at_once(terminal: Terminal):
    write_settings(terminal.folder, '[upstream]\napp = "nowhere:app"\n')
    (terminal.folder / "gate.keys").write_text("nonsense\n")
    (terminal.folder / "gate.db").write_bytes(b"nonsense" * 1000)
    (terminal.folder / "gate.db").chmod(0o600)

    complaint = terminal.refused("check", code=2)

    for key in ("upstream.app", "gate.keys_file", "gate.state"):
        assert key in complaint


def test_a_mistake_in_the_settings_hides_no_other(terminal: Terminal):
    write_settings(terminal.folder, "[session]\nidle = 3\n", gate={"theme": "theme"})
    (terminal.folder / "theme").mkdir()
    (terminal.folder / "theme" / "login.html").write_text("{% if %}")
    (terminal.folder / "gate.keys").write_text("nonsense\n")
    (terminal.folder / "gate.db").write_bytes(b"nonsense" * 1000)
    (terminal.folder / "gate.db").chmod(0o600)

    complaint = terminal.refused("check", code=2)

    for key in ("session.idle", "gate.keys_file", "gate.state", "gate.theme"):
        assert complaint.count(f"{key}") == 1, complaint


def test_what_a_wrong_setting_names_is_not_looked_for_elsewhere(terminal: Terminal):
    (terminal.folder / "gate.db").write_bytes(b"nonsense" * 1000)
    write_settings(terminal.folder, gate={"state": "nonsense", "keys_file": "none"})

    complaint = terminal.refused("check", code=2)

    assert complaint.count("gate.state") == 1
    assert complaint.count("gate.keys_file") == 1


def test_a_theme_that_is_broken_is_a_problem(terminal: Terminal):
    write_settings(terminal.folder, gate={"theme": "theme"})
    (terminal.folder / "theme").mkdir()
    page = terminal.folder / "theme" / "login.html"
    page.write_text("<p>\n{% if %}")

    complaint = terminal.refused("check", code=2)

    assert f"gate.theme: {page} (line 2): " in complaint


def test_an_application_that_is_not_there_is_a_warning(alice: Terminal):
    url = f"http://127.0.0.1:{free_port()}"
    write_settings(alice.folder, f'[upstream]\nurl = "{url}"\n')

    result = alice.run("check")

    assert result.exit_code == 0
    assert f"warning: upstream.url: {url} does not answer" in result.stderr


@pytest.mark.parametrize(
    ("upstream", "warned"),
    [('url = "http://127.0.0.1:9"', True), ('app = "tests.applications:echo"', False)],
)
def test_a_proxy_of_few_workers_that_wait_is_a_warning(
    alice: Terminal, upstream: str, warned: bool
):
    server = '[server]\nworker_class = "sync"\n'
    write_settings(alice.folder, f"[upstream]\n{upstream}\n{server}")

    complaint = alice.run("check").stderr

    assert ("warning: server.worker_class: is sync" in complaint) is warned


def test_a_gate_without_users_is_a_warning(terminal: Terminal):
    terminal.do("user", "list")

    assert "totp-gate user add" in terminal.run("check").stderr


def test_the_state_is_not_made(terminal: Terminal):
    result = terminal.run("check")

    assert result.exit_code == 0
    assert "not there yet" in result.stderr
    assert not (terminal.folder / "gate.db").exists()


def test_the_lost_key_of_a_stored_secret_is_a_warning(alice: Terminal):
    (alice.folder / "gate.keys").unlink()
    alice.do("key", "init", "--lose-authenticators")

    assert "the key of 1 stored secret(s)" in alice.run("check").stderr


@pytest.mark.parametrize(
    ("gate", "bind", "named"),
    [
        pytest.param({}, "127.0.0.1:8000", '["127.0.0.1"]', id="none is named"),
        pytest.param({}, "unix:gate.sock", '["unix"]', id="on a socket"),
        pytest.param({"trusted_proxies": ["::1"]}, "[::1]:80", "", id="one is named"),
        pytest.param({"trusted_proxies": ["unix"]}, "unix:a", "", id="by its socket"),
    ],
)
def test_who_speaks_tls_for_the_gate_has_to_be_named(
    alice: Terminal, gate: dict[str, object], bind: str, named: str
):
    write_settings(alice.folder, f'[server]\nbind = "{bind}"\n', gate=gate)

    complaint = alice.run("check").stderr

    assert named in complaint
    assert ("warning: gate.trusted_proxies: is empty" in complaint) is bool(named)


def test_plain_http_needs_nobody_to_speak_tls(alice: Terminal):
    write_settings(alice.folder, origin="http://app.example.com")

    assert "gate.trusted_proxies" not in alice.run("check").stderr


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("[gate]\norigin = 3\n", "gate.origin (line 2)", id="a setting"),
        pytest.param("[gate\n", "gate.toml (line 1, column 6)", id="no TOML"),
    ],
)
def test_programs_get_problems_of_the_settings_themselves(
    terminal: Terminal, text: str, key: str
):
    terminal.path.write_text(text)

    result = terminal.run("check", "--json")

    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert told["ok"] is False
    assert told["problems"][0][0] == key
    assert key in result.stderr


def test_a_hash_that_takes_longer_than_failures_are_drawn_out_is_a_warning(
    alice: Terminal, monkeypatch
):
    (alice.folder / "people").write_text(f"bob:{BCRYPT}\n")
    write_settings(alice.folder, gate={"htpasswd": "people"})
    assert "bcrypt" not in alice.run("check").stderr

    monkeypatch.setattr("totp_gate.core.passwords.LONGEST", 0.0001)
    told = alice.run("check").stderr

    assert re.search(r"a hash of bcrypt:04 takes \d+\.\d s here", told)
    assert "tells of bob:" in told


def test_programs_get_problems_too(alice: Terminal):
    assert alice.json("check")["ok"] is True

    write_settings(alice.folder, '[upstream]\napp = "nowhere:app"\n')
    result = alice.run("check", "--json")

    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert told["ok"] is False
    assert told["problems"][0][0] == "upstream.app"
