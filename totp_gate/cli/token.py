"""``totp-gate token``: what programs show instead of signing in."""

from __future__ import annotations

import math

import click

from totp_gate.cli.output import (
    iso,
    json_option,
    local,
    print_fields,
    print_json,
    print_table,
    report,
)
from totp_gate.cli.parts import Noun, Parts, pass_parts
from totp_gate.config.durations import seconds
from totp_gate.core.headers import plain
from totp_gate.errors import NotFound
from totp_gate.model import AppToken, canonical_name

LONGEST_NAME = 64


@click.group(cls=Noun)
def token() -> None:
    """What programs show instead of signing in.

    An end is felt by every running gate with the next request.

    \b
    totp-gate token create alice backup --path "/files/*" --method GET
    totp-gate token list
    totp-gate token revoke 3f2a9c1b
    """


@token.command("create")
@click.argument("user")
@click.argument("name")
@click.option(
    "--path", "paths", multiple=True, metavar="PATH", help="Only here: /a or /a/*."
)
@click.option(
    "--method", "methods", multiple=True, help="Only this method; GET covers HEAD."
)
@click.option(
    "--network", "networks", multiple=True, help="Only from here: 10.0.0.0/8."
)
@click.option(
    "--expires",
    default="90d",
    show_default=True,
    help="How long it is good; or never.",
)
@json_option
@pass_parts
def create(
    parts: Parts,
    user: str,
    name: str,
    paths: tuple[str, ...],
    methods: tuple[str, ...],
    networks: tuple[str, ...],
    expires: str,
    as_json: bool,
) -> None:
    """Make a token of USER, called NAME, and print it: it is shown only now.

    \b
    Examples:
        totp-gate token create alice backup --path "/files/*" --method GET
        totp-gate token create alice ci --network 192.0.2.0/24 --expires 30d
    """
    owner = parts.user(user)
    now = parts.now()
    try:
        text, made = parts.accounts.app_tokens.make(
            owner.name,
            plain(name.strip(), LONGEST_NAME),
            now=now,
            expires=_until(expires, now),
            methods=methods,
            paths=paths,
            networks=networks,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    parts.record(owner.name, "token-made", f"{made.id}, {made.name}")
    if as_json:
        print_json({"token": text, **described(made)})
        return
    print_fields(
        [
            ("Token", text),
            ("ID", made.id),
            ("Scope", scope(made)),
            ("Expires", expiry(made)),
        ]
    )


@token.command("list")
@click.option("--user", "name", metavar="NAME", help="Only the tokens of NAME.")
@json_option
@pass_parts
def list_tokens(parts: Parts, name: str | None, as_json: bool) -> None:
    """List app tokens, newest first.

    \b
    Examples:
        totp-gate token list
        totp-gate token list --user alice --json
    """
    user = None if name is None else canonical_name(name)
    found = parts.accounts.app_tokens.of(user)
    if as_json:
        print_json([described(each) for each in found])
        return
    rows = [
        (
            each.id,
            each.user,
            each.name,
            scope(each),
            expiry(each),
            local(each.used),
        )
        for each in found
    ]
    print_table(("ID", "USER", "NAME", "SCOPE", "EXPIRES", "LAST USED"), rows)


@token.command("revoke")
@click.argument("id")
@json_option
@pass_parts
def revoke(parts: Parts, id: str, as_json: bool) -> None:
    """Revoke the token ID, as `list` names it.

    \b
    Example:
        totp-gate token revoke 3f2a9c1b
    """
    tokens = parts.accounts.app_tokens
    found = next((each for each in tokens.of() if each.id == id), None)
    if found is None or not tokens.revoke(found.id):
        raise NotFound(f"there is no token {id}; see totp-gate token list")
    parts.record(found.user, "token-revoked", f"{found.id}, {found.name}")
    done = f"{found.user}: token {found.id} revoked"
    report(done, {"name": found.user, "revoked": found.id}, as_json=as_json)


def described(one: AppToken) -> dict[str, object]:
    """Return *one* for programs."""
    return {
        "id": one.id,
        "user": one.user,
        "name": one.name,
        "methods": list(one.methods),
        "paths": list(one.paths),
        "networks": list(one.networks),
        "created": iso(one.created),
        "expires": None if math.isinf(one.expires) else iso(one.expires),
        "used": iso(one.used),
    }


def _until(text: str, now: float) -> float:
    if text.strip().lower() == "never":
        return math.inf
    try:
        length = seconds(text)
    except ValueError as error:
        raise click.UsageError(f"--expires {error}") from error
    if not length:
        raise click.UsageError("--expires 0 is over already; write 90d, or never")
    return now + length


def expiry(one: AppToken) -> str:
    """Return until when *one* is good, for people."""
    return "never" if math.isinf(one.expires) else local(one.expires)


def scope(one: AppToken) -> str:
    """Return where *one* is good, for people."""
    return " ".join([*one.methods, *one.paths, *one.networks]) or "everything"
