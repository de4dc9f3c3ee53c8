"""Which names people may have: such as can be told apart, logged and typed.

A name in which letters of one script pass for those of another is how somebody else's
name is imitated, so scripts that look alike are not mixed in one name, and two names
that look alike are not given to two users (`skeleton`).
"""

from __future__ import annotations

import unicodedata

LONGEST_NAME = 128
"""Characters of a user's name."""

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"))
_ALIKE = frozenset(("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"))
# Small letters only: a canonical name has no others.
_LOOKS = str.maketrans(
    "аеорсухіјѕԁһӏԛԝьοανρυκιɑɡıᴏӓёїӧӱ",
    "aeopcyxijsdhlqwboavpukiagioäëïöÿ",
)


def refusal(name: str) -> str:
    """Return why nobody may be called *name*, ending with the remedy, or nothing.

    Args:
        name: canonical name (``model.canonical_name``).

    Source:
        Unicode TR 39 (mixed scripts, confusables), for the scripts whose letters look
        alike.
    """
    if not name:
        return "is empty: write a name"
    if len(name) > LONGEST_NAME:
        return f"is too long: at most {LONGEST_NAME} characters fit"
    if any(char != " " and unicodedata.category(char) in _UNSEEN for char in name):
        return "holds characters that cannot be seen: type it anew"
    if ":" in name or "  " in name or name.startswith("?"):
        return "holds a colon or two spaces, or begins with ?: leave that out"
    scripts = sorted(_ALIKE.intersection(map(_script, name)))
    if len(scripts) > 1:
        mixed = " and ".join(script.capitalize() for script in scripts)
        return f"mixes {mixed} letters, which look alike: keep to one script"
    return ""


def skeleton(name: str) -> str:
    """Return what *name* looks like; two names with one skeleton look alike.

    Args:
        name: canonical name.
    """
    return name.translate(_LOOKS)


def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0] if char.isalpha() else ""
