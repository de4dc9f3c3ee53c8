"""``init``: an empty folder becomes a gate, or stays empty."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import PASSWORD, Terminal
from totp_gate.cli import installation
from totp_gate.core import otp
from totp_gate.testing import Installation, Person

ORIGIN = ("--origin", "https://app.example.com")
WORDS = ("init", *ORIGIN, "--user", "Alice")
URL = ("--upstream", "http://127.0.0.1:9")


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_empty_folder_becomes_a_gate(empty: Terminal):
    told = empty.do(*WORDS, *URL)

    assert {"gate.toml", "gate.keys", "gate.db"} <= files(empty.folder)
    assert "user: alice" in told
    assert "password: " in told
    assert "setup key: " in told
    assert len(re.findall(r"^  (?:\w{4,}-)+\w{4,}$", told, re.MULTILINE)) == 10
    assert "\u2588" in told
    assert "ok: " in empty.do("check")


def test_what_it_makes_nobody_else_can_read(empty: Terminal):
    empty.do(*WORDS)

    modes = {stat.S_IMODE(each.stat().st_mode) for each in empty.folder.iterdir()}
    assert modes == {0o600}


def test_the_first_user_can_sign_in_with_what_was_printed(empty: Terminal):
    told = json.loads(empty.do(*WORDS, "--json"))
    seed = otp.parse_secret(told["setup_key"])
    assert f"secret={told['setup_key']}" in told["uri"]

    gate = Installation.__new__(Installation)
    gate.folder, gate.origin, gate.clock = empty.folder, told["address"], empty.clock
    gate.path, gate.app = empty.path, _hello
    gate.gate = gate._open()
    browser = gate.sign_in(Person("alice", told["password"], seed))

    assert browser.get("/").text == "hello alice"
    gate.accounts.store.close()


def _hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"hello {environ['REMOTE_USER']}".encode()]


@pytest.mark.parametrize(
    ("words", "served"),
    [([], False), ([*URL], True), (["--trusted-proxy", "127.0.0.1"], True)],
)
def test_no_step_is_named_that_would_fail(
    empty: Terminal, words: list[str], served: bool
):
    told = empty.do(*WORDS, *words)

    assert ("  totp-gate serve" in told.splitlines()) is served


def test_a_given_password_is_not_repeated(empty: Terminal):
    told = empty.do(*WORDS, "--password-stdin", input=PASSWORD + "\n")

    assert "password: " not in told
    assert PASSWORD not in told


@pytest.mark.parametrize(
    ("upstream", "line"),
    [
        ("http://127.0.0.1:5000", 'url = "http://127.0.0.1:5000"'),
        ("unix:/run/app.sock", 'url = "unix:/run/app.sock"'),
        ("mysite.wsgi:application", 'app = "mysite.wsgi:application"'),
        ("", '# url = "http://127.0.0.1:5000"'),
    ],
)
def test_the_upstream_stands_where_it_belongs(
    empty: Terminal, upstream: str, line: str
):
    empty.do(*WORDS, "--upstream", upstream)

    assert line in empty.path.read_text().splitlines()


def test_a_gate_that_a_web_server_asks_needs_nothing_behind_it(empty: Terminal):
    told = empty.do(
        *WORDS, "--trusted-proxy", "127.0.0.1", "--trusted-proxy", "10.0.0.0/8"
    )

    config = empty.parts().config
    assert config.gate.trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8")
    assert "totp-gate config nginx --upstream URL" in told
    assert "[upstream]" not in told
    assert "upstream: none: a web server asks" in empty.do("check")


@pytest.mark.parametrize(
    ("words", "warned"),
    [
        pytest.param([], True, id="none is named"),
        pytest.param(["--json"], True, id="to a program"),
        pytest.param(["--trusted-proxy", "127.0.0.1"], False, id="one is named"),
    ],
)
def test_the_web_server_that_speaks_tls_has_to_be_named(
    empty: Terminal, words: list[str], warned: bool
):
    result = empty.run(*WORDS, *URL, *words)

    assert result.exit_code == 0
    assert ("gate.trusted_proxies: is empty" in result.stderr) is warned


@pytest.mark.parametrize("there", ["gate.toml", "gate.keys", "gate.db", "gate.db-wal"])
def test_nothing_is_overwritten(empty: Terminal, there: str):
    (empty.folder / there).write_text("precious")

    assert "not overwritten" in empty.refused(*WORDS)
    assert files(empty.folder) == {there}
    assert (empty.folder / there).read_text() == "precious"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(["--upstream", "gopher://x"], 2, id="no upstream"),
        pytest.param(["--name", "a:b"], 2, id="no name"),
        pytest.param(["--trusted-proxy", "here"], 2, id="no network"),
        pytest.param(["--password-stdin"], 1, id="a weak password"),
    ],
)
def test_whatever_fails_leaves_nothing_behind(
    empty: Terminal, words: list[str], code: int
):
    made = empty.folder / "made"
    words = ["--directory", str(made), *words]

    empty.refused(*WORDS, *words, code=code, input="password\n")

    assert files(empty.folder) == set()


def test_also_an_end_in_the_middle_leaves_nothing(empty: Terminal, monkeypatch):
    def stop(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(installation, "add_first_user", stop)

    assert empty.run(*WORDS).exit_code == 1
    assert files(empty.folder) == set()


@pytest.mark.parametrize(
    ("origin", "words", "code"),
    [
        ("http://127.0.0.1:8000", [], 0),
        ("http://localhost:8000", [], 0),
        ("http://app.localhost", [], 0),
        ("http://[::1]:8000", [], 0),
        ("http://192.0.2.7:8000", [], 2),
        ("http://app.example.com", [], 2),
        ("http://app.example.com", ["--insecure-http"], 0),
        ("https://app.example.com/path", [], 2),
        ("app.example.com", [], 2),
        ("", [], 2),
    ],
)
def test_plain_http_is_for_this_machine_or_on_purpose(
    empty: Terminal, origin: str, words: list[str], code: int
):
    result = empty.run("init", "--origin", origin, "--user", "alice", *words)

    assert result.exit_code == code, result.output
    assert empty.path.exists() == (code == 0)


def test_a_name_with_quotes_stays_a_name(empty: Terminal):
    name = 'The "new" \\ café'
    empty.do(*WORDS, "--name", name)

    assert empty.parts().config.gate.name == name
