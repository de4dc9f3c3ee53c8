"""Rules: which one is chosen, and what it says."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from totp_gate.core.policy import Policy, Rule
from totp_gate.core.policy.patterns import LONGEST_PATH, compile_pattern
from totp_gate.errors import BadRequest, ConfigError
from totp_gate.model import AccessRequest, Challenge, Level, Permit, Refuse, Subject

NOW = 1_700_000_000.0
NOBODY = Subject()
HALF = Subject(user="alice", level=Level.PASSWORD)
ALICE = Subject(
    user="alice",
    groups=frozenset({"staff"}),
    level=Level.SECOND_FACTOR,
    second_factor_at=NOW - 100,
)
BOB = Subject(user="bob", level=Level.SECOND_FACTOR, second_factor_at=NOW - 100)


class Office:
    """10.0.0.0/8, as the gate's networks would say it."""

    def contains(self, address):
        known = address not in {"", "unknown"}
        return known and ip_address(address) in ip_network("10.0.0.0/8")

    def may_contain(self, address):
        return address in {"", "unknown"} or self.contains(address)

    def __eq__(self, other):
        return isinstance(other, Office)

    __hash__ = None


def ask(path="/", *, method="GET", host="app.example.com", **more):
    return AccessRequest(host=host, method=method, path=path, **more)


def decide(rules, subject=NOBODY, request=None, *, now=NOW, **more):
    return Policy.compile(rules).decide(subject, request or ask(**more), now=now)


def rule_of(rules, subject=NOBODY, **more):
    return decide(rules, subject, **more).rule


PUBLIC = Rule(name="public", paths=("/pub/*",), policy="public")
ADMIN = Rule(
    name="admin",
    paths=("/admin/*",),
    groups=frozenset({"staff"}),
    networks=Office(),
)
CHALLENGE = Challenge(Level.SECOND_FACTOR, None, "default")


# Without rules.


@pytest.mark.parametrize(
    ("subject", "decision"),
    [
        pytest.param(NOBODY, CHALLENGE, id="nobody"),
        pytest.param(HALF, CHALLENGE, id="password only"),
        pytest.param(ALICE, Permit("default"), id="two factors"),
    ],
)
def test_without_rules_everything_needs_two_factors(subject, decision):
    assert decide([], subject) == decision
    assert decide([PUBLIC], subject, path="/else") == decision


def test_a_level_without_a_user_is_nobody():
    assert decide([], Subject(level=Level.SECOND_FACTOR)) == CHALLENGE


# Which rule is chosen.


@pytest.mark.parametrize(
    ("paths", "path", "chosen"),
    [
        pytest.param(("/a",), "/a", True, id="exact"),
        pytest.param(("/a",), "/a/", False, id="slash behind"),
        pytest.param(("/a",), "/ab", False, id="longer name"),
        pytest.param(("/a",), "/A", False, id="case"),
        pytest.param(("/a/",), "/a", False, id="slash missing"),
        pytest.param(("/a/*",), "/a/", True, id="the folder"),
        pytest.param(("/a/*",), "/a/b/c", True, id="below"),
        pytest.param(("/a/*",), "/a", False, id="the folder's name"),
        pytest.param(("/a/*",), "/ab/c", False, id="beside"),
        pytest.param(("/a/*",), "/A/b", False, id="below in another case"),
        pytest.param(("/*",), "/", True, id="everything"),
        pytest.param((), "/x/y", True, id="no paths"),
        pytest.param(("/b", "/a"), "/a", True, id="one of two"),
        pytest.param(("/caf%C3%A9",), "/caf%C3%A9", True, id="other letters"),
        pytest.param(("/caf%C3%A9",), "/caf%C3%89", False, id="other letters, case"),
        pytest.param((r"re:/v\d+/x",), "/v12/x", True, id="expression"),
        pytest.param((r"re:/v\d+/x",), "/v12/xy", False, id="expression, longer"),
        pytest.param((r"re:/v\d+/x",), "/a/v12/x", False, id="expression, inside"),
        pytest.param((r"re:/v\d+/x",), "/V12/x", False, id="expression, case"),
    ],
)
def test_a_lax_rule_reads_narrow(paths, path, chosen):
    rule = Rule(name="lax", paths=paths, policy="public")

    assert rule_of([rule], path=path) == ("lax" if chosen else "default")


