"""Regular expressions that cannot be made to run for ever.

Python's engine backtracks, and a path is chosen by a stranger. So only a dialect is
accepted in which the ways to match can be counted before the first request: a repeat
holds one character or class, never a group; every repeat but one is followed by a
character it cannot take itself; and choices are few, fewer still where a repeat
follows that one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

LONGEST_PATTERN = 200
LONGEST_PATH = 1024
"""Longest path, in octets, that is matched against a pattern."""
MOST_WAYS = 64
"""Alternatives and optional parts, multiplied."""

MOST_SQUARED = 4
"""As many where a repeat follows the one that is followed by anything.

Each way then takes the square of the path's length: about 20 ms for the longest.
"""

_PART = re.compile(
    r"\\[dws]|\\[^A-Za-z0-9]"  # a class, an escaped character
    r"|\[\^?\]?(?:\\.|[^\]\\])*\]"
    r"|\(\?:|[()|^$.]"
    r"|[*+?]|\{\d+(?:,\d*)?\}"
    r"|[^\\\[\](){}]",
    re.ASCII,
)
_REPEAT = re.compile(r"[*+]|\{\d+,(\d*)\}")
_FIXED = re.compile(r"\{\d+\}")


def compile_pattern(text: str, *, any_case: bool) -> re.Pattern[str]:
    """Return *text* compiled, to be used with ``fullmatch`` on canonical paths.

    Args:
        text: the expression alone, without ``re:``.
        any_case: whether case makes no difference.

    Raises:
        ValueError: it is wrong, or matching could take long; the text says why.
    """
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"longer than {LONGEST_PATTERN} characters: split the rule")
    if not text.isascii():
        raise ValueError("write other letters as they are sent, like %C3%A9")
    _check(_parts(text))
    try:
        return re.compile(text, re.ASCII | (re.IGNORECASE if any_case else 0))
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error


def beginning(text: str) -> tuple[str, bool]:
    """Return what every match begins with, and whether all that begins so matches.

    Args:
        text: an expression that `compile_pattern` accepts.
    """
    parts = _parts(text)
    if _alternatives(parts)[-1] > 1:
        return "", False
    found, at = "", 1 if parts[:1] == ["^"] else 0
    while at < len(parts) and _is_character(parts[at]):
        if _is_quantifier("".join(parts[at + 1 : at + 2])):
            break
        found += parts[at].removeprefix("\\")
        at += 1
    return found, parts[at:] in ([".", "*"], [".", "*", "$"])


def _parts(text: str) -> list[str]:
    parts: list[str] = []
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise ValueError(f"{text[at : at + 6]!r} is not supported in a rule")
        parts.append(part[0])
        at = part.end()
    return parts


def _check(parts: Sequence[str]) -> None:
    """Refuse what could take long."""
    optional = sum(part == "?" for part in parts)
    ways = 2**optional * math.prod(_alternatives(parts))
    repeats = [at for at, part in enumerate(parts) if _is_quantifier(part)]
    loose = [at for at in repeats if _check_quantifier(parts, at)]
    if len(loose) > 1:
        raise ValueError(
            "two repeats could share the same characters: let each be followed by one "
            "it cannot take, as in [^/]+/ instead of .*/"
        )
    followed = loose and any(parts[at] != "?" for at in repeats if at > loose[0])
    if ways > (MOST_SQUARED if followed else MOST_WAYS):
        raise ValueError("too many alternatives and optional parts: split the rule")


def _check_quantifier(parts: Sequence[str], at: int) -> bool:
    """Tell whether the quantifier at *at* is loose: it could end in many places."""
    repeated = parts[at - 1] if at else "("
    if _is_quantifier(repeated) or repeated in {"(", "(?:", "|", "^", "$"}:
        raise ValueError(f"{parts[at]!r} has nothing to repeat, or repeats a repeat")
    if parts[at] == "?" or _FIXED.fullmatch(parts[at]):
        if repeated == ")" and parts[at] != "?":
            raise ValueError("a group cannot be repeated: write it out")
        return False
    if repeated == ")":
        raise ValueError("a group cannot be repeated: write it out")
    if at + 1 == len(parts):
        return False
    after = parts[at + 1]
    if not _is_character(after) or _is_skipped(parts, at + 1):
        return True
    return _takes(repeated, after.removeprefix("\\"))


def _takes(item: str, char: str) -> bool:
    """Tell whether the class or character *item* matches *char*, in any case."""
    try:
        found = re.compile(item, re.IGNORECASE | re.ASCII)
    except re.error as error:
        raise ValueError(f"{item!r} is no class of characters: {error}") from error
    return found.fullmatch(char) is not None


def _alternatives(parts: Sequence[str]) -> list[int]:
    """Return the number of alternatives in each group, the whole being one."""
    done: list[int] = []
    open_groups = [1]
    for part in parts:
        if part in {"(", "(?:"}:
            open_groups.append(1)
        elif part == ")" and len(open_groups) > 1:
            done.append(open_groups.pop())
        elif part == "|":
            open_groups[-1] += 1
    return done + open_groups


def _is_quantifier(part: str) -> bool:
    return part == "?" or bool(_REPEAT.fullmatch(part) or _FIXED.fullmatch(part))


def _is_character(part: str) -> bool:
    """Tell whether *part* is one character that means itself."""
    if part.startswith("\\"):
        return part not in {"\\d", "\\w", "\\s"}
    return len(part) == 1 and part not in "()|^$."


def _is_skipped(parts: Sequence[str], at: int) -> bool:
    """Tell whether what stands at *at* may be left out."""
    quantifier = parts[at + 1] if at + 1 < len(parts) else ""
    return _is_quantifier(quantifier) and quantifier[:1] in {"?", "*", "{"}
