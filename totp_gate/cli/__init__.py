"""``totp-gate``: one file a noun, one function a verb.

Results go to standard output, trouble to standard error. A command ends with 0 when it
did what was asked, with 1 when that was refused or not found, and with 2 when it was
used wrongly or the settings are wrong. Secrets never stand on a command line.
"""

from __future__ import annotations

from pathlib import Path

import click

from totp_gate.cli.parts import Parts, Program

__all__ = ["main"]


@click.group(
    cls=Program,
    nouns=(
        *("demo", "init", "serve", "check", "explain"),
        *("key", "user", "session", "token", "audit", "otp", "config"),
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    envvar="TOTP_GATE_CONFIG",
    default=Path("gate.toml"),
    show_default=True,
    show_envvar=True,
    help="The settings file.",
)
@click.version_option(package_name="totp_gate", prog_name="totp-gate")
@click.pass_context
def main(ctx: click.Context, path: Path) -> None:
    """A login gate: a password and a one-time code before a request may pass.

    \b
    See it work:     totp-gate demo
    Set it up:       totp-gate init --origin https://app.example.com --user alice
    Run it:          totp-gate serve
    Let people in:   totp-gate user add bob

    Every command explains itself: totp-gate COMMAND --help.
    """
    parts = ctx.ensure_object(Parts)
    parts.path = path
    ctx.call_on_close(parts.close)