@pytest.mark.parametrize(
    ("paths", "path", "chosen"),
    [
        pytest.param(("/a",), "/a", True, id="exact"),
        pytest.param(("/a",), "/a/", True, id="slash behind"),
        pytest.param(("/a/",), "/a", True, id="slash missing"),
        pytest.param(("/a",), "/A/", True, id="case"),
        pytest.param(("/a",), "/ab", False, id="longer name"),
        pytest.param(("/a",), "/a/b", False, id="below an exact path"),
        pytest.param(("/a/*",), "/a", True, id="the folder's name"),
        pytest.param(("/a/*",), "/A", True, id="the folder's name, case"),
        pytest.param(("/a/*",), "/A/b", True, id="below in another case"),
        pytest.param(("/A/*",), "/a/b", True, id="written in capitals"),
        pytest.param(("/a/*",), "/ab", False, id="beside"),
        pytest.param(("/*",), "/", True, id="everything"),
        pytest.param(("/",), "/", True, id="root"),
        pytest.param(("/",), "/x", False, id="not below root"),
        pytest.param(("/caf%C3%A9",), "/CAF%C3%89", True, id="other letters, case"),
        pytest.param((r"re:/v\d+/x",), "/V1/X", True, id="expression, case"),
        pytest.param((r"re:/v\d+/x",), "/v1/x/", True, id="expression, slash behind"),
        pytest.param((r"re:/v\d+/",), "/v1", True, id="expression, slash missing"),
        pytest.param((r"re:/v\d+/.*",), "/v1", True, id="expression, the folder"),
        pytest.param((r"re:/v\d+/x",), "/v1/x/y", False, id="expression, below"),
        pytest.param(("re:/[a-z]*",), "/", True, id="expression, root"),
        pytest.param(("re:/caf%C3%89",), "/caf%C3%89", True, id="expression, letters"),
        pytest.param(("re:/caf%C3%A9/x",), "/CAF%C3%89/x", True, id="both"),
        pytest.param(("re:/.{6}",), "/%C3%9F", True, id="expression, as it is sent"),
        pytest.param(("re:/%C3.*",), "/%C3%A9", True, id="expression, half a letter"),
    ],
)
def test_a_strict_rule_reads_wide(paths, path, chosen):
    rule = Rule(name="strict", paths=paths, policy="deny")

    assert rule_of([rule], path=path) == ("strict" if chosen else "default")


@pytest.mark.parametrize(
    ("hosts", "host", "chosen"),
    [
        pytest.param(("a.example",), "a.example", True, id="exact"),
        pytest.param(("a.example",), "b.a.example", False, id="below an exact one"),
        pytest.param(("*.a.example",), "b.a.example", True, id="wildcard"),
        pytest.param(("*.a.example",), "c.b.a.example", True, id="wildcard, deep"),
        pytest.param(("*.a.example",), "a.example", False, id="not the parent"),
        pytest.param(("*.a.example",), "ba.example", False, id="dot boundary"),
        pytest.param(("*.a.example",), "b.a.example.evil", False, id="in the middle"),
        pytest.param(
            ("a.example", "*.b.example"), "x.b.example", True, id="one of two"
        ),
        pytest.param(("[::1]",), "[::1]", True, id="IPv6"),
        pytest.param((), "any", True, id="no hosts"),
    ],
)
def test_a_rule_is_chosen_by_host(hosts, host, chosen):
    rule = Rule(name="here", hosts=hosts, policy="public")

    assert rule_of([rule], host=host) == ("here" if chosen else "default")


@pytest.mark.parametrize(
    ("methods", "method", "chosen"),
    [
        pytest.param(("GET",), "GET", True, id="named"),
        pytest.param(("GET",), "HEAD", True, id="HEAD is GET without a body"),
        pytest.param(("HEAD",), "GET", False, id="GET is more than HEAD"),
        pytest.param(("GET",), "POST", False, id="another"),
        pytest.param(("GET",), "OPTIONS", False, id="OPTIONS"),
        pytest.param(("GET",), "get", False, id="case"),
        pytest.param((), "PROPFIND", True, id="any"),
    ],
)
def test_a_rule_is_chosen_by_method(methods, method, chosen):
    rule = Rule(name="here", methods=methods, policy="public")

    assert rule_of([rule], method=method) == ("here" if chosen else "default")


def test_a_strict_rule_knows_a_method_in_any_case():
    rule = Rule(name="no", methods=("DELETE",), policy="deny")

    assert rule_of([rule], method="delete") == "no"


@pytest.mark.parametrize(
    ("query", "lax", "strict"),
    [
        pytest.param("key=1", True, True, id="as named"),
        pytest.param("a=b&key=1&c", True, True, id="among others"),
        pytest.param("k%65y=%31", True, True, id="escaped"),
        pytest.param("", False, False, id="empty"),
        pytest.param("key=2", False, False, id="another value"),
        pytest.param("key", False, False, id="no value"),
        pytest.param("keys=1", False, False, id="another name"),
        pytest.param("key=1&key=1", False, True, id="twice"),
        pytest.param("key=1&key=2", False, True, id="twice, first"),
        pytest.param("key=2&key=1", False, True, id="twice, last"),
        pytest.param("KEY=1", False, True, id="case"),
        pytest.param("key=1&KEY=2", False, True, id="twice in other cases"),
        pytest.param("a=b;key=1", False, True, id="semicolon"),
        pytest.param("key=1;a=b", False, True, id="semicolon behind"),
        pytest.param("&".join("a" * 2000), False, True, id="too many to take apart"),
    ],
)
def test_a_query_is_read_narrow_by_lax_and_wide_by_strict_rules(query, lax, strict):
    named = (("key", "1"),)
    public = Rule(name="lax", query=named, policy="public")
    deny = Rule(name="strict", query=named, policy="deny")

    assert rule_of([public], query=query) == ("lax" if lax else "default")
    assert rule_of([deny], query=query) == ("strict" if strict else "default")


