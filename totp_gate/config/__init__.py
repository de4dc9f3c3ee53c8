"""``gate.toml`` -> `Config`: every problem at once, each with its key and a remedy.

Strategy: pydantic judges each setting alone. Those it refuses are taken out and the
rest is judged together (`Section.complaints`), so that a contradiction shows beside a
typing error and not only after it. Values never appear in a message where they could
be secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from totp_gate.config.base import Complaint
from totp_gate.config.permissions import meddled, replaceable
from totp_gate.config.problems import broken, concerns, translate, without
from totp_gate.config.settings import Config
from totp_gate.config.sources import FILE_VARIABLE, Source, strangers
from totp_gate.errors import ConfigError

__all__ = ["Config", "examine", "load_config", "settings_file"]


def load_config(
    path: str | Path | None = None, *, environ: Mapping[str, str] | None = None
) -> Config:
    """Return what the settings file and the environment say.

    Neither the keys nor the state are opened; of the keys only the file's mode and
    owner are looked at, as of all that is named. The file itself may be changed by
    nobody but root and the user who runs this, and read by nobody if a secret is in it.

    Args:
        path: the file; None: ``TOTP_GATE_CONFIG``, else ``gate.toml``.
        environ: overrides any key, as ``TOTP_GATE__SESSION__IDLE=30m``; None: that of
            the process.

    Raises:
        ConfigError: with all problems, in the order of the file.
    """
    config, problems = examine(path, environ=environ)
    if problems or config is None:
        raise ConfigError(problems)
    return config


def examine(
    path: str | Path | None = None, *, environ: Mapping[str, str] | None = None
) -> tuple[Config | None, list[tuple[str, str]]]:
    """Return what can be used of the settings, and all that is wrong with them.

    Where something is wrong, the settings are good for finding out what else is, and
    for nothing more: defaults stand for those that cannot be used.

    Args:
        path, environ: as in ``load_config``.

    Raises:
        ConfigError: there is no file, or it is no TOML.
    """
    environ = os.environ if environ is None else environ
    file, strange = settings_file(path, environ=environ), strangers(Config, environ)
    try:
        source = Source(file)
    except ConfigError as error:
        raise ConfigError([*error.problems, *strange]) from None
    source.override(Config, environ)
    config, complaints = _judge(source)
    complaints.sort(key=source.position)
    problems = [(source.label(one.place), one.reason) for one in complaints]
    if reason := meddled(file) or replaceable(file):
        problems.insert(0, (file.name, reason))
    return config, problems + strange


def settings_file(
    path: str | Path | None = None, *, environ: Mapping[str, str] | None = None
) -> Path:
    """Return the absolute path of the settings file; arguments as for `load_config`."""
    environ = os.environ if environ is None else environ
    return Path(path or environ.get(FILE_VARIABLE) or "gate.toml").absolute()


def _judge(source: Source) -> tuple[Config | None, list[Complaint]]:
    config, complaints = _validate(source.values, source.path)
    wrong = broken(complaints)
    if wrong:
        config, _ = _validate(without(source.values, wrong), source.path)
    for complaint in config.complaints() if config else ():
        if not concerns(complaint, wrong):
            complaints.append(complaint)
    return config, complaints


def _validate(values: object, path: Path) -> tuple[Config | None, list[Complaint]]:
    try:
        return Config.model_validate(values, context=path), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    return None, [translate(one, Config) for one in found]
