"""All commands together: help, exit statuses, nothing secret on a command line."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from tests.cli.conftest import Terminal
from totp_gate.cli import main


def commands(
    command: click.Command = main, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below *command*, with the words that call it."""
    yield words, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from commands(below, (*words, name))


ALL = dict(commands())


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_explains_itself_and_gives_an_example(
    empty: Terminal, words: tuple[str, ...]
):
    told = empty.do(*words, "--help")

    assert "totp-gate" in told.partition("Options:")[0].partition("\n\n")[2]


ONLY_FOR_PEOPLE = {"demo", "serve", "config"}
"""They run until they are stopped, or print what belongs into a file."""


@pytest.mark.parametrize(
    "words",
    [
        words
        for words, command in ALL.items()
        if words
        and words[0] not in ONLY_FOR_PEOPLE
        and not isinstance(command, click.Group)
    ],
    ids=" ".join,
)
def test_whatever_tells_something_tells_programs_too(words: tuple[str, ...]):
    options = [option for each in ALL[words].params for option in each.opts]

    assert "--json" in options


def test_no_secret_can_stand_on_a_command_line():
    secret = ("password", "secret", "seed", "key")
    taking = [
        (*words, name)
        for words, command in ALL.items()
        for parameter in command.params
        if not getattr(parameter, "is_flag", False)
        for name in (*parameter.opts, *parameter.secondary_opts)
        if any(word in name for word in secret)
    ]

    assert taking == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["frobnicate"], id="no such command"),
        pytest.param(["user", "frobnicate"], id="no such verb"),
        pytest.param(["check", "--frobnicate"], id="no such option"),
        pytest.param(["init"], id="an option is missing"),
        pytest.param(["user", "add"], id="an argument is missing"),
        pytest.param(["user", "add", "bob", "--valid", "soon"], id="no duration"),
        pytest.param(["user", "add", "bob", "--valid", "5"], id="no unit"),
        pytest.param(["user", "add", "bob", "--valid", "1000d"], id="too long"),
        pytest.param(["user", "add", "b:b"], id="no name"),
        pytest.param(["user", "add", ""], id="an empty name"),
        pytest.param(["user", "add", "bob", "--group", "a,b"], id="no group"),
        pytest.param(["user", "add", "bob", "--email", "bob"], id="no address"),
        pytest.param(["user", "add", "bob", "--password-stdin"], id="no password"),
        pytest.param(["user", "import", "missing.csv"], id="no file"),
        pytest.param(["session", "revoke"], id="nobody is named"),
        pytest.param(["session", "revoke", "bob", "--all"], id="one and all"),
        pytest.param(["session", "revoke", "--session", "a"], id="hardly named"),
        pytest.param(["session", "revoke", "--all"], id="nobody to ask"),
        pytest.param(["otp", "code"], id="no secret"),
        pytest.param(["otp", "verify", "12345"], id="no code"),
        pytest.param(["demo", "--bind", "nowhere"], id="no address to listen on"),
        pytest.param(["demo", "--bind", "0.0.0.0:8000"], id="every address"),
    ],
)
def test_wrong_usage_ends_with_2(terminal: Terminal, words: list[str]):
    assert terminal.refused(*words, code=2)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["chek"], "check"),
        (["sesion", "list"], "session"),
        (["user", "lst"], "list"),
        (["key", "rotat"], "rotate"),
        (["frobnicate"], ""),
    ],
)
def test_a_misspelt_command_is_told(empty: Terminal, words: list[str], meant: str):
    complaint = empty.refused(*words, code=2)

    assert ("Did you mean" in complaint) is bool(meant)
    assert f"Did you mean {meant}?" in complaint or not meant


@pytest.mark.parametrize(
    "words",
    [words for words in ALL if len(words) == 2 and words[0] in ("user", "session")],
    ids=" ".join,
)
def test_without_settings_every_command_says_what_to_do(
    empty: Terminal, words: tuple[str, ...]
):
    arguments = [
        "somebody" if parameter.name != "file" else "-"
        for parameter in ALL[words].params
        if isinstance(parameter, click.Argument)
    ]
    complaint = empty.refused(*words, *arguments, code=2, input="name\nbob\n")

    assert "totp-gate init" in complaint


def test_all_problems_of_the_settings_are_named(terminal: Terminal):
    terminal.path.write_text("[gate]\norigin = 3\nprefix = 'x'\nfoo = 1\n")
    complaint = terminal.refused("user", "list", code=2)

    lines = complaint.splitlines()
    for key in ("gate.origin", "gate.prefix", "gate.foo"):
        assert any(line.startswith(f"Error: {key} (line ") for line in lines)
    assert len(lines) == 3


def test_a_state_that_cannot_be_used_is_no_traceback(terminal: Terminal):
    (terminal.folder / "gate.db").write_bytes(b"no database at all" * 100)
    (terminal.folder / "gate.db").chmod(0o600)

    assert "gate.state" in terminal.refused("user", "list", code=2)


def test_keys_that_others_can_read_are_not_used(terminal: Terminal):
    keys = terminal.folder / "gate.keys"
    keys.chmod(0o644)

    assert "chmod 600" in terminal.refused("user", "list", code=2)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o644


def test_it_runs_as_a_module(empty: Terminal):
    done = subprocess.run(
        [sys.executable, "-m", "totp_gate", "otp", "secret"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert len(done.stdout.strip()) == 32
    assert done.stderr == ""
