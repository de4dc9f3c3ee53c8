"""A sample application for ``totp-gate demo``: it shows who is signed in, and how.

It knows nothing of the gate but what every application behind it is told: the environ.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from totp_gate.model import Identity

LONGEST = 4096
"""Octets of a form that are read."""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0b6e4f; }
@media (prefers-color-scheme: dark) { :root { --accent: #5fd3a7; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto;
  padding: 0 1.25rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .5rem;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 600; width: 16rem; }
td { font-family: ui-monospace, monospace; font-size: .9rem; }
a, strong { color: var(--accent); }
.note { background: var(--soft); padding: .75rem 1rem; border-radius: .5rem; }
input, button { font: inherit; padding: .4rem .7rem; }
@media (max-width: 34rem) { th, td { display: block; width: auto; }
  th { border-bottom: 0; padding-bottom: 0; } }
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sample application</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>Hello, <strong>{name}</strong></h1>
<p>This is a sample application. It has no sign-in of its own: only requests that the
gate permits arrive here. <a href="/_gate/account">Your account</a> and
<a href="/_gate/logout">signing out</a> are pages of the gate.</p>
{sent}<h2>Who is signed in</h2>
<table>{identity}</table>
<h2>What the application received</h2>
<p>{method} {path}. The gate's own cookies are not among it, and headers that a visitor
might have forged are gone.</p>
<table>{received}</table>
<h2>Send something</h2>
<form method="post"><label>A line of text
<input name="line" maxlength="200" required></label> <button>Send</button></form>
</main>
</body>
</html>
"""


def application(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Serve the one page there is, at every path."""
    method = environ["REQUEST_METHOD"]
    if method not in {"GET", "HEAD", "POST"}:
        start_response("405 Method Not Allowed", [("Allow", "GET, HEAD, POST")])
        return []
    identity: Identity | None = environ.get("totp_gate.identity")
    line = _sent(environ) if method == "POST" else ""
    page = _PAGE.format(
        style=_STYLE,
        name=escape((identity and (identity.name or identity.user)) or "stranger"),
        sent=f'<p class="note">You sent: {escape(line)}</p>\n' if line else "",
        identity=_rows(_told(identity)),
        method=escape(method),
        path=escape(environ.get("PATH_INFO", "")),
        received=_rows(_received(environ)),
    ).encode()
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(page))),
        ("Content-Security-Policy", _POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
    ]
    start_response("200 OK", headers)
    return [] if method == "HEAD" else [page]


def _told(identity: Identity | None) -> list[tuple[str, str]]:
    if identity is None:
        return [("Nobody", "the gate let this request pass without a sign-in")]
    return [
        ("User", identity.user),
        ("Name", identity.name),
        ("E-mail", identity.email),
        ("Groups", ", ".join(identity.groups)),
        ("Proven", identity.level.name.replace("_", " ").lower()),
        ("Password proven at", _time(identity.password_at)),
        ("Code proven at", _time(identity.second_factor_at)),
        ("Session", identity.session_id),
    ]


def _received(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """Return the headers as received, and what else tells about the sender."""
    names = ("REMOTE_USER", "AUTH_TYPE", "REMOTE_ADDR", "wsgi.url_scheme")
    plain = [(name, str(environ[name])) for name in names if environ.get(name)]
    headers = [
        (key.removeprefix("HTTP_").replace("_", "-").title(), _text(value))
        for key, value in sorted(environ.items())
        if key.startswith("HTTP_")
    ]
    return plain + headers


def _sent(environ: WSGIEnvironment) -> str:
    size = environ.get("CONTENT_LENGTH") or "0"
    length = min(int(size), LONGEST) if size.isascii() and size.isdigit() else 0
    octets: bytes = environ["wsgi.input"].read(length)
    form = parse_qs(octets.decode("utf-8", "replace"))
    return str(form.get("line", [""])[0])


def _rows(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value) or "-"}</td></tr>'
        for name, value in pairs
    )


def _text(value: object) -> str:
    """Return a header's text: WSGI hands its octets over as latin-1 (PEP 3333)."""
    return str(value).encode("latin-1", "replace").decode("utf-8", "replace")


def _time(at: float | None) -> str:
    if at is None:
        return "never"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
