"""``totp-gate explain``: which rule decides about a request, and why no earlier one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from totp_gate.cli.output import json_option, print_fields, print_json, print_table
from totp_gate.cli.parts import Parts, pass_parts
from totp_gate.config.durations import seconds
from totp_gate.core.headers import clean_address
from totp_gate.core.policy import Policy, Step
from totp_gate.core.urls import clean_host, under, understand
from totp_gate.errors import BadRequest
from totp_gate.model import (
    AccessRequest,
    Challenge,
    Decision,
    Level,
    Permit,
    Refuse,
    Subject,
)

if TYPE_CHECKING:
    from totp_gate.config import Config
    from totp_gate.core.urls import Origin

_LEVELS = {
    "none": Level.NONE,
    "password": Level.PASSWORD,
    "second-factor": Level.SECOND_FACTOR,
}
_URL = re.compile(r"https?://([^/?#]*)([/?].*|)", re.IGNORECASE | re.ASCII)
_NEVER = frozenset({"CONNECT", "TRACE"})
_PASSES = "passes to the application"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a request.

    Attributes:
        steps: what each rule says; none where no rule is asked.
        decision: ``permit``, ``challenge``, ``refuse``; ``own`` for the gate's pages,
            ``bad-request`` for what is no request to this gate.
        answer: what the gate answers, in words.
    """

    steps: list[Step]
    decision: str
    answer: str


@click.command()
@click.argument("method")
@click.argument("url")
@click.option("--user", metavar="NAME", help="Who asks; without it, nobody.")
@click.option(
    "--level",
    type=click.Choice(list(_LEVELS)),
    help="What they have proven.  [default: second-factor with --user, else none]",
)
@click.option(
    "--age",
    metavar="DURATION",
    default="0",
    show_default=True,
    help="How long ago the code was typed, as 20m.",
)
@click.option(
    "--ip",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Where the client is; or unix.",
)
@click.option("--preflight", is_flag=True, help="It is a CORS preflight (OPTIONS).")
@json_option
@pass_parts
def explain(parts: Parts, /, method: str, url: str, **said: Any) -> None:
    """Say which rule decides about METHOD URL, and why each earlier one did not.

    URL may be a path; then it is asked of the first origin. Nothing is sent anywhere.
    Ends with 0 whatever the answer is, with 1 where there is no such user.

    \b
    Examples:
        totp-gate explain GET /healthz
        totp-gate explain POST https://app.example.com/x --user alice --ip 10.0.0.7
        totp-gate explain GET /admin --user alice --age 20m
    """
    if said["preflight"] and method != "OPTIONS":
        raise click.UsageError("A preflight is asked for with OPTIONS.")
    subject = _subject(parts, said["user"], said["level"], _age(said["age"]))
    verdict = _verdict(
        parts,
        method,
        url,
        subject=subject,
        address=_address(said["ip"]),
        preflight=said["preflight"],
    )
    if said["as_json"]:
        print_json(
            {
                "decision": verdict.decision,
                "rule": verdict.steps[-1].rule if verdict.steps else None,
                "answer": verdict.answer,
                "steps": [
                    {"rule": step.rule, "decides": step.matched, "why": step.why}
                    for step in verdict.steps
                ],
            }
        )
        return
    if verdict.steps:
        print_table(("RULE", "DECIDES", "WHY"), map(_row, verdict.steps))
    print_fields([("answer", verdict.answer)])


def _row(step: Step) -> tuple[str, str, str]:
    return step.rule, "yes" if step.matched else "no", step.why


def _verdict(
    parts: Parts,
    method: str,
    url: str,
    *,
    subject: Subject,
    address: str,
    preflight: bool,
) -> Verdict:
    config = parts.config
    origin, wanted = _take_apart(config, url)
    if origin is None:
        return Verdict([], "bad-request", "400: the gate does not answer for this host")
    try:
        target, query = understand(wanted)
        if under(target, config.gate.prefix):
            return Verdict([], "own", "a page of the gate itself: no rule is asked")
        if method in _NEVER:
            return Verdict([], "bad-request", f"405: {method} never passes")
        request = AccessRequest(
            host=origin.host,
            method=method,
            path=target.path,
            readings=target.readings,
            query=query,
            address=address,
            preflight=preflight,
        )
        return _judged(Policy.compile(config.access_rules()), subject, request, parts)
    except BadRequest as error:
        return Verdict([], "bad-request", f"{error.status}: {error}")


def _judged(
    policy: Policy, subject: Subject, request: AccessRequest, parts: Parts
) -> Verdict:
    now = parts.now()
    steps = policy.explain(subject, request, now=now)
    try:
        decision = policy.decide(subject, request, now=now)
    except BadRequest as error:
        return Verdict(steps, "bad-request", f"{error.status}: {error}")
    return Verdict(steps, type(decision).__name__.lower(), _answer(decision, subject))


def _answer(decision: Decision, subject: Subject) -> str:
    match decision:
        case Permit():
            return _PASSES
        case Refuse():
            return "403"
        case Challenge() if subject.user is None:
            return "a browser is sent to sign-in, a program gets 401 login_required"
        case _:
            return (
                "a browser is sent to type a code, a program gets 401 step_up_required"
            )


def _take_apart(config: Config, url: str) -> tuple[Origin | None, str]:
    """Return which origin is asked (None: not ours), and for what, as it is sent."""
    sent = "".join(char if "!" <= char <= "~" else quote(char) for char in url)
    sent = sent.partition("#")[0]
    absolute = _URL.fullmatch(sent)
    if absolute is None:
        return config.origins[0], sent
    host = clean_host(absolute[1])
    rest = absolute[2] if absolute[2].startswith("/") else f"/{absolute[2]}"
    found = (one for one in config.origins if host in one.hosts())
    return next(found, None), rest


def _subject(parts: Parts, name: str | None, level: str | None, age: int) -> Subject:
    if name is None:
        if level not in {None, "none"} or age:
            raise click.UsageError("Name who has proven something, by --user.")
        return Subject()
    user = parts.user(name)
    proven = _LEVELS[level or "second-factor"]
    if user.disabled:
        click.echo(f"{user.name} is disabled, so this is what nobody gets", err=True)
    if proven is Level.NONE or user.disabled:
        return Subject()
    complete = proven is Level.SECOND_FACTOR
    return Subject(
        user=user.name,
        groups=frozenset(user.groups),
        level=proven,
        second_factor_at=parts.now() - age if complete else None,
    )


def _age(text: str) -> int:
    try:
        return seconds(text)
    except ValueError as error:
        raise click.UsageError(f"--age {text}: {error}.") from error


def _address(text: str) -> str:
    address: Any = "unix" if text == "unix" else clean_address(text)
    if address is None:
        raise click.UsageError(f"--ip {text}: write an address, as 192.0.2.1.")
    return str(address)
