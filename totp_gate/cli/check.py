"""``totp-gate check``: everything that is wrong, or what there is."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import make_url

from totp_gate.cli.output import json_option, print_fields, print_json
from totp_gate.cli.parts import Parts, Unusable, pass_parts
from totp_gate.errors import ConfigError, GateError

if TYPE_CHECKING:
    from totp_gate.config import Config
    from totp_gate.core.keys import KeyRing
    from totp_gate.core.passwords import Profile
    from totp_gate.model import User

_PATIENCE = 2.0
_NAMED = 10
_WEAK_PLACES = {
    "htpasswd": ("gate.htpasswd", "whoever copies the file has it; run htpasswd -B"),
    "store": ("users", "it is replaced when they sign in; totp-gate user passwd NAME"),
}
"""Where a weak hash may stand, and what to do about it."""

Problems = list[tuple[str, str]]


@click.command()
@json_option
@pass_parts
def check(parts: Parts, as_json: bool) -> None:
    """Say all that is wrong with the settings and what they name.

    Reads the file and the environment, the keys and the state, imports the application
    or knocks at its address. Ends with 2 if the gate would not start. Warnings are
    what would start and still is not right.

    \b
    Example: totp-gate --config /etc/totp_gate/gate.toml check
    """
    try:
        found = look(parts.path, profile=parts.profile)
    except ConfigError as error:
        if as_json:
            _print_json(error.problems, [])
        raise
    if as_json:
        _print_json(found.problems, found.warnings, **found.summary)
    print_warnings(found.warnings)
    if found.problems:
        raise ConfigError(found.problems)
    if not as_json:
        print_fields([("ok", parts.path.absolute()), *found.summary.items()])


def _print_json(
    problems: Iterable[tuple[str, str]],
    warnings: Iterable[tuple[str, str]],
    **summary: Any,
) -> None:
    told = {
        "ok": not problems,
        "problems": [list(each) for each in problems],
        "warnings": [list(each) for each in warnings],
    }
    print_json(told if problems else told | summary)


def look(path: Path, *, profile: Profile | None = None) -> Findings:
    """Return all that can be found out about the installation of the settings *path*.

    Args:
        profile: what a password hash costs.

    Raises:
        ConfigError: there are no settings of which anything could be used.
    """
    from totp_gate.config import examine

    config, problems = examine(path)
    if config is None:
        raise ConfigError(problems)
    return Findings(config, problems, profile=profile)


class Findings:
    """What was found out about an installation.

    Args:
        config: the settings, of which some may be defaults in the place of what cannot
            be used.
        known: what is wrong with those; what they name is not looked at.
        profile: what a password hash costs.

    Attributes:
        config: the settings.
        problems: what keeps the gate from starting, with its key.
        warnings: what does not, with its key.
        summary: what there is.
    """

    def __init__(
        self, config: Config, known: Problems, *, profile: Profile | None = None
    ) -> None:
        self.problems: Problems = list(known)
        self._profile = profile
        self.config = config
        self.warnings: Problems = []
        self.summary: dict[str, Any] = {
            "origins": [origin.text for origin in config.origins],
        }
        if self._is_right("gate") and self._is_right("server"):
            self.warnings += unlisted_front(config)
        if self._is_right("rules"):
            self._see_rules(config)
        if self._is_right("upstream"):
            self._see_upstream(config)
        if self._is_right("gate.theme"):
            self._see_theme(config)
        ring = self._see_keys(config) if self._is_right("gate.keys_file") else None
        if self._is_right("gate.state"):
            self._see_state(config, None if known else ring)

    def _is_right(self, place: str) -> bool:
        """Tell whether nothing is wrong with the settings that begin with *place*."""
        return not any(key.startswith(place) for key, _ in self.problems)

    def _see_theme(self, config: Config) -> None:
        from totp_gate.app import pages_of

        self._try(lambda: pages_of(config))

    def _see_rules(self, config: Config) -> None:
        from totp_gate.core.policy import Policy

        policy = Policy.compile(config.access_rules())
        self.warnings += policy.problems(origin.host for origin in config.origins)
        self.summary["rules"] = len(policy.rules)

    def _see_upstream(self, config: Config) -> None:
        upstream = config.upstream
        if upstream is None:
            asking = "a web server asks, or " if config.gate.trusted_proxies else ""
            wrapped = "an application wraps itself in Gate()"
            self.summary["upstream"] = f"none: {asking}{wrapped}"
            return
        self.summary["upstream"] = upstream.app or upstream.url
        if upstream.url and config.server.worker_class == "sync":
            reason = (
                "is sync: a request, also a slow one, has a worker to itself, and there"
                f" are {config.server.workers}: leave it out"
            )
            self.warnings.append(("server.worker_class", reason))
        if upstream.app:
            from totp_gate.app import load_upstream

            self._try(lambda: load_upstream(upstream.app, config.folder))
            return
        reason = _knock(config)
        if reason:
            remedy = f"{upstream.url} does not answer ({reason}): is it running?"
            self.warnings.append(("upstream.url", remedy))

    def _see_keys(self, config: Config) -> KeyRing | None:
        from totp_gate.app import read_keys

        ring: KeyRing | None = self._try(lambda: read_keys(config.keys_file))
        if ring is not None:
            newest = f"newest {ring.newest.id} of {ring.newest.made}"
            self.summary["keys"] = f"{len(ring.keys)} ({newest})"
        return ring

    def _see_state(self, config: Config, ring: KeyRing | None) -> None:
        from totp_gate.stores.sql import open_store

        path = Path(str(make_url(config.state_url).database))
        self.summary["state"] = str(path)
        if not path.exists() and path.parent.is_dir():
            reason = f"{path} is not there yet; the first start makes it, empty"
            self.warnings.append(("gate.state", reason))
            return
        store = self._try(lambda: open_store(config.state_url))
        if store is None:
            return
        with closing(store):
            if ring is not None:
                self._try(lambda: self._see_users(config))

    def _see_users(self, config: Config) -> None:
        from totp_gate.app import open_accounts

        accounts = open_accounts(config, profile=self._profile)
        with closing(accounts.store):
            users = list(accounts.directory.everyone())
            in_file = sum(each.source == "file" for each in users)
            known = {key.id for key in accounts.ring.keys}
            sealed = accounts.store.authenticators(None)
            took = accounts.measure_hashes(times=1)
        self.summary["users"] = f"{len(users)} ({in_file} in the settings file)"
        self._see_named(config, users)
        self._see_weak(users)
        self._see_hashes(users, took)
        if not users:
            reason = "there is nobody who could sign in: totp-gate user add NAME"
            self.warnings.append(("users", reason))
        lost = sum(each.sealed.split(".")[1] not in known for each in sealed)
        if lost:
            reason = f"does not hold the key of {lost} stored secret(s): put it back"
            self.warnings.append(("gate.keys_file", reason))

    def _see_named(self, config: Config, users: list[User]) -> None:
        """Warn of rules for people there are not: a misspelt name opens to nobody."""
        names = {each.name for each in users}
        groups = {group for each in users for group in each.groups}
        for rule in config.access_rules():
            for name in sorted(rule.users - names):
                reason = f"there is no user called {name}: correct it, or add them"
                self.warnings.append((f"rules.{rule.name}.users", reason))
            for group in sorted(rule.groups - groups):
                reason = f"nobody is in the group {group}: correct it, or put them in"
                self.warnings.append((f"rules.{rule.name}.groups", reason))

    def _see_weak(self, users: list[User]) -> None:
        """Warn of passwords whose hash was let in though it is weak."""
        from totp_gate.core.passwords import WEAK, scheme

        for kind, called in WEAK.items():
            for source, (key, remedy) in _WEAK_PLACES.items():
                names = [
                    each.name
                    for each in users
                    if each.source == source
                    and scheme(each.password_hash or "") == kind
                ]
                if names:
                    who = _some_of(names)
                    reason = f"{called} is how the password is kept of {who}: {remedy}"
                    self.warnings.append((key, reason))

    def _see_hashes(self, users: list[User], took: dict[str, float]) -> None:
        """Warn of hashes that take longer than others' failures are drawn out."""
        from totp_gate.core.passwords import LONGEST, cost_of

        for cost, seconds in took.items():
            if seconds <= LONGEST:
                continue
            names = [
                one.name for one in users if cost_of(one.password_hash or "") == cost
            ]
            reason = (
                f"a hash of {cost} takes {seconds:.1f} s here, so the time of a wrong"
                f" password tells of {_some_of(names)}: set another password for them"
            )
            self.warnings.append(("users", reason))

    def _try(self, work: Any) -> Any:
        """Return what *work* returns; what is wrong becomes a problem, and None."""
        try:
            return work()
        except ConfigError as error:
            self.problems += error.problems
        except GateError as error:
            self.problems.append(("gate.state", str(error)))
        return None


