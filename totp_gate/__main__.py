"""``python -m totp_gate`` is the command ``totp-gate``."""

from __future__ import annotations

from totp_gate.cli import main

if __name__ == "__main__":
    main(prog_name="totp-gate")
