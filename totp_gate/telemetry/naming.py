"""What a request is called: on pages, in the audit and in the log alike."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def request_id(environ: WSGIEnvironment) -> str:
    """Return the id of this request, the same however often it is asked for.

    It is drawn where it is first needed: most requests never need one.
    """
    known = environ.get("totp_gate.request_id")
    if known is None:
        known = environ["totp_gate.request_id"] = secrets.token_hex(6)
    return str(known)
