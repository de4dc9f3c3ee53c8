"""Which rules decide nothing, or too much, as one can tell without any request.

Strategy: a rule is never reached where one before it applies to every request that the
later one could apply to. Host, path, method, query and demands are compared one by one,
and only what is sure is said: a rule that is never reached may go unnoticed, but what
is reached is never called so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from totp_gate.core.policy.compiled import Compiled
from totp_gate.core.policy.patterns import beginning
from totp_gate.core.policy.rules import Rule, folded
from totp_gate.errors import BadRequest

Hosts = frozenset[str]
"""The hosts the gate answers for; none: any."""


def problems(rules: Sequence[Compiled], hosts: Hosts) -> Iterator[tuple[str, str]]:
    """Yield the key of a rule, and what is wrong with it."""
    for at, later in enumerate(rules):
        key = f"rules.{later.rule.name}"
        if (
            later.rule.policy == "public"
            and later.plain
            and is_everywhere(later, hosts)
        ):
            yield key, "lets everybody in everywhere: name paths or hosts"
        for hides, what in (
            (covers, "is never reached: {!r} decides before it"),
            (covers_usual, "decides only other spellings: {!r} comes before it"),
            (
                covers_admitted,
                "lets nobody in: {!r} decides before it for all it names",
            ),
        ):
            before = partial(hides, later=later, hosts=hosts)
            earlier = _first(before, rules[:at])
            if earlier is not None:
                yield key, what.format(earlier.rule.name) + _remedy(earlier, later)
                break


def covers(earlier: Compiled, later: Compiled, hosts: Hosts) -> bool:
    """Tell whether *earlier* applies to all requests that *later* could decide."""
    wide = later.rule.strict and not earlier.rule.strict
    if wide and (earlier.methods or earlier.rule.query or not _all_paths(earlier)):
        return False
    return _covers_places(earlier, later, hosts) and _meets(later.rule, earlier.rule)


def covers_usual(earlier: Compiled, later: Compiled, hosts: Hosts) -> bool:
    """Tell whether *earlier* applies but where *later*, being strict, reads wide."""
    return _covers_places(earlier, later, hosts) and _meets(later.rule, earlier.rule)


def covers_admitted(earlier: Compiled, later: Compiled, hosts: Hosts) -> bool:
    """Tell whether *earlier* applies wherever *later* would let somebody pass."""
    rule = later.rule
    wide = rule.strict and not earlier.rule.strict
    if rule.policy != "two-factor" or not rule.demands or rule.preflight or wide:
        return False
    return _covers_places(earlier, later, hosts) and _asks_no_more(earlier.rule, rule)


def is_everywhere(rule: Compiled, hosts: Hosts) -> bool:
    """Tell whether *rule* is meant by every request."""
    if rule.methods or not _all_paths(rule):
        return False
    return not rule.rule.hosts or (bool(hosts) and all(map(rule.means_host, hosts)))


def _first(
    hides: Callable[[Compiled], bool], rules: Sequence[Compiled]
) -> Compiled | None:
    return next((rule for rule in rules if hides(rule)), None)


def _remedy(earlier: Compiled, later: Compiled) -> str:
    said = earlier.rule.policy
    instead = "" if said == later.rule.policy else f", and says {said} instead"
    return f"{instead}; move it up or drop it"


def _covers_places(mine: Compiled, other: Compiled, hosts: Hosts) -> bool:
    """Tell whether *mine* is meant wherever *other* is, read no wider than *mine*."""
    if mine.methods and not (other.methods and other.methods <= mine.methods):
        return False
    if other.rule.preflight and mine.methods and not mine.rule.preflight:
        return False
    return (
        _covers_hosts(mine, other, hosts)
        and _covers_paths(mine, other)
        and all(_is_asked(pair, mine.rule, other.rule) for pair in mine.rule.query)
    )


def _covers_hosts(mine: Compiled, other: Compiled, hosts: Hosts) -> bool:
    if not mine.rule.hosts:
        return True
    if hosts:
        meant = set(filter(other.means_host, hosts))
        return bool(meant) and all(map(mine.means_host, meant))
    bare = [host.removeprefix("*") for host in other.rule.hosts]
    return bool(bare) and all(
        host in mine.rule.hosts or below.endswith(mine.suffixes or ("\0",))
        for host, below in zip(other.rule.hosts, bare, strict=True)
    )


def _covers_paths(mine: Compiled, other: Compiled) -> bool:
    if _all_paths(mine):
        return True
    texts = other.rule.paths
    alike = other.rule.strict or not mine.rule.strict
    return bool(texts) and all(_covers_path(mine, text, alike) for text in texts)


def _covers_path(mine: Compiled, text: str, alike: bool) -> bool:
    """Tell whether all paths that are *text* are paths of *mine*.

    Args:
        alike: both read escapes in the same way.
    """
    if text.startswith("re:"):
        before, slash, _ = beginning(text[3:])[0].rpartition("/")
        same = text in mine.rule.paths and (alike or "%" not in text)
        return same or _covers_folder(mine, before + slash)
    if text.endswith("/*"):
        return _covers_folder(mine, text[:-1])
    try:
        return mine.paths.match(text)
    except BadRequest:
        return False


def _covers_folder(mine: Compiled, folder: str) -> bool:
    """Tell whether all that lies below *folder*, ending in a slash, is of *mine*."""
    low = folded(folder) if mine.rule.strict else folder
    return any(map(low.startswith, _stems(mine)))


def _stems(mine: Compiled) -> Iterator[str]:
    """Yield beginnings of which every path is one of *mine*."""
    yield from mine.paths.below
    for text in mine.rule.paths:
        if text.startswith("re:"):
            stem, whole = beginning(text[3:])
            if whole and ("%" not in stem or stem.endswith("/")):
                yield folded(stem) if mine.rule.strict else stem


def _all_paths(mine: Compiled) -> bool:
    return not mine.rule.paths or not {"", "/"}.isdisjoint(_stems(mine))


def _is_asked(pair: tuple[str, str], mine: Rule, other: Rule) -> bool:
    """Tell whether whatever *other* wants of the query is *pair* for *mine*."""
    fold = str.lower if mine.strict else str
    name, value = pair
    return any(
        fold(name) == fold(known) and (value == "*" or fold(value) == fold(said))
        for known, said in other.query
    )


def _meets(other: Rule, mine: Rule) -> bool:
    """Tell whether all to whom *other* applies are whom *mine* is about."""
    if mine.policy == "two-factor" or not mine.demands:
        return True
    if other.policy == "two-factor":
        return False
    named = mine.users or mine.groups
    if named and other.policy == "one-factor" and mine.policy != "one-factor":
        return False  # it asks strangers for their password first
    return _asks_no_more(mine, other)


def _asks_no_more(mine: Rule, other: Rule) -> bool:
    """Tell whether whoever meets what *other* demands meets what *mine* does."""
    if mine.networks is not None:
        # An address that nobody knows is denied some networks, and let into none.
        wider = other.policy == "deny" != mine.policy
        if wider or mine.networks != other.networks:
            return False
    if not (mine.users or mine.groups):
        return True
    return (
        bool(other.users or other.groups)
        and other.users <= mine.users
        and other.groups <= mine.groups
    )