def test_a_query_may_be_named_with_any_value():
    rule = Rule(name="here", query=(("token", "*"),), policy="public")
    deny = Rule(name="here", query=(("token", "*"),), policy="deny")

    assert rule_of([rule], query="token=x") == "here"
    assert rule_of([rule], query="token=x&token=y") == "default"
    assert rule_of([rule], query="token=x;token=y") == "default"
    assert rule_of([rule], query="x=token") == "default"
    assert rule_of([deny], query="a&TOKEN") == "here"


def test_the_first_rule_that_applies_decides():
    deny = Rule(name="deny", paths=("/pub/x",), policy="deny")

    assert rule_of([deny, PUBLIC], path="/pub/x") == "deny"
    assert rule_of([PUBLIC, deny], path="/pub/x") == "public"
    assert rule_of([deny, PUBLIC], path="/pub/X/") == "deny"


# What a rule demands.


@pytest.mark.parametrize(
    ("subject", "address", "decision"),
    [
        pytest.param(ALICE, "10.1.1.1", Permit("admin"), id="all met"),
        pytest.param(ALICE, "11.1.1.1", Refuse, id="from elsewhere"),
        pytest.param(ALICE, "", Refuse, id="from nowhere"),
        pytest.param(BOB, "10.1.1.1", Refuse, id="not in the group"),
        pytest.param(NOBODY, "11.1.1.1", Refuse, id="nobody from elsewhere"),
        pytest.param(
            NOBODY,
            "10.1.1.1",
            Challenge(Level.SECOND_FACTOR, None, "admin"),
            id="nobody",
        ),
        pytest.param(
            HALF, "10.1.1.1", Challenge(Level.SECOND_FACTOR, None, "admin"), id="half"
        ),
    ],
)
def test_a_strict_rule_whose_demand_is_not_met_refuses(subject, address, decision):
    laxer = Rule(name="laxer", policy="public")
    found = decide([ADMIN, laxer], subject, path="/admin/x", address=address)

    assert found.rule == "admin"
    assert isinstance(found, Refuse) if decision is Refuse else found == decision


@pytest.mark.parametrize("policy", ["public", "one-factor"])
def test_a_lax_rule_from_elsewhere_does_not_apply(policy):
    rule = Rule(name="office", networks=Office(), policy=policy)

    assert rule_of([rule], address="10.1.1.1") == "office"
    assert decide([rule], address="11.1.1.1") == CHALLENGE
    assert decide([rule], HALF, address="11.1.1.1") == CHALLENGE
    assert decide([rule], ALICE, address="11.1.1.1") == Permit("default")


def test_one_factor_lets_a_password_in_exactly_there():
    rule = Rule(name="easy", paths=("/easy/*",), policy="one-factor")

    assert decide([rule], path="/easy/") == Challenge(Level.PASSWORD, None, "easy")
    assert decide([rule], HALF, path="/easy/x") == Permit("easy")
    assert decide([rule], HALF, path="/easy") == CHALLENGE
    assert decide([rule], HALF, path="/EASY/x") == CHALLENGE
    assert decide([rule], HALF, path="/") == CHALLENGE


def test_one_factor_for_some_asks_nobody_for_a_password_and_others_for_more():
    rule = Rule(name="bots", users=frozenset({"robot"}), policy="one-factor")
    robot = Subject(user="robot", level=Level.PASSWORD)

    assert decide([rule]) == Challenge(Level.PASSWORD, None, "bots")
    assert decide([rule], robot) == Permit("bots")
    assert decide([rule], HALF) == CHALLENGE
    assert decide([rule], ALICE) == Permit("default")


def test_being_a_user_or_in_a_group_is_enough():
    rule = Rule(name="team", users=frozenset({"bob"}), groups=frozenset({"staff"}))
    carol = Subject(user="carol", level=Level.SECOND_FACTOR, second_factor_at=NOW)

    assert decide([rule], ALICE) == Permit("team")
    assert decide([rule], BOB) == Permit("team")
    assert isinstance(decide([rule], carol), Refuse)


def test_deny_denies_whom_it_names_or_everybody():
    everybody = Rule(name="no", paths=("/x",), policy="deny")
    bob = Rule(name="no", users=frozenset({"bob"}), policy="deny")
    office = Rule(name="no", networks=Office(), policy="deny")

    assert isinstance(decide([everybody], ALICE, path="/x"), Refuse)
    assert isinstance(decide([everybody], NOBODY, path="/x"), Refuse)
    assert isinstance(decide([bob], BOB), Refuse)
    assert decide([bob], ALICE) == Permit("default")
    assert decide([bob], NOBODY) == CHALLENGE
    assert isinstance(decide([office], ALICE, address="10.1.1.1"), Refuse)
    assert decide([office], ALICE, address="11.1.1.1") == Permit("default")


