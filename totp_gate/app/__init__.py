"""Opens the parts a ``gate.toml`` names and wires them into a gate.

The only place, with the commands, that chooses backends.
"""

from totp_gate.app.accounts import Accounts, open_accounts, read_keys
from totp_gate.app.behind import load_upstream
from totp_gate.app.creation import Gate, StartError, create_app, missing_upstream
from totp_gate.app.furnishing import pages_of

__all__ = [
    "Accounts",
    "Gate",
    "StartError",
    "create_app",
    "load_upstream",
    "missing_upstream",
    "open_accounts",
    "pages_of",
    "read_keys",
]
