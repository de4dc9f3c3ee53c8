"""Flask, Django and plain WSGI, one line each, on every kind of gunicorn worker."""

from __future__ import annotations

import socket

import pytest

from tests.integration.house import CLASSES, SESSION, House
from tests.servers import free_port

APPS = ["plain", "flask", "django"]


@pytest.fixture(
    scope="module",
    params=[(name, workers) for name in CLASSES for workers in (1, 4)],
    ids=lambda param: f"{param[0]} x {param[1]}",
)
def house(request, tmp_path_factory):
    """All three applications, on one kind of worker."""
    worker_class, workers = request.param
    with House(
        tmp_path_factory.mktemp("house"),
        "tests.integration.wrapped_all:application",
        workers=workers,
        worker_class=worker_class,
        ports=[free_port() for _ in APPS],
    ) as house:
        yield house


@pytest.fixture(params=APPS)
def origin(request, house):
    """Where one of the applications answers."""
    return house.origins[APPS.index(request.param)]


def test_a_wrapped_application_sees_who_signed_in_and_nobody_else(house, origin):
    person = house.person()
    visitor = house.visitor(origin)
    assert visitor.get().status == 303

    house.sign_in(person, visitor)
    assert visitor.get().text.startswith(f"{person.name} met process ")
    written = visitor.post("/", text="a line")
    assert written.text == f"{person.name} wrote a line"

    assert visitor.fill("/_gate/logout").status == 200
    assert visitor.get().status == 303


def test_a_copied_cookie_is_dead_on_every_worker_once_its_owner_signed_out(
    house, origin
):
    visitor = house.sign_in(house.person(), house.visitor(origin))
    thief = visitor.copy()
    before = house.ask_every_worker(thief)
    assert len(before) == house.server.workers
    assert set.union(*before.values()) == {200}

    assert visitor.fill("/_gate/logout").status == 200

    assert SESSION not in visitor.cookies
    assert house.ask_every_worker(thief) == {pid: {303} for pid in before}
    assert house.sessions == 0


BROKEN = {
    "a chunk is missing": (b"Transfer-Encoding: chunked", b"1\r\na\r\n"),
    "a chunk has no size": (b"Transfer-Encoding: chunked", b"zz\r\na\r\n"),
    "shorter than announced": (b"Content-Length: 99", b"username=a"),
}


@pytest.mark.parametrize(("framing", "body"), BROKEN.values(), ids=BROKEN.keys())
def test_a_form_that_breaks_off_is_refused_and_fills_no_log(house, framing, body):
    port = house.server.port
    form = b"Content-Type: application/x-www-form-urlencoded"
    lines = [b"POST /_gate/login HTTP/1.1", b"Host: 127.0.0.1:%d" % port, form, framing]

    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        sock.sendall(b"\r\n".join([*lines, b"", body]))
        sock.shutdown(socket.SHUT_WR)
        answer = sock.recv(4096)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert "Traceback" not in house.server.stderr
