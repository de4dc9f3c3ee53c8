"""Applications that gunicorn runs in these tests; settings come from the environment."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from totp_gate.upstream.proxy import Destination, Limits, Proxy

logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")


def proxy():
    """The proxy alone, for the application at UPSTREAM."""
    destination = Destination.parse(
        os.environ["UPSTREAM"],
        host=os.environ.get("UPSTREAM_HOST", "preserve"),
        ca_file=os.environ.get("CA_FILE", ""),
        client_cert=os.environ.get("CLIENT_CERT", ""),
    )
    limits = Limits(**json.loads(os.environ.get("LIMITS", "{}")))
    return Proxy(destination, limits=limits)


class Gated:
    """The proxy as a gate calls it, with a session that lives while a file exists."""

    def __init__(self, app, session):
        self.app = app
        self.session = session

    def __call__(self, environ, start_response):
        environ["totp_gate.alive"] = self.session.exists
        environ["totp_gate.request_id"] = "r-1"
        environ["totp_gate.filter_headers"] = without_gate_cookie
        environ["HTTP_REMOTE_USER"] = "alice"
        environ["HTTP_X_FORWARDED_FOR"] = "192.0.2.1"
        if environ["PATH_INFO"] == "/_gate/tunnels":
            body = str(self.app.tunnels).encode()
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        return self.app(environ, start_response)


def without_gate_cookie(headers):
    return [
        (name, value)
        for name, value in headers
        if not (name.lower() == "set-cookie" and value.startswith("gate="))
    ]


def gated():
    """The proxy behind a stand-in for the gate; SESSION names the file."""
    return Gated(proxy(), Path(os.environ["SESSION"]))


def hello(environ, start_response):
    """Answer without asking anybody."""
    start_response("200 OK", [("Content-Length", "5"), ("Content-Type", "text/plain")])
    return [b"hello"]
