"""Who could read or change a file that decides who gets in.

The same for the settings, what they name, and the templates of a theme: only root and
the gate's own user may own such a file, and nobody else may write to it. The store
looks at the state the same way (``stores.files``).
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from totp_gate.stores.files import anybody_can_replace


def too_open(path: Path) -> str:
    """Return why the secrets in the file *path* are not safe there, or nothing."""
    found = path.stat()
    if found.st_mode & 0o077:
        return f"others can read {path}: run chmod 600 {path}"
    if found.st_mode & 0o700 & ~0o600:
        return f"{path} is executable: run chmod 600 {path}"
    return _not_ours(path, found)


def meddled(path: Path) -> str:
    """Return who else could change what is at *path*, with the remedy, or nothing.

    A group of whoever owns it, in which nobody else is, is nobody else: with a umask of
    0002 their files are like that. It is told as ``pam_umask`` tells it, by its name.

    Args:
        path: an existing file or folder.
    """
    found = path.stat()
    if found.st_mode & stat.S_IWOTH:
        return f"everybody can write to {path}: run chmod go-w {path}"
    if found.st_mode & stat.S_IWGRP and not _is_private(found):
        return f"a group can write to {path}: run chmod g-w {path}"
    return _not_ours(path, found)


def replaceable(path: Path) -> str:
    """Return why others could put another file in the place of *path*, or nothing."""
    folder = path.parent
    if anybody_can_replace(folder.stat()):
        return f"everybody can write to {folder}: run chmod go-w {folder}"
    return ""


def is_readable_by_others(path: Path) -> bool:
    """Tell whether anybody but the owner of *path* can read it."""
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _not_ours(path: Path, found: os.stat_result) -> str:
    if found.st_uid in (0, os.geteuid()):
        return ""
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = f"user {found.st_uid}"
    remedy = f"run this as that user, or chown {os.geteuid()} {path}"
    return f"{path} is owned by {owner}: {remedy}"


def _is_private(found: os.stat_result) -> bool:
    try:
        owner = pwd.getpwuid(found.st_uid)
        group = grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    name = owner.pw_name
    return group.gr_name == name and set(group.gr_mem) <= {name}
