"""Where settings come from: the file, and the environment over it."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import types
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from totp_gate.config.base import Complaint, Place, Section
from totp_gate.config.lines import Lines
from totp_gate.errors import ConfigError
from totp_gate.telemetry.metrics import FOLDER_VARIABLE

PREFIX = "TOTP_GATE__"
FILE_VARIABLE = "TOTP_GATE_CONFIG"
_OURS = "TOTP_GATE"
_OTHERS = (FILE_VARIABLE, FOLDER_VARIABLE)
_OF_KUBERNETES = re.compile(
    r"TOTP_GATE_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?"
    r"|PORT(?:_\d+_[A-Z]+(?:_(?:PROTO|PORT|ADDR))?)?)",
    re.ASCII,
)
"""What Kubernetes tells every pod beside a service that is called ``totp-gate``."""
_Known = tuple[tuple[str, str], FieldInfo]
_POSITION = re.compile(r" \((?:at (?:line (\d+), column (\d+)|end of document))\)$")
_TRUTHS = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False, "no": False, "off": False, "0": False
}  # fmt: skip
_SYNTAX = {
    "Invalid value": "a text needs quotes, a duration too",
    "Cannot overwrite a value": "the key is there twice; remove one",
    "Cannot declare": "the table is there twice; put its keys together",
    "Invalid initial character for a key part": "a line is key = value or [table]",
}


class Source:
    """What was said, and where.

    Attributes:
        path: the file.
        values: its tables, with the environment's settings in them.
        names: the environment's names of the settings it gave.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = _read(path)
        self.values: dict[str, Any] = _parse(path, self._text)
        self.names: dict[Place, str] = {}

    @cached_property
    def lines(self) -> Lines:
        """Where the keys of the file are."""
        return Lines(self._text)

    def override(self, model: type[Section], environ: Mapping[str, str]) -> None:
        """Put the settings of *environ* over those of the file."""
        known = dict(_names(model))
        for name in sorted(environ.keys() & known.keys()):
            place, field = known[name]
            table = self.values.setdefault(place[0], {})
            # Where there is no table, that is a complaint of its own.
            if isinstance(table, dict):
                table[place[1]] = _value(environ[name], field)
                self.names[place] = name

    def label(self, place: Place) -> str:
        """Return *place* as a person writes it, and where that person finds it."""
        text = written(place)
        if name := self._name(place):
            return f"{text} ({name})"
        line = self.lines.find(place)
        return text if line is None else f"{text} (line {line})"

    def position(self, complaint: Complaint) -> float:
        """Return by what complaints are put into the order of the file."""
        if self._name(complaint.place):
            return float("inf")
        return self.lines.near(complaint.place)

    def _name(self, place: Place) -> str | None:
        return self.names.get(place[:2])


def strangers(
    model: type[Section], environ: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return the names of *environ* that begin like ours and mean nothing, and why."""
    known = {name for name, _ in _names(model)}.union(_OTHERS)
    return [
        (name, _unknown(name, known))
        for name in sorted(environ)
        if name.startswith(_OURS)
        and name not in known
        and not _OF_KUBERNETES.fullmatch(name)
    ]


def written(place: Place) -> str:
    """Return *place* as a person writes it: ``users[2].name``, counted from one."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            plain = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", part)
            key = part if plain else json.dumps(part[:64])
            text += f".{key}" if text else key
    return text


def _read(path: Path) -> str:
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        remedy = "run totp-gate init, or name another by --config or TOTP_GATE_CONFIG"
        reason = f"does not exist: {remedy}"
    except IsADirectoryError:
        reason = f"is a folder: name the file in it, as {path / 'gate.toml'}"
    except OSError as error:
        remedy = "correct its permissions"
        if path.is_dir():
            remedy = f"name the file in it, as {path / 'gate.toml'}"
        reason = f"cannot be read ({error.strerror}): {remedy}"
    else:
        try:
            return octets.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = octets.count(b"\n", 0, error.start) + 1
            reason = f"is not UTF-8 (line {line}): save it as UTF-8"
    raise ConfigError([(str(path), reason)])


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        problem = (path.name, "is nested too deeply: settings have two levels")
    except ValueError as error:
        # Without a position it is a number that Python finds too long.
        words = str(error)
        found = _POSITION.search(words)
        place = path.name
        if found and found[1]:
            place += f" (line {found[1]}, column {found[2]})"
        words = words[: found.start()] if found else "Invalid value"
        remedies = (_SYNTAX[key] for key in _SYNTAX if words.startswith(key))
        remedy = next(remedies, "see https://toml.io for how to write it")
        problem = (place, f"is no TOML: {words}: {remedy}")
    raise ConfigError([problem])


def _names(model: type[Section]) -> Iterator[tuple[str, _Known]]:
    """Yield the environment's name of each setting, its place and its field."""
    for section, field in model.model_fields.items():
        inner = section_of(field.annotation)
        for key, each in inner.model_fields.items() if inner else ():
            yield f"{PREFIX}{section}__{key}".upper(), ((section, key), each)


def section_of(annotation: Any) -> type[Section] | None:
    """Return the section in *annotation*, also where it may be missing."""
    if get_origin(annotation) in (Union, types.UnionType):
        found = [section_of(each) for each in get_args(annotation)]
        return next((each for each in found if each is not None), None)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return None


def _unknown(name: str, known: Iterable[str]) -> str:
    if name.startswith((f"{PREFIX}USERS", f"{PREFIX}RULES")):
        return "is no setting: users and rules are written into the file"
    bare = {_bare(each): each for each in known}
    near = difflib.get_close_matches(_bare(name), bare, 1, cutoff=0.7)
    remedy = f"did you mean {bare[near[0]]}?" if near else "unset it"
    return f"is no setting: {remedy}"


def _bare(name: str) -> str:
    return name.removeprefix(_OURS).strip("_").upper()


def _value(text: str, field: FieldInfo) -> object:
    """Return *text* as it would stand in the file; as text where it does not fit."""
    kind = field.annotation
    if kind is bool:
        return _TRUTHS.get(text.strip().lower(), text)
    if get_origin(kind) is tuple:
        return _list(text)
    numbers = kind is int or (
        get_origin(kind) is Literal and isinstance(get_args(kind)[0], int)
    )
    if numbers:
        return int(text) if re.fullmatch(r"\s*-?[0-9]{1,18}\s*", text) else text
    return text


def _list(text: str) -> object:
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return [each.strip() for each in text.split(",") if each.strip()]
