"""The inventory of events, held against every call in the code."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from totp_gate.core.names import refusal
from totp_gate.model import canonical_name
from totp_gate.telemetry.inventory import (
    EVENTS,
    MOST_ALIKE,
    MOST_KEPT,
    OUTCOMES,
    THE_GATE,
    kind_of,
    told_events,
)

PACKAGE = Path(__file__).resolve().parents[2] / "totp_gate"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Unreadable(Exception):
    """An argument whose values cannot be read from the code."""


class Module:
    """One module, whose calls of the audit are read."""

    def __init__(self, source: str) -> None:
        self.functions = [
            node for node in ast.walk(ast.parse(source)) if isinstance(node, FUNCTIONS)
        ]

    def calls(self) -> Iterator[tuple[str, ast.Call, ast.FunctionDef]]:
        """Every call that writes an event, with where it stands."""
        for function in self.functions:
            for node in ast.walk(function):
                if not isinstance(node, ast.Call):
                    continue
                called = node.func
                if isinstance(called, ast.Attribute) and _is_audit(called):
                    yield called.attr, node, function

    def values(self, node: ast.expr | None, function: ast.FunctionDef) -> set[str]:
        """Return every text that *node* can be, in *function*."""
        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.IfExp(body=one, orelse=other):
                return self.values(one, function) | self.values(other, function)
            case ast.Name(id=name):
                return self._named(name, function)
            case ast.FormattedValue(value=inner):
                return self.values(inner, function)
            case ast.JoinedStr(values=parts):
                choices = [self.values(part, function) for part in parts]
                return {"".join(words) for words in itertools.product(*choices)}
            case ast.Call(func=ast.Name(id=name)):
                return self._returned(name)
        raise Unreadable(ast.dump(node) if node else "nothing")

    def _named(self, name: str, function: ast.FunctionDef) -> set[str]:
        assigned = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
        ]
        if assigned:
            return set().union(*(self.values(each, function) for each in assigned))
        names = [each.arg for each in function.args.args]
        if name not in names:
            raise Unreadable(name)
        position = names.index(name) - (names[0] == "self")
        found = set()
        for outer in self.functions:
            for call in ast.walk(outer):
                if isinstance(call, ast.Call) and _name(call.func) == function.name:
                    found |= self.values(_argument(call, position, name), outer)
        return found

    def _returned(self, name: str) -> set[str]:
        (function,) = [each for each in self.functions if each.name == name]
        returned = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)]
        return set().union(*(self.values(each, function) for each in returned))


def _is_audit(called: ast.Attribute) -> bool:
    """Tell whether a method of the audit is called, or ``record`` of a command."""
    of = (_name(called.value) or "").strip("_")
    return of == "audit" or (of, called.attr) == ("parts", "record")


def _name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[position] if position < len(call.args) else None


def said(source: str) -> tuple[set[str], set[str]]:
    """Return the events and the outcomes that the module *source* can write."""
    module = Module(source)
    events, outcomes = set(), set()
    for method, call, function in module.calls():
        if method == "record":
            events |= module.values(_argument(call, 1, "event"), function)
        elif method in ("event", "sign_in"):
            names = module.values(_argument(call, 1, "event"), function)
            events |= {f"sign-in.{n}" for n in names} if method == "sign_in" else names
            outcomes |= module.values(_argument(call, 2, "outcome"), function)
        elif method == "trouble":
            events.add("trouble")
    return events, outcomes


@pytest.fixture(scope="module")
def all_said():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name != "audit.py" or path.parent.name != "telemetry":
            found[str(path.relative_to(PACKAGE))] = said(path.read_text("utf-8"))
    return found


def test_every_event_in_the_code_is_in_the_inventory(all_said):
    unknown = {
        place: events - EVENTS.keys()
        for place, (events, _) in all_said.items()
        if events - EVENTS.keys()
    }

    assert unknown == {}, "add it to totp_gate/telemetry/inventory.py"


def test_every_event_of_the_inventory_is_in_the_code(all_said):
    written = set().union(*(events for events, _ in all_said.values()))

    assert EVENTS.keys() - written == set(), "nobody writes it: take it out"


def test_every_outcome_is_one_of_three(all_said):
    assert set().union(*(outcomes for _, outcomes in all_said.values())) == {*OUTCOMES}


@pytest.mark.parametrize(
    ("source", "events"),
    [
        pytest.param("audit.event(r, 'a', 'success')", {"a"}, id="plain"),
        pytest.param("self._desk.audit.event(r, 'a', 'x')", {"a"}, id="of a desk"),
        pytest.param("audit.sign_in(r, 'code', 'x')", {"sign-in.code"}, id="a step"),
        pytest.param(
            "audit.event(r, 'a' if x else 'b', 'x')", {"a", "b"}, id="one of two"
        ),
        pytest.param("e = 'a'\n  audit.event(r, e, 'x')", {"a"}, id="by a name"),
        pytest.param("parts.record('', 'a')", {"a"}, id="of a command"),
        pytest.param(
            "w = 'b' if x else 'c'\n  parts.record('', f'a-{w}')",
            {"a-b", "a-c"},
            id="put together",
        ),
        pytest.param(
            "self.g(r, 'a')\n def g(self, r, e):\n  audit.event(r, e, 'x')\n"
            " def h(self):\n  self.g(r, e='b')",
            {"a", "b"},
            id="by an argument",
        ),
    ],
)
def test_the_reader_finds(source, events):
    assert said(f"class A:\n def f(self):\n  {source}\n")[0] == events


def test_an_event_that_cannot_be_read_is_refused():
    with pytest.raises(Unreadable):
        said("def f(x):\n audit.event(r, x.name, 'success')")


def test_an_event_nobody_listed_is_written_all_the_same():
    assert not kind_of("made-up").kept
    assert not kind_of("made-up").told


def test_what_is_told_is_kept_too():
    assert told_events()
    assert all(EVENTS[event].kept for event in told_events())


def test_what_takes_less_than_both_factors_never_fills_what_an_account_keeps():
    cheap = [(kind.kept, each) for kind in EVENTS.values() for each in kind.cheap]

    assert {*cheap} == {(True, "success"), (True, "failure")}
    assert MOST_ALIKE * len(cheap) < MOST_KEPT


def test_nobody_can_have_the_name_of_the_gate():
    assert refusal(canonical_name(THE_GATE))


def test_what_is_the_gates_own_is_kept():
    assert {kind.kept for kind in EVENTS.values() if kind.gate} == {True}


def test_names_and_meanings_have_one_form():
    for name, kind in EVENTS.items():
        assert name.replace("-", "").replace(".", "").isalpha()
        assert name == name.lower()
        assert kind.meaning[0].isupper()
        assert not kind.meaning.endswith(".")
