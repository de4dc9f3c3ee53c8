"""What a request asks for, and where a person may be sent back to.

Strategy: a rule that judges one path while the application serves another is a hole.
So a target is first refused where no honest client needs it (dot segments, backslashes,
controls, broken or overlong escapes, at any depth of decoding). What honest clients do
send but servers read differently (``//``, ``;v=1``, ``%2F``, ``%252F``, ``%3F``) is not
refused: every way of reading it is listed, and the policy decides only when all of them
come to the same end. What is forwarded is always the path as received.

A reading is an ASCII string in canonical spelling (RFC 3986 section 6.2.2, and one step
further, as every WSGI server goes): characters that mean themselves are plain, every
other octet is ``%XX`` in capitals. Case is kept; `under` ignores it.
"""

from totp_gate.core.urls.back import safe_next
from totp_gate.core.urls.hosts import Origin, clean_host, parse_origin, split_port
from totp_gate.core.urls.targets import (
    ASTERISK,
    MEMO_LENGTH,
    Target,
    canonical,
    canonical_pattern,
    under,
    understand,
)

__all__ = [
    "ASTERISK",
    "MEMO_LENGTH",
    "Origin",
    "Target",
    "canonical",
    "canonical_pattern",
    "clean_host",
    "parse_origin",
    "safe_next",
    "split_port",
    "under",
    "understand",
]
