"""One rule: what it is written as, and what it is compiled to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import parse_qsl, quote, unquote

from totp_gate.core.policy.patterns import LONGEST_PATH, compile_pattern
from totp_gate.errors import BadRequest
from totp_gate.model import canonical_name

PolicyName = Literal["public", "one-factor", "two-factor", "deny"]
POLICIES: tuple[PolicyName, ...] = ("public", "one-factor", "two-factor", "deny")
LAX = frozenset(("public", "one-factor"))
DEFAULT_NAME = "default"


_ESCAPES = re.compile(r"(?:%[0-9A-F]{2})+")


class Addresses(Protocol):
    """Networks, of which a rule needs to know only what lies inside.

    Those that are equal hold the same addresses.
    """

    def contains(self, address: str) -> bool:
        """Tell whether *address* lies in one of the networks."""
        ...

    def may_contain(self, address: str) -> bool:
        """Tell whether it does, or nobody can know, as *address* is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as it is written; what is left out is no condition.

    Attributes:
        name: for answers, logs and ``explain``; unique, and not ``default``.
        hosts: names without a port, ``*.example.com`` for every name below one.
        paths: in canonical spelling (``urls.canonical``): exact, everything below one
            (``/a/*``), or ``re:`` and an expression that matches the whole path.
        methods: ``GET`` covers ``HEAD``.
        query: names and values that the query must hold, ``*`` for any value.
        networks: where the client must be.
        users, groups: who may; being one of either is enough.
        policy: what is needed.
        max_age: seconds for which a second factor is fresh enough (step-up).
        preflight: let a CORS preflight pass, which cannot sign in.
    """

    name: str
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    networks: Addresses | None = None
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    policy: PolicyName = "two-factor"
    max_age: int | None = None
    preflight: bool = False

    @property
    def strict(self) -> bool:
        """Whether it reads wide, and refuses where a demand is not met."""
        return self.policy not in LAX

    @property
    def demands(self) -> bool:
        """Whether it says anything about networks, users or groups."""
        return bool(self.networks is not None or self.users or self.groups)


@dataclass(slots=True)
class Paths:
    """The paths of one rule, compiled.

    Attributes:
        segments: first segments of the paths, folded; None: any path may match.
    """

    strict: bool
    exact: set[str] = field(default_factory=set)
    below: tuple[str, ...] = ()
    patterns: list[re.Pattern[str]] = field(default_factory=list)
    segments: set[str] | None = field(default_factory=set)

    @classmethod
    def of(cls, rule: Rule) -> Paths:
        """Compile the paths of *rule*, which has no problem."""
        self = cls(rule.strict)
        for text in rule.paths:
            self._add(text)
        if not rule.paths or self.patterns or "/" in self.below:
            self.segments = None
        return self

    def _add(self, text: str) -> None:
        if text.startswith("re:"):
            self.patterns.append(_pattern(text, strict=self.strict))
            return
        path = folded(text) if self.strict else text
        if path.endswith("/*"):
            self.below += (path[:-1],)
            if self.strict:
                self.exact.add(path[:-2] or "/")
        else:
            self.exact.add(path)
            if self.strict:
                self.exact.update(_with_and_without_slash(path))
        if self.segments is not None:
            self.segments.add(first_segment(text))

    def match(self, path: str) -> bool:
        """Tell whether *path* is one of them.

        Raises:
            BadRequest: it is too long to be matched against a pattern.
        """
        if not (self.exact or self.below or self.patterns):
            return True
        low = folded(path) if self.strict else path
        if low in self.exact or (self.below and low.startswith(self.below)):
            return True
        if not self.patterns:
            return False
        if len(path) > LONGEST_PATH:
            raise BadRequest("the path is too long for the rules", status=414)
        spelled = {path}
        if self.strict:
            spelled.update(*map(_with_and_without_slash, (path, low)))
        return any(p.fullmatch(one) for p in self.patterns for one in spelled)


def _pattern(text: str, *, strict: bool) -> re.Pattern[str]:
    """Compile ``re:...``; a strict one to be matched with folded paths too."""
    text = text.removeprefix("re:")
    if strict:
        text = _ESCAPES.sub(_folded_escape, text)
    return compile_pattern(text, any_case=strict)


def _folded_escape(run: re.Match[str]) -> str:
    try:
        unquote(run[0], errors="strict")
    except UnicodeDecodeError:
        return run[0]  # part of a letter, the rest of which the pattern chooses
    return re.escape(folded(run[0]))


def _with_and_without_slash(path: str) -> tuple[str, ...]:
    bare = path.rstrip("/")
    return (bare, f"{bare}/") if bare else ("/",)


def folded(path: str) -> str:
    """Return *path* without regard to case, in any alphabet."""
    if "%" not in path:
        return path.lower()
    return quote(unquote(path).casefold(), safe="/;!$&'()*+,=:@-._~").lower()


def first_segment(path: str) -> str:
    """Return what stands between the first two slashes, without regard to case."""
    return folded(path)[1:].partition("/")[0]


def query_matches(rule: Rule, query: str) -> bool:
    """Tell whether *query* holds what *rule* names.

    A strict rule is content with any occurrence under any separator; a lax one wants
    each name once, in its own case, and a query that all parsers take apart alike.
    """
    try:
        strict = query.replace(";", "&") if rule.strict else query
        pairs = parse_qsl(strict, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return rule.strict
    if rule.strict:
        low = {(name.lower(), value.lower()) for name, value in pairs}
        names = {name for name, _ in low}
        return all(
            name.lower() in names
            if value == "*"
            else (name.lower(), value.lower()) in low
            for name, value in rule.query
        )
    if ";" in query:
        return False
    for name, value in rule.query:
        found = [pair for pair in pairs if pair[0].lower() == name.lower()]
        if len(found) != 1 or found[0][0] != name or value not in ("*", found[0][1]):
            return False
    return True


_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\]")
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Z-]+")
_PATH = re.compile(
    r"(?:/(?!\.{1,2}(?:/|$)|/)(?:[\w.~!$&'()*+,=:@-]"
    r"|%(?:2[02]|3[CE]|5[BDE]|60|7[BCD]|[89A-F][0-9A-F]|25(?![0-9A-Fa-f]{2})))*)+",
    re.ASCII,
)
_NO_HOST = "is no host: lower case, no port, xn-- for other letters, *. for all below"


def problems_of(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with *rule*: the key, and the reason with a remedy."""
    if not rule.name or rule.name == DEFAULT_NAME:
        yield "name", f"give every rule a name of its own, other than {DEFAULT_NAME}"
    for host in rule.hosts:
        if not _HOST.fullmatch(host):
            yield "hosts", f"{host!r} {_NO_HOST}"
    for path in rule.paths:
        if reason := _wrong_path(path, strict=rule.strict):
            yield "paths", f"{path!r}: {reason}"
    for method in rule.methods:
        if not _METHOD.fullmatch(method):
            yield "methods", f"{method!r} is no method: write it in capitals, like GET"
    for user in rule.users:
        if user != canonical_name(user):
            yield "users", f"{user!r} is never found: write {canonical_name(user)!r}"
    yield from _contradictions(rule)


def _contradictions(rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.policy not in POLICIES:
        yield "policy", f"{rule.policy!r} is none of {', '.join(POLICIES)}"
    if rule.policy == "public" and (rule.users or rule.groups):
        yield "policy", "public asks nobody who they are: drop users and groups"
    if rule.max_age is not None and rule.policy != "two-factor":
        yield "max_age", "only two-factor has an age: set that policy, or drop it"
    if rule.max_age is not None and rule.max_age <= 0:
        yield "max_age", "must be longer than nothing"
    if rule.preflight and rule.policy == "deny":
        yield "preflight", "deny lets nothing pass: drop it"


def _wrong_path(path: str, *, strict: bool) -> str:
    if path.startswith("re:"):
        try:
            _pattern(path, strict=strict)
        except ValueError as error:
            return str(error)
        return ""
    stem = path[:-1] if path.endswith("/*") else path
    if "*" in stem:
        return "a * stands at the end, after a slash; use re: for more"
    if not _PATH.fullmatch(stem):
        return "not as it is judged: begin with /, no ? # ; // or dots, %XX in capitals"
    return ""
