"""Whatever stands in a file or in the environment: it is read, or refused in words."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from totp_gate.config.settings import Config
from totp_gate.config.sources import PREFIX, section_of
from totp_gate.errors import ConfigError

SECTIONS = {
    name: section_of(field.annotation) or section_of(get_args(field.annotation)[0])
    for name, field in Config.model_fields.items()
}
PLACES = [
    (name, key) for name, section in SECTIONS.items() for key in section.model_fields
]
WORDS = """
    0 30m / /x unix: http:// http://[ https://a:0 ::/0 $2b$ $argon2id$ hex: sqlite:///
    [::1]:80 x:y . .. ~ [ [1] {} null 1e9 -1
"""

# All that JSON and TOML escape alike.
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x7f"))
tempting = st.sampled_from([*WORDS.split(), "", "\0", "a\0b", "a" * 300, "a" * 5000])
scalars = st.one_of(
    tempting, texts, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(-9, 9)
)
values = st.one_of(scalars, st.lists(scalars, max_size=3))

thorough = settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def refused(files, text, environ=None):
    try:
        files.load(text, environ)
    except ConfigError as error:
        return error.problems
    return ()


def tables(said):
    for name in sorted({table for table, _ in said}):
        yield f"[[{name}]]" if name in {"users", "rules"} else f"[{name}]"
        for table, key in said:
            if table == name:
                yield f"{key} = {json.dumps(said[table, key], ensure_ascii=False)}"


@given(st.dictionaries(st.sampled_from(PLACES), values, max_size=12))
@thorough
def test_a_file_is_read_or_refused_in_words(files, said):
    problems = refused(files, "\n".join(tables(said)))

    assert problems or ("gate", "origin") in said
    for key, reason in problems:
        assert not key.startswith("gate.toml"), reason
        assert len(reason) > 10


@given(st.sampled_from(PLACES), st.one_of(texts, tempting))
@example(("gate", "theme"), "a" * 300)
@thorough
def test_the_environment_is_read_or_refused_in_words(files, place, value):
    name = f"{PREFIX}{place[0]}__{place[1]}".upper()
    problems = refused(files, "", {name: value})

    assert problems or place == ("gate", "origin")
    assert all(len(reason) > 10 for _, reason in problems)


@pytest.mark.parametrize(
    "text", ["gate = []", "[[gate]]", "gate.gate.gate = 1", "[users]"]
)
def test_tables_of_the_wrong_shape_are_refused_in_words(files, text):
    assert files.problems(text)
