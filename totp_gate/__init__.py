"""A login gate for web applications: a password and a one-time code, no more.

``application = Gate(application, "gate.toml")`` puts it in front of a WSGI application;
``create_app("gate.toml")`` is what a server runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from totp_gate.app import Gate, create_app
    from totp_gate.config import load_config
    from totp_gate.errors import GateError
    from totp_gate.model import Identity

__all__ = ["Gate", "GateError", "Identity", "create_app", "load_config"]

_HOMES = {
    "Gate": "totp_gate.app",
    "GateError": "totp_gate.errors",
    "Identity": "totp_gate.model",
    "create_app": "totp_gate.app",
    "load_config": "totp_gate.config",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that commands start fast."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
