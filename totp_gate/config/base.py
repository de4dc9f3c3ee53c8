"""What every section of the settings is made of.

To add a section: a subclass of `Section` with a `setting` for each key, and one line in
`settings.Config`. Defaults are written as they would stand in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo

Place = tuple[str | int, ...]
"""Where a setting is: ``("session", "idle")``, ``("users", 1, "name")``."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something about a setting that a person has to change.

    Attributes:
        place: the setting; in a section, counted from the section.
        reason: what is wrong, ending with the remedy.
        also: other settings the complaint is about; it is dropped while one of them
            is wrong for a reason of its own.
    """

    place: Place
    reason: str
    also: tuple[Place, ...] = ()

    def below(self, place: Place) -> Complaint:
        """Return the complaint as seen from above *place*."""
        also = tuple((*place, *other) for other in self.also)
        return replace(self, place=(*place, *self.place), also=also)


def complaint(key: str, reason: str, *also: str) -> Complaint:
    """Return a complaint about *key* of a section, which has to do with *also*."""
    return Complaint((key,), reason, tuple((other,) for other in also))


class Section(BaseModel):
    """One table of the settings; nothing can be changed once it is read."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_default=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )

    def complaints(self) -> Iterator[Complaint]:
        """Yield what is wrong although each setting alone is right."""
        return iter(())


def setting(default: Any, description: str, *, secret: bool = False) -> Any:
    """Return a setting of a section.

    Args:
        default: as it would be written in the file.
        description: one line, for the reference.
        secret: never shown, neither in a repr nor in a message.
    """
    return Field(default=default, description=description, repr=not secret)


def folder(info: ValidationInfo) -> Path:
    """Return the folder of the settings file, from which paths are counted."""
    return Path(str(info.context)).parent
