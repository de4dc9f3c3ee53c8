"""Making a new installation: settings, keys, state and a first user, or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

from totp_gate.cli import keyfile
from totp_gate.cli.output import print_fields, print_qr
from totp_gate.cli.parts import Parts
from totp_gate.core import otp
from totp_gate.model import User

KEYS = "gate.keys"
STATE = "gate.db"
_STATE_SIDES = ("", "-wal", "-shm", "-bell", "-journal", "-new")
_IMPORT = re.compile(r"[\w.]+:[\w.]+(?:\(\))?")

_SETTINGS = """\
# Settings of the login gate; gate.example.toml explains every one.
# `totp-gate check` says what is wrong with this file.

[gate]
# Where people reach the application.
origin = {origin}
# Title of the pages, and of the account in authenticator apps.
name = {name}
# Users, authenticators and sessions; paths begin at this file.
state = "sqlite:///{state}"
keys_file = "{keys}"
{proxies}{insecure}
{upstream}
# For `totp-gate serve`.
[server]
bind = {bind}
"""
_NO_UPSTREAM = """\
# What is behind the gate; not needed where a web server asks it, nor by a program that
# wraps itself in Gate(...).
# [upstream]
# url = "http://127.0.0.1:5000"
# app = "package.wsgi:application"
"""


@dataclass(frozen=True, slots=True)
class FirstUser:
    """Who can sign in at once, and with what.

    Attributes:
        seed: shared secret of the authenticator.
        recovery: codes for when it is lost.
    """

    name: str
    password: str
    seed: bytes
    recovery: tuple[str, ...]


def settings_text(
    *,
    origin: str,
    name: str = "",
    upstream: str = "",
    proxies: Sequence[str] = (),
    insecure: bool = False,
    bind: str = "127.0.0.1:8000",
) -> str:
    """Return a short, commented settings file.

    Args:
        proxies: networks from which web servers come.
    """
    section = _NO_UPSTREAM
    if upstream:
        key = "app" if _IMPORT.fullmatch(upstream) else "url"
        section = f"# What is behind the gate.\n[upstream]\n{key} = {_toml(upstream)}\n"
    trusted = (
        "# Web servers whose word about visitors counts.\n"
        f"trusted_proxies = {_toml(list(proxies))}\n"
        if proxies
        else ""
    )
    plain = "# Plain http, on purpose.\ninsecure_http = true\n" if insecure else ""
    host = urlsplit(origin).hostname or ""
    return _SETTINGS.format(
        origin=_toml(origin),
        name=_toml(name or ("" if ":" in host else host)),
        state=STATE,
        keys=KEYS,
        proxies=trusted,
        insecure=plain,
        upstream=section,
        bind=_toml(bind),
    )


@contextmanager
def making(settings: Path) -> Iterator[None]:
    """Make an installation in the block; if that fails, everything made is removed.

    Args:
        settings: where the settings file will be, with the rest beside it.

    Raises:
        Conflict: something is there already; then nothing was touched.
    """
    folder = settings.parent
    files = [settings, folder / KEYS]
    files += [folder / (STATE + side) for side in _STATE_SIDES]
    for each in files:
        if each.exists() or each.is_symlink():
            raise keyfile.is_there(each)
    made_folder = not folder.exists()
    try:
        if made_folder:
            folder.mkdir(mode=0o700)
        yield
    except BaseException:
        for each in files:
            each.unlink(missing_ok=True)
        if made_folder and folder.is_dir():
            folder.rmdir()
        raise


def write_files(settings: Path, text: str, *, now: float) -> None:
    """Write the settings and the keys."""
    line = keyfile.fresh_line(now)
    keyfile.write_new(settings.parent / KEYS, keyfile.HEADING + line)
    keyfile.write_new(settings, text)


def add_first_user(
    parts: Parts, name: str, password: str, *, groups: tuple[str, ...] = ()
) -> FirstUser:
    """Add a user with a password and an authenticator.

    Args:
        name: canonical name.
    """
    accounts = parts.accounts
    now = parts.now()
    hashed = accounts.passwords.hash(password)
    user = User(name=name, password_hash=hashed, groups=groups, created=now)
    accounts.store.add_users([user])
    factor = accounts.factors.draw()
    ready = accounts.factors.sealed(
        factor, name, name="authenticator app", last=-1, now=now
    )
    accounts.store.add_authenticator(ready, only=True)
    recovery = accounts.recovery.renew(name, now=now)
    return FirstUser(name, password, factor.seed, tuple(recovery))


def print_authenticator(parts: Parts, user: FirstUser) -> None:
    """Print the QR code and the setup key of the first user's authenticator."""
    uri = otp.provisioning_uri(
        user.seed,
        parts.accounts.factors.params,
        issuer=parts.config.gate.name,
        account=user.name,
    )
    click.echo("Scan this with an authenticator app, or type the setup key into it:")
    print_qr(uri)
    print_fields([("setup key", otp.grouped(otp.to_base32(user.seed)))])


def _toml(value: str | list[str]) -> str:
    """Return *value* as TOML: a string, or a list of them."""
    return json.dumps(value, ensure_ascii=False)
