"""``totp-gate session``: who is signed in, and ending that."""

from __future__ import annotations

import click

from totp_gate.cli.asking import confirm
from totp_gate.cli.output import (
    iso,
    json_option,
    local,
    print_json,
    print_table,
    report,
)
from totp_gate.cli.parts import Noun, Parts, pass_parts
from totp_gate.core.sessions import is_live
from totp_gate.errors import Conflict, NotFound
from totp_gate.model import Session, canonical_name

REFERENCE = 12
"""Characters by which a session is named, here and in the log."""


@click.group(cls=Noun)
def session() -> None:
    """Who is signed in, and ending that.

    An end is felt by every running gate with the next request.

    \b
    totp-gate session list
    totp-gate session revoke alice
    """


@session.command("list")
@click.option("--user", "name", metavar="NAME", help="Only the sessions of NAME.")
@json_option
@pass_parts
def list_sessions(parts: Parts, name: str | None, as_json: bool) -> None:
    """List live sessions, newest first.

    \b
    Examples:
        totp-gate session list
        totp-gate session list --user alice --json
    """
    live = _live(parts, None if name is None else canonical_name(name))
    if as_json:
        print_json([described(each) for each in live])
        return
    rows = [
        (
            each.user,
            local(each.created),
            local(each.seen),
            each.address,
            each.id[:REFERENCE],
            each.agent[:60],
        )
        for each in live
    ]
    print_table(("USER", "SINCE", "LAST SEEN", "FROM", "SESSION", "BROWSER"), rows)


@session.command("revoke")
@click.argument("user", required=False)
@click.option(
    "--session", "reference", metavar="ID", help="One session, as `list` names it."
)
@click.option("--all", "everybody", is_flag=True, help="The sessions of everybody.")
@click.option("--yes", is_flag=True, help="Do not ask (--all does).")
@json_option
@pass_parts
def revoke(
    parts: Parts,
    *,
    user: str | None,
    reference: str | None,
    everybody: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """End every session of USER, one session, or all there are.

    \b
    Examples:
        totp-gate session revoke alice
        totp-gate session revoke --session 3f2a9c1b77d0
        totp-gate session revoke --all
    """
    if [user is not None, reference is not None, everybody].count(True) != 1:
        raise click.UsageError("Name a USER, or use --session ID, or --all.")
    store = parts.accounts.store
    if everybody:
        confirm("Sign everybody out?", yes=yes)
        ended = store.end_sessions(None)
        parts.record("", "all-sessions-revoked", f"{ended} session(s)")
        report(
            f"everybody: {ended} session(s) ended", {"ended": ended}, as_json=as_json
        )
    elif reference is not None:
        found = _named(parts, reference)
        store.end_session(found.id)
        parts.record(found.user, "sessions-revoked", "one session")
        done = f"{found.user}: session {found.id[:REFERENCE]} ended"
        report(done, {"name": found.user, "ended": 1}, as_json=as_json)
    elif user is not None:
        name = canonical_name(user)
        ended = store.end_sessions(name)
        if not ended:
            # Where the settings lost a user, there may be sessions of nobody: ended.
            parts.user(name)
            raise NotFound(f"{name} has no session; see totp-gate session list")
        parts.record(name, "sessions-revoked", f"{ended} session(s)")
        done = f"{name}: {ended} session(s) ended"
        report(done, {"name": name, "ended": ended}, as_json=as_json)


def described(session: Session) -> dict[str, object]:
    """Return *session* for programs."""
    return {
        "user": session.user,
        "session": session.id[:REFERENCE],
        "created": iso(session.created),
        "seen": iso(session.seen),
        "second_factor_at": iso(session.second_factor_at),
        "address": session.address,
        "agent": session.agent,
    }


def _live(parts: Parts, user: str | None) -> list[Session]:
    limits = parts.config.limits()
    return [
        each
        for each in parts.accounts.store.sessions(user)
        if is_live(each, limits, now=parts.now())
    ]


def _named(parts: Parts, reference: str) -> Session:
    """Return the one session whose id begins with *reference*.

    Raises:
        NotFound, Conflict: none does, or several do.
    """
    if len(reference) < 6:
        raise click.UsageError("Name at least six characters of the session.")
    found = [
        each
        for each in parts.accounts.store.sessions(None)
        if each.id.startswith(reference)
    ]
    if not found:
        raise NotFound(f"there is no session {reference}; see totp-gate session list")
    if len(found) > 1:
        raise Conflict(f"{len(found)} sessions begin with {reference}; name more of it")
    return found[0]
