"""One raw upstream, and in front of it the proxy on each of gunicorn's workers."""

from __future__ import annotations

import contextlib

import pytest

from tests.servers import Gunicorn
from tests.upstream.wires import RawUpstream

LIMITS = '{"read_timeout": 1.0, "connect_timeout": 2.0, "max_tunnels": 3}'


@pytest.fixture(scope="session")
def raw_upstream():
    upstream = RawUpstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(raw_upstream):
    """The upstream; set ``script``, then look at ``requests`` and ``broken``."""
    raw_upstream.forget()
    yield raw_upstream
    raw_upstream.forget()


@pytest.fixture(scope="session")
def running(raw_upstream):
    """Servers by worker class, started when first asked for."""
    with contextlib.ExitStack() as stack:
        servers = {}

        def start(worker_class):
            if worker_class not in servers:
                servers[worker_class] = stack.enter_context(
                    Gunicorn(
                        "tests.upstream.apps:proxy()",
                        worker_class=worker_class,
                        env={"UPSTREAM": raw_upstream.url, "LIMITS": LIMITS},
                    )
                )
            return servers[worker_class]

        yield start
        for server in servers.values():
            assert "Traceback" not in server.stderr, server.stderr


@pytest.fixture(params=["sync", "gthread", "gevent"])
def server(request, running):
    """The proxy in front of ``upstream``, on one worker class after another."""
    return running(request.param)


@pytest.fixture
def gated(upstream, tmp_path):
    """Start the proxy as a gate calls it: ``with gated("gevent") as (server, session)``."""

    @contextlib.contextmanager
    def start(worker_class, limits="{}", **options):
        session = tmp_path / "session"
        session.touch()
        env = {"UPSTREAM": upstream.url, "SESSION": str(session), "LIMITS": limits}
        app = "tests.upstream.apps:gated()"
        with Gunicorn(app, worker_class=worker_class, env=env, **options) as server:
            yield server, session
            assert "Traceback" not in server.stderr, server.stderr

    return start
