"""``totp-gate config``: ready configurations of what stands around the gate."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from sqlalchemy import make_url

from totp_gate.cli.fronts import (
    ASKED,
    ASKED_ANEW,
    SETS,
    TOLD,
    around,
    beginnings,
    certificate,
    described,
    forwarded,
    is_own,
    listening,
    misspelt,
    nginx_variable,
)
from totp_gate.cli.listening import is_for_root
from totp_gate.cli.parts import Noun, Parts, pass_parts
from totp_gate.cli.places import plain
from totp_gate.core import headers
from totp_gate.web import overrides

if TYPE_CHECKING:
    from totp_gate.config import Config

Command = TypeVar("Command", bound=Callable[..., Any])

_HOMES = tuple(f"/{name}/" for name in ("home", "root", "run/user"))
_SETS_TOO = ("X-Forwarded-Port", "X-Forwarded-Server", "X-Real-IP")  # Traefik does
_TEMPORARY = ("/tmp/", "/var/tmp/")  # noqa: S108 - looked for, not used


@click.group(cls=Noun)
def config() -> None:
    """Ready configurations of web servers and of the service.

    Printed for the settings file as it is, with a comment on every block.

    \b
    totp-gate config nginx > /etc/nginx/conf.d/totp_gate.conf
    totp-gate config systemd > /etc/systemd/system/totp-gate.service
    """


def _for_web_servers(command: Command) -> Command:
    """Give *command* the options that say where things are."""
    options = (
        click.option(
            "--upstream",
            metavar="URL",
            help="The application: http://, https:// or unix:/path. Default:"
            " upstream.url.",
        ),
        click.option(
            "--gate",
            metavar="ADDRESS",
            help="Where the gate listens. Default: server.bind.",
        ),
    )
    for option in options:
        command = option(command)
    return command


_certified = click.option(
    "--certificate",
    metavar="FILE",
    help="Its key lies beside it, ending in .key. Default: /etc/ssl/HOST.pem.",
)


@config.command("nginx")
@click.option(
    "--listen", metavar="ADDRESS", help="Where nginx listens. Default: the port."
)
@_certified
@click.option(
    "--cache",
    metavar="FOLDER",
    default="/run/totp_gate-nginx",
    show_default=True,
    help="Where answers are kept for seconds: in memory.",
)
@_for_web_servers
@pass_parts
def for_nginx(
    parts: Parts, /, upstream: str | None, gate: str | None, **options: Any
) -> None:
    """Print a configuration of nginx, which asks the gate before every request.

    \b
    Examples:
        totp-gate config nginx
        totp-gate config nginx --upstream http://127.0.0.1:5000 --listen 8443
    """
    from totp_gate.web.forward import CACHE_SECONDS

    found = around(parts.config, upstream, gate)
    listen, cache = options["listen"], options["cache"]
    found["origins"] = [
        {
            **described(origin),
            "listen": listening(origin, listen),
            "certificate": certificate(origin, options["certificate"]),
        }
        for origin in parts.config.origins
    ]
    found["keeps"] = is_own(parts.config, found["application"])
    found |= {"listen": listen, "cache": plain(cache), "seconds": CACHE_SECONDS}
    found["overrides"] = overrides.NAMES
    found["forwarded"] = forwarded(but=SETS)
    found["anew"] = "".join(map(nginx_variable, (*ASKED_ANEW, *overrides.NAMES)))
    _warn_of_strangers(parts.config, found["peer"], "nginx")
    _print("nginx.conf", found)


@config.command("caddy")
@click.option("--listen", metavar="ADDRESS", help="Interface. Default: all of them.")
@_for_web_servers
@pass_parts
def for_caddy(
    parts: Parts, upstream: str | None, gate: str | None, listen: str | None
) -> None:
    """Print a configuration of Caddy, which asks the gate before every request.

    \b
    Example: totp-gate config caddy --upstream http://127.0.0.1:5000
    """
    found = around(parts.config, upstream, gate)
    found["listen"] = None if listen is None else plain(listen)
    found["forwarded"] = forwarded(but=SETS)
    found["misspelt"] = [
        *beginnings((*found["identity"], *overrides.NAMES)),
        *beginnings(found["forwarded"], signs="_"),
    ]
    _warn_of_strangers(parts.config, found["peer"], "Caddy")
    _print("caddy.conf", found)


@config.command("traefik")
@click.option("--entry-point", metavar="NAME", default="websecure", show_default=True)
@_for_web_servers
@pass_parts
def for_traefik(
    parts: Parts, upstream: str | None, gate: str | None, entry_point: str
) -> None:
    """Print a dynamic configuration of Traefik, which asks the gate.

    \b
    Example: totp-gate config traefik --gate http://gate:8000 --upstream http://app:5000
    """
    found = around(parts.config, upstream, gate)
    _refuse_sockets(found, "Traefik")
    hosts = [f"Host(`{origin.host}`)" for origin in parts.config.origins]
    found |= {
        "entry_point": plain(entry_point),
        "hosts": " || ".join(hosts),
        "tls": any(origin.scheme == "https" for origin in parts.config.origins),
        "forwarded": forwarded(but=(*SETS, *_SETS_TOO)),
        "misspelt": misspelt((*found["identity"], *overrides.NAMES)),
    }
    _warn_of_nobody(parts.config, "Traefik")
    _print("traefik.yml", found)


@config.command("envoy")
@click.option("--listen", metavar="ADDRESS", default="0.0.0.0", show_default=True)  # noqa: S104 - as the others do
@_certified
@_for_web_servers
@pass_parts
def for_envoy(
    parts: Parts, /, upstream: str | None, gate: str | None, **options: Any
) -> None:
    """Print a configuration of Envoy, which asks the gate before every request.

    \b
    Example: totp-gate config envoy --gate http://gate:8000 --upstream http://app:5000
    """
    found = around(parts.config, upstream, gate)
    _refuse_sockets(found, "Envoy")
    ports: dict[int, list[dict[str, Any]]] = {}
    for origin in parts.config.origins:
        files = {"certificate": certificate(origin, options["certificate"])}
        ports.setdefault(origin.port, []).append(described(origin) | files)
    found |= {
        "listen": plain(options["listen"]),
        "ports": list(ports.items()),
        "asked": (*ASKED, *overrides.NAMES),
        "told": TOLD,
        "forwarded": forwarded(but=()),
        "misspelt": [
            name
            for name in misspelt((*found["identity"], *overrides.NAMES))
            if "_" not in name
        ],
    }
    _warn_of_nobody(parts.config, "Envoy")
    _print("envoy.yaml", found)


@config.command("systemd")
@click.option(
    "--user", metavar="NAME", default="totp_gate", show_default=True, help="Runs it."
)
@pass_parts
def for_systemd(parts: Parts, user: str) -> None:
    """Print a unit of systemd that runs the gate, shut off from the rest.

    \b
    Example: totp-gate --config /var/lib/totp_gate/gate.toml config systemd
    """
    settings = parts.config
    program = shutil.which(sys.argv[0]) if "totp-gate" in sys.argv[0] else None
    running = plain(str(Path(program).absolute()) if program else sys.executable)
    writable = sorted({plain(str(folder)) for folder in _writable(settings)})
    paths = [f"{path}/" for path in (*writable, running, str(settings.folder))]
    _print(
        "systemd.service",
        {
            "origins": [described(origin) for origin in settings.origins],
            "user": plain(user),
            "folder": plain(str(settings.folder)),
            "settings": plain(str(settings.path)),
            "program": running if program else f"{running} -m totp_gate",
            "writable": writable,
            "in_home": any(path.startswith(_HOMES) for path in paths),
            "in_tmp": any(path.startswith(_TEMPORARY) for path in paths),
            "privileged": is_for_root(settings.server.bind),
            "wrapped": settings.upstream is not None and bool(settings.upstream.app),
        },
    )


def _writable(settings: Config) -> Iterable[Path]:
    yield Path(str(make_url(settings.state_url).database)).parent
    yield settings.keys_file.parent
    if settings.audit.file.startswith("/"):
        yield Path(settings.audit.file).parent
    if settings.server.bind.startswith("unix:"):
        yield Path(settings.server.bind.removeprefix("unix:")).parent


def _refuse_sockets(found: dict[str, Any], server: str) -> None:
    for name, key in (("--gate", "gate"), ("--upstream", "application")):
        if found[key].path:
            raise click.UsageError(f"{name}: {server} reaches no unix socket.")


def _warn_of_nobody(settings: Config, server: str) -> None:
    if not settings.gate.trusted_proxies:
        _warn("gate.trusted_proxies", f"is empty: list where {server} comes from")


def _warn_of_strangers(settings: Config, peer: str, server: str) -> None:
    trusted = headers.Networks(settings.gate.trusted_proxies)
    if peer != "ADDRESS" and not trusted.contains(peer):
        reason = f'does not hold "{peer}", from where {server} asks: it will be refused'
        _warn("gate.trusted_proxies", reason)


def _warn(key: str, reason: str) -> None:
    click.echo(f"warning: {key}: {reason}", err=True)


def _print(name: str, found: dict[str, Any]) -> None:
    """Print the template *name*, filled with what is harmless in it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from totp_gate.web.pages import template_folder

    environment = Environment(
        loader=FileSystemLoader(template_folder() / "config"),
        autoescape=False,  # noqa: S701 - no HTML, and every value is plain
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    click.echo(environment.get_template(name).render(found), nl=False)