@pytest.mark.parametrize("address", ["", "unknown"])
def test_an_address_nobody_knows_is_denied_and_never_let_in(address):
    deny = Rule(name="no", networks=Office(), policy="deny")
    public = replace(deny, policy="public")
    strict = replace(deny, policy="two-factor")

    assert decide([deny, PUBLIC], path="/pub/x", address=address) == Refuse(
        "no", "the rule denies it"
    )
    assert decide([public], address=address) == CHALLENGE
    assert isinstance(decide([strict], ALICE, address=address), Refuse)


# Step-up.


@pytest.mark.parametrize(
    ("proven", "permitted"),
    [
        pytest.param(NOW, True, id="now"),
        pytest.param(NOW - 599, True, id="fresh"),
        pytest.param(NOW - 600, False, id="at the limit"),
        pytest.param(NOW - 10**6, False, id="old"),
        pytest.param(None, False, id="never"),
        pytest.param(NOW + 30, True, id="by a clock that is ahead"),
        pytest.param(NOW + 3600, False, id="in the future"),
    ],
)
def test_step_up_wants_a_fresh_second_factor(proven, permitted):
    rule = Rule(name="fresh", max_age=600)
    subject = Subject(user="alice", level=Level.SECOND_FACTOR, second_factor_at=proven)
    found = decide([rule], subject)

    if permitted:
        assert found == Permit("fresh", until=proven + 600)
    else:
        assert found == Challenge(Level.SECOND_FACTOR, 600, "fresh")


def test_a_member_is_told_to_step_up_and_a_stranger_is_not():
    rule = Rule(name="fresh", max_age=10, groups=frozenset({"staff"}))

    assert decide([rule], ALICE) == Challenge(Level.SECOND_FACTOR, 10, "fresh")
    assert isinstance(decide([rule], BOB), Refuse)


# CORS preflight.


def test_a_preflight_passes_only_where_a_rule_says_so():
    api = Rule(name="api", paths=("/api/*",), methods=("PUT",), preflight=True)
    asks = {"path": "/api/x", "method": "OPTIONS"}

    assert decide([api], preflight=True, **asks) == Permit("api", until=0.0)
    assert decide([api], preflight=False, **asks) == CHALLENGE
    assert decide([api], path="/x", method="OPTIONS", preflight=True) == CHALLENGE
    assert decide([], preflight=True, **asks) == CHALLENGE
    assert rule_of([api], path="/api/x", method="PUT") == "api"
    assert isinstance(decide([api], path="/api/x", method="PUT"), Challenge)


def test_a_preflight_passes_no_rule_that_refuses_before():
    deny = Rule(name="deny", paths=("/api/secret/*",), policy="deny")
    api = Rule(name="api", paths=("/api/*",), networks=Office(), preflight=True)
    asks = {"method": "OPTIONS", "preflight": True}

    assert isinstance(decide([deny, api], path="/api/secret/x", **asks), Refuse)
    assert isinstance(decide([api], path="/api/x", address="1.1.1.1", **asks), Refuse)


# More than one way to read a path.


def test_readings_that_lead_to_one_rule_are_no_trouble():
    readings = ("/pub/a//b", "/pub/a/b")

    assert rule_of([PUBLIC], path=readings[0], readings=readings) == "public"
    assert rule_of([ADMIN], path="/x//y", readings=("/x//y", "/x/y")) == "default"


@pytest.mark.parametrize(
    "readings",
    [
        pytest.param(("/pub/%2Fadmin", "/pub//admin", "/admin"), id="out of public"),
        pytest.param(("//pub/x", "/pub/x", "/x"), id="into public"),
        pytest.param(("/admin%2Fx", "/admin/x"), id="into strict"),
    ],
)
@pytest.mark.parametrize("subject", [NOBODY, HALF, ALICE, BOB])
def test_readings_that_lead_to_different_rules_are_refused(readings, subject):
    if readings[0].startswith("/admin"):
        readings = ("/x", *readings)
    policy = Policy.compile([ADMIN, PUBLIC])

    with pytest.raises(BadRequest):
        policy.decide(subject, ask(readings[0], readings=readings), now=NOW)


PATHS = ["/", "/a", "/A", "/a/", "/a/b", "/A/b", "/b", "/a//b", "/a%2Fb", "/caf%C3%A9"]
written = st.sampled_from(["/", "/a", "/a/", "/a/*", "/a/b", "/*", "re:/a/.*", "/A/*"])
rules_strategy = st.lists(
    st.builds(
        Rule,
        name=st.just("x"),
        paths=st.lists(written, max_size=2).map(tuple),
        methods=st.sampled_from([(), ("GET",), ("POST",)]),
        policy=st.sampled_from(["public", "one-factor", "two-factor", "deny"]),
    ),
    max_size=6,
).map(lambda rules: [named(rule, at) for at, rule in enumerate(rules)])


