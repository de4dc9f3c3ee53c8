"""Passwords that got out somewhere, looked up in a list on this machine.

The list is one of those that are published, as SHA-1: ``HASH:count`` lines in the order
of the hashes. It is never loaded, for it has dozens of gigabytes: a look-up halves what
is left of it some thirty times. Whether it is in order is seen at its two ends and in
many places between.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path
from typing import BinaryIO

from totp_gate.errors import ConfigError, StoreUnavailable

_DIGITS = 40
_LONGEST_LINE = 64
_SAMPLES = 256
_LINE = re.compile(rb"[0-9A-F]{40}(?::[0-9]{1,20})?\r?\n?", re.IGNORECASE)
_NTLM = re.compile(rb"[0-9A-F]{32}(?::[0-9]{1,20})?\r?\n?", re.IGNORECASE)


class BreachedPasswords:
    """A list of passwords, of which it is asked whether one is in it.

    Args:
        path: the file.

    Raises:
        ConfigError: it is no such list, or not in order (``password.breached_file``).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                reason = _flaw(file)
        except OSError as error:
            reason = f"cannot be read ({error.strerror}): correct its permissions"
        if reason:
            raise ConfigError([("password.breached_file", f"{path} {reason}")])

    def __contains__(self, password: object) -> bool:
        """Tell whether *password*, as it would be hashed, is in the list.

        Raises:
            StoreUnavailable: nobody can tell just now.
        """
        if not isinstance(password, str):
            return False
        octets = unicodedata.normalize("NFC", password).encode("utf-8", "replace")
        # Not to keep anything by: it is how the list names what is in it.
        digest = hashlib.sha1(octets, usedforsecurity=False)
        wanted = digest.hexdigest().upper().encode()
        try:
            with self._path.open("rb") as file:
                return _holds(file, wanted)
        except OSError as error:
            reason = f"{self._path} cannot be read ({error.strerror})"
            raise StoreUnavailable(reason) from error


def _holds(file: BinaryIO, wanted: bytes) -> bool:
    low, high = 0, _size(file)
    while low < high:
        start, line = _line_at(file, (low + high) // 2)
        found = line[:_DIGITS].upper()
        if found == wanted:
            return True
        if found < wanted:
            low = start + max(1, len(line))
        else:
            high = start
    return False


def _flaw(file: BinaryIO) -> str:
    """Return what is wrong with the list in *file*, ending with the remedy."""
    size = _size(file)
    if not size:
        return "is empty: download a list anew"
    before = b""
    for number in range(_SAMPLES + 1):
        start, line = _line_at(file, min(size - 1, size * number // _SAMPLES))
        following = start + len(line)
        for each in (line, _line_at(file, following)[1] if following < size else line):
            if _NTLM.fullmatch(each):
                return "holds NTLM hashes: download the list of SHA-1 hashes"
            if not _LINE.fullmatch(each):
                return f"has no HASH:count line at octet {start}: download a list anew"
            digits = each[:_DIGITS].upper()
            if digits < before:
                remedy = "take the list that is ordered by hash"
                return f"is not in order at octet {start}: {remedy}"
            before = digits
        before = line[:_DIGITS].upper()
    return ""


def _line_at(file: BinaryIO, place: int) -> tuple[int, bytes]:
    """Return where the line begins that goes over the octet *place*, and the line."""
    begin = max(0, place - _LONGEST_LINE)
    file.seek(begin)
    octets = file.read(place - begin + _LONGEST_LINE)
    start = octets.rfind(b"\n", 0, place - begin) + 1
    end = octets.find(b"\n", place - begin)
    return begin + start, octets[start : end + 1 if end >= 0 else None]


def _size(file: BinaryIO) -> int:
    return file.seek(0, 2)
