"""``[[rules]]``: read into what the policy compares, or refused in words."""

import pytest

from totp_gate.core.headers import Networks
from totp_gate.core.policy import Policy, Rule

GATE = '[gate]\norigin = "https://app.example.com"\n'
RULE = GATE + '[[rules]]\nname = "one"\n'
LONG = "[password]\nmin_length = 15\n"


def test_a_rule_is_what_the_file_says(files):
    config = files.load(
        GATE
        + """
[[rules]]
name = "health"
paths = ["/healthz"]
methods = ["GET"]
policy = "public"
[[rules]]
name = "admin"
hosts = ["app.example.com"]
paths = ["/admin/*", "re:/reports/[0-9]+"]
query = { action = "delete", id = "*" }
groups = ["staff"]
users = ["Alice"]
networks = ["10.0.0.0/8"]
policy = "two-factor"
max_age = "10m"
preflight = true
"""
    )

    assert config.access_rules() == [
        Rule(name="health", paths=("/healthz",), methods=("GET",), policy="public"),
        Rule(
            name="admin",
            hosts=("app.example.com",),
            paths=("/admin/*", "re:/reports/[0-9]+"),
            query=(("action", "delete"), ("id", "*")),
            groups=frozenset({"staff"}),
            users=frozenset({"alice"}),
            networks=Networks(["10.0.0.0/8"]),
            max_age=600,
            preflight=True,
        ),
    ]


def test_without_a_policy_a_rule_asks_for_two_factors(files):
    (rule,) = files.load(RULE + 'paths = ["/x"]').access_rules()

    assert rule.policy == "two-factor"
    assert rule.max_age is None


@pytest.mark.parametrize(
    ("key", "written", "judged"),
    [
        pytest.param(
            "hosts", "App.Example.COM", "app.example.com", id="case of a host"
        ),
        pytest.param("hosts", "*.Example.com", "*.example.com", id="case below a host"),
        pytest.param(
            "paths", "/Straße/a b", "/Stra%C3%9Fe/a%20b", id="letters of a path"
        ),
        pytest.param(
            "paths", "/%7euser/*", "/~user/*", id="an escape that means itself"
        ),
        pytest.param("paths", "/*", "/*", id="everything"),
        pytest.param("paths", "re:/a/[a-z]+", "re:/a/[a-z]+", id="a pattern"),
        pytest.param("users", "ALICE", "alice", id="case of a user"),
    ],
)
def test_what_is_written_becomes_what_is_judged(files, key, written, judged):
    (rule,) = files.load(RULE + f'{key} = ["{written}"]').access_rules()

    assert list(getattr(rule, key)) == [judged]
    Policy.compile([rule])


