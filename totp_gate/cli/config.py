"""``totp-gate config``: ready configurations of what stands around the gate."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from sqlalchemy import make_url

from totp_gate.cli.listening import is_for_root
from totp_gate.cli.parts import Noun, Parts, pass_parts
from totp_gate.cli.places import Place, place_of, plain, reached
from totp_gate.core import headers
from totp_gate.core.urls import Origin
from totp_gate.web import overrides

if TYPE_CHECKING:
    from totp_gate.config import Config

Command = TypeVar("Command", bound=Callable[..., Any])

_SPECIALS = "_!#$%&'*+.^`|~"
_ASKED_ANEW = (
    "Upgrade",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Gate-Held",
    "Access-Control-Request-Method",
    *("Script-Name", "Path-Info"),
)
"""Headers with which a request is never answered from nginx's cache."""

_HOMES = tuple(f"/{name}/" for name in ("home", "root", "run/user"))
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


@config.command("nginx")
@click.option(
    "--listen", metavar="ADDRESS", help="Where nginx listens. Default: the port."
)
@click.option(
    "--certificate",
    metavar="FILE",
    help="Its key lies beside it, ending in .key. Default: /etc/ssl/HOST.pem.",
)
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

    found = _around(parts.config, upstream, gate)
    listen, cache = options["listen"], options["cache"]
    found["origins"] = [
        {
            **_described(origin),
            "listen": _listening(origin, listen),
            "certificate": _certificate(origin, options["certificate"]),
        }
        for origin in parts.config.origins
    ]
    found["keeps"] = _is_own(parts.config, found["application"])
    found |= {"listen": listen, "cache": plain(cache), "seconds": CACHE_SECONDS}
    found["overrides"] = overrides.NAMES
    found["anew"] = "".join(map(_nginx_variable, (*_ASKED_ANEW, *overrides.NAMES)))
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
    found = _around(parts.config, upstream, gate)
    found["listen"] = None if listen is None else plain(listen)
    found["misspelt"] = _beginnings((*found["identity"], *overrides.NAMES))
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
    found = _around(parts.config, upstream, gate)
    for name, key in (("--gate", "gate"), ("--upstream", "application")):
        if found[key].path:
            raise click.UsageError(f"{name}: Traefik reaches no unix socket.")
    hosts = [f"Host(`{origin.host}`)" for origin in parts.config.origins]
    found |= {
        "entry_point": plain(entry_point),
        "hosts": " || ".join(hosts),
        "tls": any(origin.scheme == "https" for origin in parts.config.origins),
        "misspelt": _misspelt((*found["identity"], *overrides.NAMES)),
    }
    if not parts.config.gate.trusted_proxies:
        _warn("gate.trusted_proxies", "is empty: list where Traefik comes from")
    _print("traefik.yml", found)


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
            "origins": [_described(origin) for origin in settings.origins],
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


def _around(settings: Config, upstream: str | None, gate: str | None) -> dict[str, Any]:
    """Return what every web server has to know."""
    from totp_gate.app.furnishing import identity_headers

    found = place_of(gate or settings.server.bind)
    return {
        "origins": [_described(origin) for origin in settings.origins],
        "prefix": settings.gate.prefix,
        "gate": found,
        "application": _application(settings, upstream),
        "identity": list(identity_headers(settings)),
        "peer": "unix" if found.path else _peer(found.name),
        "preflights": any(rule.preflight for rule in settings.rules),
    }


def _application(settings: Config, upstream: str | None) -> Place:
    section = settings.upstream
    if upstream:
        return place_of(upstream)
    if section is None or not section.url:
        raise click.UsageError(
            "The settings name no upstream.url; name the application:"
            " --upstream http://127.0.0.1:5000"
        )
    destination = settings.destination()
    host = destination.authority if destination.host == "upstream" else ""
    return reached(destination, host)


def _is_own(settings: Config, application: Place) -> bool:
    """Tell whether the gate would send a request to *application* too."""
    section = settings.upstream
    if section is None or not section.url:
        return False
    return reached(settings.destination(), application.host) == application


def _described(origin: Origin) -> dict[str, Any]:
    return {
        "text": origin.text,
        "scheme": origin.scheme,
        "host": origin.host,
        "authority": origin.text.partition("://")[2],
    }


def _nginx_variable(header: str) -> str:
    return "$http_" + header.lower().replace("-", "_")


def _certificate(origin: Origin, file: str | None) -> tuple[str, str]:
    """Return the files of a certificate and of its key."""
    path = Path(plain(file or f"/etc/ssl/{origin.host}.pem"))
    return str(path), str(path.with_suffix(".key"))


def _listening(origin: Origin, address: str | None) -> list[str]:
    if address is not None:
        return [plain(address)]
    return [str(origin.port), f"[::]:{origin.port}"]


def _peer(name: str) -> str:
    """Return from where a server on this machine asks the gate at *name*."""
    if name in {"localhost", "127.0.0.1"}:
        return "127.0.0.1"
    return "::1" if name == "::1" else "ADDRESS"


def _writable(settings: Config) -> Iterable[Path]:
    yield Path(str(make_url(settings.state_url).database)).parent
    yield settings.keys_file.parent
    if settings.audit.file.startswith("/"):
        yield Path(settings.audit.file).parent
    if settings.server.bind.startswith("unix:"):
        yield Path(settings.server.bind.removeprefix("unix:")).parent


def _beginnings(names: Iterable[str]) -> list[str]:
    """Return how other spellings of *names* begin: ``Remote_`` of ``Remote-User``."""
    found: dict[str, None] = {}
    for name in names:
        for at, sign in enumerate(name):
            if sign == "-":
                found |= dict.fromkeys(name[:at] + each for each in _SPECIALS)
    return list(found)


def _misspelt(names: Sequence[str]) -> list[str]:
    """Return other spellings of *names*: of long names only those that are used."""
    found = []
    for name in names:
        first, *words = name.split("-")
        signs = "-" + (_SPECIALS if len(words) == 1 else "_.")
        for marks in itertools.product(signs, repeat=len(words)):
            pairs = zip(marks, words, strict=True)
            found.append(first + "".join(map("".join, pairs)))
    return [spelling for spelling in found if spelling not in names]


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
