"""Recovery codes: what somebody keeps on paper for the day the phone is gone.

Strategy: a code is 25 characters, ``SSXXX-XXXXX-XXXXX-XXXXX-XXXXX``: two to tell it
from its neighbours (the selector, public) and 23 random ones, which are 115 bits. From
112 bits on a secret may be kept under a plain hash (ASVS 5.0, 6.5.2; NIST SP 800-63B-4,
4.2.1.1), and that is why the codes are not shorter: 80 bits (18 characters) would need
one salted Argon2id an attempt, so that spending a code would be a search and not one
conditional update, and would wait in the same queue as a flood of passwords. Seven more
characters, pasted or typed once in years, are the smaller price.

The hash takes no key either. A key would have to be known for as long as the paper
lies in a drawer; rotating the gate's keys would make every code worthless in silence.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: without I, L, O and U
SELECTOR = 2
SECRET = 23  # characters of five bits
GROUP = 5
TYPED = 64  # characters of a typed code, separators included
MOST = 50

_PURPOSE = b"totp_gate|recovery|v1"
_MISREAD = str.maketrans("OIL", "011", " -")


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """One code in the clear: show it once, keep its ``digest``.

    Attributes:
        selector: two characters that name the code among those of its owner; public.
        secret: the other 23 characters.
    """

    selector: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """The code as it is shown, in groups of five."""
        whole = self.selector + self.secret
        return "-".join(whole[i : i + GROUP] for i in range(0, len(whole), GROUP))


def new_codes(count: int = 10) -> list[RecoveryCode]:
    """Return fresh codes of one owner, with selectors that differ.

    Args:
        count: 1 to 50.
    """
    if not 1 <= count <= MOST:
        raise ValueError(f"a set has 1 to {MOST} recovery codes")
    selectors: set[str] = set()
    while len(selectors) < count:
        selectors.add(_random(SELECTOR))
    return [RecoveryCode(each, _random(SECRET)) for each in sorted(selectors)]


def parse(text: str) -> RecoveryCode | None:
    """Read what was typed for a code; None: it cannot be one.

    Case, spaces and dashes do not matter; O is read as 0, I and L as 1.
    """
    if len(text) > TYPED or not text.isascii():
        return None
    plain = text.strip().upper().translate(_MISREAD)
    if len(plain) != SELECTOR + SECRET or not set(plain) <= set(ALPHABET):
        return None
    return RecoveryCode(plain[:SELECTOR], plain[SELECTOR:])


def digest(code: RecoveryCode, *, owner: str) -> str:
    """Return what the store keeps of *code*, 64 hexadecimal digits.

    The same for the same code and owner, so that one conditional update spends it; of
    no use under another owner.

    Args:
        owner: canonical name of the user.
    """
    parts = (code.selector.encode(), code.secret.encode(), owner.encode())
    return hashlib.sha256(b"|".join((_PURPOSE, *parts))).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
