"""``totp-gate key``: the keys that sign and seal."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from sqlalchemy import make_url

from totp_gate.cli import keyfile
from totp_gate.cli.output import json_option, print_json, print_table, report
from totp_gate.cli.parts import Noun, Parts, pass_parts
from totp_gate.core.keys import KeyRing
from totp_gate.errors import ConfigError, Conflict, SealBroken
from totp_gate.model import Authenticator

if TYPE_CHECKING:
    from totp_gate.config.entry import GateSection

_KEY = "gate.keys_file"
_RELOAD = "Now reload running gates (kill -HUP, or restart): they use what they read."


@click.group(cls=Noun)
def key() -> None:
    """The gate's keys: they sign cookies and seal stored secrets.

    The file (gate.keys_file, mode 0600) holds one key a line, newest first: the first
    signs and seals, all of them verify and open. Back it up apart from the state:
    without it nobody's authenticator can be read.

    \b
    A change of keys, without anybody noticing:
        totp-gate key rotate        new key; stored secrets are sealed with it
        kill -HUP <gate>            running gates take it
        ... a day later (session.lifetime) ...
        totp-gate key prune         the old key goes
        kill -HUP <gate>
    """


@key.command("init")
@click.option(
    "--lose-authenticators",
    is_flag=True,
    help="Also where stored secrets are sealed with keys that are lost.",
)
@json_option
@pass_parts
def init(parts: Parts, lose_authenticators: bool, as_json: bool) -> None:
    """Make the file of the keys, with one fresh key, for a new installation.

    What is there already is never overwritten. Refused where the state holds secrets:
    they were sealed with other keys, so put those back from the backup. Where there is
    no backup, --lose-authenticators makes a key all the same. Nobody's authenticator
    works any more then: everybody with one needs `user reset-second-factor`.

    \b
    Example: totp-gate key init
    """
    section = _section(parts)
    path = section.keys_file
    if path.exists() or path.is_symlink():
        raise keyfile.is_there(path)
    sealed = 0 if lose_authenticators else _count_sealed(section.state)
    if sealed:
        raise Conflict(
            f"the state holds {sealed} secret(s) sealed with other keys, which a new"
            " one cannot open: put the old file back from the backup. If it is lost for"
            " good: totp-gate key init --lose-authenticators, and for everybody with an"
            " authenticator, totp-gate user reset-second-factor NAME"
        )
    keyfile.write_new(path, keyfile.HEADING + keyfile.fresh_line(parts.now()))
    done = {"file": str(path), "key": _newest(path)}
    report(f"{path}: made, with one key", done, as_json=as_json)


@key.command("status")
@json_option
@pass_parts
def status(parts: Parts, as_json: bool) -> None:
    """Show the keys, and how many stored secrets are sealed with each.

    \b
    Example: totp-gate key status --json
    """
    sealed = _sealed_with(parts.accounts.store.authenticators(None))
    ring = parts.accounts.ring
    shown = [
        {
            "id": each.id,
            "made": each.made,
            "newest": each is ring.newest,
            "sealed": sealed.pop(each.id, 0),
        }
        for each in ring.keys
    ]
    if as_json:
        print_json({"keys": shown, "missing": dict(sealed)})
    else:
        rows = [
            (each["id"], each["made"], each["sealed"], _use(bool(each["newest"])))
            for each in shown
        ]
        rows += [(lost, "?", count, "is missing") for lost, count in sealed.items()]
        print_table(("KEY", "MADE", "SECRETS", "USE"), rows)


@key.command("rotate")
@json_option
@pass_parts
def rotate(parts: Parts, as_json: bool) -> None:
    """Make a new key, and seal every stored secret with it.

    The old keys stay in the file and go on verifying and opening, so nobody is signed
    out. Running gates find the new key when they need it; they sign with it once they
    are reloaded (kill -HUP, or restart). Should the command be interrupted, repeat it:
    nothing is lost.

    \b
    Example: totp-gate key rotate && systemctl reload totp-gate
    """
    path = parts.config.keys_file
    parts.accounts.store.ping()
    parts.close()
    text = keyfile.read(path)
    keyfile.replace(path, keyfile.with_first(text, keyfile.fresh_line(parts.now())))
    changed, broken = _seal_anew(parts)
    parts.record("", "keys-rotated", f"{changed} secret(s) sealed anew")
    text = f"{path}: new key; {changed} stored secret(s) sealed with it"
    done = {"key": _newest(path), "sealed": changed, "broken": broken}
    report(text, done, as_json=as_json)
    if broken:
        click.echo(
            f"{broken} secret(s) cannot be opened with any key of the file; their"
            " owners need: totp-gate user reset-second-factor NAME",
            err=True,
        )
    click.echo(_RELOAD, err=True)


@key.command("prune")
@json_option
@pass_parts
def prune(parts: Parts, as_json: bool) -> None:
    """Remove all keys but the newest.

    Refused while a stored secret is sealed with an old one (rotate seals them anew).
    Whoever signed in before the newest key was made is signed out once the running
    gates are reloaded, so wait for session.lifetime after a rotation, unless that is
    what you want.

    \b
    Example: totp-gate key prune && systemctl reload totp-gate
    """
    ring, path = parts.accounts.ring, parts.config.keys_file
    sealed = _sealed_with(parts.accounts.store.authenticators(None))
    old = {each.id: sealed[each.id] for each in ring.keys[1:]}
    needed = sum(old.values())
    if needed:
        raise Conflict(
            f"{needed} stored secret(s) are sealed with old keys; seal them anew"
            " first: totp-gate key rotate"
        )
    if not old:
        none = "nothing to remove: there is one key"
        report(none, {"key": _newest(path), "removed": []}, as_json=as_json)
        return
    keyfile.replace(path, keyfile.newest_only(keyfile.read(path)))
    parts.record("", "keys-pruned", f"{len(old)} key(s) removed")
    text = f"{path}: {len(old)} old key(s) removed: {', '.join(old)}"
    report(text, {"key": _newest(path), "removed": list(old)}, as_json=as_json)
    click.echo(_RELOAD, err=True)


def _newest(path: Path) -> dict[str, str]:
    """Return what may be told of the newest key in *path*."""
    newest = KeyRing.parse(keyfile.read(path)).newest
    return {"id": newest.id, "made": newest.made}


def _count_sealed(state: str) -> int:
    """Return how many secrets the state holds, if there is one."""
    from totp_gate.stores.sql import open_store

    if not Path(str(make_url(state).database)).exists():
        return 0
    with closing(open_store(state)) as store:
        return sum(_sealed_with(store.authenticators(None)).values())


def _section(parts: Parts) -> GateSection:
    """Return ``[gate]``; the file of the keys need not be there yet."""
    from totp_gate.config import load_config
    from totp_gate.config.entry import GateSection
    from totp_gate.config.settings import Config
    from totp_gate.config.sources import Source

    try:
        return load_config(parts.path).gate
    except ConfigError as error:
        others = [each for each in error.problems if not each[0].startswith(_KEY)]
        if others:
            raise ConfigError(others) from error
    source = Source(parts.path.absolute())
    source.override(Config, os.environ)
    section = source.values.get("gate", {})
    return GateSection.model_validate(section, context=source.path)


def _sealed_with(authenticators: list[Authenticator]) -> Counter[str]:
    """Return how many seeds are sealed with which key."""
    return Counter(each.sealed.split(".")[1] for each in authenticators if each.sealed)


def _seal_anew(parts: Parts) -> tuple[int, int]:
    """Seal every stored seed with the newest key; how many, and how many cannot be."""
    changed = broken = 0
    accounts = parts.accounts
    for each in accounts.store.authenticators(None):
        try:
            changed += accounts.factors.seal_anew(each)
        except SealBroken:
            broken += 1
    return changed, broken


def _use(newest: bool) -> str:
    return "signs and seals" if newest else "verifies and opens"
