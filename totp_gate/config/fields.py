"""Kinds of settings that several sections have: numbers, texts, lists, files.

Each is a marker for ``Annotated`` that reads what stands in the file, or raises a
ValueError whose text begins after the key and ends with the remedy.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from totp_gate.config.base import folder
from totp_gate.config.permissions import meddled, too_open

Element = TypeVar("Element")
Read = TypeVar("Read")

LONGEST_SECRET = 4096
"""Octets of a file with one secret."""

MOST_FILES = 1000
"""Files and folders in a folder that is looked at whole."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number.

    Attributes:
        why: the reason for the bounds.
    """

    least: int
    most: int
    why: str

    def read(self, value: object) -> int:
        """Return *value* if it is a whole number within the bounds.

        Raises:
            ValueError: it is not.
        """
        bounds = f"write a whole number from {self.least} to {self.most}"
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"is no number: {bounds}, without quotes")  # noqa: TRY004
        if not self.least <= value <= self.most:
            raise ValueError(f"is out of bounds ({self.why}): {bounds}")
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic read the setting by ``read``."""
        return core_schema.no_info_plain_validator_function(self.read)


@dataclass(frozen=True, slots=True)
class Text:
    """One line that can be printed; white space around it is taken off."""

    most: int = 128

    def read(self, value: object) -> str:
        """Return *value* if it is such a text.

        Raises:
            ValueError: it is not.
        """
        if not isinstance(value, str):
            raise ValueError("must be text: put it in quotes")  # noqa: TRY004
        text = value.strip()
        if len(text) > self.most:
            raise ValueError(f"is too long: at most {self.most} characters fit")
        if any(unicodedata.category(char) in _UNSEEN for char in text):
            raise ValueError("holds characters that cannot be seen: type it anew")
        return text

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic read the setting by ``read``."""
        return core_schema.no_info_plain_validator_function(self.read)


_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def as_tuple(value: object) -> object:
    """Let a list of the file become a tuple; anything else is no list."""
    if isinstance(value, list | tuple):
        return tuple(value)
    raise ValueError("must be a list: put the values in brackets")


def each(
    values: Iterable[Element], read: Callable[[Element], Read]
) -> tuple[Read, ...]:
    """Return what *read* makes of each of *values*.

    Raises:
        ValueError: it refuses some of them; the text says all reasons.
    """
    done, reasons = [], []
    for value in values:
        try:
            done.append(read(value))
        except ValueError as error:
            reasons.append(str(error))
    if reasons:
        raise ValueError("; ".join(reasons))
    return tuple(done)


def as_text_file(value: object, info: ValidationInfo) -> str:
    """Return the absolute path of a readable file nobody else can change.

    An empty one stays empty.
    """
    if not isinstance(value, str):
        raise ValueError("must be the path of a file, in quotes")  # noqa: TRY004
    if not value:
        return ""
    path = folder(info) / value
    _look(path)
    return str(path)


def as_secret_file(value: object, info: ValidationInfo) -> str:
    """As `as_text_file`, for a file that nobody else may read."""
    text = as_text_file(value, info)
    if text and (reason := too_open(Path(text))):
        raise ValueError(reason)
    return text


def as_folder(value: object, info: ValidationInfo) -> str:
    """Return the absolute path of a folder nobody else can change; an empty one stays.

    The same goes for all that is in it.
    """
    if not isinstance(value, str):
        raise ValueError("must be the path of a folder, in quotes")  # noqa: TRY004
    if not value:
        return ""
    path = folder(info) / value
    if not stat.S_ISDIR(_found(path).st_mode):
        raise ValueError(f"{path} is no folder: name one")
    for number, each in enumerate(_all_of(path)):
        if number > MOST_FILES:
            raise ValueError(f"{path} holds too much to be one of ours: name another")
        _refuse_meddled(each)
    return str(path)


def as_secret(value: object, info: ValidationInfo) -> str:
    """Return the secret that is in a file only its owner can read; empty: none."""
    name = as_secret_file(value, info)
    if not name:
        return ""
    try:
        with Path(name).open("rb") as file:
            octets = file.read(LONGEST_SECRET + 1)
        text = octets.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError(f"{name} is no text: write the secret into it") from None
    if not text or len(octets) > LONGEST_SECRET:
        raise ValueError(f"{name} does not hold one secret: write just it into it")
    return text


def _all_of(path: Path) -> Iterator[Path]:
    """Return the folder and all in it; what is gone meanwhile can harm nobody."""
    yield path
    for where, folders, files in os.walk(path):
        for name in (*folders, *files):
            found = Path(where, name)
            if found.exists():
                yield found


def _found(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no path"
        raise ValueError(f"{path} ({why}): make it, or correct the path") from None


def _look(path: Path) -> None:
    """Refuse a path that is no readable file."""
    if not stat.S_ISREG(_found(path).st_mode):
        raise ValueError(f"{path} is no file: name one")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{path} cannot be read: give it to the gate's own user")
    _refuse_meddled(path)


def _refuse_meddled(path: Path) -> None:
    if reason := meddled(path):
        raise ValueError(reason)


TextFile = Annotated[str, BeforeValidator(as_text_file)]
SecretFile = Annotated[str, BeforeValidator(as_secret_file)]
SecretFrom = Annotated[str, BeforeValidator(as_secret)]
Folder = Annotated[str, BeforeValidator(as_folder)]
