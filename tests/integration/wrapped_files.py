"""Files behind the gate, and a package index."""

from pathlib import Path

from pypiserver import app_from_config
from pypiserver.config import Config
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.wrappers import Response

from totp_gate import Gate


def application():
    """Return both, behind the gate of this folder."""
    folder = Path.cwd()
    index = app_from_config(
        Config.default_with_overrides(
            roots=[folder / "packages"], password_file=".", authenticate=[]
        )
    )
    files = SharedDataMiddleware(
        Response("no such file", status=404), {"/git": str(folder / "git")}
    )
    return Gate(DispatcherMiddleware(files, {"/pypi": index}), "gate.toml")
