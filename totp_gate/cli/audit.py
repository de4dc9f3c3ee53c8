"""``totp-gate audit``: what happened to accounts lately."""

from __future__ import annotations

import click

from totp_gate.cli.output import iso, json_option, local, print_json, print_table
from totp_gate.cli.parts import Noun, Parts, pass_parts
from totp_gate.model import Event, canonical_name
from totp_gate.stores.base import Sought
from totp_gate.telemetry.inventory import EVENTS

_MOST = 1000
_KEPT = sorted(name for name, kind in EVENTS.items() if kind.kept)
lines_option = click.option(
    "--lines",
    type=click.IntRange(1, _MOST),
    default=20,
    show_default=True,
    help="How many at the most.",
)


@click.group(cls=Noun)
def audit() -> None:
    """What happened to accounts lately.

    The store keeps the newest events of each account; the whole audit is where [audit]
    file says.

    \b
    totp-gate audit tail
    totp-gate audit search --user alice --event sign-in.code --outcome failure
    """


@audit.command("tail")
@lines_option
@json_option
@pass_parts
def tail(parts: Parts, lines: int, as_json: bool) -> None:
    """Show the newest events of all accounts, newest last.

    \b
    Example: totp-gate audit tail --lines 50
    """
    _print(parts.accounts.store.events(limit=lines), as_json=as_json)


@audit.command("search")
@click.option("--user", "name", metavar="NAME", help="Only events of NAME.")
@click.option("--event", "kind", type=click.Choice(_KEPT), help="Only these.")
@click.option(
    "--outcome", type=click.Choice(["success", "failure"]), help="Only these."
)
@click.option("--address", metavar="IP", help="Only from this address.")
@lines_option
@json_option
@pass_parts
def search(
    parts: Parts,
    name: str | None,
    kind: str | None,
    outcome: str | None,
    address: str | None,
    lines: int,
    as_json: bool,
) -> None:
    """Show the newest events that fit, newest last.

    \b
    Example: totp-gate audit search --user alice --outcome failure
    """
    wanted = None if name is None else canonical_name(name)
    alike: Sought = {}
    if kind is not None:
        alike["event"] = kind
    if outcome is not None:
        alike["outcome"] = outcome
    if address is not None:
        alike["address"] = address
    found = parts.accounts.store.events(wanted, limit=lines, **alike)
    _print(found, as_json=as_json)


def _print(newest_first: list[Event], *, as_json: bool) -> None:
    events = newest_first[::-1]
    if as_json:
        print_json([_described(event) for event in events])
        return
    rows = [
        (
            local(event.at),
            event.user,
            event.event,
            event.outcome,
            event.address,
            event.detail,
        )
        for event in events
    ]
    print_table(("WHEN", "USER", "EVENT", "OUTCOME", "FROM", "DETAIL"), rows)


def _described(event: Event) -> dict[str, object]:
    return {
        "time": iso(event.at),
        "user": event.user,
        "event": event.event,
        "outcome": event.outcome,
        "address": event.address,
        "agent": event.agent,
        "detail": event.detail,
    }
