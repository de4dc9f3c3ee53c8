"""Under gevent nobody keeps the loop: requests sent ahead wait for their turn."""

from __future__ import annotations

import socket

import pytest

from tests.integration.house import SESSION, House

AHEAD = 2000


@pytest.fixture
def house(folder):
    with House(folder, worker_class="gevent") as house:
        yield house


def request(port: int, cookie: str = "") -> bytes:
    lines = ["GET / HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: */*"]
    return "\r\n".join([*lines, f"Cookie: {cookie}", "", ""]).encode()


def answered_already(sock: socket.socket) -> int:
    """Return how many answers are there by now."""
    octets = b""
    sock.setblocking(False)
    try:
        while more := sock.recv(65536):
            octets += more
    except BlockingIOError:
        pass
    return octets.count(b"HTTP/1.1 ")


@pytest.mark.parametrize("who", ["somebody signed in", "a stranger"])
def test_who_sends_requests_ahead_does_not_keep_others_waiting(house, who):
    visitor = house.sign_in(house.person())
    cookie = f"{SESSION}={visitor.cookies[SESSION]}"
    port = house.server.port
    greedy = request(port, cookie if who == "somebody signed in" else "")
    with (
        socket.create_connection(("127.0.0.1", port), 30) as ahead,
        socket.create_connection(("127.0.0.1", port), 30) as other,
    ):
        ahead.sendall(greedy * AHEAD)
        other.sendall(request(port, cookie))
        answer = other.recv(4096)
        done = answered_already(ahead)

    assert b"200 OK" in answer
    assert done < AHEAD
