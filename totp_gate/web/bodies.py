"""Bodies that the gate reads itself: of a known length, and within a time.

A server with threads, or with one request at a time, waits with whoever is waited for,
and gunicorn bounds the silence between two octets but not the whole. So a timer ends
the reading side of the connection when the time is over. That needs the server's
socket; where a server does not tell it, its own limits count.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from werkzeug.wsgi import get_input_stream

from totp_gate.core.headers import declared_length
from totp_gate.errors import BadRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PATIENCE = 10.0
"""Seconds within which a body has to arrive whole, unless said otherwise."""


def read_body(
    environ: WSGIEnvironment, most: int, *, patience: float = PATIENCE
) -> bytes:
    """Return the body of a request that nobody has read yet.

    Args:
        most: octets it may have.
        patience: seconds within which all of it has to be there.

    Raises:
        BadRequest: 413 for a longer one, 408 for one that takes longer, 400 for one
            that breaks off or whose length makes no sense.
    """
    length = declared_length(environ)
    if length is not None and length > most:
        raise BadRequest("the body is too long", status=413)
    stream = get_input_stream(environ, max_content_length=most + 1)
    with _within(environ, patience) as over:
        try:
            body = stream.read(most + 1)
        except Exception:  # noqa: BLE001 - servers have no class for it in common
            body = None
    if over.is_set():
        raise BadRequest("the body took too long to arrive", status=408)
    if body is None or (length is not None and len(body) != length):
        raise BadRequest("the body did not arrive whole")
    if len(body) > most:
        raise BadRequest("the body is too long", status=413)
    return body


@contextmanager
def _within(environ: WSGIEnvironment, patience: float) -> Iterator[threading.Event]:
    """Let nothing arrive any more after *patience* seconds; set when they are over."""
    over = threading.Event()
    connection = environ.get("gunicorn.socket")
    if connection is None:
        yield over
        return

    def end() -> None:
        over.set()
        with suppress(OSError):  # it is closed already
            connection.shutdown(socket.SHUT_RD)

    timer = threading.Timer(patience, end)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()
