"""What machines use: git over http and a package index, noting every header they get."""

import os
import subprocess
from pathlib import Path

from pypiserver import app_from_config
from pypiserver.config import Config
from werkzeug.datastructures import Headers
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Request, Response


def git(environ, start_response):
    """Answer as ``git http-backend`` does, over CGI (RFC 3875)."""
    request = Request(environ)
    variables = {key: value for key, value in environ.items() if type(value) is str}
    done = subprocess.run(
        ["git", "http-backend"],
        input=request.stream.read(),
        env={
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(Path.cwd() / "git"),
            "GIT_HTTP_EXPORT_ALL": "1",
            **variables,
            # Whoever is named may push.
            "REMOTE_USER": request.headers.get("Remote-User", ""),
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().splitlines()]
    headers = Headers([(name, value) for name, _, value in lines])
    status = headers.pop("Status", "200 OK")
    return Response(body, status, headers)(environ, start_response)


def noting(app):
    """Write every header that arrives into a file."""

    def note(environ, start_response):
        told = {key: value for key, value in environ.items() if type(value) is str}
        with Path("seen").open("a") as seen:
            print(told, file=seen)
        return app(environ, start_response)

    return note


def application():
    """Return all of it, for the current folder."""
    index = app_from_config(
        Config.default_with_overrides(
            roots=[Path.cwd() / "packages"], password_file=".", authenticate=[]
        )
    )
    hello = Response("hello")
    return noting(DispatcherMiddleware(hello, {"/git": git, "/pypi": index}))
