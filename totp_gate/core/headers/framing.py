"""How the body of a request is framed: whether there is one, and how long it is.

Strategy: whoever passes a body on, reads it or leaves it asks here, so that nobody
takes a request for another than the rest does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from totp_gate.errors import BadRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

FORGETTABLE = 65536
"""Octets of a body that a server may read and forget before the next request."""

_LONGEST_NUMBER = 18


def is_chunked(coding: str) -> bool:
    """Tell whether *coding* (``Transfer-Encoding``) is chunked, and nothing else.

    Servers take the chunks apart and leave any other coding in the body, whose length
    and meaning then are not what the next one takes them for.

    Source:
        RFC 9112 sections 6.1 and 7.
    """
    return coding.strip(" \t").lower() == "chunked"


def has_body(environ: WSGIEnvironment) -> bool:
    """Tell whether a body follows the head, be it empty in the end.

    Source:
        RFC 9112 section 6.3.
    """
    length = environ.get("CONTENT_LENGTH", "")
    return "HTTP_TRANSFER_ENCODING" in environ or length not in {"", "0"}


def declared_length(environ: WSGIEnvironment) -> int | None:
    """Return how many octets the body is said to have; None: nothing is said.

    Raises:
        BadRequest: what is said is no number, or one no body ever has.

    Source:
        RFC 9110 section 8.6.
    """
    text = environ.get("CONTENT_LENGTH") or ""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise BadRequest("The length of the body is no number.")
    return int(text)


def is_large(environ: WSGIEnvironment) -> bool:
    """Tell whether the body is too large, or may be, to be read and forgotten."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return True
    try:
        return (declared_length(environ) or 0) > FORGETTABLE
    except BadRequest:
        return True
