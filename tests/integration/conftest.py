"""What the tests with real servers share."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.server)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for settings, keys and state."""
    tmp_path.chmod(0o700)
    return tmp_path
