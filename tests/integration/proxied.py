"""A gate that people have in front of a service, and raw octets sent through it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.integration.house import House
from tests.integration.visitor import Guest
from tests.upstream.wires import Answer, ask

#: As ``totp-gate serve`` has them.
SERVED = (
    *("--forwarder-headers", "", "--forwarded-allow-ips", ""),
    *("--header-map", "drop", "--http-parser", "python"),
)


class Proxied(House):
    """An installation whose ``[upstream]`` is a URL, on gunicorn.

    Args:
        url: of the application.
        upstream: further keys of that section.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        worker_class: str = "gevent",
        upstream: str = "",
        arguments: Iterable[str] = (),
    ) -> None:
        super().__init__(
            folder,
            "totp_gate:create_app()",
            worker_class=worker_class,
            settings=f'[upstream]\nurl = "{url}"\n{upstream}',
            arguments=(*SERVED, *arguments),
        )
        self.host = self.origin.removeprefix("http://").encode()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    def cookie(self) -> bytes:
        """Return the Cookie field, with its end of line, of somebody new who signed in."""
        visitor: Guest = self.sign_in(self.person())
        return b"Cookie: totp_gate=%s\r\n" % visitor.cookies["totp_gate"].encode()

    def ask(
        self, line: bytes, *fields: bytes, cookie: bytes = b"", body: bytes = b""
    ) -> Answer:
        """Send one request with these header fields and read until the end."""
        own = b"Host: %s\r\nConnection: close\r\n" % self.host
        rest = b"".join(field + b"\r\n" for field in fields)
        head = line + b"\r\n" + own + cookie + rest + b"\r\n"
        return ask(self.port, head + body, head_only=line.startswith(b"HEAD"))
