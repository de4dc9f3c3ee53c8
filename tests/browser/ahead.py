"""A clock that a test sets ahead, for a server in another process."""

from __future__ import annotations

import time
from pathlib import Path

_NAME = "ahead"


def clock() -> float:
    """Return the time, as much later as is written down in the current folder."""
    written = Path(_NAME)
    return time.time() + (float(written.read_text()) if written.exists() else 0.0)


def set_ahead(folder: Path, seconds: int) -> None:
    """Set the clock of the server in *folder* ahead, between two requests."""
    written = folder / f"{_NAME}.new"
    written.write_text(str(seconds))
    written.replace(folder / _NAME)