def named(rule, at):
    return Rule(
        name=f"r{at}", paths=rule.paths, methods=rule.methods, policy=rule.policy
    )


def matches_simply(rule, method, path):
    """What the documentation says, without any index or memory."""
    if rule.methods and method not in rule.methods:
        return False
    if not rule.paths:
        return True
    fold = str.lower if rule.strict else str
    path = fold(path.replace("%2F", "/") if rule.strict else path)
    for text in rule.paths:
        if text == "re:/a/.*":
            found = path.startswith("/a/") or (rule.strict and path == "/a")
        elif text.endswith("/*"):
            found = path.startswith(fold(text[:-1]))
            found = found or (rule.strict and path == fold(text[:-2]))
        else:
            text = fold(text)
            found = path == text
            found = found or (rule.strict and path.rstrip("/") == text.rstrip("/"))
        if found:
            return True
    return False


@settings(max_examples=300, deadline=None)
@given(rules_strategy)
def test_the_compiled_policy_chooses_as_the_rules_read_one_after_another(rules):
    policy = Policy.compile(rules)
    for path, method in itertools.product(PATHS, ["GET", "POST"]):
        chosen = [rule.name for rule in rules if matches_simply(rule, method, path)]
        expected = (chosen or ["default"])[0]
        for _ in range(2):
            found = policy.decide(ALICE, ask(path, method=method), now=NOW)
            assert found.rule == expected, (path, method)
        steps = policy.explain(ALICE, ask(path, method=method), now=NOW)
        assert steps[-1].rule == expected
        assert [step.matched for step in steps] == [False] * (len(steps) - 1) + [True]


# What check and explain say.


def test_explain_says_why_each_earlier_rule_did_not_decide():
    rules = [
        Rule(name="other", hosts=("b.example",)),
        Rule(name="post", methods=("POST",)),
        Rule(name="office", networks=Office(), policy="public"),
        Rule(name="key", query=(("key", "1"),), policy="public"),
        PUBLIC,
        Rule(name="end", max_age=50),
        Rule(name="after"),
    ]
    steps = Policy.compile(rules).explain(ALICE, ask("/x"), now=NOW)

    assert [step.rule for step in steps] == [
        *["other", "post", "office", "key", "public", "end"]
    ]
    for step, word in zip(
        steps, ["host", "method", "address", "query", "path", "50 seconds"], strict=True
    ):
        assert word in step.why
    assert [step.matched for step in steps] == [False] * 5 + [True]


def test_explain_ends_with_the_default_and_with_an_ambiguity():
    policy = Policy.compile([PUBLIC])
    ambiguous = ask("/pub/%2Fx", readings=("/pub/%2Fx", "/x"))

    assert policy.explain(NOBODY, ask("/x"), now=NOW)[-1].rule == "default"
    last = policy.explain(NOBODY, ambiguous, now=NOW)[-1]
    assert last.rule == "default"
    assert "400" in last.why
    assert "/x" in last.why


