"""What becomes of an upload that the application stops taking."""

from __future__ import annotations

import io
import socket
import struct
import threading

import pytest

from tests.upstream.test_destination import call
from totp_gate.upstream import wire
from totp_gate.upstream.proxy import Destination, Limits, Proxy
from totp_gate.upstream.trouble import SessionEnded

SIZE = 30_000_000
RESET = struct.pack("ii", 1, 0)


class Endless(io.RawIOBase):
    """A body of which there is always more."""

    def readinto(self, buffer):
        buffer[:] = b"x" * len(buffer)
        return len(buffer)

    def readable(self):
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Look around more often than once a second, so that nobody waits for that."""
    monkeypatch.setattr(wire, "SLICE", 0.1)


@pytest.fixture
def stalled():
    """An application that takes no more of a body; setting the event resets it."""
    listener = socket.create_server(("127.0.0.1", 0))
    enough = threading.Event()

    def serve():
        sock, _ = listener.accept()
        with sock:
            sock.recv(1000)
            enough.wait(60)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], enough
    enough.set()
    thread.join(10)
    listener.close()


def upload(port, *, patience=3, **more):
    proxy = Proxy(
        Destination.parse(f"http://127.0.0.1:{port}"),
        limits=Limits(read_timeout=patience),
    )
    body = io.BufferedReader(Endless())
    given = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(SIZE), "wsgi.input": body}
    return call(proxy, **(given | more))


def test_one_that_is_reset_after_a_while_is_502(stalled):
    port, enough = stalled
    threading.Timer(0.4, enough.set).start()

    status, _, _ = upload(port)

    assert status.startswith("502")


def test_one_that_is_taken_no_more_is_504(stalled):
    port, _ = stalled

    status, _, _ = upload(port, patience=1)

    assert status.startswith("504")


def test_one_whose_session_ends_meanwhile_ends_with_it(stalled):
    port, _ = stalled

    alive = iter([True])

    with pytest.raises(SessionEnded):
        upload(port, **{"totp_gate.alive": lambda: next(alive, False)})
