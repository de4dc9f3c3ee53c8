"""The sections about what operators see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo, field_validator

from totp_gate.config.base import Complaint, Section, complaint, folder, setting
from totp_gate.config.fields import as_tuple, each
from totp_gate.config.permissions import meddled
from totp_gate.core.headers import Networks
from totp_gate.telemetry.inventory import EVENTS, told_events
from totp_gate.telemetry.sinks import FACILITIES

Words = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]


class AuditSection(Section):
    """``[audit]``: one line for each sign-in, refusal and change of an account."""

    file: str = setting("-", 'a file; "-": standard error; "syslog:" or "syslog:auth"')
    command: Words = setting(
        [], "program, and arguments, that gets chosen events on its standard input"
    )
    command_events: Words = setting(
        [], "the events it gets (docs/audit.md); empty: those an owner wants to hear of"
    )

    @field_validator("file")
    @classmethod
    def _read_file(cls, value: str, info: ValidationInfo) -> str:
        if value == "-":
            return value
        if value.startswith("syslog:"):
            facility = value.removeprefix("syslog:")
            if facility and facility not in FACILITIES:
                raise ValueError("names no syslog facility: write syslog:auth")
            return value
        path = folder(info) / value
        if not value or "\0" in value or os.path.isdir(path):  # noqa: PTH112 - no raise
            raise ValueError('is no file: name one, or "-" for standard error')
        if not os.path.isdir(path.parent):  # noqa: PTH112 - a name too long is no folder
            raise ValueError(f"{path.parent} is no folder: make it, or name another")
        return str(path)

    @field_validator("command")
    @classmethod
    def _read_command(
        cls, value: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        if not value:
            return value
        if any("\0" in word for word in value):
            raise ValueError("holds a character that no argument can: leave it out")
        program = folder(info) / value[0]
        if _is_program(program):
            if reason := meddled(program):
                raise ValueError(reason)
        else:
            raise ValueError(
                f"{program} is no program: name one by its path, and run"
                " chmod +x on it (arguments are list items of their own)"
            )
        return (str(program), *value[1:])

    @field_validator("command_events")
    @classmethod
    def _read_events(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = ", ".join(repr(event) for event in value if event not in EVENTS)
        if wrong:
            raise ValueError(f"{wrong} is no event: choose from {', '.join(EVENTS)}")
        return value or told_events()

    def complaints(self) -> Iterator[Complaint]:
        """Yield what is wrong between the settings."""
        if self.command_events != told_events() and not self.command:
            reason = "means nothing without command: add one, or remove it"
            yield complaint("command_events", reason, "command")


class MetricsSection(Section):
    """``[metrics]``: figures for Prometheus, under the prefix at ``/metrics``."""

    networks: Words = setting(
        ["127.0.0.0/8", "::1/128"],
        "who may read them, and what is wrong where the gate is not ready",
    )

    @field_validator("networks")
    @classmethod
    def _read_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        each(value, lambda text: Networks([text]))
        return value


def _is_program(path: Path) -> bool:
    try:
        return path.is_file() and os.access(path, os.X_OK)
    except OSError:
        return False
