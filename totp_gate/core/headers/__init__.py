"""What a request header may be believed, and who the client is.

Strategy: a header counts only from whom it may come (``names``, ``client``); how a
client wants to be answered is read in one place, too (``wishes``).
"""

from totp_gate.core.headers.client import (
    Networks,
    clean_address,
    client_address,
    client_host,
    client_scheme,
    is_local,
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
    is_chunked,
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
    "environ_key",
    "fold",
    "is_chunked",
    "is_for_a_window",
    "is_forwarded_key",
    "is_local",
    "is_navigation",
    "plain",
    "spellings",
]
