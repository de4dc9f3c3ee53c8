"""Run a command under the system calls that a unit of systemd leaves it.

    python -m tests.cli.filtered totp-gate.service command argument ...

What the unit forbids kills the process here, whatever the unit says should happen, so
that nothing forbidden is needed unnoticed.

Source:
    systemd.exec(5), SystemCallFilter: the first line allows, later ones take away
    (``~``) or add.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

_KILL_PROCESS = 0x80000000
_ALLOW = 0x7FFF0000


def allowed(unit: str) -> set[str]:
    """Return the names of the system calls that the text of *unit* allows."""
    calls: set[str] = set()
    for line in unit.splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "SystemCallFilter":
            named = set().union(*map(_members, value.lstrip("~").split()))
            calls = calls - named if value.startswith("~") else calls | named
    return calls


def _members(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", name],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    words = [line.split("#")[0].strip() for line in listed.splitlines()[1:]]
    return set().union(*(_members(word) for word in words if word))


def confine(calls: set[str]) -> None:
    """Let this process and its children use *calls* and nothing else."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    filter_ = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_KILL_PROCESS)))
    for name in calls:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # else unknown on this machine
            library.seccomp_rule_add(filter_, ctypes.c_uint32(_ALLOW), number, 0)
    if library.seccomp_load(filter_) != 0:
        raise OSError("the filter cannot be loaded")


if __name__ == "__main__":
    confine(allowed(Path(sys.argv[1]).read_text()))
    os.execvp(sys.argv[2], sys.argv[2:])
