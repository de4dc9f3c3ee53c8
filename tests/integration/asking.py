"""What holds behind every web server that asks; each of them has a file of its own."""

from __future__ import annotations

import json
import re

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as open_socket

from tests.integration.fronts import (
    COOKIE,
    Front,
    memory_of,
    statuses_without_the_gate,
    until_refused,
)
from tests.upstream.wires import ask
from tests.visitor import Visitor
from totp_gate.core.headers import FORWARDED_NAMES

MIB = 1 << 20
UPLOAD = 1024 * MIB
SPELLINGS = [
    "Remote-User",
    "remote-user",
    "REMOTE-USER",
    "Remote_User",
    "remote_user",
    "Remote.User",
    "Remote~User",
    "Remote|User",
    "Remote_Groups",
    "Remote-Groups",
    "Remote-Name",
    "Remote-Email",
    "Remote.Email",
]
OTHER_SPELLINGS = [
    *(
        f"/_gate{slash}auth{slash}{page}"
        for slash in ("//", "/./", "/x/../", "/%2e/")
        for page in ("forward", "nginx")
    ),
    "/_gate/%61uth/forward",
    "/_gate/auth%2fforward",
    "/_gate%2fauth/forward",
    "/_gate/auth/%66orward",
    "/_gate/Auth/forward",
    "/_gate/auth;x/forward",
    "/%5fgate/auth/forward",
    "/x/../_gate/auth/forward",
]


