"""Secrets from standard input or from a terminal, never from the command line."""

from __future__ import annotations

import secrets
import sys

import click

from totp_gate.cli.parts import Parts, Refused
from totp_gate.model import User

_LONGEST = 16_384
_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aeiou"


def readable_password(syllables: int = 12) -> str:
    """Return a random password that is easy to type: ``lofa-guni-beto-...``.

    Each syllable has 6.3 bits: twelve are enough for a hash that is stolen.
    """
    drawn = [
        secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(syllables)
    ]
    pairs = ["".join(drawn[i : i + 2]) for i in range(0, syllables, 2)]
    return "-".join(pairs)


def on_terminal() -> bool:
    """Tell whether there is somebody to ask."""
    return sys.stdin is not None and sys.stdin.isatty()


def read_line(what: str) -> str:
    """Return the first line of standard input; on a terminal it is asked for.

    Raises:
        UsageError: there is none.
    """
    if on_terminal():
        return str(click.prompt(what, hide_input=True, err=True))
    octets = sys.stdin.buffer.readline(_LONGEST) if sys.stdin else b""
    try:
        line = octets.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.UsageError(f"{what} on standard input is not UTF-8.") from None
    if not line:
        raise click.UsageError(f"{what} is expected on standard input, as one line.")
    return line


def new_password(parts: Parts, user: User, *, from_stdin: bool) -> str:
    """Return a new password for *user*, which the rules have nothing against.

    Args:
        from_stdin: read it from standard input; else it is asked for twice.

    Raises:
        UsageError: there is neither, or no terminal to ask on.
        Refused: the rules are against it.
    """
    if from_stdin:
        password = read_line("Password")
    elif on_terminal():
        password = str(
            click.prompt(
                "Password", hide_input=True, confirmation_prompt=True, err=True
            )
        )
    else:
        raise click.UsageError(
            "There is no terminal to ask on: use --password-stdin and give the"
            " password as the first line of standard input."
        )
    return judged(parts, user, password)


def judged(parts: Parts, user: User, password: str) -> str:
    """Return *password* if the rules have nothing against it.

    Raises:
        Refused: they have; the text says what.
    """
    reasons = parts.accounts.enrollment.judge(password, user)
    if reasons:
        raise Refused("This password will not do. " + " ".join(reasons))
    return password


def confirm(question: str, *, yes: bool) -> None:
    """Go on where *yes* was given, or somebody on the terminal says so.

    Raises:
        UsageError: there is nobody to ask.
        Abort: the answer is no.
    """
    if yes:
        return
    if not on_terminal():
        raise click.UsageError("There is no terminal to ask on: confirm with --yes.")
    click.confirm(question, abort=True, err=True)
