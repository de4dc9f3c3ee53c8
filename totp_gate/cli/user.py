"""``totp-gate user``: the users who are kept in the store."""

from __future__ import annotations

from dataclasses import replace
from typing import IO

import click

from totp_gate.cli import importing, people
from totp_gate.cli.asking import confirm, new_password
from totp_gate.cli.links import new_link, tell, valid_option
from totp_gate.cli.output import json_option, print_json
from totp_gate.cli.parts import Parts, pass_parts
from totp_gate.errors import Conflict, NotFound
from totp_gate.model import User


@click.group()
def user() -> None:
    """Users: who may sign in.

    These commands keep users in the gate's store. Users of the settings file
    ([[users]]) are shown too, but changed only there. Everything is felt by running
    gates with the next request.

    \b
    totp-gate user add bob --group staff     prints a link for bob to enroll with
    totp-gate user reset-second-factor bob   bob has lost the phone
    totp-gate user disable bob               bob is out, at once
    """


@user.command("add")
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
    people.refuse_taken(parts, [new])
    if password_stdin:
        password = new_password(parts, new.name, from_stdin=True)
        new = replace(new, password_hash=parts.accounts.passwords.hash(password))
    parts.accounts.store.add_users([new])
    parts.record(new.name, "user-added")
    fields = new_link(parts, new, valid) if with_link else {}
    tell("added", new.name, fields, as_json=as_json)


@user.command("list")
@click.option("--locked", is_flag=True, help="Only those who have to wait just now.")
@json_option
@pass_parts
def list_users(parts: Parts, locked: bool, as_json: bool) -> None:
    """List all users, those of the settings file too.

    \b
    Examples:
        totp-gate user list --json
        totp-gate user list --locked
    """
    people.print_list(parts, only_locked=locked, as_json=as_json)


@user.command("show")
@click.argument("name")
@json_option
@pass_parts
def show(parts: Parts, name: str, as_json: bool) -> None:
    """Show what an administrator needs to know of NAME.

    Authenticators and when they were used, sessions, whether there were too many
    attempts, and what happened lately. Never a secret.

    \b
    Example: totp-gate user show bob
    """
    people.print_one(parts, parts.user(name), as_json=as_json)


@user.command("link")
@click.argument("name")
@click.option("--new-password", is_flag=True, help="The link sets a new password too.")
@valid_option
@json_option
@pass_parts
def link(
    parts: Parts, name: str, new_password: bool, valid: int, as_json: bool
) -> None:
    """Print a one-time link by which NAME connects an authenticator.

    Who has no password yet sets one first; with --new-password everybody does, for
    those who forgot theirs. An earlier link that was not used dies.

    \b
    Examples:
        totp-gate user link bob
        totp-gate user link bob --new-password --valid 2h
    """
    found = parts.stored_user(name) if new_password else parts.user(name)
    fields = new_link(parts, found, valid, new_password=new_password)
    parts.record(found.name, "link-made", fields["purpose"])
    tell("user", found.name, fields, as_json=as_json)


@user.command("passwd")
@click.argument("name")
@click.option(
    "--password-stdin", is_flag=True, help="Take the password from standard input."
)
@pass_parts
def passwd(parts: Parts, name: str, password_stdin: bool) -> None:
    """Set the password of NAME and end their sessions.

    \b
    Examples:
        totp-gate user passwd bob
        totp-gate user passwd bob --password-stdin < bob.password
    """
    found = parts.stored_user(name)
    password = new_password(parts, found.name, from_stdin=password_stdin)
    hashed = parts.accounts.passwords.hash(password)
    parts.accounts.store.save_password(found.name, hashed)
    parts.record(found.name, "password-set")
    click.echo(f"{found.name}: new password, sessions ended")


@user.command("disable")
@click.argument("name")
@pass_parts
def disable(parts: Parts, name: str) -> None:
    """Keep NAME out: no signing in, and every session ends at once.

    \b
    Example: totp-gate user disable bob
    """
    _set_disabled(parts, parts.stored_user(name), disabled=True)


@user.command("enable")
@click.argument("name")
@pass_parts
def enable(parts: Parts, name: str) -> None:
    """Let NAME sign in again.

    \b
    Example: totp-gate user enable bob
    """
    _set_disabled(parts, parts.stored_user(name), disabled=False)


@user.command("unlock")
@click.argument("name")
@pass_parts
def unlock(parts: Parts, name: str) -> None:
    """Forgive NAME the failed attempts, so that there is no wait any more.

    \b
    Example: totp-gate user unlock bob
    """
    found = parts.user(name)
    if parts.accounts.guessing.unlock(found.name):
        parts.record(found.name, "user-unlocked")
        click.echo(f"{found.name}: failed attempts forgiven")
    else:
        click.echo(f"{found.name}: there were no failed attempts")


@user.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_parts
def remove(parts: Parts, name: str, yes: bool) -> None:
    """Remove NAME and all that is theirs: authenticators, sessions, links.

    \b
    Example: totp-gate user remove bob --yes
    """
    found = parts.stored_user(name)
    confirm(f"Remove {found.name} and all that is theirs?", yes=yes)
    if not parts.accounts.store.remove_user(found.name):
        raise NotFound(f"{found.name} was removed already")
    parts.record(found.name, "user-removed")
    click.echo(f"{found.name}: removed")


@user.command("reset-second-factor")
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
    store.end_sessions(found.name)
    parts.record(found.name, "second-factor-reset", f"{removed} authenticator(s)")
    fields = {"authenticators removed": removed, **new_link(parts, found, valid)}
    tell("user", found.name, fields, as_json=as_json)


@user.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "csv", "htpasswd"]),
    default="auto",
    show_default=True,
)
@click.option("--group", "groups", multiple=True, help="A group for all of them.")
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
    dry_run: bool,
    links: bool,
    valid: int,
    as_json: bool,
) -> None:
    """Add the users of FILE (- is standard input): all of them, or none.

    CSV has a first line that names its columns: name, and if you like display, email,
    groups (separated by ;) and password_hash. An htpasswd file has name:hash lines;
    its hashes must be bcrypt (htpasswd -B). Hashes are replaced by Argon2id as people
    sign in.

    \b
    Examples:
        totp-gate user import people.csv --links
        totp-gate user import .htpasswd --group staff
    """
    users = importing.read_users(file.read(), form, groups=groups, now=parts.now())
    people.refuse_taken(parts, users)
    if not dry_run:
        parts.accounts.store.add_users(users)
        parts.record("", "users-imported", f"{len(users)} users")
    linked = users if links and not dry_run else []
    made = [{"name": each.name, **new_link(parts, each, valid)} for each in linked]
    hashed = sum(each.password_hash is not None for each in users)
    if as_json:
        report = {"imported": 0 if dry_run else len(users), "read": len(users)}
        print_json({**report, "with_password": hashed, "links": made})
        return
    click.echo(f"{'would import' if dry_run else 'imported'}: {len(users)}")
    click.echo(f"with a password: {hashed}")
    for each_link in made:
        click.echo(f"{each_link['name']}\t{each_link['link']}")


def _set_disabled(parts: Parts, found: User, *, disabled: bool) -> None:
    state = "disabled" if disabled else "enabled"
    parts.accounts.store.change_user(found.name, disabled=disabled)
    parts.record(found.name, f"user-{state}")
    click.echo(f"{found.name}: {state}")
