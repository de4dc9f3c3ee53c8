"""``totp-gate user``: the users who are kept in the store."""

from __future__ import annotations

from contextlib import suppress

import click

from totp_gate.cli import enrolling, importing, joining, people
from totp_gate.cli.asking import confirm, new_password
from totp_gate.cli.output import json_option, report
from totp_gate.cli.parts import Noun, Parts, pass_parts
from totp_gate.cli.person import Person
from totp_gate.errors import NotFound
from totp_gate.model import User, canonical_name
from totp_gate.stores.base import UserChange


@click.group(cls=Noun)
def user() -> None:
    """Users: who may sign in.

    These commands keep users in the gate's store. Users of the settings file
    ([[users]]) are shown too, but changed only there. Everything is felt by running
    gates with the next request.

    \b
    totp-gate user add bob --group staff     prints a link for bob to enroll with
    totp-gate user reset-second-factor bob   bob has lost the phone
    totp-gate user reset-password bob        somebody else knows bob's password
    totp-gate user disable bob               bob is out, at once
    """


for verb in (
    *(joining.add, joining.import_users),
    *(enrolling.link, enrolling.add_authenticator),
    *(enrolling.reset, enrolling.reset_password),
):
    user.add_command(verb)


@user.command("list")
@click.option("--locked", is_flag=True, help="Only those who have to wait just now.")
@click.option(
    "--stale-hash",
    "stale",
    is_flag=True,
    help="Only those whose password has a foreign hash, or one of old parameters.",
)
@json_option
@pass_parts
def list_users(parts: Parts, *, locked: bool, stale: bool, as_json: bool) -> None:
    """List all users, those of the settings file too.

    A stale hash is replaced when its user signs in, where it is kept in the store. What
    an address has to wait is not listed; it ends by itself.

    \b
    Examples:
        totp-gate user list --json
        totp-gate user list --locked
        totp-gate user list --stale-hash
    """
    people.print_list(parts, locked=locked, stale=stale, as_json=as_json)


@user.command("show")
@click.argument("name")
@json_option
@pass_parts
def show(parts: Parts, name: str, as_json: bool) -> None:
    """Show what an administrator needs to know of NAME.

    Authenticators and when they were used, sessions, trusted browsers, app tokens,
    links that were not used yet, whether there were too many attempts, and what
    happened lately. Never a secret.

    \b
    Example: totp-gate user show bob
    """
    person = Person(parts, parts.user(name))
    if as_json:
        person.print_json()
    else:
        person.print_text()


@user.command("set")
@click.argument("name")
@click.option(
    "--group",
    "groups",
    multiple=True,
    help="Their groups from now on; repeat for more.",
)
@click.option("--no-group", is_flag=True, help="They are in no group any more.")
@click.option("--display", help="Name for people; empty: the name.")
@click.option("--email", help="E-mail address; empty: none.")
@json_option
@pass_parts
def set_user(
    parts: Parts,
    *,
    name: str,
    groups: tuple[str, ...],
    no_group: bool,
    display: str | None,
    email: str | None,
    as_json: bool,
) -> None:
    """Change groups, display name or e-mail address of NAME; no session ends.

    What is not named stays. Groups are replaced, all of them.

    \b
    Examples:
        totp-gate user set bob --group staff --group ops
        totp-gate user set bob --no-group --email bob@example.com
    """
    if groups and no_group:
        raise click.UsageError("--group and --no-group contradict each other.")
    found = parts.stored_user(name)
    asked = {
        "groups": list(groups) if groups or no_group else None,
        "display": display,
        "email": email,
    }
    change = importing.user_change({k: v for k, v in asked.items() if v is not None})
    if not change:
        raise click.UsageError("Say what changes: --group, --display or --email.")
    _change(parts, found, change)
    changed = parts.stored_user(found.name)
    parts.record(found.name, "user-changed", _in_words(change))
    done = f"{found.name}: {_in_words(change)}"
    report(done, people.described(changed), as_json=as_json)


