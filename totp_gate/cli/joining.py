"""``totp-gate user add`` and ``import``: how people come to be users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import IO, Any

import click

from totp_gate.cli import importing, people
from totp_gate.cli.asking import new_password
from totp_gate.cli.links import drawn_link, for_programs, tell, valid_option
from totp_gate.cli.output import json_option, print_json
from totp_gate.cli.parts import Parts, Refused, pass_parts
from totp_gate.core.passwords import WEAK
from totp_gate.errors import GateError
from totp_gate.model import Link, User


@click.command("add")
@click.argument("name")
@click.option("--group", "groups", multiple=True, help="A group; repeat for more.")
@click.option("--display", default="", help="Name for people.")
@click.option("--email", default="", help="E-mail address, told to the application.")
@click.option(
    "--password-stdin", is_flag=True, help="Take a password from standard input."
)
@click.option(
    "--link/--no-link",
    "with_link",
    default=True,
    help="Print a one-time link to enroll with (default), or none.",
)
@valid_option
@json_option
@pass_parts
def add(
    parts: Parts,
    *,
    name: str,
    groups: tuple[str, ...],
    display: str,
    email: str,
    password_stdin: bool,
    with_link: bool,
    valid: int,
    as_json: bool,
) -> None:
    """Add the user NAME and print a link by which they enroll.

    Give the link to that person and nobody else: whoever opens it first sets the
    password and connects an authenticator. It works once.

    \b
    Examples:
        totp-gate user add bob --group staff --display "Bob Brown"
        totp-gate user add carol --password-stdin < carol.password
    """
    known = {"display": display, "email": email, "groups": list(groups)}
    new = importing.new_user({"name": name, **known}, now=parts.now())
    people.refuse_taken(parts, new)
    if password_stdin:
        password = new_password(parts, new, from_stdin=True)
        new = replace(new, password_hash=parts.accounts.passwords.hash(password))
    links: list[Link] = []
    told: dict[str, Any] = {}
    if with_link:
        made, told = drawn_link(parts, new, valid)
        links.append(made)
    parts.accounts.store.add_users([new], links=links)
    parts.record(new.name, "user-added")
    tell("added", new.name, told, as_json=as_json)


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "csv", "htpasswd"]),
    default="auto",
    show_default=True,
)
@click.option("--group", "groups", multiple=True, help="A group for all of them.")
@click.option(
    "--allow-weak",
    "weak",
    type=click.Choice(sorted(WEAK)),
    multiple=True,
    help="Take these weak hashes too, until their owner signs in.",
)
@click.option("--dry-run", is_flag=True, help="Judge the file, and change nothing.")
@click.option("--links", is_flag=True, help="Print a one-time link for each.")
@valid_option
@json_option
@pass_parts
def import_users(
    parts: Parts,
    *,
    file: IO[bytes],
    form: str,
    groups: tuple[str, ...],
    weak: tuple[str, ...],
    dry_run: bool,
    links: bool,
    valid: int,
    as_json: bool,
) -> None:
    """Add the users of FILE (- is standard input): all of them, or none.

    CSV has a first line that names its columns: name, and if you like display, email,
    groups (separated by ;) and password_hash. An htpasswd file has name:hash lines. A
    hash must be bcrypt (htpasswd -B) unless --allow-weak says otherwise; it is replaced
    by Argon2id as its owner signs in. Links are printed as they are made; they work
    once the command has ended well, and otherwise never.

    \b
    Examples:
        totp-gate user import people.csv --links
        totp-gate user import .htpasswd --group staff
    """
    known = people.taken(parts)
    users = importing.read_users(
        file.read(), form, groups=groups, now=parts.now(), known=known, weak=weak
    )
    drawn = _drawn(parts, users, valid) if links and not dry_run else []
    told = [fields for _, fields in drawn]
    hashed = sum(each.password_hash is not None for each in users)
    if as_json:
        imported = 0 if dry_run else len(users)
        counts = {"imported": imported, "read": len(users), "with_password": hashed}
        print_json({**counts, "links": told})
    elif told:
        click.echo("\n".join(f"{each['name']}\t{each['link']}" for each in told))
    if not dry_run:
        _add(parts, users, [made for made, _ in drawn])
    if not as_json:
        done = "would import" if dry_run else "imported"
        click.echo(f"{done}: {len(users)}\nwith a password: {hashed}")


def _drawn(
    parts: Parts, users: Sequence[User], life: int
) -> list[tuple[Link, dict[str, Any]]]:
    """Return a link for each of *users*, and what is told about it."""
    drawn = []
    for number, each in enumerate(users, start=1):
        link, told = drawn_link(parts, each, life)
        drawn.append((link, {"name": each.name, **for_programs(told)}))
        importing.progress("made a link for", number, len(users))
    return drawn


def _add(parts: Parts, users: Sequence[User], links: Sequence[Link]) -> None:
    """Add *users* with *links*, which stand printed already: or nothing counts.

    So whoever gets the links has them all, also where they go to a full disk.
    """
    try:
        parts.accounts.store.add_users(users, links=links)
    except GateError as error:
        void = "; no link above works" if links else ""
        raise Refused(f"Nothing was imported{void}: {error}") from error
    parts.record("", "users-imported", f"{len(users)} users")