class Asking:
    """The contract; a subclass has the fixtures ``front`` and ``alice``."""

    def test_a_stranger_signs_in_and_comes_back(self, front: Front):
        person = front.person(f"guest-{front.kind}")
        visitor = Visitor(front.origin)
        sent = visitor.get("/reports?year=2026&q=a%20b")
        front.app.heads.clear()

        assert sent.status == 303
        assert sent.location.endswith(
            "/_gate/login?next=/reports%3Fyear%3D2026%26q%3Da%2520b"
        )
        asked = visitor.submit(
            sent.location, username=person.name, password=person.password
        )
        back = visitor.submit(asked.location, code=front.installation.code(person))
        assert back.status == 303
        assert back.location == "/reports?year=2026&q=a%20b"
        assert front.app.heads == []
        page = visitor.get(back.location)
        assert page.status == 200
        assert "GET /reports?year=2026&q=a%20b HTTP" in page.text
        assert front.received()["Remote-User"] == person.name

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
    @pytest.mark.parametrize("target", ["/", "/a?b=c", "/_gate%2flogin", "//x", "/%2e"])
    def test_nothing_of_a_stranger_arrives(self, front: Front, method, target):
        front.app.heads.clear()

        answer = front.ask(target, method=method)

        assert answer.status in {303, 308, 400, 401, 403, 404}
        assert front.app.heads == []

    def test_a_program_is_told(self, front: Front):
        answer = front.ask("/api", "Accept: application/json")

        assert answer.status == 401
        assert json.loads(answer.body)["error"] == "login_required"
        assert answer.all("WWW-Authenticate")[0].startswith("Cookie ")

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PROPFIND"])
    def test_every_method_of_somebody_signed_in_arrives(self, front, alice, method):
        answer = front.ask("/a%2Fb?c", method=method, visitor=alice, body=b"")

        assert answer.status == 200
        assert front.app.heads[-1].startswith(f"{method} /a%2Fb?c ".encode())

    @pytest.mark.parametrize("target", ["/page", "/public/page"])
    @pytest.mark.parametrize("name", SPELLINGS)
    def test_nobody_brings_a_name_along(self, front, alice, name, target):
        answer = front.ask(target, f"{name}: mallory", visitor=alice)

        assert answer.status == 200
        assert "mallory" not in str(front.received())
        assert front.received()["Remote-User"] == "alice"

    @pytest.mark.parametrize("name", SPELLINGS)
    def test_nobody_brings_a_name_along_where_everybody_may(self, front, name):
        assert front.ask("/public/a", f"{name}: mallory").status == 200
        assert "mallory" not in str(front.received())
        assert not front.received().get("Remote-User")

    @pytest.mark.parametrize("sign", ["-", "_"])
    @pytest.mark.parametrize("target", ["/page", "/public/page"])
    def test_nobody_says_what_only_a_web_server_may(self, front, alice, target, sign):
        """An application that believes one of these would serve what was not judged."""
        said = [f"{name.replace('-', sign)}: mallory" for name in FORWARDED_NAMES]
        shifting = [line for line in said if line.startswith(("Script", "Path"))]
        others = [line for line in said if line not in shifting]

        for some in (others[:20], others[20:]):
            assert front.ask(target, *some, visitor=alice).status == 200
            assert b"mallory" not in front.app.heads[-1]
        for line in shifting:  # removed here, refused by the gate there
            front.ask(target, line, visitor=alice)
            assert b"mallory" not in front.app.heads[-1]

    @pytest.mark.parametrize(
        "header",
        [
            "Connection: close, Remote-User",
            "Connection: Cookie, X-Forwarded-For",
            "X-Original-URL: http://127.0.0.1/public/a",
            "X-Original-Method: GET",
            "X-Forwarded-Uri: /public/a",
            "X-Forwarded-Method: GET",
            "X-Forwarded-Host: elsewhere.example",
            "X-Forwarded-For: 10.9.8.7",
            "Sec-Gate-Echo: 0",
            "User-Agent: kube-probe/1.0",
            "Upgrade: h2c",
        ],
    )
    def test_no_header_opens_the_door(self, front, header):
        front.app.heads.clear()

        assert front.ask("/page", header).status != 200
        assert front.app.heads == []

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param(["X-HTTP-Method-Override: DELETE"], id="plainly"),
            pytest.param(["X_HTTP_Method_Override: DELETE"], id="underscores"),
            pytest.param(["X.HTTP.Method.Override: DELETE"], id="dots"),
            pytest.param(["X-Method-Override: POST,DELETE"], id="two"),
            pytest.param(
                ["X-HTTP-Method: POST", "X-HTTP-Method: DELETE"], id="two lines"
            ),
            pytest.param(["X-HTTP-Method:", "X-HTTP-Method: DELETE"], id="empty first"),
        ],
    )
    def test_no_header_does_what_is_denied(self, front, alice, headers):
        """Also right after the same request without them was let through."""
        denied = front.ask("/kept/1", method="DELETE", visitor=alice)
        plain = front.ask("/kept/1", method="POST", visitor=alice)
        assert (denied.status, plain.status) == (403, 200)

        front.app.heads.clear()
        front.ask("/kept/1", *headers, method="POST", visitor=alice)

        assert b"DELETE" not in b"".join(front.app.heads)

    @pytest.mark.parametrize(
        ("headers", "body", "passes"),
        [
            pytest.param([], b"", True, id="none"),
            pytest.param(["Content-Length: 0"], b"", True, id="of no length"),
            pytest.param([], b"body", False, id="one"),
            pytest.param(
                ["Transfer-Encoding: chunked"],
                b"4\r\nbody\r\n0\r\n\r\n",
                False,
                id="in chunks",
            ),
        ],
    )
    def test_a_preflight_passes_where_it_has_no_body(
        self, front, headers, body, passes
    ):
        asks = ["Origin: https://other.example", "Access-Control-Request-Method: GET"]
        front.app.heads.clear()

        answer = front.ask("/api/x", *asks, *headers, method="OPTIONS", body=body)

        assert (answer.status == 200) is passes
        assert len(front.app.heads) == passes

    def test_no_other_question_is_taken_for_a_preflight(self, front):
        front.app.heads.clear()

        for method in ("OPTIONS", "GET"):
            for headers in ([], ["Origin: https://other.example"]):
                assert front.ask("/api/x", *headers, method=method).status in {303, 401}
        assert front.app.heads == []

    def test_the_visitors_address_is_not_the_visitors_word(self, front, alice):
        front.ask("/page", "X-Forwarded-For: 10.9.8.7", visitor=alice)

        assert "10.9.8.7" not in front.received()["X-Forwarded-For"]

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param("theme=dark; ", "; a=b", id="between"),
            pytest.param("", "; theme=dark; a=b", id="first"),
            pytest.param("theme=dark; a=b; ", "", id="last"),
            pytest.param("theme=dark;", ";a=b", id="without spaces"),
            pytest.param("  theme=dark ;  ", "  ;   a=b", id="more spaces"),
            pytest.param(
                "totp_gate_login=x; theme=dark; totp_gate_device=y; ",
                "; a=b; totp_gate=z",
                id="all of them, and one twice",
            ),
        ],
    )
    def test_the_application_never_sees_the_gates_cookies(
        self, front, alice, before, after
    ):
        session = f"{COOKIE}={alice.cookies[COOKIE]}"
        front.ask("/page", f"Cookie: {before}{session}{after}")

        found = re.split(r" *; *", front.received()["Cookie"])
        assert found == ["theme=dark", "a=b"]

    @pytest.mark.parametrize(
        "theirs",
        [
            'a=b=c==; quoted="x y, z"; empty=; json={%22a%22:1}',
            "totp_gate_theme=dark; mytotp_gate=1; x-totp_gate=2",
            "same=1; same=2; " + "long=" + "x" * 3000,
            "latin=\xe4\xff; tilde=~!#$&'()*+-./:<>?@[]^_`{|}",
        ],
        ids=["signs", "names like ours", "twice and long", "octets"],
    )
    def test_the_applications_cookies_arrive_octet_for_octet(
        self, front, alice, theirs
    ):
        session = f"{COOKIE}={alice.cookies[COOKIE]}"
        for sent in (f"{session}; {theirs}", f"{theirs}; {session}"):
            answer = front.ask("/page", f"Cookie: {sent}")

            assert answer.status == 200
            assert front.received()["Cookie"] == theirs

    def test_without_other_cookies_there_is_none(self, front, alice):
        front.ask("/page", visitor=alice)

        assert not front.received().get("Cookie")

    def test_the_applications_own_authorization_arrives(self, front, alice):
        front.ask("/page", "Authorization: Bearer theirs", visitor=alice)

        assert front.received()["Authorization"] == "Bearer theirs"

    def test_a_token_lets_a_program_in_and_stays_with_the_gate(self, front):
        person = front.person(f"robot-{front.kind}")
        now = front.installation.clock()
        tokens = front.installation.accounts.app_tokens
        text, _ = tokens.make(
            person.name, "ci", now=now, expires=now + 600, paths=["/api/*"]
        )
        for header in (f"Gate-Token: {text}", f"Authorization: Bearer {text}"):
            inside = front.ask("/api/a", header)
            received = front.received()
            outside = front.ask("/page", header)

            assert (inside.status, outside.status) == (200, 403)
            assert text not in str(received)
            assert received["Remote-User"] == person.name

    def test_a_websocket_passes(self, front, alice):
        cookie = {"Cookie": f"{COOKIE}={alice.cookies[COOKIE]}"}
        with open_socket(
            f"ws://127.0.0.1:{front.port}/socket",
            additional_headers=cookie,
            origin=front.origin,
        ) as socket:
            socket.send("hello")

            assert socket.recv(timeout=10) == "hello"

    @pytest.mark.parametrize("who", ["a stranger", "a page of another site"])
    def test_a_websocket_is_closed_to(self, front, alice, who):
        front.app.heads.clear()
        cookie = {"Cookie": f"{COOKIE}={alice.cookies[COOKIE]}"}
        stranger = who == "a stranger"
        with pytest.raises(InvalidStatus) as refused:
            open_socket(
                f"ws://127.0.0.1:{front.port}/socket",
                additional_headers={} if stranger else cookie,
                origin=front.origin if stranger else "https://evil.example",
            )

        assert refused.value.response.status_code in {401, 403}
        assert front.app.heads == []

    def test_a_long_upload_passes_and_takes_no_memory(self, front, alice):
        pids = [front.server.pid, *front.server.children]
        pids += [front.gate.pid, *front.gate.children]
        front.upload(MIB, alice)
        before = memory_of(pids)

        answer = front.upload(UPLOAD, alice)

        assert answer.status == 200
        assert answer.body.startswith(b"%d\n" % UPLOAD)
        assert memory_of(pids) - before < 32 * MIB

    @pytest.mark.parametrize("page", ["nginx", "forward", "envoy/public/a", "answer"])
    def test_visitors_have_no_business_at_the_endpoints(self, front, alice, page):
        answer = front.ask(f"/_gate/auth/{page}", "Sec-Gate-Echo: 1", visitor=alice)

        assert answer.status == 404
        assert not answer.all("Remote-User")

    @pytest.mark.parametrize("target", OTHER_SPELLINGS)
    def test_no_spelling_of_an_endpoint_answers_visitors(self, front, alice, target):
        told = [
            "X-Forwarded-Method: GET",
            "X-Forwarded-Uri: /page",
            f"X-Original-URL: {front.origin}/page",
            "X-Original-Method: GET",
        ]
        for headers in (told[:2], told[2:]):
            answer = front.ask(target, "Sec-Gate-Echo: 1", *headers, visitor=alice)

            assert answer.status in {303, 308, 400, 403, 404}
            assert not answer.all("Remote-User")
            assert not answer.all("Cookie")

    def test_no_service_worker_takes_over_the_gates_pages(self, front, alice):
        answer = front.ask("/sw.js", visitor=alice)

        assert answer.status == 200
        assert not answer.all("Service-Worker-Allowed")

    def test_signing_out_is_felt_at_once(self, front):
        visitor = front.sign_in(front.person(f"leaver-{front.kind}"))
        assert visitor.get("/page").status == 200
        assert visitor.submit("/_gate/logout").status in {200, 303}

        assert visitor.get("/page").status == 303


class AskedEveryTime:
    """What holds beside that where no web server repeats an answer of the gate.

    The last test ends the gate, so this class comes last in its file.
    """

    WITHOUT_THE_GATE: int

    def test_the_end_of_a_session_is_felt_at_once(self, front):
        visitor = front.sign_in(front.person("short"))
        assert front.ask("/page", visitor=visitor).status == 200
        front.installation.accounts.store.end_sessions("short")

        assert until_refused(front, visitor) < 10

    def test_the_gate_itself_passes_nothing_on(self, front, alice):
        front.app.heads.clear()
        head = (
            f"GET /public/page HTTP/1.1\r\nHost: 127.0.0.1:{front.port}\r\n"
            f"Cookie: {COOKIE}={alice.cookies[COOKIE]}\r\nConnection: close\r\n\r\n"
        )

        answer = ask(front.gate.port, head.encode())

        assert answer.status == 404
        assert front.app.heads == []

    def test_a_dead_gate_is_a_closed_one(self, front, alice):
        assert statuses_without_the_gate(front, alice) == {self.WITHOUT_THE_GATE}
        assert front.app.heads == []
