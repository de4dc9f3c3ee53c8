"""The path and the query of a request, and every way to read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from totp_gate.core.urls.hosts import PORTS, clean_host
from totp_gate.errors import BadRequest

LONGEST_TARGET = 8190
"""Longest request target in octets (RFC 9112 section 3 recommends 8000 or more)."""

MOST_READINGS = 32
"""A path that can be read in more ways than this is refused."""

_MOST_READ = 131_072

MEMO_LENGTH = 256
"""Longer paths are understood anew each time, so that no memo of them grows."""

_SIMPLE = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.~-]+)*/?")
_BAD_PATH = re.compile(r"[^!-~]|[#\\]|%(?![0-9A-Fa-f]{2})")
_BAD_QUERY = re.compile(r"[^!-~]|#")
_ABSOLUTE = re.compile(r"(https?)://([^/?#]*)([/?#].*|)", re.IGNORECASE | re.ASCII)

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNSAFE = re.compile(r'["<>\[\]^`{|}]')
_REFUSED = re.compile(
    r"%(?:[01][0-9A-F]|7F|5C)"  # a control or a backslash
    r"|%C[01]|%E0%[89]|%F0%8"  # overlong UTF-8
    r"|/\.{1,2}(?=/|$)"  # a dot segment
)
_PLAIN = {
    f"{ord(char):02X}": char
    for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    "!$&'()*+,=:@"  # means itself wherever it stands in a path; so not / ; ? # %
}


@dataclass(frozen=True, slots=True)
class Target:
    """The path of a request.

    Attributes:
        raw: as received, in origin-form, without the query; what is forwarded.
        path: the canonical spelling; what rules compare.
        readings: `path`, then every other way a reasonable server could read it.
        wsgi: what a server makes of it for ``SCRIPT_NAME + PATH_INFO``: decoded
            once, one character an octet (PEP 3333).
    """

    raw: str
    path: str
    readings: tuple[str, ...]
    wsgi: str


ASTERISK = Target(raw="*", path="*", readings=("*",), wsgi="*")
"""The target of ``OPTIONS *``; no path, so no rule but the default can be meant."""


def understand(
    raw_target: str, *, host: str | None = None, asterisk: bool = False
) -> tuple[Target, str]:
    """Return the path and the query that *raw_target* asks for.

    The query is returned as received, without ``?``; a target that ends in a bare
    ``?`` has an empty one.

    Args:
        raw_target: the second word of the request line (``RAW_URI``, ``REQUEST_URI``).
        host: the request's Host. An absolute-form target must name the same
            authority; without a host none is accepted.
        asterisk: accept ``*`` and return `ASTERISK`; the caller has seen OPTIONS.

    Raises:
        BadRequest: no two servers need agree on what is meant (400), or the target is
            longer than `LONGEST_TARGET` (414).

    Source:
        RFC 9112 section 3.2 (forms of a target), RFC 3986 sections 2 and 6.2.2.
    """
    if len(raw_target) > LONGEST_TARGET:
        raise BadRequest("the request target is too long", status=414)
    if raw_target[:1] != "/":
        if raw_target == "*" and asterisk:
            return ASTERISK, ""
        raw_target = _origin_form(raw_target, host)
    path, _, query = raw_target.partition("?")
    if query and _BAD_QUERY.search(query):
        raise BadRequest("the query holds octets that do not belong in one")
    if len(path) <= MEMO_LENGTH:
        return _remembered(path), query
    return _target(path), query


def under(target: Target, prefix: str) -> bool:
    """Tell whether any reading of *target* is *prefix* or lies below it, in any case.

    Args:
        target: what was asked for.
        prefix: a canonical path without a slash at its end, as ``/_gate``.
    """
    prefix = prefix.lower()
    below = prefix + "/"
    for reading in target.readings:
        low = reading.lower()
        if low.startswith(below) or low == prefix:
            return True
    return False


def canonical(path: str) -> str:
    """Return *path*, as a person writes it in a settings file, in canonical spelling.

    ``/Straße/a b`` becomes ``/Stra%C3%9Fe/a%20b``: the form of `Target.path`.

    Raises:
        ValueError: it is no path a request could have; the text says what to write.
    """
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is no path: begin it with /")
    if "?" in path or "#" in path or "%2a" in path.lower():
        raise ValueError(f"{path!r} holds ?, # or an escaped *: write the path alone")
    octets = path.encode("utf-8", "replace")
    spelled = "".join(chr(o) if 0x21 <= o <= 0x7E else f"%{o:02X}" for o in octets)
    try:
        readings = _target(spelled).readings
    except BadRequest as error:
        raise ValueError(f"{path!r} cannot be asked for: {error}") from error
    if len(readings) > 1:
        raise ValueError(f"{path!r} can be read as {readings[1]!r} too: write that one")
    return readings[0]


def canonical_pattern(text: str) -> str:
    """Return *text*, a path or with ``/*`` all below one, in canonical spelling.

    Raises:
        ValueError: as `canonical`.
    """
    if text.endswith("/*"):
        return canonical(text[:-1]) + "*"
    return canonical(text)


def _origin_form(raw_target: str, host: str | None) -> str:
    absolute = _ABSOLUTE.fullmatch(raw_target)
    if absolute is None:
        raise BadRequest("the request target does not begin with /")
    scheme, authority, rest = absolute.groups()
    port = PORTS[scheme.lower()]
    named, asked = clean_host(authority), clean_host(host or "")
    if named is None or asked is None:
        raise BadRequest("the request target names no valid authority")
    own = f":{port}"
    if named.removesuffix(own) != asked.removesuffix(own):
        raise BadRequest("the request target names another authority than Host")
    return rest if rest.startswith("/") else "/" + rest


def _target(raw: str) -> Target:
    if _SIMPLE.fullmatch(raw):
        return Target(raw, raw, (raw,), raw)
    if _BAD_PATH.search(raw):
        raise BadRequest("the path holds octets or escapes that do not belong in one")
    octets = unquote_to_bytes(raw)
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("the path is not UTF-8") from error
    quoted = _UNSAFE.sub(lambda char: f"%{ord(char[0]):02X}", raw)
    path = _spell(quoted)
    readings = _readings(path)
    return Target(raw, path, readings, octets.decode("latin-1"))


_remembered = lru_cache(maxsize=1024)(_target)


def _spell(text: str) -> str:
    def char(escape: re.Match[str]) -> str:
        code = escape[1].upper()
        return _PLAIN.get(code) or f"%{code}"

    return _ESCAPE.sub(char, text) if "%" in text else text


def _readings(path: str) -> tuple[str, ...]:
    """Return every way to read *path*, itself first; refuse what no reading may be."""
    waiting = [path]
    found = {path: None}
    most = min(MOST_READINGS, _MOST_READ // len(path))
    while waiting:
        reading = waiting.pop()
        if _REFUSED.search(reading):
            raise BadRequest("the path holds dot segments, controls or backslashes")
        for other in _other_ways(reading):
            if other not in found:
                found[other] = None
                waiting.append(other)
        if len(found) > most:
            raise BadRequest("the path can be read in too many ways")
    return tuple(found)


def _again(path: str) -> str:
    """Decode once more, as two servers in a row do."""
    return _spell(re.sub(r"%25(?=[0-9A-Fa-f]{2})", "%", path))


def _without_last_parameters(path: str) -> str:
    head, slash, last = path.rpartition("/")
    return head + slash + last.partition(";")[0]


_WAYS: tuple[tuple[str, Callable[[str], str]], ...] = (
    # escaped separators decoded before the path is taken apart
    ("%2F", lambda path: path.replace("%2F", "/")),
    ("%3B", lambda path: path.replace("%3B", ";")),
    # parameters cut from every segment (servlets), from the last one (urllib)
    (";", lambda path: re.sub(r";[^/]*", "", path)),
    (";", _without_last_parameters),
    # empty segments dropped, everywhere or in front; what follows // taken for a host,
    # as browsers do (any number of slashes) and as RFC 3986 does (two)
    ("//", lambda path: re.sub(r"/{2,}", "/", path)),
    ("//", lambda path: re.sub(r"^/{2,}", "/", path)),
    ("//", lambda path: re.sub(r"^/{2,}[^/]*/?", "/", path)),
    ("//", lambda path: re.sub(r"^//[^/]*", "", path)),
    # decoded, then split at the query or the fragment
    ("%3F", lambda path: re.sub(r"%(?:3F|23).*", "", path)),
    ("%23", lambda path: re.sub(r"%(?:3F|23).*", "", path)),
    ("%25", _again),
)


def _other_ways(path: str) -> Iterator[str]:
    for sign, read in _WAYS:
        if sign in path:
            yield read(path) or "/"
