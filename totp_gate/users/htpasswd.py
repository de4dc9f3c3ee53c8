"""Users of an htpasswd file: read once, never written.

Hashes that are safe today count (bcrypt, as ``htpasswd -B`` writes them, and what
``core.passwords`` understands). The weaker ones of forty years are named and refused:
whoever copies such a file has the passwords in it within hours. MD5 as Apache has it
and SHA-1 can be allowed by name, for who cannot make every hash anew at once; what
crypt(3) makes of eight characters, and plain text, never.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from totp_gate.core.names import refusal
from totp_gate.core.passwords import WEAK, scheme, understands
from totp_gate.errors import ConfigError
from totp_gate.model import User, canonical_name
from totp_gate.users.credentials import credential_of

_UNKNOWN = (
    (re.compile(r"\$apr1\$"), "damaged MD5 (apr1)"),
    (re.compile(r"\{SHA\}"), "damaged SHA-1"),
    (re.compile(r"\{SSHA\}"), "SHA-1 (SSHA)"),
    (re.compile(r"\$1\$"), "MD5 (crypt)"),
    (re.compile(r"\$5\$"), "SHA-256 (crypt)"),
    (re.compile(r"\$6\$"), "SHA-512 (crypt)"),
    (re.compile(r"[./0-9A-Za-z]{13}\Z"), "DES (crypt)"),
)


def lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, name and hash of each user in *text*.

    Of a line that is not ``name:hash`` the hash is empty.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        name, _, stored = content.partition(":")
        yield number, name, stored


def weakness(stored: str, weak: Collection[str] = ()) -> str:
    """Return what a hash that may not be used is called; empty: it may.

    Args:
        weak: kinds that are allowed, of ``core.passwords.WEAK``.
    """
    if understands(stored, weak):
        return ""
    kind = scheme(stored)
    if kind in WEAK:
        return WEAK[kind]
    called = (name for pattern, name in _UNKNOWN if pattern.match(stored))
    return next(called, "plain text, or unknown")


class HtpasswdUsers:
    """A ``Directory`` of the users in an htpasswd file.

    As with users of the settings file, a change counts after a reload.

    Args:
        path: the file.
        weak: kinds of hashes that are allowed, of ``core.passwords.WEAK``.

    Raises:
        ConfigError: the file cannot be used; all that is wrong is named.
    """

    source = "htpasswd"

    def __init__(self, path: Path, weak: Collection[str] = ()) -> None:
        self._users: dict[str, User] = {}
        self._weak = weak
        problems = list(self._read(path))
        if problems:
            raise ConfigError([("gate.htpasswd", reason) for reason in problems])

    def find(self, name: str) -> User | None:
        """Return the user called *name*, or None."""
        return self._users.get(name)

    def everyone(self) -> list[User]:
        """Return all users of the file, by name."""
        return sorted(self._users.values(), key=lambda user: user.name)

    def renew_hash(self, name: str, old: str, new: str) -> bool:  # noqa: ARG002
        """Return False: the file belongs to whoever wrote it."""
        return False

    def _read(self, path: Path) -> Iterator[str]:
        try:
            found = list(lines(path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            yield f"{path} cannot be used ({error}): mend it"
            return
        for number, typed, stored in found:
            name = canonical_name(typed)
            wrong = refusal(name)
            weak = weakness(stored, self._weak)
            if not stored:
                yield f"line {number} is not name:hash"
            elif wrong:
                yield f"line {number}: the name {wrong}"
            elif name in self._users:
                yield f"line {number}: {name} is there twice; remove one"
            elif weak:
                remedy = "run htpasswd -B"
                if scheme(stored) in WEAK:
                    remedy += f', or set htpasswd_weak = ["{scheme(stored)}"]'
                yield f"line {number}: the hash of {name} is {weak}: {remedy}"
            self._users[name] = User(
                name=name,
                password_hash=stored,
                credential=credential_of(stored),
                display=typed if typed != name else "",
                source=self.source,
            )
