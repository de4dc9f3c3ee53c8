"""The application behind the gate is dead, or says nothing: what people are told."""

from __future__ import annotations

import json
import re

import pytest

from tests.integration.proxied import Proxied
from tests.servers import free_port
from tests.upstream.wires import RawUpstream, once

GET = b"GET /reports?month=5 HTTP/1.1"
NAVIGATION = (
    b"Accept: text/html",
    b"Sec-Fetch-Mode: navigate",
    b"Sec-Fetch-Dest: document",
)


@pytest.fixture(scope="module")
def silent():
    """An application that takes requests and says nothing."""
    upstream = RawUpstream()
    upstream.script = lambda peer: (peer.head(), peer.more())
    yield upstream
    upstream.close()


@pytest.fixture(scope="module", params=["refused", "silent"])
def house(request, silent, tmp_path_factory):
    """A gate in front of nobody, or of somebody who does not answer."""
    folder = tmp_path_factory.mktemp("dead")
    folder.chmod(0o700)
    port = free_port() if request.param == "refused" else silent.port
    own = Proxied(folder, f"http://127.0.0.1:{port}", upstream='read_timeout = "1s"')
    with own as house:
        house.dead_port = port
        house.expected = 502 if request.param == "refused" else 504
        house.somebody = house.cookie()
        yield house


def keeps_to_itself(house, answer):
    """Whether the answer names nothing of what is inside."""
    inside = (b"%d" % house.dead_port, b"refused", b"rrno", b"Traceback", b"upstream")
    return not any(word in answer.octets for word in inside)


def said_about(house, name):
    """The lines that the log has under this id."""
    lines = house.server.stderr.splitlines()
    return [line for line in lines if f"request={name} " in line]


def test_people_get_a_page_whose_id_is_in_the_log(house):
    answer = house.ask(GET, *NAVIGATION, cookie=house.somebody)
    (name,) = re.findall(r"quote ([0-9a-f]{12})\.", answer.body.decode())

    assert answer.status == house.expected
    assert answer.all("content-type") == ["text/html; charset=utf-8"]
    assert answer.all("cache-control") == ["no-store"]
    assert b"The application" in answer.body
    (line,) = said_about(house, name)
    assert f" {house.expected}: " in line
    assert keeps_to_itself(house, answer)


def test_programs_get_json_whose_id_is_in_the_log(house):
    answer = house.ask(GET, b"Accept: application/json", cookie=house.somebody)
    told = json.loads(answer.body)

    assert answer.status == house.expected
    assert answer.all("content-type") == ["application/json"]
    assert told["error"] in {"bad_gateway", "gateway_timeout"}
    assert len(said_about(house, told["request_id"])) == 1
    assert keeps_to_itself(house, answer)


def test_two_answers_have_two_ids(house):
    answers = [house.ask(GET, cookie=house.somebody) for _ in range(2)]

    assert len({json.loads(answer.body)["request_id"] for answer in answers}) == 2


def test_the_gates_own_pages_go_on(house):
    stranger = house.visitor()
    login, account = stranger.get("/_gate/login"), stranger.get("/_gate/account")
    signed_in = house.sign_in(house.person())

    assert login.status == 200
    assert account.status == 303
    assert stranger.get("/reports").status == 303
    assert stranger.get("/_gate/healthz").status == 200
    assert signed_in.get("/_gate/account").status == 200


def test_readiness_says_whether_the_application_can_be_reached(house):
    answer = house.visitor().get("/_gate/readyz")

    if house.expected == 502:
        assert answer.status == 503
        assert answer.text == "not ready\nupstream: the upstream cannot be reached\n"
    else:
        assert answer.status == 200


def test_an_answer_that_is_cut_has_an_id_of_its_own_in_the_log(tmp_path):
    tmp_path.chmod(0o700)
    upstream = RawUpstream()
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbegun"
    upstream.script = once(cut)
    with Proxied(tmp_path, upstream.url) as house:
        answer = house.ask(GET, cookie=house.cookie())
        log = house.server.stderr
    upstream.close()

    assert (answer.status, answer.whole) == (200, False)
    assert len(re.findall(r"request=[0-9a-f]{12} answer cut: ", log)) == 1