@pytest.mark.parametrize(
    ("earlier", "later", "word"),
    [
        pytest.param({}, {"paths": ("/a",)}, "never", id="everything before"),
        pytest.param({"paths": ("/a/*",)}, {"paths": ("/a/b", "/a/c/*")}, "never", id="below"),
        pytest.param({"paths": ("/a",)}, {"paths": ("/a",)}, "never", id="the same"),
        pytest.param({"paths": ("re:/a+",)}, {"paths": ("re:/a+",)}, "never", id="expression"),
        pytest.param({"paths": ("/a/*",)}, {"paths": ("/a/b", "/c")}, None, id="partly"),
        pytest.param({"paths": ("/a/b",)}, {"paths": ("/a/*",)}, None, id="narrower"),
        pytest.param({"paths": ("/a",)}, {}, None, id="everything after"),
        pytest.param({"methods": ("GET",)}, {"methods": ("GET",)}, "never", id="method"),
        pytest.param({"methods": ("GET",)}, {}, None, id="one method"),
        pytest.param(
            {"hosts": ("*.a.b",)}, {"hosts": ("x.a.b", "*.y.a.b")}, "never", id="hosts"
        ),
        pytest.param({"hosts": ("*.a.b",)}, {"hosts": ("a.b",)}, None, id="parent"),
        pytest.param({"hosts": ("a.b",)}, {}, None, id="one host"),
        pytest.param({"query": (("a", "b"),)}, {}, None, id="a query"),
        pytest.param(
            {"query": (("a", "*"),)}, {"query": (("A", "b"), ("c", "d"))}, "never", id="more of a query"
        ),
        pytest.param(
            {"query": (("a", "b"),)}, {"query": (("a", "*"),)}, None, id="any value"
        ),
        pytest.param({"paths": ("/a/*",)}, {"paths": ("re:/a/[0-9]+",)}, "never", id="expression below"),
        pytest.param({"paths": ("/a/*",)}, {"paths": ("re:/a/x|/b",)}, None, id="two expressions"),
        pytest.param({"paths": ("/a/*",)}, {"paths": ("re:/a/?x",)}, None, id="optional slash"),
        pytest.param({"paths": ("re:/a/.*",)}, {"paths": ("/a/b/*",)}, "never", id="below an expression"),
        pytest.param({"paths": ("re:/.*",)}, {}, "never", id="an expression for all"),
        pytest.param(
            {"policy": "public", "paths": ("/a/*",)}, {"policy": "deny", "paths": ("/a/b",)},
            "other spellings", id="lax before strict",
        ),
        pytest.param(
            {"policy": "public", "networks": Office()}, {"policy": "public", "networks": Office()},
            "never", id="networks",
        ),
        pytest.param(
            {"policy": "deny", "networks": Office()}, {"policy": "deny", "networks": Office()},
            "never", id="denied networks",
        ),
        pytest.param(
            {"policy": "public", "networks": Office()}, {"policy": "deny", "networks": Office()},
            None, id="an unknown address is denied",
        ),
        pytest.param(
            {"policy": "one-factor", "networks": Office()}, {"policy": "public"}, None, id="some networks"
        ),
        pytest.param(
            {"policy": "deny", "groups": frozenset("xy")}, {"policy": "two-factor", "groups": frozenset("x")},
            "lets nobody in", id="denied to all it names",
        ),
        pytest.param(
            {"policy": "deny", "groups": frozenset("x")}, {"policy": "two-factor", "groups": frozenset("xy")},
            None, id="denied to some",
        ),
        pytest.param(
            {"policy": "deny", "groups": frozenset("x")}, {"policy": "one-factor", "groups": frozenset("x")},
            None, id="strangers are asked first",
        ),
        pytest.param({"groups": frozenset("g")}, {"policy": "public"}, "never", id="strict"),
        pytest.param(
            {"networks": Office(), "policy": "one-factor"}, {}, None, id="lax may step aside"
        ),
        pytest.param(
            {"users": frozenset("u"), "policy": "deny"}, {}, None, id="deny of some"
        ),
        pytest.param(
            {"methods": ("GET",)},
            {"methods": ("GET",), "preflight": True},
            None,
            id="preflight left over",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_is_never_reached_is_reported(earlier, later, word):
    policy = Policy.compile([Rule(name="one", **earlier), Rule(name="two", **later)])
    reasons = [reason for key, reason in policy.problems() if key == "rules.two"]

    if word is None:
        assert not [reason for reason in reasons if "'one'" in reason]
    else:
        assert any(word in reason and "'one'" in reason for reason in reasons)


def test_a_contradiction_names_what_is_said_instead():
    rules = [Rule(name="open", policy="public"), Rule(name="shut", policy="deny")]
    problems = dict(Policy.compile(rules).problems())

    assert "says public instead" in problems["rules.shut"]
    assert "everybody in everywhere" in problems["rules.open"]
    assert Policy.compile([PUBLIC, ADMIN]).problems() == []


def test_the_only_host_is_every_host():
    here = Rule(name="here", hosts=("a.b",), policy="public", paths=("/a/*",))
    shut = Rule(name="shut", policy="two-factor", paths=("/a/b",))
    every = Rule(name="every", hosts=("*.b",), policy="public", paths=("re:/.*",))
    policy = Policy.compile([here, shut, every])

    assert policy.problems() == policy.problems(["a.b", "c.d"]) == []
    assert [key for key, _ in policy.problems(["a.b"])] == ["rules.shut", "rules.every"]


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"name": "default"}, "name", id="the name of no rule"),
        pytest.param({"hosts": ("A.example",)}, "hosts", id="host in capitals"),
        pytest.param({"hosts": ("a.example:80",)}, "hosts", id="host with a port"),
        pytest.param({"hosts": ("https://a.example",)}, "hosts", id="origin as host"),
        pytest.param({"hosts": ("a.*.example",)}, "hosts", id="wildcard inside"),
        pytest.param({"hosts": ("*",)}, "hosts", id="wildcard alone"),
        pytest.param({"hosts": ("*a.example",)}, "hosts", id="wildcard without a dot"),
        pytest.param({"hosts": ("",)}, "hosts", id="empty host"),
        pytest.param({"paths": ("",)}, "paths", id="empty path"),
        pytest.param({"paths": ("a",)}, "paths", id="no slash"),
        pytest.param({"paths": ("/a*",)}, "paths", id="wildcard without a slash"),
        pytest.param({"paths": ("/*/a",)}, "paths", id="wildcard inside"),
        pytest.param({"paths": ("/a?b",)}, "paths", id="query in a path"),
        pytest.param({"paths": ("/a/../b",)}, "paths", id="dots"),
        pytest.param({"paths": ("/a//b",)}, "paths", id="empty segment"),
        pytest.param({"paths": ("//*",)}, "paths", id="empty segment, wildcard"),
        pytest.param({"paths": ("/a;b",)}, "paths", id="params"),
        pytest.param({"paths": ("/a%2Fb",)}, "paths", id="escaped slash"),
        pytest.param({"paths": ("/a%41",)}, "paths", id="needless escape"),
        pytest.param({"paths": ("/caf%c3%a9",)}, "paths", id="hex in lower case"),
        pytest.param({"paths": ("/café",)}, "paths", id="raw letters"),
        pytest.param({"paths": ("/a b",)}, "paths", id="raw space"),
        pytest.param({"paths": ("re:/(a",)}, "paths", id="broken expression"),
        pytest.param({"methods": ("get",)}, "methods", id="method in lower case"),
        pytest.param({"methods": ("GET POST",)}, "methods", id="two methods in one"),
        pytest.param({"policy": "two_factor"}, "policy", id="unknown policy"),
        pytest.param(
            {"policy": "public", "groups": frozenset("g")},
            "policy",
            id="public for some",
        ),
        pytest.param(
            {"policy": "one-factor", "max_age": 5}, "max_age", id="age of one"
        ),
        pytest.param({"max_age": 0}, "max_age", id="no age"),
        pytest.param({"policy": "deny", "preflight": True}, "preflight", id="deny"),
        pytest.param({"users": frozenset({"Alice"})}, "users", id="name as typed"),
    ],
)
def test_a_wrong_rule_is_reported_with_its_key(wrong, key):
    with pytest.raises(ConfigError) as error:
        Policy.compile([PUBLIC, Rule(**{"name": "bad", **wrong})])

    name = wrong.get("name", "bad")
    assert [where for where, _ in error.value.problems] == [f"rules.{name}.{key}"]


