"""One-time links: the option for how long they are good, and what is told of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from totp_gate.cli.output import iso, local, print_fields, print_json
from totp_gate.cli.parts import Parts
from totp_gate.config.durations import Duration
from totp_gate.model import LinkPurpose, User

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
    purpose: LinkPurpose = "authenticator"
    if found.source == "store" and (new_password or not found.password_hash):
        purpose = "password-and-authenticator"
    address, made = parts.link(found.name, purpose, life)
    return {"link": address, "purpose": purpose, "expires": made.expires}


def tell(what: str, name: str, link: dict[str, Any], *, as_json: bool) -> None:
    """Print what was done to the user *name*, and the link that came of it, if any."""
    expires = link.get("expires")
    if as_json:
        fields = {key.replace(" ", "_"): value for key, value in link.items()}
        print_json({"name": name, **fields, "expires": iso(expires)})
        return
    shown = {**link, "expires": local(expires)} if expires else link
    print_fields([(what, name), *shown.items()])
