"""What a request header may be believed, and who the client is.

Strategy: a header counts only from whom it may come (``names``, ``client``); how a
client wants to be answered, and how its body is framed, is read in one place, too
(``wishes``, ``framing``).
"""

from totp_gate.core.headers.client import (
    Networks,
    clean_address,
    client_address,
    client_host,
    client_scheme,
    is_local,
)
from totp_gate.core.headers.framing import (
    declared_length,
    has_body,
    is_chunked,
    is_large,
)
from totp_gate.core.headers.names import (
    FORWARDED_KEYS,
    FORWARDED_NAMES,
    environ_key,
    fold,
    is_forwarded_key,
    spellings,
)
from totp_gate.core.headers.wishes import (
    is_for_a_window,
    is_navigation,
    plain,
)

__all__ = [
    "FORWARDED_KEYS",
    "FORWARDED_NAMES",
    "Networks",
    "clean_address",
    "client_address",
    "client_host",
    "client_scheme",
    "declared_length",
    "environ_key",
    "fold",
    "has_body",
    "is_chunked",
    "is_for_a_window",
    "is_forwarded_key",
    "is_large",
    "is_local",
    "is_navigation",
    "plain",
    "spellings",
]
