"""What check says of a policy is true of every request."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from totp_gate.core.headers import Networks
from totp_gate.core.policy import Policy, Rule
from totp_gate.core.policy.compiled import Compiled
from totp_gate.core.policy.rules import query_matches
from totp_gate.model import AccessRequest, Level, Permit, Subject

NOW = 1_700_000_000.0
HOSTS = ("a.example", "b.example")
GROUPS = [frozenset(), frozenset("x"), frozenset("xy")]
SUBJECTS = [
    Subject(),
    *(
        Subject(user=user, groups=frozenset(groups), level=level, second_factor_at=NOW)
        for user, groups in (("alice", "x"), ("bob", "y"), ("carol", ""))
        for level in (Level.PASSWORD, Level.SECOND_FACTOR)
    ),
]
WRITTEN = [
    *("/", "/a", "/a/", "/A/b", "/a/*", "/a/b/*", "/A/*", "/*", "/%C3%A9", "/%C3%89/*"),
    *(
        "re:/.*",
        "re:.*",
        "re:/a/.*",
        "re:/a/b?",
        "re:/a/|/b",
        "re:/a/(?:b|c)/",
        "re:/A/b",
    ),
    *("re:/[ab]", "re:/a.*", "re:/%C3%A9/.*", "re:/%C3%89", "re:^/a/b$"),
]
PATHS = [
    *("/", "/a", "/A", "/a/", "/a/b", "/A/B", "/a/b/", "/a/b/c", "/a/c", "/b", "/ab"),
    *("/%C3%A9", "/%C3%89", "/%C3%A9/x", "/%C3%89/x", "/%C3%9F"),
]
NETWORKS = [None, None, Networks(["10.0.0.0/8"]), Networks(["10.1.0.0/16"])]
METHODS = ["GET", "HEAD", "POST", "get", "OPTIONS", "PUT"]
ADDRESSES = ["10.1.0.1", "10.2.0.1", "192.0.2.1", ""]
QUERIES = ["", "k=v", "k=w", "K=v", "k=v&k=w", "k=v;a", "l=m&k=v"]

FIELDS = {
    "hosts": st.sampled_from([(), ("a.example",), ("*.example",)]),
    "paths": st.lists(st.sampled_from(WRITTEN), max_size=2).map(tuple),
    "methods": st.sampled_from([(), ("GET",), ("GET", "POST"), ("OPTIONS",)]),
    "query": st.sampled_from([(), (("k", "v"),), (("k", "*"),), (("K", "V"),)]),
    "networks": st.sampled_from(NETWORKS),
    "groups": st.sampled_from(GROUPS),
    "users": st.sampled_from([frozenset(), frozenset({"bob"})]),
    "policy": st.sampled_from(["public", "one-factor", "two-factor", "deny"]),
    "preflight": st.booleans(),
}


@st.composite
def alike(draw):
    """Two rules that differ in little, so that one often hides the other."""
    first = {name: draw(values) for name, values in FIELDS.items()}
    for name in draw(st.sets(st.sampled_from(sorted(FIELDS)), min_size=3)):
        first[name] = getattr(Rule(name="x"), name)
    changed = draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=3))
    second = first | {name: draw(FIELDS[name]) for name in changed}
    return [
        possible(Rule(name="x", **one), at) for at, one in enumerate((first, second))
    ]


def some_requests(seed):
    """Sixty requests; hypothesis would take longer to draw them than to judge them."""
    draw = random.Random(seed)
    return [
        (
            AccessRequest(
                host=draw.choice(HOSTS),
                method=draw.choice(METHODS),
                path=draw.choice(PATHS),
                query=draw.choice(QUERIES),
                address=draw.choice(ADDRESSES),
            ),
            draw.choice(SUBJECTS),
        )
        for _ in range(60)
    ]


def possible(rule, at):
    """Return *rule* with a name of its own and without what contradicts itself."""
    if rule.policy == "public":
        rule = replace(rule, users=frozenset(), groups=frozenset())
    preflight = rule.preflight and rule.policy != "deny"
    return replace(rule, name=f"r{at}", preflight=preflight)


def is_meant_narrowly(rule, request):
    lax = replace(rule, policy="public", users=frozenset(), groups=frozenset())
    missed = Compiled(lax).misses(request.host, request.method, request.path)
    return not missed and query_matches(lax, request.query)


@settings(max_examples=300, deadline=None)
@given(alike(), st.integers(0, 2**32), st.booleans())
def test_no_request_contradicts_what_is_said_of_a_rule(rules, seed, told):
    policy = Policy.compile(rules)
    said = dict(policy.problems(HOSTS if told else ()))

    for (request, subject), preflight in itertools.product(
        some_requests(seed), (False, True)
    ):
        if preflight:
            request = replace(request, method="OPTIONS", preflight=True)
        found = policy.decide(subject, request, now=NOW)
        reason = said.get(f"rules.{found.rule}", "")
        assert "never reached" not in reason
        if "nobody in" in reason:
            assert not isinstance(found, Permit)
        if "other spellings" in reason:
            rule = next(rule for rule in rules if rule.name == found.rule)
            assert not is_meant_narrowly(rule, request)
        if any("everybody in everywhere" in why for why in said.values()):
            assert found.rule != "default"