@user.command("passwd")
@click.argument("name")
@click.option(
    "--password-stdin", is_flag=True, help="Take the password from standard input."
)
@json_option
@pass_parts
def passwd(parts: Parts, name: str, password_stdin: bool, as_json: bool) -> None:
    """Set the password of NAME and end their sessions.

    \b
    Examples:
        totp-gate user passwd bob
        totp-gate user passwd bob --password-stdin < bob.password
    """
    found = parts.stored_user(name)
    password = new_password(parts, found, from_stdin=password_stdin)
    hashed = parts.accounts.passwords.hash(password)
    parts.accounts.store.save_password(found.name, hashed)
    parts.record(found.name, "password-set")
    done = f"{found.name}: new password, sessions ended"
    report(done, {"name": found.name, "password": True}, as_json=as_json)


@user.command("disable")
@click.argument("name")
@json_option
@pass_parts
def disable(parts: Parts, name: str, as_json: bool) -> None:
    """Keep NAME out: no signing in, and every session ends at once.

    Trusted browsers and links that were not used end too, and do not come back.

    \b
    Example: totp-gate user disable bob
    """
    found = parts.stored_user(name)
    _change(parts, found, {"disabled": True})
    parts.record(found.name, "user-disabled")
    done = f"{found.name}: disabled"
    report(done, {"name": found.name, "disabled": True}, as_json=as_json)


@user.command("enable")
@click.argument("name")
@json_option
@pass_parts
def enable(parts: Parts, name: str, as_json: bool) -> None:
    """Let NAME sign in again.

    \b
    Example: totp-gate user enable bob
    """
    found = parts.stored_user(name)
    _change(parts, found, {"disabled": False})
    parts.record(found.name, "user-enabled")
    done = f"{found.name}: enabled"
    report(done, {"name": found.name, "disabled": False}, as_json=as_json)


@user.command("unlock")
@click.argument("name")
@json_option
@pass_parts
def unlock(parts: Parts, name: str, as_json: bool) -> None:
    """Forgive NAME the failed attempts, so that there is no wait any more.

    Those of strangers and those in browsers of NAME's own. What an address has to wait
    is not forgiven: it ends by itself, after a quarter of an hour at most.

    \b
    Example: totp-gate user unlock bob
    """
    found = parts.user(name)
    forgiven = parts.accounts.guessing.unlock(found.name)
    done = f"{found.name}: there were no failed attempts"
    if forgiven:
        parts.record(found.name, "user-unlocked")
        done = f"{found.name}: failed attempts forgiven"
    report(done, {"name": found.name, "forgiven": forgiven}, as_json=as_json)


@user.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_parts
def remove(parts: Parts, name: str, yes: bool, as_json: bool) -> None:
    """Remove NAME and all that is theirs: authenticators, sessions, links.

    Also for what is left of somebody whose entry was taken out of the settings or
    htpasswd file.

    \b
    Example: totp-gate user remove bob --yes
    """
    known_as = canonical_name(name)
    with suppress(NotFound):
        parts.stored_user(name)  # who stands in a file is not removed here
    confirm(f"Remove {known_as} and all that is theirs?", yes=yes)
    if not parts.accounts.store.remove_user(known_as):
        raise parts.nobody(name)
    parts.record(known_as, "user-removed", known_as)
    done = {"name": known_as, "removed": True}
    report(f"{known_as}: removed", done, as_json=as_json)


def _change(parts: Parts, found: User, change: UserChange) -> None:
    if not parts.accounts.store.change_user(found.name, **change):
        raise NotFound(f"{found.name} was removed meanwhile")


def _in_words(change: UserChange) -> str:
    said = []
    if "groups" in change:
        said.append(f"groups: {', '.join(change['groups']) or 'none'}")
    said += [f"new {field}" for field in ("display", "email") if field in change]
    return "; ".join(said)
