"""An application that writes one octet for each of its calls."""

import os

from totp_gate import Gate

CALLS = os.open("calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def note(environ, start_response):
    os.write(CALLS, b".")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"noted"]


application = Gate(note, "gate.toml")
