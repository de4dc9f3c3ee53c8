"""``totp-gate user link`` and its like: how users come to their authenticators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from totp_gate.cli.asking import on_terminal, read_line
from totp_gate.cli.links import new_link, tell, valid_option
from totp_gate.cli.output import json_option, report
from totp_gate.cli.parts import Parts, pass_parts
from totp_gate.cli.person import described_factor
from totp_gate.config.users import EXAMPLE_SEEDS
from totp_gate.core import otp
from totp_gate.core.headers import plain
from totp_gate.errors import Conflict, NotFound
from totp_gate.model import Authenticator, User

LONGEST_NAME = 64


@click.command("link")
@click.argument("name")
@click.option("--new-password", is_flag=True, help="The link sets a new password too.")
@click.option("--withdraw", is_flag=True, help="Make none: end what was not used yet.")
@valid_option
@json_option
@pass_parts
def link(
    parts: Parts,
    *,
    name: str,
    new_password: bool,
    withdraw: bool,
    valid: int,
    as_json: bool,
) -> None:
    """Print a one-time link by which NAME connects an authenticator.

    Who has no password yet sets one first; with --new-password everybody does, for
    those who forgot theirs. An earlier link for the same that was not used dies.

    \b
    Examples:
        totp-gate user link bob
        totp-gate user link bob --new-password --valid 2h
        totp-gate user link bob --withdraw
    """
    if withdraw:
        if new_password:
            raise click.UsageError("--withdraw makes no link for a new password.")
        _withdraw(parts, parts.user(name), as_json=as_json)
        return
    found = parts.stored_user(name) if new_password else parts.user(name)
    fields = new_link(parts, found, valid, new_password=new_password)
    parts.record(found.name, "link-made", fields["purpose"])
    tell("user", found.name, fields, as_json=as_json)


@click.command("add-authenticator")
@click.argument("name")
@click.option(
    "--secret-stdin", is_flag=True, help="Take the secret from standard input."
)
@click.option("--hex", "as_hex", is_flag=True, help="The secret is hexadecimal.")
@click.option("--hotp", is_flag=True, help="Its codes go by a counter, not the clock.")
@click.option(
    "--counter",
    type=click.IntRange(0, 2**32),
    help="Where that counter stands: the next code's; else 0.",
)
@click.option(
    "--name", "label", default="authenticator", help="What its owner sees it as."
)
@click.option(
    "--digits", type=click.IntRange(6, 8), help="Default: as in the settings."
)
@click.option(
    "--period",
    type=click.IntRange(otp.SHORTEST_PERIOD, otp.LONGEST_PERIOD),
    help="Default: as in the settings.",
)
@click.option(
    "--algorithm",
    type=click.Choice(["SHA1", "SHA256", "SHA512"], case_sensitive=False),
    help="Default: as in the settings.",
)
@json_option
@pass_parts
def add_authenticator(
    parts: Parts,
    *,
    name: str,
    secret_stdin: bool,
    as_hex: bool,
    hotp: bool,
    counter: int | None,
    label: str,
    digits: int | None,
    period: int | None,
    algorithm: otp.Algorithm | None,
    as_json: bool,
) -> None:
    """Give NAME an authenticator whose secret is known.

    That of a hardware token, or one from another system: TOTP by the clock, or with
    --hotp HOTP by a counter. The secret is base32 or hexadecimal, at least 128 bits.
    Sessions and trusted browsers of NAME end.

    \b
    Examples:
        totp-gate user add-authenticator bob --secret-stdin < bob.totp
        totp-gate user add-authenticator bob --hotp --hex --secret-stdin < bob.hex
    """
    if counter is not None and not hotp:
        raise click.UsageError("--counter belongs to --hotp: TOTP goes by the clock.")
    found = parts.user(name)
    params = _params(parts, digits=digits, period=period, algorithm=algorithm)
    seed = _read_seed(from_stdin=secret_stdin, as_hex=as_hex)
    _refuse_known(parts, found, seed)
    factors = parts.accounts.factors
    factor = factors.given(seed, params, kind="hotp" if hotp else "totp")
    added = factors.sealed(
        factor,
        found.name,
        name=plain(label.strip(), LONGEST_NAME) or "authenticator",
        last=(counter or 0) - 1,
        now=parts.now(),
    )
    _add(parts, added)
    done = f"{found.name}: {added.name} ({added.kind}) added, sessions ended"
    told = {"name": found.name, "authenticator": described_factor(added)}
    report(done, told, as_json=as_json)


@click.command("reset-second-factor")
@click.argument("name")
@valid_option
@json_option
@pass_parts
def reset(parts: Parts, name: str, valid: int, as_json: bool) -> None:
    """NAME has lost every authenticator: forget them and print a new link.

    Sessions, recovery codes and trusted browsers end with them; the password stays.
    Make sure it is that person who asks: this is how accounts are stolen.

    \b
    Example: totp-gate user reset-second-factor bob
    """
    found = parts.user(name)
    if found.totp_secret is not None:
        raise Conflict(
            f"an authenticator of {found.name} stands in"
            f" {parts.config.path.name}, which no command changes: remove totp_secret"
            " there, reload, and repeat this"
        )
    store = parts.accounts.store
    removed = store.remove_authenticators(found.name)
    parts.record(found.name, "second-factor-reset", f"{removed} authenticator(s)")
    fields = {"authenticators removed": removed, **new_link(parts, found, valid)}
    tell("user", found.name, fields, as_json=as_json)


@click.command("reset-password")
@click.argument("name")
@valid_option
@json_option
@pass_parts
def reset_password(parts: Parts, name: str, valid: int, as_json: bool) -> None:
    """The password of NAME got out: make it void, and print a link for a new one.

    It opens nothing from now on, and sessions and trusted browsers end; only the link
    sets another. Authenticators and app tokens stay (totp-gate token revoke).

    \b
    Example: totp-gate user reset-password bob
    """
    found = parts.stored_user(name)
    parts.accounts.store.save_password(found.name, None)
    parts.record(found.name, "password-reset")
    fields = new_link(parts, found, valid, new_password=True)
    tell("user", found.name, fields, as_json=as_json)


def _params(parts: Parts, **given: Any) -> otp.Params:
    """Return what codes look like: as *given*, and else as in the settings."""
    named = {key: value for key, value in given.items() if value is not None}
    return replace(parts.config.otp_params(), **named)


def _withdraw(parts: Parts, found: User, *, as_json: bool) -> None:
    withdrawn = parts.accounts.store.remove_links(found.name)
    if not withdrawn:
        raise NotFound(f"{found.name} has no link that was not used")
    parts.record(found.name, "link-withdrawn")
    told = {"name": found.name, "withdrawn": withdrawn}
    report(f"{found.name}: link withdrawn", told, as_json=as_json)


def _read_seed(*, from_stdin: bool, as_hex: bool) -> bytes:
    """Return the secret of an authenticator.

    Raises:
        UsageError: there is none, or it cannot be used.
    """
    if not from_stdin and not on_terminal():
        raise click.UsageError(
            "There is no terminal to ask on: use --secret-stdin and give the secret as"
            " the first line of standard input."
        )
    typed = read_line("Secret")
    try:
        bare = f"hex:{typed.strip().removeprefix('hex:')}"
        seed = otp.parse_secret(bare if as_hex else typed)
    except ValueError as error:
        raise click.UsageError(f"The secret cannot be used: {error}") from error
    if seed in EXAMPLE_SEEDS:
        raise click.UsageError("The secret is an example that everybody knows.")
    return seed


def _refuse_known(parts: Parts, user: User, seed: bytes) -> None:
    """Refuse a secret that *user* has already: each code of it would be good twice.

    Raises:
        Conflict: they have it.
    """
    factors = parts.accounts.factors
    for one in factors.of(user):
        if factors.seed(one, user) == seed:
            raise Conflict(f"{user.name} has an authenticator with this secret already")


def _add(parts: Parts, added: Authenticator) -> None:
    parts.accounts.store.add_authenticator(added, only=False)
    parts.record(added.user, "enrollment", f"{added.name}, {added.kind}")
