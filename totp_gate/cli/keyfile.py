"""Reading and writing the file of the keys, so that it is always whole and private."""

from __future__ import annotations

import contextlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from totp_gate.core.keys import KeyRing, new_line
from totp_gate.errors import Conflict

HEADING = "# The gate's keys, newest first; see totp-gate key --help. Keep it secret.\n"


def fresh_line(now: float) -> str:
    """Return the line of a new key, made today."""
    return new_line(datetime.fromtimestamp(now, UTC).date().isoformat()) + "\n"


def is_there(path: Path) -> Conflict:
    """Return the error of whoever would overwrite *path*."""
    return Conflict(f"{path} exists already and is not overwritten")


def write_new(path: Path, text: str) -> None:
    """Write *text* into the new file *path*, which only its owner can read.

    Raises:
        Conflict: there is something already.
        OSError: it cannot be written; then there is nothing.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        file = os.open(path, flags, 0o600)
    except FileExistsError:
        raise is_there(path) from None
    try:
        with os.fdopen(file, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def read(path: Path) -> str:
    """Return the text of the file of the keys, once it is known to be one.

    Raises:
        ConfigError: it is not.
    """
    from totp_gate.app import read_keys

    read_keys(path)
    return path.read_text("ascii")


def replace(path: Path, text: str) -> None:
    """Put *text* in the place of what *path* holds, at once; mode and owner stay.

    Raises:
        OSError: it cannot be written; then nothing changed.
    """
    KeyRing.parse(text)
    real = path.resolve()
    found = real.stat()
    beside = real.with_name(f".{real.name}.{secrets.token_hex(4)}")
    write_new(beside, text)
    try:
        if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(beside, found.st_uid, found.st_gid)
        beside.replace(real)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    folder = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def with_first(text: str, line: str) -> str:
    """Return the key file *text* with *line* as its newest key."""
    lines = text.splitlines(keepends=True)
    first = next(i for i, each in enumerate(lines) if _is_key(each))
    return "".join([*lines[:first], line, *lines[first:]])


def newest_only(text: str) -> str:
    """Return the key file *text* without all but its newest key."""
    seen = False
    kept = []
    for line in text.splitlines(keepends=True):
        if _is_key(line):
            if seen:
                continue
            seen = True
        kept.append(line)
    return "".join(kept)


def _is_key(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")
