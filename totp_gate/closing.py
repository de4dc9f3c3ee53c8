"""When the client's connection should end with an answer.

Where the next request begins is not sure after a body that nobody read, and reading it
all would let a stranger feed the gate for as long as they like; after an upgrade that
the application did not grant, the client may go on as if it had (RFC 9110 section 7.8).
Then the answer says ``Connection: close``, and the server keeps to it.

An application has no say in that by WSGI. gunicorn's ``start_response`` belongs to the
object that writes the answer, and that one can be told; with other servers nothing
happens here, and they do what they always do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_KEY = "totp_gate.close"


def may_close(environ: WSGIEnvironment, start_response: StartResponse) -> None:
    """Remember how to close, for whoever gets *start_response* in another's dress."""
    if (
        "CONTENT_LENGTH" in environ
        or "HTTP_UPGRADE" in environ
        or "HTTP_TRANSFER_ENCODING" in environ
    ):
        environ[_KEY] = _closer(start_response)


def close_after(environ: WSGIEnvironment, start_response: StartResponse) -> None:
    """Let the connection end with the answer; call it before the answer is begun."""
    close = environ.get(_KEY) or _closer(start_response)
    if close is not None:
        close()


def _closer(start_response: Any) -> Callable[[], object] | None:
    owner = getattr(start_response, "__self__", None)
    close: Callable[[], object] | None = getattr(owner, "force_close", None)
    return close
