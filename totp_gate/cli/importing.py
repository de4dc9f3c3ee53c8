"""Users as other programs wrote them down: CSV and htpasswd."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
from pydantic import ValidationError

from totp_gate.cli.parts import Refused
from totp_gate.cli.people import clash
from totp_gate.config.problems import translate
from totp_gate.config.users import UserEntry
from totp_gate.core.headers import plain
from totp_gate.core.names import skeleton
from totp_gate.core.passwords import WEAK, scheme
from totp_gate.model import User
from totp_gate.stores.base import UserChange
from totp_gate.users import htpasswd
from totp_gate.users.htpasswd import weakness

COLUMNS = ("name", "display", "email", "groups", "password_hash")
MOST_PROBLEMS = 20
"""Problems of a file that are shown; the rest is counted."""

_PROGRESS = 1000
_NOT_HTPASSWD = "is not name:hash"
_NO_CSV = f"(For CSV, the first line must name the columns: {', '.join(COLUMNS)}.)"
_OTHER_MARKS = {";": "semicolons", "\t": "tabs"}
Row = tuple[int, Mapping[str, object] | str]
"""Line number, and the fields that stand there or what is wrong with it."""


def new_user(fields: Mapping[str, object], *, now: float) -> User:
    """Return the user that *fields* describe (those of ``[[users]]``), for the store.

    Raises:
        UsageError: one of them cannot be used.
    """
    found = _user(fields, now)
    if isinstance(found, str):
        raise click.UsageError(found[0].upper() + found[1:])
    return found


def user_change(fields: Mapping[str, object]) -> UserChange:
    """Return what changes of a user by *fields* (groups, display, email).

    Raises:
        UsageError: one of them cannot be used.
    """
    new = new_user({"name": "x", **fields}, now=0)
    change: UserChange = {}
    if "groups" in fields:
        change["groups"] = new.groups
    if "display" in fields:
        change["display"] = new.display
    if "email" in fields:
        change["email"] = new.email
    return change


def read_users(
    octets: bytes,
    form: str,
    *,
    groups: Sequence[str],
    now: float,
    known: Mapping[str, User],
    weak: Collection[str] = (),
) -> list[User]:
    """Return the users of a file, which is *form* (``auto``: it shows).

    Args:
        groups: given to all of them besides their own.
        now: when they were made, Unix seconds.
        known: who is there already (``people.taken``).
        weak: kinds of hashes that are allowed, of ``core.passwords.WEAK``.

    Raises:
        Refused: something in the file cannot be used; all of that is named.
    """
    text = _decoded(octets)
    is_csv = form == "csv" or (form == "auto" and _looks_like_csv(text))
    rows = list(_csv_rows(text) if is_csv else _htpasswd_rows(text))
    users: dict[int, User] = {}
    problems: list[str] = []
    looks: dict[str, int] = {}
    for number, (line, fields) in enumerate(rows, start=1):
        found = fields if isinstance(fields, str) else _judge(fields, groups, now, weak)
        if isinstance(found, str):
            wrong = found
        else:
            users[line] = found
            first = looks.setdefault(skeleton(found.name), line)
            alike = f"{found.name} is the same name as in line {first}, or looks so"
            wrong = alike if first != line else clash(found, known)
        if wrong:
            problems.append(f"line {line}: {wrong}")
        progress("read", number, len(rows))
    _refuse(problems, hint="" if is_csv else _NO_CSV)
    if not users:
        raise Refused("There is no user in the file.")
    return list(users.values())


def _decoded(octets: bytes) -> str:
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise Refused(f"The file is not UTF-8 (line {line}).") from error


def progress(what: str, number: int, total: int) -> None:
    """Say on standard error how far it is, now and then."""
    if number % _PROGRESS == 0:
        click.echo(f"{what} {number} of {total}", err=True)


def _refuse(problems: Sequence[str], *, hint: str) -> None:
    if problems:
        more = len(problems) - MOST_PROBLEMS
        shown = [*problems[:MOST_PROBLEMS], *([f"... and {more} more"] * (more > 0))]
        unread = any(each.endswith(_NOT_HTPASSWD) for each in problems)
        shown += [hint] if hint and unread else []
        raise Refused("Nothing was imported.\n" + "\n".join(shown))


def _judge(
    fields: Mapping[str, object],
    groups: Sequence[str],
    now: float,
    weak: Collection[str],
) -> User | str:
    stored = str(fields.get("password_hash", ""))
    name = plain(str(fields.get("name", "")), 64)
    what = weakness(stored, weak) if stored else ""
    kind = scheme(stored)
    if what:
        remedy = "make it bcrypt (htpasswd -B), or leave the hash out and send a link"
        if kind in WEAK:
            remedy += f", or give --allow-weak {kind}"
        return f"the password hash of {name} is {what}: {remedy}"
    own = fields.get("groups", [])
    both = [*own, *groups] if isinstance(own, list) else list(groups)
    known = {**fields, "groups": list(dict.fromkeys(both))}
    if kind not in WEAK:
        return _user(known, now)
    found = _user({**known, "password_hash": ""}, now)
    return found if isinstance(found, str) else replace(found, password_hash=stored)


def _user(fields: Mapping[str, object], now: float) -> User | str:
    """Return the user, or in words what cannot be used."""
    try:
        entry = UserEntry.model_validate(dict(fields), context=Path("gate.toml"))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        wrong = translate(found[0], UserEntry)
        return f"{wrong.place[0]} {wrong.reason}"
    if not entry.name:
        return "name is missing: write the name they sign in with"
    typed = str(fields["name"]).strip()
    display = entry.display or (typed if typed != entry.name else "")
    return User(
        name=entry.name,
        password_hash=entry.password_hash or None,
        groups=entry.groups,
        display=display,
        email=entry.email,
        created=now,
    )


def _looks_like_csv(text: str) -> bool:
    return any(_names_columns(text, mark) for mark in (",", *_OTHER_MARKS))


def _names_columns(text: str, mark: str) -> bool:
    """Tell whether the first line names columns, with *mark* between them."""
    cells = text.partition("\n")[0].lower().split(mark)
    return "name" in [cell.strip(' "\r') for cell in cells]


def _csv_rows(text: str) -> Iterator[Row]:
    for mark, called in _OTHER_MARKS.items():
        if _names_columns(text, mark) and not _names_columns(text, ","):
            raise Refused(f"There are {called} between the columns: write commas.")
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [str(name).strip().lower() for name in reader.fieldnames or ()]
        unknown = sorted(set(names) - set(COLUMNS))
        if "name" not in names or unknown or len(set(names)) < len(names):
            raise Refused(
                f"The first line must name the columns: {', '.join(COLUMNS)}"
                " (only name is needed), each once and no others. A password in the"
                " clear is never imported."
            )
        reader.fieldnames = names
        for row in reader:
            if None in row or None in row.values():
                yield reader.line_num, f"there are not {len(names)} columns"
                continue
            fields: dict[str, object] = {key: row[key].strip() for key in names}
            groups = re.split(r"[;,]", row.get("groups", ""))
            fields["groups"] = [each.strip() for each in groups if each.strip()]
            yield reader.line_num, fields
    except csv.Error as error:
        yield reader.line_num, f"this is no CSV from here on: {error}"


def _htpasswd_rows(text: str) -> Iterator[Row]:
    for number, name, stored in htpasswd.lines(text):
        fields = {"name": name, "password_hash": stored}
        yield number, fields if stored else _NOT_HTPASSWD
