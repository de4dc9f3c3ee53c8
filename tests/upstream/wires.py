"""Both ends of a raw wire: an upstream that may misbehave, a client likewise."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field

PATIENCE = 10.0


class Peer:
    """One accepted connection, as an upstream sees it."""

    def __init__(self, sock, upstream):
        self.sock = sock
        self.upstream = upstream
        self.buffer = b""
        sock.settimeout(PATIENCE)

    def more(self):
        octets = self.sock.recv(65536)
        self.buffer += octets
        return octets

    def take(self, size):
        while len(self.buffer) < size:
            if not self.more():
                raise EOFError
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def take_until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                raise EOFError
        return self.take(self.buffer.index(mark) + len(mark))

    def head(self):
        """The head of the next request; EOFError when there is none."""
        octets = self.take_until(b"\r\n\r\n")
        self.upstream.heads.append(octets)
        return octets

    def request(self):
        """The next whole request (head, body), or None; broken ones are recorded."""
        head = b""
        try:
            head = self.head()
            body = self.body(head.lower())
        except (EOFError, OSError):
            if head or self.buffer:
                self.upstream.broken.append(head + self.buffer)
            return None
        self.upstream.requests.append((head, body))
        return head, body

    def body(self, head):
        if b"\r\ntransfer-encoding: chunked\r\n" in head:
            body = b""
            while size := int(self.take_until(b"\r\n"), 16):
                body += self.take(size)
                assert self.take(2) == b"\r\n"
            assert self.take_until(b"\r\n") == b"\r\n"
            return body
        if b"\r\ncontent-length: " in head:
            return self.take(
                int(head.split(b"\r\ncontent-length: ")[1].split(b"\r")[0])
            )
        return b""

    def send(self, octets):
        self.sock.sendall(octets)

    def reset(self):
        """Close with RST."""
        self.sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.sock.close()


class RawUpstream:
    """Listens; gives every connection to ``script(peer)`` in a thread of its own.

    Over TLS where a *context* is given, over IPv6 on *host* ``::1``.
    """

    def __init__(self, port=0, *, host="127.0.0.1", context=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family, backlog=2048)
        self.port = self.listener.getsockname()[1]
        self.context = context
        scheme = "https" if context else "http"
        name = f"[{host}]" if ":" in host else host
        self.url = f"{scheme}://{name}:{self.port}"
        self.open = set()
        self.forget()
        threading.Thread(target=self.serve, daemon=True).start()

    def forget(self):
        """Begin anew: no connection runs the script of an earlier test."""
        self.open, old = set(), self.open
        for sock in list(old):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.script = always(OK)
        self.heads = []
        self.requests = []
        self.broken = []
        self.connections = 0

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.run, args=(sock,), daemon=True).start()

    def run(self, sock):
        mine = self.open
        mine.add(sock)
        with sock, contextlib.suppress(OSError, EOFError):
            if self.context is None:
                self.script(Peer(sock, self))
            else:
                with self.context.wrap_socket(sock, server_side=True) as secure:
                    self.script(Peer(secure, self))
        mine.discard(sock)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def always(answer):
    """A script that gives the same octets to every request."""

    def script(peer):
        while peer.request():
            peer.send(answer)

    return script


def once(*pieces):
    """A script that gives these octets to the first request, then closes."""

    def script(peer):
        if peer.request():
            for piece in pieces:
                peer.send(piece)

    return script


@dataclass
class Answer:
    """What a raw client got."""

    octets: bytes
    status: int = 0
    headers: list = field(default_factory=list)
    body: bytes = b""
    whole: bool = False

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]


def understand(octets, *, head_only=False):
    """Parse one answer leniently, but say whether it is whole."""
    answer = Answer(octets)
    if b"\r\n\r\n" not in octets:
        return answer
    head, rest = octets.split(b"\r\n\r\n", 1)
    lines = head.split(b"\r\n")
    answer.status = int(lines[0].split()[1])
    for line in lines[1:]:
        name, value = line.split(b":", 1)
        answer.headers.append((name.decode().lower(), value.strip().decode("latin-1")))
    if answer.status < 200 and answer.status != 101:
        final = understand(rest, head_only=head_only)
        final.octets = octets
        return final
    if head_only or answer.status in (204, 304):
        answer.body, answer.whole = rest, rest == b""
    elif answer.all("transfer-encoding"):
        answer.body, answer.whole = dechunk(rest)
    elif answer.all("content-length"):
        answer.body = rest
        answer.whole = len(rest) == int(answer.all("content-length")[0])
    else:
        answer.body, answer.whole = rest, True
    return answer


def dechunk(octets):
    body = b""
    while b"\r\n" in octets:
        size, octets = octets.split(b"\r\n", 1)
        length = int(size, 16)
        if not length:
            return body, octets == b"\r\n"
        body += octets[:length]
        octets = octets[length + 2 :]
    return body, False


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    sock.settimeout(PATIENCE)
    return sock


def read_all(sock):
    octets = b""
    with contextlib.suppress(ConnectionResetError):
        while more := sock.recv(65536):
            octets += more
    return octets


def ask(port, octets, *, head_only=False):
    """Send *octets*, read until the server closes, and understand the answer."""
    with connect(port) as sock:
        sock.sendall(octets)
        return understand(read_all(sock), head_only=head_only)


def get(port, target=b"/", *headers, method=b"GET", body=b""):
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: app.example.com"]
    head = b"\r\n".join([*lines, b"Connection: close", *headers, b"", b""])
    return ask(port, head + body, head_only=method == b"HEAD")
