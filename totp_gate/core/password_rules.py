"""What a new password must be; old ones are never judged.

Strategy: length counts, composition does not. Any printing character of Unicode may be
used, nothing is demanded, and what is refused is refused with a reason: too short,
among the common passwords, made of names that everybody knows, or easily guessed as
zxcvbn sees it. The length is that of the text that is hashed, so after NFC.
"""

from __future__ import annotations

import functools
import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MAX_LENGTH = 1024  # code points; in UTF-8 at most the octets ``passwords`` hashes
# zxcvbn tries every combination of look-alike signs: 0.5 s at worst for 32 characters,
# 7 s for 100, and no other thread runs meanwhile. More is never needed to judge.
JUDGED = 32
PRODUCT = "totp_gate"
SHORTEST_WORD = 3

# zxcvbn keeps the words of a call in a table of the whole process.
_zxcvbn_alone = threading.Lock()

_WEAK = {
    "dictionary": "It is close to a common password, a name or a single word.",
    "spatial": "Keys that lie side by side are easy to guess.",
    "repeat": "Repeated characters and words are easy to guess.",
    "sequence": "Runs like abcd or 6543 are easy to guess.",
    "regex": "Years are easy to guess.",
    "date": "Dates are easy to guess.",
}
_WEAK_OTHERWISE = "It is easy to guess; add a few unrelated words."


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What is asked of a new password.

    Attributes:
        min_length: code points, 8 to 64; 15 where a password alone opens anything.

    Raises:
        ValueError: out of range.

    Source:
        NIST SP 800-63B-4 section 3.1.1.2.
    """

    min_length: int = 8

    def __post_init__(self) -> None:
        if not 8 <= self.min_length <= 64:
            raise ValueError("min_length must be between 8 and 64")


def judge(
    password: str, requirements: Requirements, *, context: Sequence[str]
) -> list[str]:
    """Return why *password* may not be used, in words for the person; empty: it may.

    Args:
        password: as typed.
        requirements: the length.
        context: what an attacker tries first: user name, display name, e-mail address,
            name of the site, host. A password is refused that consists of nothing but
            these words, parts of them (between dots, dashes, ...), digits and
            punctuation, in any case, order and number: for ``alice`` at
            ``app.example.com`` also ``AliceAlice``, ``alice-2024`` and
            ``example!alice``. Words of one or two characters do not count.

    Source:
        NIST SP 800-63B-4 section 3.1.1.2; ASVS 5.0, 6.2.1 to 6.2.11.
    """
    too_long = f"Use at most {MAX_LENGTH} characters."
    if len(password) > 4 * MAX_LENGTH:
        return [too_long]
    text = unicodedata.normalize("NFC", password)
    if len(text) > MAX_LENGTH:
        return [too_long]
    reasons = []
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in text):
        reasons.append("Leave out control characters such as tabs.")
    if len(text) < requirements.min_length:
        reasons.append(f"Use at least {requirements.min_length} characters.")
    if text.casefold() in _common():
        reasons.append("It is one of the most common passwords.")
    if _is_made_of(_folded(text), _words([*context, PRODUCT])):
        reasons.append("It is made of your name or the name of the site.")
    return reasons or _weaknesses(text, context)


@functools.cache
def _common() -> frozenset[str]:
    """Return the common passwords, in lower case; read when first needed."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


def _folded(text: str) -> str:
    """Return *text* in one form, without case and punctuation, for comparison."""
    flat = unicodedata.normalize("NFKC", text).casefold()
    return "".join(each for each in flat if not _is_punctuation(each))


def _is_punctuation(character: str) -> bool:
    if character.isascii():
        return not character.isalnum()
    return unicodedata.category(character)[0] in "PZ"


def _words(context: Iterable[str]) -> set[str]:
    """Return the words of *context*, whole and in parts, folded."""
    words: set[str] = set()
    for phrase in context:
        words.update(map(_folded, (phrase, *re.split(r"[\W_]+", phrase))))
    return {word for word in words if len(word) >= SHORTEST_WORD}


def _is_made_of(text: str, words: set[str]) -> bool:
    """Tell whether *text* is one or more of *words*, with digits anywhere between."""
    ends = {0}  # where a beginning of the text that consists of words ends
    for at in range(len(text)):
        if at in ends:
            ends.update(at + len(word) for word in words if text.startswith(word, at))
            if text[at].isdigit():
                ends.add(at + 1)
    return len(text) in ends and any(word in text for word in words)


def _weaknesses(text: str, context: Sequence[str]) -> list[str]:
    head = _estimate(text[:JUDGED], context)
    if head["score"] >= 2:
        return []
    if len(text) > JUDGED and _estimate(text[-JUDGED:], context)["score"] >= 2:
        return []
    longest = max(head["sequence"], key=lambda match: len(match["token"]))
    return [_WEAK.get(longest["pattern"], _WEAK_OTHERWISE)]


def _estimate(text: str, context: Sequence[str]) -> dict[str, Any]:
    """Return what zxcvbn thinks of at most 32 characters."""
    from zxcvbn import zxcvbn  # 0.1 s, and not every process sets passwords

    with _zxcvbn_alone:
        estimate: dict[str, Any] = zxcvbn(text, [*context, PRODUCT])
    return estimate