def test_all_problems_are_reported_at_once():
    rules = [Rule(name="a", paths=("x",), methods=("y",)), Rule(name="a", max_age=-1)]
    with pytest.raises(ConfigError) as error:
        Policy.compile(rules)

    assert {key for key, _ in error.value.problems} == {
        *["rules.a.paths", "rules.a.methods", "rules.a.max_age", "rules.a.name"]
    }


# Expressions.


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(r"/(a+)+", id="repeat of a repeat"),
        pytest.param(r"/(a*)*b", id="star of a star"),
        pytest.param(r"/(a|aa)+b", id="repeat of alternatives"),
        pytest.param(r"/(?:/[a-z]+)*", id="repeat of a group"),
        pytest.param(r"/(a){5}", id="counted group"),
        pytest.param(r"/a**", id="two stars"),
        pytest.param(r"/a*+", id="possessive"),
        pytest.param(r"/a+?b", id="lazy"),
        pytest.param(r"/.*.*x", id="two that share"),
        pytest.param(r"/.*x.*y.*z", id="three that share"),
        pytest.param(r"/\w+\d+\w+x", id="classes that share"),
        pytest.param(r"/a*a*a*b", id="one letter three times"),
        pytest.param(r"/[a-y]*z?[a-y]*z?[a-y]*!", id="parted by what may be missing"),
        pytest.param(r"/" + "a?" * 20 + "a" * 20, id="many optional"),
        pytest.param(r"/" + "(a|a)" * 20, id="many alternatives"),
        pytest.param(r"/a{2,9999}a{2,9999}a{2,9999}b", id="counted repeats that share"),
        pytest.param(r"/(a)\1", id="back reference"),
        pytest.param(r"/(?P<x>a)", id="named group"),
        pytest.param(r"/(?=a)b", id="look ahead"),
        pytest.param(r"/(?<!a)b", id="look behind"),
        pytest.param(r"(?i)/a", id="flags"),
        pytest.param(r"/(?#x)", id="comment"),
        pytest.param(r"/\Aa", id="anchor letters"),
        pytest.param(r"/\x41", id="escapes of letters"),
        pytest.param(r"/(a", id="open"),
        pytest.param(r"/a)", id="closed"),
        pytest.param(r"/[a", id="open class"),
        pytest.param(r"/[z-a]+b", id="class upside down"),
        pytest.param(r"/a{", id="brace"),
        pytest.param(r"*", id="nothing to repeat"),
        pytest.param(r"/a|*b", id="nothing to repeat inside"),
        pytest.param("/é", id="raw letters"),
        pytest.param("/a\\", id="backslash at the end"),
        pytest.param("/" + "a" * 200, id="too long"),
    ],
)
def test_an_expression_that_could_take_long_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        compile_pattern(text, any_case=False)


FAIR = [
    (r"/api/v\d+/users/[^/]+/posts/.*", "/api/v1/users/a/posts/b", "/api/v1/users/a/b"),
    (r"/.*\.(?:css|js|png)", "/a/b.css", "/a/b.html"),
    (r"/(en|de|fr)/.*", "/de/x", "/it/x"),
    (r"/a{3}b{1,3}/x?", "/aaabb/", "/aab/"),
    (r"/[\w.-]+@[\w.-]+", "/a.b@c.d", "/a.b"),
    (r"^/a$", "/a", "/a/"),
    (r"/a\.b\+c", "/a.b+c", "/axb+c"),
    (r"/[]a]+/[^]a]", "/]a/b", "/]a/a"),
    (r"/caf%C3%A9", "/caf%C3%A9", "/caf%c3%a9"),
]


