"""What every test relies on, whoever wrote it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

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
