"""The rules in their order, compiled so that a request asks few of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from totp_gate.core.policy import reach
from totp_gate.core.policy.compiled import Compiled, is_member
from totp_gate.core.policy.rules import DEFAULT_NAME, Rule, first_segment, problems_of
from totp_gate.errors import BadRequest, ConfigError
from totp_gate.model import (
    AccessRequest,
    Challenge,
    Decision,
    Level,
    Permit,
    Refuse,
    Subject,
)

DEFAULT = Rule(name=DEFAULT_NAME)
"""What decides where no rule does."""

MOST_REMEMBERED = 4096
_MEMO_LENGTH = 256

_CLOCKS_APART = 60.0
"""Seconds by which two machines' clocks may differ."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule had to say about a request.

    Attributes:
        rule: its name.
        matched: whether it decided.
        why: in words, for people.
    """

    rule: str
    matched: bool
    why: str


class Policy:
    """Ordered rules; the first that applies decides. Made by `compile`.

    Attributes:
        reads_more: whether an answer depends on more than the subject, the host, the
            method, the path and the time: on the query or the client's address. A
            preflight's answer is never to be remembered (its ``until`` is past).
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._compiled = [Compiled(rule) for rule in self.rules]
        self.reads_more = any(r.query or r.networks is not None for r in self.rules)
        anywhere = [c for c in self._compiled if c.paths.segments is None]
        segments = {s for c in self._compiled for s in c.paths.segments or ()}
        self._anywhere = tuple(anywhere)
        self._buckets = {
            segment: tuple(
                c
                for c in self._compiled
                if c.paths.segments is None or segment in c.paths.segments
            )
            for segment in segments
        }
        self._known: dict[tuple[str, str, str, bool], tuple[Compiled, ...]] = {}

    @classmethod
    def compile(cls, rules: Iterable[Rule]) -> Policy:
        """Return the policy that *rules* make in their order.

        Raises:
            ConfigError: some of them are wrong; all problems, by ``rules.NAME.KEY``.
        """
        rules = tuple(rules)
        names = [rule.name for rule in rules]
        problems = [
            (f"rules.{rule.name}.{key}", reason)
            for rule in rules
            for key, reason in problems_of(rule)
        ]
        problems += [
            (f"rules.{name}.name", "two rules have this name: rename one")
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ]
        if problems:
            raise ConfigError(problems)
        return cls(rules)

    def decide(
        self, subject: Subject, request: AccessRequest, *, now: float
    ) -> Decision:
        """Return whether *subject* may do *request*, or what has to be proven first.

        Args:
            subject: who asks.
            request: for what, in canonical spelling.
            now: Unix time in seconds.

        Raises:
            BadRequest: the readings of the path lead to different rules, or the path is
                too long for the expressions in the rules.
        """
        rule = self._rule_for(subject, request, request.path)
        for reading in request.readings:
            if reading != request.path:
                other = self._rule_for(subject, request, reading)
                if other is not rule:
                    raise BadRequest(
                        "the path can be read so that another rule decides"
                    )
        return _judge(rule, subject, request, now)

    def explain(
        self, subject: Subject, request: AccessRequest, *, now: float
    ) -> list[Step]:
        """Return what each rule says, up to the one that decides, and its decision."""
        steps = list(self._steps(subject, request, now))
        for reading in request.readings:
            other = self._rule_for(subject, request, reading)
            if other.name != steps[-1].rule:
                why = f"read as {reading} it is the one to decide: answered with 400"
                return [*steps, Step(other.name, True, why)]
        return steps

    def problems(self, hosts: Iterable[str] = ()) -> list[tuple[str, str]]:
        """Return rules that decide nothing, or too much, for ``check``.

        Args:
            hosts: those the gate answers for; none: any.
        """
        return list(reach.problems(self._compiled, frozenset(hosts)))

    def _rule_for(self, subject: Subject, request: AccessRequest, path: str) -> Rule:
        for compiled in self._candidates(request, path):
            if compiled.plain or not compiled.steps_aside(subject, request):
                return compiled.rule
        return DEFAULT

    def _candidates(self, request: AccessRequest, path: str) -> tuple[Compiled, ...]:
        """Return the rules chosen by host, method and path, in their order."""
        key = (request.host, request.method, path, request.preflight)
        known = self._known.get(key)
        if known is None:
            known = tuple(
                compiled
                for compiled in self._buckets.get(first_segment(path), self._anywhere)
                if not _misses(compiled, request, path)
            )
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            if len(path) <= _MEMO_LENGTH:
                self._known[key] = known
        return known

    def _steps(
        self, subject: Subject, request: AccessRequest, now: float
    ) -> Iterator[Step]:
        for compiled in self._compiled:
            why = _misses(compiled, request, request.path)
            why = why or compiled.steps_aside(subject, request)
            if not why:
                decision = _judge(compiled.rule, subject, request, now)
                yield Step(compiled.rule.name, True, _in_words(decision))
                return
            yield Step(compiled.rule.name, False, why)
        decision = _judge(DEFAULT, subject, request, now)
        yield Step(DEFAULT.name, True, f"no rule decides: {_in_words(decision)}")


def _misses(compiled: Compiled, request: AccessRequest, path: str) -> str:
    """Return why the rule is not meant; a preflight stands for the method to come."""
    method = request.method
    if request.preflight and compiled.rule.preflight:
        method = next(iter(compiled.methods), method)
    return compiled.misses(request.host, method, path)


def _judge(
    rule: Rule, subject: Subject, request: AccessRequest, now: float
) -> Decision:
    if rule.policy == "deny":
        return Refuse(rule.name, "the rule denies it")
    if rule.networks is not None and not rule.networks.contains(request.address):
        return Refuse(rule.name, "the address is outside the rule's networks")
    if request.preflight and rule.preflight:
        return Permit(rule.name, until=0.0)
    if rule.policy == "public":
        return Permit(rule.name)
    return _judge_person(rule, subject, now)


def _judge_person(rule: Rule, subject: Subject, now: float) -> Decision:
    needed = Level.PASSWORD if rule.policy == "one-factor" else Level.SECOND_FACTOR
    if subject.user is None or subject.level < needed:
        return Challenge(needed, rule.max_age, rule.name)
    if not is_member(rule, subject):
        return Refuse(rule.name, "the user is none of the rule's users and groups")
    if rule.max_age is None:
        return Permit(rule.name)
    proven = subject.second_factor_at
    if proven is None or not -_CLOCKS_APART <= now - proven < rule.max_age:
        return Challenge(needed, rule.max_age, rule.name)
    return Permit(rule.name, until=proven + rule.max_age)


def _in_words(decision: Decision) -> str:
    match decision:
        case Permit():
            return "the request may pass"
        case Refuse(reason=reason):
            return f"refused: {reason}"
        case Challenge(level=level, max_age=None):
            factor = "the password" if level is Level.PASSWORD else "the second factor"
            return f"asks for {factor}"
        case Challenge(max_age=max_age):
            return f"asks for a second factor no older than {max_age} seconds"
