"""What every test relies on, whoever wrote it."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.applications import echo
from tests.moments import Moments
from totp_gate.app import Gate
from totp_gate.config import load_config
from totp_gate.core.passwords import Profile
from totp_gate.testing import Installation

# Machines are noisy, and no test here is a timed one.
settings.register_profile("project", deadline=None)
settings.load_profile("project")


def pytest_configure(config: pytest.Config) -> None:
    """Let no test depend on whose shell it runs in."""
    # State is written durably, so where it lies decides how long the tests take.
    if os.access("/dev/shm", os.W_OK):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/dev/shm")
    # Servers live here, and only root has it in its path.
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    for name in list(os.environ):
        if name.startswith("TOTP_GATE") or name.lower().endswith("_proxy"):
            del os.environ[name]


def pytest_collection_finish() -> None:
    """Let no search for garbage look through what stays until the end.

    Seven thousand tests are a million objects. Gates come and go whole, so that looking
    for them less often costs only memory.
    """
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let a worker send nothing that nobody reads: what a passed test said."""
    report = yield
    if report.passed:
        report.sections = []
        report.keywords = {}
    return report


@pytest.fixture(scope="session")
def program() -> Callable[[str], Path]:
    """Find a program of the machine: ``program("nginx")``.

    Where it is not installed the test is skipped; under ``CI=true`` it fails, so that
    a machine without the program never looks like one where the test passed.
    """

    def find(name: str) -> Path:
        found = shutil.which(name)
        if found is None:
            absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            absent(f"{name} is not installed; tools/packages installs it")
        return Path(found)

    return find


@pytest.fixture(scope="session")
def moments(tmp_path_factory):
    """Where a test may begin; a module may have moments of its own."""

    def alice(house):
        return house.add_user(
            "alice", groups=["staff", "ops"], display="Alice Ä", email="a@example.com"
        )

    return Moments(
        partial(Installation, echo),
        tmp_path_factory.mktemp,
        alice=alice,
        browser=lambda house, alice: house.sign_in(alice),
    )


@pytest.fixture
def beginning(request, tmp_path, moments):
    """What there is when the test begins, by name: no more than it asks for."""
    echo.calls = 0
    there = moments.begin(request.fixturenames, tmp_path)
    yield there
    there["installation"].accounts.store.close()


@pytest.fixture
def installation(beginning):
    """A gate in front of an application that tells what it received."""
    return beginning["installation"]


@pytest.fixture
def alice(installation, beginning):
    """Somebody with a password and an authenticator."""
    assert installation is beginning["installation"], "another house, another Alice"
    return beginning["alice"]


@pytest.fixture
def browser(alice, beginning):
    """A browser in which Alice is signed in."""
    return beginning["browser"]


@pytest.fixture
def twin(installation):
    """A second process on the same state."""
    gate = Gate(
        installation.app,
        load_config(installation.path),
        clock=installation.clock,
        profile=Profile.cheap_for_tests(),
    )
    yield gate
    gate.accounts.store.close()
