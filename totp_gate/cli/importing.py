"""Users as other programs wrote them down: CSV and htpasswd."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from pydantic import ValidationError

from totp_gate.cli.parts import Refused
from totp_gate.config.problems import translate
from totp_gate.config.users import UserEntry
from totp_gate.core.headers import plain
from totp_gate.core.names import skeleton
from totp_gate.model import User
from totp_gate.users import htpasswd
from totp_gate.users.htpasswd import weakness

COLUMNS = ("name", "display", "email", "groups", "password_hash")
MOST_PROBLEMS = 20
"""Problems of a file that are shown; the rest is counted."""

_PROGRESS = 1000
Row = tuple[int, Mapping[str, object]]


def new_user(fields: Mapping[str, object], *, now: float) -> User:
    """Return the user that *fields* describe (those of ``[[users]]``), for the store.

    Raises:
        UsageError: one of them cannot be used.
    """
    found = _user(fields, now)
    if isinstance(found, str):
        raise click.UsageError(found[0].upper() + found[1:])
    return found


def read_users(
    octets: bytes, form: str, *, groups: Sequence[str], now: float
) -> list[User]:
    """Return the users of a file, which is *form* (``auto``: it shows).

    Args:
        groups: given to all of them besides their own.
        now: when they were made, Unix seconds.

    Raises:
        Refused: something in the file cannot be used; all of that is named.
    """
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise Refused(f"The file is not UTF-8 (line {line}).") from error
    if form == "auto":
        form = "csv" if _looks_like_csv(text) else "htpasswd"
    rows = list(_csv_rows(text) if form == "csv" else _htpasswd_rows(text))
    users: list[User] = []
    problems: list[str] = []
    looks: dict[str, int] = {}
    for number, (line, fields) in enumerate(rows, start=1):
        found = _judge(fields, groups, now)
        if isinstance(found, User):
            first = looks.setdefault(skeleton(found.name), line)
            if first == line:
                users.append(found)
            else:
                found = f"{found.name} is the same name as in line {first}, or looks so"
        if isinstance(found, str):
            problems.append(f"line {line}: {found}")
        if number % _PROGRESS == 0:
            click.echo(f"read {number} of {len(rows)}", err=True)
    refuse(problems)
    if not users:
        raise Refused("There is no user in the file.")
    return users


def refuse(problems: Sequence[str]) -> None:
    """Raise for *problems* with the first of them, if there are any.

    Raises:
        Refused: there are.
    """
    if problems:
        more = len(problems) - MOST_PROBLEMS
        shown = [*problems[:MOST_PROBLEMS], *([f"... and {more} more"] * (more > 0))]
        raise Refused("Nothing was imported.\n" + "\n".join(shown))


def _judge(
    fields: Mapping[str, object], groups: Sequence[str], now: float
) -> User | str:
    stored = str(fields.get("password_hash", ""))
    name = plain(str(fields.get("name", "")), 64)
    what = weakness(stored) if stored else ""
    if what:
        remedy = "make it bcrypt (htpasswd -B), or leave the hash out and send a link"
        return f"the password hash of {name} is {what}: {remedy}"
    own = fields.get("groups", [])
    both = [*own, *groups] if isinstance(own, list) else list(groups)
    return _user({**fields, "groups": list(dict.fromkeys(both))}, now)


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
    first = text.partition("\n")[0].strip().lower().split(",")
    return "name" in [cell.strip(' "') for cell in first]


def _csv_rows(text: str) -> Iterator[Row]:
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
                raise Refused(f"Line {reader.line_num} has not {len(names)} columns.")
            fields: dict[str, object] = {key: row[key].strip() for key in names}
            groups = re.split(r"[;,]", row.get("groups", ""))
            fields["groups"] = [each.strip() for each in groups if each.strip()]
            yield reader.line_num, fields
    except csv.Error as error:
        raise Refused(f"Line {reader.line_num} is no CSV: {error}.") from error


def _htpasswd_rows(text: str) -> Iterator[Row]:
    try:
        for number, name, stored in htpasswd.lines(text):
            yield number, {"name": name, "password_hash": stored}
    except ValueError as error:
        raise Refused(
            f"{str(error).capitalize()}. (For CSV, the first line must name the"
            f" columns: {', '.join(COLUMNS)}.)"
        ) from error
