"""A web server that asks the gate, with the configuration that a command prints."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from click.testing import CliRunner

from tests.integration.house import Now, nothing
from tests.servers import Caddy, Envoy, Nginx, Serve, Server, free_port
from tests.upstream.wires import Answer, RawUpstream, ask, connect, understand
from tests.visitor import Visitor
from totp_gate.cli import main
from totp_gate.testing import Installation, Person

COOKIE = "totp_gate"
RULES = """
[[rules]]
name = "open"
paths = ["/public/*"]
policy = "public"
[[rules]]
name = "reading"
paths = ["/wiki/*"]
methods = ["GET"]
policy = "public"
[[rules]]
name = "kept"
paths = ["/kept/*"]
methods = ["DELETE"]
policy = "deny"
[[rules]]
name = "api"
paths = ["/api/*"]
preflight = true
"""


def application(peer):
    """Answer with the head that came and the length of the body; echo WebSockets."""
    while True:
        head = peer.head()
        if b"\r\nupgrade: websocket" in head.lower():
            return _echo(peer, head)
        length = _take_body(peer, head.lower())
        told = b"%d\n%s" % (length, head)
        extra = b"Service-Worker-Allowed: /\r\n"
        answer = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (extra, len(told))
        peer.send(answer + (b"" if head.startswith(b"HEAD ") else told))


def _take_body(peer, head):
    """Read the body and forget it; return its length."""
    if b"\r\ntransfer-encoding: chunked\r\n" in head:
        total = 0
        while size := int(peer.take_until(b"\r\n"), 16):
            _skip(peer, size + 2)
            total += size
        peer.take_until(b"\r\n")
        return total
    found = re.search(rb"\r\ncontent-length: (\d+)\r\n", head)
    total = int(found[1]) if found else 0
    _skip(peer, total)
    return total


def _skip(peer, left):
    left -= len(peer.buffer)
    if left < 0:
        peer.buffer = peer.buffer[left:]
        return
    peer.buffer = b""
    while left:
        octets = peer.sock.recv(min(left, 1 << 20))
        if not octets:
            raise EOFError
        left -= len(octets)


def _echo(peer, head):
    """Accept a WebSocket and send the first short message back."""
    key = re.search(rb"(?i)\r\nsec-websocket-key: (\S+)\r\n", head)
    magic = key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(magic).digest())
    peer.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    start = peer.take(2)
    length = start[1] & 127
    mask, masked = peer.take(4), peer.take(length)
    text = bytes(octet ^ mask[at % 4] for at, octet in enumerate(masked))
    peer.send(bytes([0x81, length]) + text)
    peer.more()


class Front:
    """An application, the gate, and a web server in front of both.

    Attributes:
        app: the application; its ``heads`` are the requests that arrived.
        gate: the process of the gate.
        server: the web server.
    """

    def __init__(
        self, folder: Path, kind: str, *, certificate: Path | None = None
    ) -> None:
        self.kind = kind
        self.certificate = certificate
        self.port, gate_port = free_port(), free_port()
        scheme = "http" if certificate is None else "https"
        self.origin = f"{scheme}://127.0.0.1:{self.port}"
        self.app = RawUpstream()
        self.app.script = application
        # The gate sends what it keeps; Caddy gives it nothing to keep.
        sends = kind == "nginx"
        upstream = f'[upstream]\nurl = "{self.app.url}"\n' if sends else ""
        self.installation = Installation(
            nothing,
            folder,
            f'{upstream}[server]\nbind = "127.0.0.1:{gate_port}"\n{RULES}',
            gate={"trusted_proxies": ["127.0.0.1"]},
            origin=self.origin,
            clock=Now(),
        )
        self.gate = Serve(self.installation.path, port=gate_port)
        self.server = self._server(folder)
        self._stack = ExitStack()

    def _server(self, folder: Path) -> Server:
        words = ["--config", str(self.installation.path), "config", self.kind]
        if self.kind in {"caddy", "envoy"}:
            words += ["--upstream", self.app.url]
        if self.kind == "nginx":
            words += ["--listen", f"127.0.0.1:{self.port}"]
            words += ["--cache", str(folder / "cache")]
        if self.certificate is not None:
            words += ["--certificate", str(self.certificate)]
        printed = CliRunner().invoke(main, words)
        assert printed.exit_code == 0, printed.output
        assert printed.stderr == ""
        if self.kind == "nginx":
            return Nginx(http=printed.stdout, port=self.port)
        if self.kind == "envoy":
            return Envoy(printed.stdout, port=self.port)
        return Caddy(printed.stdout, port=self.port)

    def __enter__(self) -> Self:
        self._stack.callback(self.app.close)
        self._stack.callback(self.installation.accounts.store.close)
        self._stack.enter_context(self.gate)
        self._stack.enter_context(self.server)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def person(self, name: str) -> Person:
        """Add somebody with an authenticator."""
        return self.installation.add_user(name, groups=["staff"])

    def sign_in(self, person: Person) -> Visitor:
        """Sign in through the web server."""
        visitor = Visitor(self.origin)
        code = self.installation.code(person)
        answer = visitor.sign_in(person.name, person.password, code)
        assert answer.status == 303, answer.text
        return visitor

    def ask(
        self,
        target: str = "/",
        *headers: str,
        method: str = "GET",
        visitor: Visitor | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send one request as it is written here, and return the answer."""
        lines = [f"{method} {target} HTTP/1.1", *headers, "Connection: close"]
        if not any(line.lower().startswith("host:") for line in headers):
            lines.append(f"Host: 127.0.0.1:{self.port}")
        if visitor is not None:
            pairs = [f"{name}={value}" for name, value in visitor.cookies.items()]
            lines.append("Cookie: " + "; ".join(pairs))
        if body and "Transfer-Encoding: chunked" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        octets = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        return ask(self.port, octets, head_only=method == "HEAD")

    def upload(self, size: int, visitor: Visitor) -> Answer:
        """Send a body of *size* octets, and return the answer."""
        piece = b"x" * (1 << 20)
        head = (
            f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Cookie: {COOKIE}={visitor.cookies[COOKIE]}\r\n"
            f"Content-Length: {size}\r\nConnection: close\r\n\r\n"
        )
        with connect(self.port) as sock:
            sock.settimeout(120)
            sock.sendall(head.encode())
            for _ in range(size // len(piece)):
                sock.sendall(piece)
            octets = b""
            while more := sock.recv(65536):
                octets += more
        return understand(octets)

    def received(self) -> dict[str, str]:
        """Return the headers of the application's last request, as ``Remote-User``."""
        lines = self.app.heads[-1].decode("latin-1").split("\r\n")[1:-2]
        pairs = [line.partition(":") for line in lines]
        assert len({name.lower() for name, _, _ in pairs}) == len(pairs), lines
        return {name.title(): value.strip() for name, _, value in pairs}


def memory_of(pids: list[int]) -> int:
    """Return the resident memory of processes, in octets."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
    return sum(pages) * 4096


def statuses_without_the_gate(front: Front, visitor: Visitor) -> set[int]:
    """Return what everybody is answered while the gate is dead."""
    front.app.heads.clear()
    front.gate.kill()
    try:
        return {
            front.ask(target, visitor=who, method=method).status
            for target in ("/closed-1", "/public/closed-2")
            for method in ("GET", "POST", "OPTIONS")
            for who in (visitor, None)
        }
    finally:
        front.gate.start()


def until_refused(front: Front, visitor: Visitor) -> float:
    """Return the seconds until the application is closed to *visitor*."""
    begun = time.monotonic()
    while front.ask("/page", visitor=visitor).status == 200:
        assert time.monotonic() - begun < 30
        time.sleep(0.1)
    return time.monotonic() - begun
