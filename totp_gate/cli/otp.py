"""``totp-gate otp``: secrets and codes, for tokens, scripts and finding mistakes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from totp_gate.cli.asking import read_line
from totp_gate.cli.output import json_option, print_json
from totp_gate.cli.parts import Noun, Parts, Refused, pass_parts
from totp_gate.core import otp as codes

Command = TypeVar("Command", bound=Callable[..., Any])


def _shape(command: Command) -> Command:
    """Give *command* the options that say what codes look like."""
    for option in (
        click.option(
            "--counter",
            type=click.IntRange(0, 2**63 - 1),
            help="Count (HOTP) instead of reading the clock (TOTP).",
        ),
        click.option(
            "--period",
            type=click.IntRange(codes.SHORTEST_PERIOD, codes.LONGEST_PERIOD),
            default=30,
            show_default=True,
            help="Seconds a code lasts.",
        ),
        click.option(
            "--algorithm",
            type=click.Choice(["SHA1", "SHA256", "SHA512"], case_sensitive=False),
            default="SHA1",
            show_default=True,
        ),
        click.option(
            "--digits", type=click.IntRange(6, 8), default=6, show_default=True
        ),
        click.option(
            "--time",
            "at",
            type=click.FloatRange(0, 2**40),
            help="Unix seconds instead of now.",
        ),
    ):
        command = option(command)
    return command


@click.group(cls=Noun)
def otp() -> None:
    """One-time codes: make secrets, show codes, check codes.

    The secret is read from standard input, base32 or hex:..., in any layout: it never
    stands on a command line, where others can see it.

    \b
    totp-gate otp secret > alice.totp
    totp-gate otp code < alice.totp
    totp-gate otp verify 123456 < alice.totp
    """


@otp.command("secret")
@click.option("--hex", "as_hex", is_flag=True, help="Hexadecimal instead of base32.")
@click.option(
    "--bytes",
    "size",
    type=click.IntRange(codes.MIN_SECRET, codes.MAX_SECRET),
    default=20,
    show_default=True,
    help="Length; 20 is what every app takes.",
)
@json_option
def secret(as_hex: bool, size: int, as_json: bool) -> None:
    """Print a new random secret.

    \b
    Example, for totp_secret_file in gate.toml:
        (umask 077; totp-gate otp secret > alice.totp)
    """
    key = codes.new_secret(size)
    if as_json:
        print_json({"base32": codes.to_base32(key), "hex": key.hex()})
    else:
        click.echo(f"hex:{key.hex()}" if as_hex else codes.to_base32(key))


@otp.command("code")
@_shape
@json_option
@pass_parts
def code(
    parts: Parts,
    *,
    counter: int | None,
    period: int,
    algorithm: codes.Algorithm,
    digits: int,
    at: float | None,
    as_json: bool,
) -> None:
    """Print the code of a secret, which is read from standard input.

    \b
    Examples:
        totp-gate otp code < alice.totp
        totp-gate otp code --counter 7 < token.hotp
    """
    params = codes.Params(algorithm=algorithm, digits=digits, period=period)
    key = _read_secret()
    now = parts.now() if at is None else at
    step = codes.step_at(now, params) if counter is None else counter
    shown = codes.code_at(key, step, params)
    if not as_json:
        click.echo(shown)
    elif counter is not None:
        print_json({"code": shown, "counter": counter})
    else:
        left = codes.seconds_left(now, params)
        print_json({"code": shown, "seconds_left": left})


@otp.command("verify")
@click.argument("code")
@click.option(
    "--drift",
    type=click.IntRange(0, 3),
    default=1,
    show_default=True,
    help="Steps accepted before and after the current one.",
)
@_shape
@json_option
@pass_parts
def verify(
    parts: Parts,
    *,
    code: str,
    drift: int,
    counter: int | None,
    period: int,
    algorithm: codes.Algorithm,
    digits: int,
    at: float | None,
    as_json: bool,
) -> None:
    """Tell whether CODE is right for a secret, which is read from standard input.

    Ends with 1 where it is not, and says so if the clock of the device seems to be
    wrong. Nothing is used up: this asks no gate.

    \b
    Examples:
        totp-gate otp verify 123456 < alice.totp
        totp-gate otp verify 755224 --counter 0 < token.hotp
    """
    params = codes.Params(
        algorithm=algorithm, digits=digits, period=period, drift=drift
    )
    typed = codes.clean_code(code)
    if not codes.is_code(typed, digits):
        raise click.BadParameter(f"a code is {digits} digits", param_hint="CODE")
    key = _read_secret()
    now = parts.now() if at is None else at
    if counter is None:
        right, result = _by_clock(key, typed, params, now)
    else:
        right, result = _by_counter(key, typed, params, counter)
    if as_json:
        print_json({"right": right, **{k: v for k, v in result.items() if k != "text"}})
    elif right:
        click.echo(f"right: {result['text']}")
    if not right:
        raise Refused(f"wrong: {result['text']}")


def _by_clock(
    key: bytes, typed: str, params: codes.Params, now: float
) -> tuple[bool, dict[str, object]]:
    step = codes.match_step(key, typed, params, now=now)
    if step is not None:
        offset = (step - codes.step_at(now, params)) * params.period
        text = f"its step began {time.strftime('%H:%M:%S UTC', _start(step, params))}"
        return True, {"step": step, "offset": offset, "text": text + _aside(offset)}
    wrong = codes.clock_offset(key, typed, params, now=now)
    text = "it is no code of this secret in these minutes"
    if wrong is not None:
        text = f"it would be right on a clock that is{_aside(wrong)}; set the clock"
    return False, {"offset": wrong, "text": text}


def _by_counter(
    key: bytes, typed: str, params: codes.Params, counter: int
) -> tuple[bool, dict[str, object]]:
    found = codes.match_counter(key, typed, params, counter=counter)
    if found is not None:
        return True, {"counter": found, "text": f"counter {found}"}
    last = counter + params.look_ahead - 1
    text = f"it is no code of this secret at the counters {counter} to {last}"
    return False, {"counter": None, "text": text}


def _start(step: int, params: codes.Params) -> time.struct_time:
    return time.gmtime(step * params.period)


def _aside(offset: int) -> str:
    """Return by how much a clock is off, in words."""
    if offset == 0:
        return ""
    return f" {abs(offset)} s {'behind' if offset < 0 else 'ahead'}"


def _read_secret() -> bytes:
    try:
        return codes.parse_secret(read_line("Secret"))
    except ValueError as error:
        raise click.UsageError(f"The secret cannot be used: {error}") from error