def bad(id, text, key, word):
    return pytest.param(text, key, word, id=id)


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        bad("no name", GATE + "[[rules]]\n", "rules[1].name (line 3)", "is missing"),
        bad("the name of the default", GATE + '[[rules]]\nname = "default"', "rules[1].name (line 4)", "of its own"),
        bad("one table instead of a list", GATE + '[rules]\nname = "x"', "rules (line 3)", "must be a list"),
        bad("an unknown key", RULE + "path = []", "rules[1].path (line 5)", "did you mean paths?"),
        bad("an unknown policy", RULE + 'policy = "bypass"', "rules[1].policy (line 5)", "'public', 'one-factor'"),
        bad("a text for a list", RULE + 'paths = "/x"', "rules[1].paths (line 5)", "brackets"),
        bad("a number in a list", RULE + "paths = [3]", "rules[1].paths[1] (line 5)", "quotes"),
        bad("an empty list", RULE + "groups = []", "rules[1].groups (line 5)", "no condition"),
        bad("an empty group", RULE + 'groups = [""]', "rules[1].groups (line 5)", "empty text"),
        bad("an origin for a host", RULE + 'hosts = ["https://app.example.com"]', "rules[1].hosts (line 5)", "no host"),
        bad("a host with a port", RULE + 'hosts = ["app.example.com:443"]', "rules[1].hosts (line 5)", "more than a host"),
        bad("a host nobody asks for", RULE + 'hosts = ["app.exmaple.com"]', "rules[1].hosts (line 5)", "no gate.origin"),
        bad("a name that merely ends like ours", RULE + 'hosts = ["*.pp.example.com"]', "rules[1].hosts (line 5)", "no gate.origin"),
        bad("a path without slash", RULE + 'paths = ["admin"]', "rules[1].paths (line 5)", "begin it with /"),
        bad("a path with a query", RULE + 'paths = ["/a?b=1"]', "rules[1].paths (line 5)", "path alone"),
        bad("a path with dots", RULE + 'paths = ["/a/../b"]', "rules[1].paths (line 5)", "dot segments"),
        bad("a path with two readings", RULE + 'paths = ["/a%2Fb"]', "rules[1].paths (line 5)", "can be read as"),
        bad("a star inside", RULE + 'paths = ["/a/*/b"]', "rules[1].paths (line 5)", "use re:"),
        bad("a pattern that runs for ever", RULE + 'paths = ["re:/(a+)+"]', "rules[1].paths (line 5)", "cannot be repeated"),
        bad("a page of the gate", RULE + 'paths = ["/_Gate/metrics"]', "rules[1].paths (line 5)", "page of the gate"),
        bad("all pages of the gate", RULE + 'paths = ["/_gate/*"]', "rules[1].paths (line 5)", "page of the gate"),
        bad("a method in small letters", RULE + 'methods = ["get"]', "rules[1].methods (line 5)", "capitals"),
        bad("no network", RULE + 'networks = ["10.0.0.1/8"]', "rules[1].networks (line 5)", "10.0.0.0/8"),
        bad("a query as a text", RULE + 'query = "a=b"', "rules[1].query (line 5)", "table of texts"),
        bad("a query with a number", RULE + "query = { a = 1 }", "rules[1].query (line 5)", "table of texts"),
        bad("public for some", RULE + 'policy = "public"\nusers = ["a"]', "rules[1].policy (line 5)", "drop users"),
        bad("a short age", RULE + 'max_age = "5s"', "rules[1].max_age (line 5)", "out of bounds"),
        bad("an age without code", LONG + RULE + 'policy = "one-factor"\nmax_age = "5m"', "rules[1].max_age (line 8)", "only two-factor"),
        bad("a preflight that is denied", RULE + 'policy = "deny"\npreflight = true', "rules[1].preflight (line 6)", "drop it"),
        bad("two of one name", RULE + '[[rules]]\nname = "one"', "rules[2].name (line 6)", "two rules"),
        bad("short passwords alone", RULE + 'policy = "one-factor"', "rules[1].policy (line 5)", "password.min_length = 15"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_where_it_stands(files, text, key, word):
    ((found, reason),) = files.problems(text)

    assert found == key
    assert word in reason


def test_long_passwords_may_stand_alone(files):
    config = files.load(LONG + RULE + 'policy = "one-factor"')

    assert config.access_rules()[0].policy == "one-factor"


def test_a_wrong_policy_hides_what_follows_from_it(files):
    text = RULE + 'policy = "one-factr"\nmax_age = "5m"\npreflight = true'

    assert [key for key, _ in files.problems(text)] == ["rules[1].policy (line 5)"]


def test_problems_of_several_rules_come_in_the_order_of_the_file(files):
    text = RULE + 'paths = ["x"]\n[[rules]]\n[[rules]]\nname = "two"\nmethods = ["get"]'

    keys = [key.partition(" ")[0] for key, _ in files.problems(text)]

    assert keys == ["rules[1].paths", "rules[2].name", "rules[3].methods"]


def test_rules_are_no_settings_of_the_environment(files):
    environ = {"TOTP_GATE__RULES__NAME": "x"}

    ((name, reason),) = files.problems(GATE, environ)

    assert name == "TOTP_GATE__RULES__NAME"
    assert "written into the file" in reason
