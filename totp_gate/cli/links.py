"""One-time links: the option for how long they are good, and what is told of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from totp_gate.accounts.enrollment import draw_link
from totp_gate.cli.output import iso, local, print_fields, print_json
from totp_gate.cli.parts import Parts
from totp_gate.config.durations import Duration
from totp_gate.model import Link, LinkPurpose, User

Command = TypeVar("Command", bound=Callable[..., Any])

_LIFE = Duration("5m", "30d", "a link is a key while it lies around")


def _read_life(_ctx: click.Context, _option: click.Parameter, value: str) -> int:
    """Return the seconds for which a link is good."""
    try:
        return _LIFE.read(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} {error}") from error


def valid_option(command: Command) -> Command:
    """Give *command* the option ``--valid``: how long its link is good."""
    return click.option(
        "--valid",
        metavar="DURATION",
        callback=_read_life,
        default="3d",
        show_default=True,
        help="How long the link is good: 30m, 12h, 3d.",
    )(command)


def new_link(
    parts: Parts, found: User, life: int, *, new_password: bool = False
) -> dict[str, Any]:
    """Make a link for *found* and return what is told about it.

    Args:
        life: seconds until it expires.
        new_password: it sets a password also for who has one.
    """
    purpose = _purpose(found, new_password=new_password)
    secret, made = parts.accounts.enrollment.make_link(
        found.name, purpose, now=parts.now(), life=life
    )
    return _told(parts, secret, made)


def drawn_link(parts: Parts, new: User, life: int) -> tuple[Link, dict[str, Any]]:
    """Return a link for somebody who is added with it, and what is told about it.

    Args:
        life: seconds until it expires.
    """
    secret, link = draw_link(new.name, _purpose(new), now=parts.now(), life=life)
    return link, _told(parts, secret, link)


def for_programs(told: dict[str, Any]) -> dict[str, Any]:
    """Return what is *told* about a link, as it stands in JSON."""
    fields = {key.replace(" ", "_"): value for key, value in told.items()}
    return {**fields, "expires": iso(told.get("expires"))}


def tell(what: str, name: str, told: dict[str, Any], *, as_json: bool) -> None:
    """Print what was done to the user *name*, and the link that came of it, if any."""
    if as_json:
        print_json({"name": name, **for_programs(told)})
        return
    expires = told.get("expires")
    shown = {**told, "expires": local(expires)} if expires else told
    print_fields([(what, name), *shown.items()])


def _purpose(user: User, *, new_password: bool = False) -> LinkPurpose:
    if user.source == "store" and (new_password or not user.password_hash):
        return "password-and-authenticator"
    return "authenticator"


def _told(parts: Parts, secret: str, link: Link) -> dict[str, Any]:
    return {
        "link": parts.address(secret),
        "purpose": link.purpose,
        "expires": link.expires,
    }
