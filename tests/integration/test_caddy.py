"""Caddy with the printed configuration, in front of the gate and an application."""

from __future__ import annotations

import pytest

from tests.integration.asking import AskedEveryTime, Asking
from tests.integration.fronts import Front


@pytest.fixture(scope="module")
def front(tmp_path_factory, program):
    program("caddy")
    with Front(tmp_path_factory.mktemp("caddy"), "caddy") as front:
        yield front


@pytest.fixture(scope="module")
def alice(front):
    return front.sign_in(front.person("alice"))


class TestCaddy(Asking):
    """Caddy keeps the contract."""


class TestCaddyIsAskedEveryTime(AskedEveryTime):
    """Caddy repeats no answer."""

    WITHOUT_THE_GATE = 502
