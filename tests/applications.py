"""Applications to put behind the gate in tests."""

from __future__ import annotations

import json


def echo(environ, start_response):
    """Answer with what was received, as JSON; count how often it was called."""
    echo.calls += 1
    received = {key: value for key, value in environ.items() if isinstance(value, str)}
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    received["body"] = body.decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(received).encode()]


echo.calls = 0


def greedy(environ, start_response):
    """Try to set every cookie of the gate, and one of its own."""
    names = [
        "totp_gate",
        "__Host-totp_gate",
        "__HOST-TOTP_GATE",
        "__Host-totp_gate_login",
        "__Host-totp_gate_device",
    ]
    cookies = [("Set-Cookie", f"{name}=evil; Path=/; Secure") for name in names]
    cookies += [("set-cookie", "=__Host-totp_gate=evil"), ("SET-COOKIE", "own=1")]
    start_response(
        "200 OK",
        [("Content-Type", "text/plain"), *cookies, ("Service-Worker-Allowed", "/")],
    )
    return [b"greedy"]


def broken(environ, start_response):
    """Fail as an application may fail."""
    raise RuntimeError("the application is broken")
