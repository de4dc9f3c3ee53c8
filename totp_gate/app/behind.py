"""The WSGI application that ``upstream.app`` names, or why there is none."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import gunicorn.util
from gunicorn.errors import AppImportError

from totp_gate.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_BETWEEN = (__file__, gunicorn.util.__file__, importlib.__file__, "<frozen ")
"""Files between the setting and the application it names."""


def load_upstream(name: str, folder: Path) -> WSGIApplication:
    """Return the WSGI application ``module:name``, found from *folder* too.

    Raises:
        ConfigError: it cannot be imported.
    """
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        app: WSGIApplication = gunicorn.util.import_app(name)
    except (Exception, SystemExit) as error:
        reason = f"{name} cannot be imported: {_why(error, name)}"
        raise ConfigError([("upstream.app", reason)]) from error
    return app


def _why(error: BaseException, name: str) -> str:
    """Return why *name* cannot be imported: in the application, with file and line."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}: correct it"
    module = name.partition(":")[0]
    if isinstance(error, AppImportError) or (
        isinstance(error, ModuleNotFoundError)
        and f"{module}.".startswith(f"{error.name}.")
    ):
        return f"{error}: write module:application, as Python finds it from here"
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}, line {frames[-1].lineno}"
    for frame in frames:
        if not frame.filename.startswith(_BETWEEN):
            where = f"{frame.filename}, line {frame.lineno}"
    return f"{where}: {type(error).__name__}: {error}: correct it"
