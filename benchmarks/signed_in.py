"""A gate with somebody signed in: in this process, or for a server to open."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from totp_gate import Gate
from totp_gate.testing import Clock, Installation

HOST = "app.example.com"
COOKIE = "totp_gate"
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Upgrade-Insecure-Requests": "1",
    "Priority": "u=0, i",
}
PROXY = "127.0.0.1"
PROXIED = {
    "X-Forwarded-For": "192.0.2.7",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": HOST,
}


class Now(Clock):
    """The time it is."""

    def __call__(self) -> float:
        return time.time()


def hello(_environ, start_response):
    """The application: as little as there can be."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


@contextmanager
def installation(
    settings: str = "", *, trusted: tuple[str, ...] = (PROXY,)
) -> Iterator[Installation]:
    """Make an installation in a temporary folder; its origin is plain http."""
    with tempfile.TemporaryDirectory(prefix="totp_gate-bench-") as folder:
        made = Installation(
            hello,
            Path(folder),
            settings,
            gate={"trusted_proxies": trusted},
            origin=f"http://{HOST}",
            clock=Now(),
        )
        try:
            yield made
        finally:
            made.accounts.store.close()


def sign_in(made: Installation, name: str = "alice") -> str:
    """Sign a new user in through the pages; return the Cookie header."""
    browser = made.sign_in(made.add_user(name, groups=["staff"]))
    cookie = browser.get_cookie(COOKIE, domain=HOST)
    assert cookie is not None
    return f"theme=dark; {COOKIE}={cookie.value}"


def gate(made: Installation) -> Gate:
    """Return a gate as a server opens it: the real clock, the real cost of a hash."""
    return Gate(hello, made.path)


def environ(
    path: str, cookie: str, *, peer: str = "192.0.2.50", **headers: str
) -> dict[str, object]:
    """Return what gunicorn makes of a browser's request."""
    sent = {**BROWSER, "Host": HOST, "Cookie": cookie, **headers}
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "RAW_URI": path,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_SOFTWARE": "gunicorn",
        "REMOTE_ADDR": peer,
        "REMOTE_PORT": "50000",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **{f"HTTP_{key.upper().replace('-', '_')}": sent[key] for key in sent},
    }
