"""Durations as a person writes them: ``"90s"``, ``"30m"``, ``"12h"``, ``"30d"``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WRITTEN = re.compile(r"(\d{1,9})([smhd])", re.ASCII)

HOW = 'write it like "90s", "30m", "12h" or "30d"'


def seconds(text: str) -> int:
    """Return the seconds *text* stands for; ``"0"`` is none.

    Raises:
        ValueError: it is no duration; the text says how to write one.
    """
    written = _WRITTEN.fullmatch(text.strip())
    if written is not None:
        return int(written[1]) * _UNITS[written[2]]
    if text.strip() == "0":
        return 0
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        raise ValueError(f'needs a unit: write "{text.strip()}s" for seconds')
    raise ValueError(f"is no duration: {HOW}")


@dataclass(frozen=True, slots=True)
class Duration:
    """A setting that is a duration; its value is in whole seconds.

    Attributes:
        least: shortest value, as a person writes it.
        most: longest value.
        why: the reason for both bounds, for whoever meets one.
        off: ``"0"`` may be written, and means off.
    """

    least: str
    most: str
    why: str
    off: bool = False

    def read(self, value: object) -> int:
        """Return the seconds of *value*, which is what stands in the file.

        Raises:
            ValueError: it is no duration or out of bounds.
        """
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise ValueError(f"must be a duration in quotes: {HOW}")  # noqa: TRY004
        length = seconds(value)
        if length == 0 and self.off:
            return 0
        if not seconds(self.least) <= length <= seconds(self.most):
            bounds = f'from "{self.least}" to "{self.most}"'
            raise ValueError(f"is out of bounds ({self.why}): write {bounds}")
        return length

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic read the setting by ``read``."""
        return core_schema.no_info_plain_validator_function(self.read)
