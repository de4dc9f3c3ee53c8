"""Runs the server of a demo, and tidies up where the demo could not.

A program of its own: ``python -m totp_gate.cli.guard FOLDER COMMAND...``. Its standard
input is a pipe that the demo holds open. When that ends, for whatever reason, also
because the demo was killed, the server is ended and the folder removed. The last thing
it does is to kill its whole process group, and itself with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading

STOP = 10.0
"""Seconds the server gets to end by itself."""


def guard(folder: str, command: list[str]) -> int:
    """Run *command* until it ends or standard input does; return its exit status."""
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own
    alone = threading.Event()

    def watch() -> None:
        sys.stdin.buffer.read()
        alone.set()
        server.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP)
        server.kill()

    threading.Thread(target=watch, daemon=True).start()
    status = server.wait()
    if alone.is_set():
        shutil.rmtree(folder, ignore_errors=True)
        # A master that had to be killed leaves its workers, which listen as well.
        os.killpg(0, signal.SIGKILL)
    return status


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1], sys.argv[2:]))
