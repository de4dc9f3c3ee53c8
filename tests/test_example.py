"""`gate.example.toml` lists every setting with its default, and nothing else."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from totp_gate.config import load_config
from totp_gate.config.rules import RuleEntry
from totp_gate.config.settings import Config
from totp_gate.config.sources import section_of
from totp_gate.config.users import UserEntry
from totp_gate.errors import ConfigError

EXAMPLE = Path(__file__).resolve().parent.parent / "gate.example.toml"

CHOSEN = {("gate", "origin"), ("upstream", "url")}
"""What the example sets to something else than the default."""

_OFF = re.compile(r"^# (?=\[|\w+ = )", re.MULTILINE)
_SETTING = re.compile(r"^(?:# )?\w+ = ", re.MULTILINE)


def written(text):
    """Return the settings of *text* as (table, key): value."""
    found = {}
    for name, table in tomllib.loads(text).items():
        for entry in table if isinstance(table, list) else [table]:
            found |= {(name, key): value for key, value in entry.items()}
    return found


def defaults():
    """Return the settings that the gate knows, as (table, key): default."""
    found = {}
    for name, field in Config.model_fields.items():
        arguments = get_args(field.annotation)
        section = section_of(field.annotation) or section_of(arguments[0])
        for key, each in section.model_fields.items():
            found[name, key] = each.default
    return found


@pytest.fixture
def folder(tmp_path):
    shutil.copy(EXAMPLE, tmp_path / "gate.toml")
    (tmp_path / "gate.keys").write_text("keys are not read here")
    (tmp_path / "gate.keys").chmod(0o600)
    return tmp_path


def test_the_example_is_accepted(folder):
    config = load_config(folder / "gate.toml", environ={})

    assert config.gate.name == "app.example.com"
    assert config.users == ()


def test_the_example_has_every_setting_and_no_other():
    everything = _OFF.sub("", EXAMPLE.read_text("utf-8"))

    assert set(written(everything)) == set(defaults())


def test_what_the_example_sets_is_the_default():
    known = defaults()
    found = written(EXAMPLE.read_text("utf-8"))
    other = {place for place, value in found.items() if value != known[place]}

    assert other == CHOSEN


def test_what_the_example_leaves_out_is_off_or_a_choice_or_an_entry():
    text = EXAMPLE.read_text("utf-8")
    left = set(written(_OFF.sub("", text))) - set(written(text))

    assert left == {
        ("upstream", "app"),
        *(("users", key) for key in UserEntry.model_fields),
        *(("rules", key) for key in RuleEntry.model_fields),
    }


def test_every_setting_of_the_example_has_a_comment():
    lines = EXAMPLE.read_text("utf-8").splitlines()
    silent = [line for line in lines if _SETTING.match(line) and " # " not in line]

    assert silent == []


def test_nobody_starts_with_the_secrets_of_the_example(folder):
    text = _OFF.sub("", EXAMPLE.read_text("utf-8"))
    text = re.sub(r"^(app|\w+_file) = .*$", "", text, flags=re.MULTILINE)
    (folder / "gate.toml").write_text(text)

    with pytest.raises(ConfigError) as caught:
        load_config(folder / "gate.toml", environ={})

    keys = [key.partition(" ")[0] for key, _ in caught.value.problems]
    assert keys == ["users[1].password_hash", "users[1].totp_secret"]
    assert all("everybody knows" in reason for _, reason in caught.value.problems)
