"""The shape of the house: sizes, names, the direction of imports, nothing left lying."""

from __future__ import annotations

import ast
import graphlib
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "totp_gate"

MODULE_LINES = 350
FUNCTION_LINES = 45
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}

# Spelled so that this file does not contain what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.$}/])/(?:work/|root/|(?:home|Users|tmp)/\w)")
LEFT_OVER = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b")

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Definition(NamedTuple):
    """A function or class, and where it stands."""

    place: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    public: bool


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def definitions_in(path: Path, node: ast.AST, public: bool) -> Iterator[Definition]:
    """Functions and classes below *node*; what stands in a function is not public."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            seen = public and not child.name.startswith("_")
            where = f"{place(path)}:{child.lineno} {child.name}"
            yield Definition(where, child, seen)
            inside = seen and isinstance(child, ast.ClassDef)
            yield from definitions_in(path, child, inside)
        else:
            yield from definitions_in(path, child, public)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


@cache
def definitions() -> list[Definition]:
    return [
        definition
        for path in modules()
        for definition in definitions_in(path, tree(path), True)
    ]


def functions() -> list[Definition]:
    return [each for each in definitions() if isinstance(each.node, FUNCTIONS)]


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    """From ``def`` to the end; decorators do not count."""
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Return path and text of every file that is in the repository."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a checkout")
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        try:
            yield name, (ROOT / name).read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue


def found_in_files(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_modules_stay_small():
    sizes = {place(path): len(path.read_bytes().splitlines()) for path in modules()}

    assert {name: n for name, n in sizes.items() if n >= MODULE_LINES} == {}


def test_functions_stay_small():
    sizes = {each.place: lines(each.node) for each in functions()}

    assert {name: n for name, n in sizes.items() if n >= FUNCTION_LINES} == {}


def test_half_of_the_functions_are_short(record_property):
    sizes = [lines(each.node) for each in functions()]
    median = statistics.median(sizes)
    record_property("median_function_lines", median)
    print(f"\n{len(sizes)} functions, median {median} lines, longest {max(sizes)}")

    assert median < 10


def test_what_is_public_says_what_it_does():
    silent = [
        each.place
        for each in definitions()
        if each.public and ast.get_docstring(each.node) is None
    ]
    silent += [
        place(path) for path in modules() if ast.get_docstring(tree(path)) is None
    ]

    assert silent == []


def test_names_say_what_is_in_a_module():
    parts = {
        part
        for path in modules()
        for part in path.relative_to(ROOT).with_suffix("").parts
    }

    assert parts & EMPTY_NAMES == set()


def test_imports_run_in_no_circle():
    graph = grimp.build_graph("totp_gate", cache_dir=None)
    imports = {
        module: graph.find_modules_directly_imported_by(module)
        for module in graph.modules
    }

    # Raises CycleError, which names the circle.
    graphlib.TopologicalSorter(imports).prepare()


def test_imports_point_down_the_staircase():
    command = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run(
        [command], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_templates_hold_no_code():
    assert list((ROOT / "templates").rglob("*.py")) == []


def test_no_file_knows_the_machine_it_was_written_on():
    assert found_in_files(MACHINE_PATH) == []


def test_nothing_is_left_for_later():
    assert found_in_files(LEFT_OVER) == []
