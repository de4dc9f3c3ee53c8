"""``[[users]]``: users of the file, and the examples nobody may copy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, field_validator

from totp_gate.config.base import Complaint, Section, complaint, setting
from totp_gate.config.fields import SecretFrom, Text, as_tuple
from totp_gate.core.names import LONGEST_NAME, refusal, skeleton
from totp_gate.core.otp import parse_secret
from totp_gate.core.passwords import understands
from totp_gate.model import User, canonical_name

_EMAIL = re.compile(r"[^\s@,<>\"()]+@[^\s@,<>\"()]+")

EXAMPLE_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=1$Ze+CC07kcL/3YQ4rMs0+tg"
    "$ejbu+K3aSC6gcpll9RGYsNvtYCwf3A1WFEaHrVqdQM0"
)
EXAMPLE_SEEDS = frozenset(
    map(
        parse_secret,
        ("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
    )
)
"""What `gate.example.toml` and RFC 6238 use: everybody knows them."""


def _hash(text: str) -> str:
    if not text:
        return ""
    if text == EXAMPLE_HASH:
        raise ValueError(f"is an example that everybody knows: {_HASH_REMEDY}")
    if not understands(text):
        raise ValueError(
            "is no hash of a password (argon2id, bcrypt, or scrypt and pbkdf2 as"
            f" Werkzeug writes them): {_HASH_REMEDY}"
        )
    return text


def _seed(text: str) -> str:
    if not text:
        return ""
    try:
        seed = parse_secret(text)
    except ValueError as error:
        raise ValueError(f"cannot be used: {error}") from None
    if seed in EXAMPLE_SEEDS:
        remedy = "make one with totp-gate otp secret"
        raise ValueError(f"is an example that everybody knows: {remedy}")
    return text


_HASH_REMEDY = "keep the user in the store with totp-gate user add, or make a hash"
_Line = Text(4096)


class UserEntry(Section):
    """``[[users]]``: one user of the file."""

    name: Annotated[str, Text(4 * LONGEST_NAME)] = setting(
        "", "name they sign in with, in any case (required)"
    )
    password_hash: Annotated[str, _Line, AfterValidator(_hash)] = setting(
        "", "argon2id, bcrypt, or Werkzeug's scrypt and pbkdf2", secret=True
    )
    password_hash_file: Annotated[SecretFrom, AfterValidator(_hash)] = setting(
        "", "file that holds the hash; mode 0600", secret=True
    )
    totp_secret: Annotated[str, _Line, AfterValidator(_seed)] = setting(
        "", "secret of an authenticator: base32, or hex:...", secret=True
    )
    totp_secret_file: Annotated[SecretFrom, AfterValidator(_seed)] = setting(
        "", "file that holds that secret; mode 0600", secret=True
    )
    groups: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = setting(
        [], "groups, told to the application"
    )
    display: Annotated[str, Text()] = setting("", "name for people; empty: the name")
    email: Annotated[str, Text(254)] = setting("", "e-mail address")
    disabled: bool = setting(False, "may not sign in")

    @field_validator("name")
    @classmethod
    def _read_name(cls, value: str) -> str:
        name = canonical_name(value)
        if value and (reason := refusal(name)):
            raise ValueError(reason)
        return name

    @field_validator("groups")
    @classmethod
    def _read_groups(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        groups = tuple(map(Text().read, value))
        for group in groups:
            if not group or "," in group:
                raise ValueError(f"{group!r} is empty or has a comma: correct it")
            if groups.count(group) > 1:
                raise ValueError(f"{group!r} is there twice: remove one")
        return groups

    @field_validator("email")
    @classmethod
    def _read_email(cls, value: str) -> str:
        if value and not _EMAIL.fullmatch(value):
            raise ValueError("is no e-mail address: write it like alice@example.com")
        return value

    def complaints(self) -> Iterator[Complaint]:
        """Yield what is wrong between the settings."""
        if not self.name:
            yield complaint("name", "is missing: write the name they sign in with")
        for secret in ("password_hash", "totp_secret"):
            if getattr(self, secret) and getattr(self, f"{secret}_file"):
                reason = f"and {secret} say the same thing twice: remove one of them"
                yield complaint(f"{secret}_file", reason, secret)
        if not self.password_hash and not self.password_hash_file:
            reason = f"is missing, so nobody can sign in: {_HASH_REMEDY}"
            yield complaint("password_hash", reason, "password_hash_file")

    def user(self) -> User:
        """Return the user as the rest of the gate knows users."""
        seed = self.totp_secret or self.totp_secret_file
        return User(
            name=self.name,
            password_hash=self.password_hash or self.password_hash_file or None,
            groups=self.groups,
            display=self.display,
            email=self.email,
            disabled=self.disabled,
            source="file",
            totp_secret=parse_secret(seed) if seed else None,
        )


def exposed(users: Sequence[UserEntry], path: Path) -> Iterator[Complaint]:
    """Yield the secrets of *users*, which stand in the file *path*: others can read it.

    As with files of one secret: a hash can be guessed by whoever has it.
    """
    for number, user in enumerate(users):
        for secret in ("password_hash", "totp_secret"):
            if getattr(user, secret):
                reason = (
                    f"others can read {path}: run chmod 600 {path}, or write the secret"
                    f" into a file of its own and name it in {secret}_file"
                )
                yield Complaint((number, secret), reason)


def alike(users: Sequence[UserEntry]) -> Iterator[Complaint]:
    """Yield users whose names are the same, or look the same."""
    names: set[str] = set()
    looks: set[str] = set()
    for number, user in enumerate(users):
        look = skeleton(user.name)
        if user.name in names:
            reason = f"{user.name!r} is there twice (case aside): remove one"
            yield Complaint((number, "name"), reason)
        elif look in looks:
            reason = "looks like the name of another user: change one of them"
            yield Complaint((number, "name"), reason)
        if user.name:
            names.add(user.name)
            looks.add(look)