def unlisted_front(config: Config) -> Problems:
    """Return a warning where somebody must speak TLS for the gate, and is not named."""
    secure = any(origin.scheme == "https" for origin in config.origins)
    if not secure or config.gate.trusted_proxies:
        return []
    peer = "unix" if config.server.bind.startswith("unix:") else "127.0.0.1"
    reason = (
        "is empty, and the gate speaks no TLS: the web server that does has to be"
        f' named, as ["{peer}"] or where else it comes from'
    )
    return [("gate.trusted_proxies", reason)]


def _some_of(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)
    return f"{', '.join(names[:_NAMED])}{more}"


def _knock(config: Config) -> str:
    """Return why nobody answers at ``upstream.url``, or nothing."""
    there = config.destination()
    try:
        if there.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as knocking:
                knocking.settimeout(_PATIENCE)
                knocking.connect(there.name)
        else:
            address = (there.name.strip("[]"), there.port)
            socket.create_connection(address, _PATIENCE).close()
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
    return ""


def print_warnings(warnings: Problems) -> None:
    """Print what would start and still is not right."""
    for name, reason in warnings:
        click.echo(f"warning: {name}: {reason}", err=True)


def report(path: Path) -> int:
    """Print what keeps the gate of the settings *path* from starting; exit status.

    Imports the application, so it is for a process of its own (``serve`` forks one).
    """
    from totp_gate.app import missing_upstream

    try:
        found = look(path)
        found.problems[:0] = missing_upstream(found.config)
        if found.problems:
            raise ConfigError(found.problems)
    except GateError as error:
        Unusable(str(error)).show()
        return 2
    print_warnings(found.warnings)
    return 0