@pytest.mark.parametrize(("text", "right", "wrong"), FAIR)
def test_an_honest_expression_is_understood(text, right, wrong):
    found = compile_pattern(text, any_case=False)

    assert found.fullmatch(right)
    assert not found.fullmatch(wrong)


ATOMS = [
    "a",
    "b",
    "/",
    ".",
    "[ab]",
    "[^/]",
    r"\w",
    r"\d",
    r"\.",
    "(a|b)",
    "(?:ab)",
    "(a",
]
SUFFIX = ["", "", "*", "+", "?", "{2}", "{1,5}", "{3,}", "|", ")"]
expressions = st.lists(
    st.tuples(st.sampled_from(ATOMS), st.sampled_from(SUFFIX)), min_size=1, max_size=8
).map(lambda parts: "".join(map("".join, parts)))


@settings(max_examples=150, deadline=None)
@given(expressions)
def test_whatever_is_accepted_ends_soon_on_the_worst_paths(text):
    try:
        found = compile_pattern(text, any_case=True)
    except ValueError:
        return

    for filling in ("a", "ab", "aab", "/", "1", "."):
        path = ("/" + filling * LONGEST_PATH)[: LONGEST_PATH - 1] + "\x01"
        began = time.process_time()
        found.fullmatch(path)
        assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "text",
    [
        r"/.*x?x?x?x?x?x?[^b]+b",
        r"/.*(?:x|x|x|x|x|x|x|x)(?:x|x|x|x|x|x|x|x)[^b]+b[^c]+c",
        r"/.{1,1024}x?x?x?x?x?x?[^b]+b",
        r"/.*x?x?x?(?:[^b]+b|[^c]+c)",
    ],
)
def test_what_takes_half_a_second_is_refused(text):
    with pytest.raises(ValueError, match="split the rule"):
        compile_pattern(text, any_case=True)


@pytest.mark.parametrize(
    "text",
    [
        r"/.*\.(?:png|jpe?g|css|js|svg|woff2?)",
        r"/.*/(?:items|things|orders)/[0-9]+",
        r"/[^/]+/[0-9]+/(?:a|b|c|d)/(?:[^/]+|x)",
    ],
)
def test_what_people_write_is_accepted(text):
    compile_pattern(text, any_case=True)


def test_a_path_too_long_for_an_expression_is_414():
    policy = Policy.compile([Rule(name="x", paths=("re:/.*x",), policy="public")])
    with pytest.raises(BadRequest) as refusal:
        policy.decide(NOBODY, ask("/" + "a" * LONGEST_PATH), now=NOW)

    assert refusal.value.status == 414


# What is remembered.


def test_what_is_remembered_is_bounded_and_long_paths_are_not_kept():
    policy = Policy.compile([PUBLIC])
    for number in range(10_000):
        policy.decide(NOBODY, ask(f"/x{number}"), now=NOW)
    policy.decide(NOBODY, ask("/" + "y" * 8000), now=NOW)

    assert len(policy._known) <= 4096
    assert max(len(key[2]) for key in policy._known) <= 256


def test_an_answer_is_remembered_for_nobody_else():
    policy = Policy.compile([ADMIN])
    inside, outside = "10.1.1.1", "11.1.1.1"

    def go(subject, address):
        return type(policy.decide(subject, ask("/admin/", address=address), now=NOW))

    assert [
        go(ALICE, inside),
        go(BOB, inside),
        go(ALICE, outside),
        go(NOBODY, inside),
    ] == [*[Permit, Refuse, Refuse, Challenge]]


def test_rules_chosen_for_one_request_are_remembered_for_no_other():
    rule = Rule(name="api", hosts=("a.b",), methods=("PUT",), preflight=True)
    policy = Policy.compile([rule])

    def go(host, method, preflight):
        request = ask(host=host, method=method, preflight=preflight)
        return policy.decide(NOBODY, request, now=NOW).rule

    assert go("a.b", "OPTIONS", True) == "api"
    assert go("a.b", "OPTIONS", False) == "default"
    assert go("a.b", "PUT", False) == "api"
    assert go("c.b", "PUT", False) == "default"


def test_a_policy_says_whether_it_reads_query_or_address():
    assert not Policy.compile([]).reads_more
    assert not Policy.compile([PUBLIC]).reads_more
    assert Policy.compile([ADMIN]).reads_more
    assert Policy.compile([Rule(name="x", query=(("a", "b"),))]).reads_more


def test_two_hundred_rules_are_not_asked_one_by_one():
    asked = []

    class Counting(Office):
        def contains(self, address):
            asked.append(address)
            return True

    rules = [
        Rule(name=f"r{n}", paths=(f"/p{n}/*",), networks=Counting()) for n in range(200)
    ]
    policy = Policy.compile(rules)
    assert (
        policy.decide(ALICE, ask("/p150/x", address="10.1.1.1"), now=NOW).rule == "r150"
    )

    assert len(asked) == 1
    assert len(policy._buckets["p150"]) == 1
