"""README and docs say what there is, and nothing that is not."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import get_args

import click
import pytest

from totp_gate.cli import main
from totp_gate.config import load_config
from totp_gate.config.settings import Config
from totp_gate.config.sources import section_of
from totp_gate.testing import Installation

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(totp-gate [^`]+)`")
LINK = re.compile(r"\]\(([^)#:]+)\)")
WHOLE = {"README.md", "deployment.md", "rules.md"}
"""Pages whose TOML names nothing that only some machine has."""


def blocks(language):
    """Return the text of every code block in *language* on pages that are whole."""
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in PAGES
        if page.name in WHOLE
        for number, (kind, text) in enumerate(BLOCK.findall(page.read_text("utf-8")))
        if kind == language
    ]


def everything():
    return "\n".join(page.read_text("utf-8") for page in PAGES)


def settings() -> list[str]:
    """Return ``table.key`` of every setting there is."""
    names: list[str] = []
    for name, field in Config.model_fields.items():
        arguments = get_args(field.annotation)
        section = section_of(field.annotation) or section_of(arguments[0])
        names += [f"{name}.{key}" for key in section.model_fields]
    return names


def commands(command=main, path=("totp-gate",)):
    """Return every command there is, with the words that call it."""
    if not isinstance(command, click.Group):
        return {" ".join(path): command}
    context = click.Context(command)
    found = {}
    for name in command.list_commands(context):
        found |= commands(command.get_command(context, name), (*path, name))
    return found


def command_lines():
    """Return every line of the pages that calls ``totp-gate``."""
    found = {}
    for page in PAGES:
        text = page.read_text("utf-8")
        lines = INLINE.findall(BLOCK.sub("", text))
        for kind, block in BLOCK.findall(text):
            if kind in {"sh", "ini"}:
                lines += re.findall(r"totp-gate .*", block.replace("\\\n", " "))
        for line in lines:
            found.setdefault(line.partition(" #")[0].strip(), page.name)
    return [pytest.param(line, id=f"{name}: {line}") for line, name in found.items()]


@pytest.mark.parametrize("name", settings())
def test_every_setting_is_explained(name):
    explained = f"`{name}`" in everything()

    assert explained


@pytest.mark.parametrize("name", commands())
def test_every_command_is_explained(name):
    assert f"`{name}" in (ROOT / "docs" / "reference.md").read_text("utf-8")


def test_every_page_of_the_gate_is_explained(tmp_path):
    gate = Installation(lambda environ, start_response: [], tmp_path).gate
    shown = {
        path for path, methods in gate._parts.routes._pages.items() if "GET" in methods
    }
    text = everything()

    assert {path for path in shown if f"`/_gate{path}`" not in text} == set()


@pytest.mark.parametrize("line", command_lines())
def test_a_command_line_can_be_typed(line):
    words = shlex.split(line)
    while words[1:2] == ["--config"]:
        del words[1:3]
    known = commands()
    name = max(
        (each for each in known if words[: len(each.split())] == each.split()),
        key=len,
        default=None,
    )
    if name is None:
        assert any(each.startswith(" ".join(words)) for each in known), line
        return
    options = {
        option
        for parameter in known[name].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    given = {word for word in words if word.startswith("--")}

    assert given <= options | {"--help"}


@pytest.mark.parametrize("text", blocks("toml"))
def test_settings_that_are_shown_are_accepted(text, tmp_path):
    path = tmp_path / "gate.toml"
    origin = "" if "[gate]" in text else '[gate]\norigin = "https://example.com"\n'
    path.write_text(origin + text)
    keys = tmp_path / "gate.keys"
    keys.write_text("not read here")
    keys.chmod(0o600)

    config = load_config(path, environ={})

    assert set(tomllib.loads(text)) <= config.model_fields_set


@pytest.mark.parametrize("text", blocks("python"))
def test_python_that_is_shown_is_python(text):
    compile(text, "README.md", "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = set(LINK.findall(page.read_text("utf-8")))

    assert {link for link in links if not (page.parent / link).exists()} == set()
