"""A body that the gate reads arrives in time, or the gate stops waiting."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import SocketUnreader

from totp_gate.errors import BadRequest
from totp_gate.web.bodies import read_body

PATIENCE = 0.5


@pytest.fixture
def ends():
    """Both ends of a connection: the visitor's, and the server's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield theirs, ours


def arriving(server, length):
    """Return the environ of a request whose body gunicorn reads from *server*."""
    unreader = SocketUnreader(server)
    environ = {"gunicorn.socket": server, "wsgi.input_terminated": True}
    if length is None:
        return environ | {"wsgi.input": Body(ChunkedReader(None, unreader))}
    reader = LengthReader(unreader, length)
    return environ | {"wsgi.input": Body(reader), "CONTENT_LENGTH": str(length)}


def test_a_body_that_arrives_in_time_is_read(ends):
    visitor, server = ends
    visitor.sendall(b"username=a")

    assert read_body(arriving(server, 10), 100, patience=PATIENCE) == b"username=a"
    time.sleep(2 * PATIENCE)
    visitor.sendall(b"more")
    assert server.recv(4) == b"more"


@pytest.mark.parametrize(
    ("length", "begun"), [(1000, b"user"), (None, b"4\r\nuser\r\n")], ids=["", "chunks"]
)
def test_one_that_stalls_is_given_up(ends, length, begun):
    visitor, server = ends
    visitor.sendall(begun)

    with pytest.raises(BadRequest) as caught:
        read_body(arriving(server, length), 2000, patience=PATIENCE)

    assert caught.value.status == 408
    server.sendall(b"an answer still gets through")


def test_one_that_drips_is_given_up_as_well(ends):
    visitor, server = ends
    over = threading.Event()

    def drip():
        while not over.wait(PATIENCE / 10):
            try:
                visitor.sendall(b"x")
            except OSError:
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        with pytest.raises(BadRequest) as caught:
            read_body(arriving(server, 1000), 2000, patience=PATIENCE)
    finally:
        over.set()
        dripping.join()

    assert caught.value.status == 408
