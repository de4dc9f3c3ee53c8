"""``totp-gate init``: from an empty folder to a gate that somebody can sign in to."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import click

from totp_gate.cli import installation
from totp_gate.cli.asking import (
    judged,
    on_terminal,
    read_line,
    readable_password,
)
from totp_gate.cli.check import print_warnings, unlisted_front
from totp_gate.cli.importing import new_user
from totp_gate.cli.output import json_option, print_fields, print_json
from totp_gate.cli.parts import Parts, pass_parts
from totp_gate.core import otp
from totp_gate.core.urls import Origin, parse_origin
from totp_gate.model import User


@click.command()
@click.option(
    "--origin",
    "origin_text",
    required=True,
    metavar="URL",
    help="Where people reach the application: https://app.example.com",
)
@click.option("--user", "user_name", required=True, help="Name of the first user.")
@click.option(
    "--upstream",
    default="",
    metavar="URL|MODULE:APP",
    help="What is behind the gate: an address, or a WSGI application.",
)
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="NETWORK",
    help="Where a web server in front comes from; without --upstream it asks the gate.",
)
@click.option("--name", default="", help="Title of the pages; default: the host.")
@click.option(
    "--password-stdin", is_flag=True, help="Take the password from standard input."
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to put the files; default: where --config says, so here.",
)
@click.option(
    "--insecure-http",
    is_flag=True,
    help="Allow an http:// origin that is not this machine.",
)
@json_option
@pass_parts
def init(
    parts: Parts,
    *,
    origin_text: str,
    user_name: str,
    upstream: str,
    proxies: tuple[str, ...],
    name: str,
    password_stdin: bool,
    directory: Path | None,
    insecure_http: bool,
    as_json: bool,
) -> None:
    """Write gate.toml, keys and state, and add the first user.

    The user's password is taken from standard input, asked for on a terminal, or made
    up and printed, with a QR code for their authenticator app and recovery codes. Files
    that exist are never overwritten; if anything fails, nothing is left behind.

    \b
    Examples:
        totp-gate init --origin https://app.example.com --user alice \\
            --upstream http://127.0.0.1:5000
        totp-gate init --origin https://app.example.com --user alice \\
            --upstream mysite.wsgi:application --password-stdin < alice.password
        totp-gate init --origin https://app.example.com --user alice \\
            --trusted-proxy 127.0.0.1
    """
    origin = _origin(origin_text, insecure=insecure_http)
    parts.path = _path(parts.path, directory)
    user = new_user({"name": user_name}, now=parts.now())
    text = installation.settings_text(
        origin=origin.text,
        name=name,
        upstream=upstream,
        proxies=proxies,
        insecure=origin.scheme == "http",
    )
    given = _given_password(password_stdin)
    with installation.making(parts.path):
        installation.write_files(parts.path, text, now=parts.now())
        first = _add(parts, user, given)
    _tell(parts, first, show_password=not given, as_json=as_json)


def _add(parts: Parts, user: User, given: str) -> installation.FirstUser:
    password = judged(parts, user, given) if given else readable_password()
    first = installation.add_first_user(parts, user.name, password)
    parts.record(user.name, "user-added")
    return first


def _path(path: Path, directory: Path | None) -> Path:
    return (directory / path.name if directory else path).absolute()


def _origin(text: str, *, insecure: bool) -> Origin:
    try:
        origin = parse_origin(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--origin") from error
    if origin.scheme == "http" and not insecure and not _is_loopback(origin.host):
        raise click.BadParameter(
            f"{origin.text}: over plain http others can read the password. Use"
            " https://, or say --insecure-http where that is meant.",
            param_hint="--origin",
        )
    return origin


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _given_password(from_stdin: bool) -> str:
    """Return the password that somebody chose; empty: one is made up."""
    if from_stdin:
        return read_line("Password")
    if on_terminal():
        return str(
            click.prompt(
                "Password (empty: one is made up)",
                default="",
                show_default=False,
                hide_input=True,
                confirmation_prompt=True,
                err=True,
            )
        )
    return ""


def _tell(
    parts: Parts, first: installation.FirstUser, *, show_password: bool, as_json: bool
) -> None:
    (_print_json if as_json else _print)(parts, first, show_password=show_password)
    print_warnings(unlisted_front(parts.config))


def _print(parts: Parts, first: installation.FirstUser, *, show_password: bool) -> None:
    folder = parts.path.parent
    click.echo(
        f"Made {parts.path.name}, {installation.KEYS} and {installation.STATE}"
        f" in {folder}.\n"
    )
    fields = [("address", parts.config.origins[0].text), ("user", first.name)]
    if show_password:
        fields.append(("password", first.password))
    print_fields(fields)
    click.echo()
    installation.print_authenticator(parts, first)
    click.echo("\nRecovery codes, each good once, for when the authenticator is lost:")
    for code in first.recovery:
        click.echo(f"  {code}")
    click.echo("\nNone of this is shown again. Next:")
    from totp_gate.app import missing_upstream

    served = not missing_upstream(parts.config)
    if not served:
        click.echo("  name what is behind the gate in [upstream], or wrap it in Gate()")
    elif parts.config.upstream is None:
        click.echo("  totp-gate config nginx --upstream URL  (or caddy, traefik)")
    click.echo("  totp-gate check")
    if served:
        click.echo("  totp-gate serve")


def _print_json(
    parts: Parts, first: installation.FirstUser, *, show_password: bool
) -> None:
    base32 = otp.to_base32(first.seed)
    shown: dict[str, object] = {
        "config": str(parts.path),
        "address": parts.config.origins[0].text,
        "user": first.name,
        "setup_key": base32,
        "recovery_codes": first.recovery,
        "uri": otp.provisioning_uri(
            first.seed,
            parts.accounts.factors.params,
            issuer=parts.config.gate.name,
            account=first.name,
        ),
    }
    if show_password:
        shown["password"] = first.password
    print_json(shown)
