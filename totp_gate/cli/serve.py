"""``totp-gate serve``: the gate on gunicorn."""

from __future__ import annotations

import os
from typing import Any

import click

from totp_gate.cli.parts import Parts, Refused, Unusable, pass_parts
from totp_gate.errors import ConfigError

_VARIABLE = "TOTP_GATE__SERVER__"


@click.command()
@click.option("--bind", help="Address: 127.0.0.1:8000 or unix:/run/gate.sock.")
@click.option("--workers", type=int, help="Worker processes.")
@click.option(
    "--worker-class",
    type=click.Choice(["sync", "gthread", "gevent"]),
    help="Default: gthread for upstream.app, else gevent.",
)
@click.option("--threads", type=int, help="Threads of a gthread worker.")
@pass_parts
def serve(parts: Parts, /, **options: Any) -> None:
    """Serve what [upstream] names, behind the gate, with gunicorn.

    Without [upstream] a web server of gate.trusted_proxies asks: then there are the
    gate's own pages, its answers, and 404 for everything else.

    Everything is checked before it starts. Events are written to standard error, one
    JSON line each. The options go over [server] of the settings.

    \b
    Signals: HUP reads the settings, keys and application anew (if they are good;
    otherwise everything stays as it is), TERM ends it gracefully, INT at once.

    \b
    Examples:
        totp-gate serve
        totp-gate --config /etc/totp_gate/gate.toml serve --bind 127.0.0.1:9000
    """
    given = {key: value for key, value in options.items() if value is not None}
    for key, value in given.items():
        # Workers and reloads read them from there as well.
        os.environ[_VARIABLE + key.upper()] = str(value)
    from totp_gate.cli.listening import try_address
    from totp_gate.cli.server import Server, is_sound

    path = parts.path.absolute()
    try:
        server = Server(path)
    except ConfigError as error:
        raise Unusable(_in_options(str(error))) from error
    if not is_sound(path):
        raise click.exceptions.Exit(2)
    try_address(server.bind)
    _run(server)


def _run(server: Any) -> None:
    """Serve; also workers come back through here, when they end."""
    master = os.getpid()
    try:
        server.run()
    except SystemExit as end:
        if end.code in (0, None) or os.getpid() != master:
            raise
        raise Refused("gunicorn has ended; the lines above say why") from None


def _in_options(text: str) -> str:
    """Return *text* with the options that were given, for the variables they became."""
    for key in ("bind", "workers", "worker_class", "threads"):
        name = f"({_VARIABLE}{key.upper()})"
        text = text.replace(name, f"(--{key.replace('_', '-')})")
    return text
