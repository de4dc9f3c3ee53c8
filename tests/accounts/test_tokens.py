"""App tokens: what they are good for, and what a request shows."""

from __future__ import annotations

import base64
import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from totp_gate.accounts import tokens
from totp_gate.accounts.tokens import AppTokens, covers, shown
from totp_gate.core.signing import digest
from totp_gate.errors import Conflict, NotFound
from totp_gate.model import AppToken, User
from totp_gate.stores.sql import open_store
from totp_gate.users.stored import StoredUsers

NOW = 1_700_000_000.0
TEXT = "tg_" + "aB3_-" * 8 + "xyz"


@pytest.fixture
def store():
    store = open_store("sqlite://", now=lambda: NOW)
    store.add_users([User(name="alice", password_hash="x"), User(name="bob")])
    yield store
    store.close()


@pytest.fixture
def made(store):
    return AppTokens(store=store, directory=StoredUsers(store))


def basic(clear: str) -> str:
    return "Basic " + base64.b64encode(clear.encode()).decode()


def make(made, **scope):
    return made.make("alice", "ci", now=NOW, expires=NOW + 60, **scope)


class TestMaking:
    def test_a_token_is_known_by_its_digest_only(self, made, store):
        text, token = make(made)

        assert text.startswith("tg_")
        assert len(text) == 46
        assert token.digest == digest(text)
        assert text not in repr(store.tokens("alice"))
        assert store.token(digest(text)) == token

    def test_no_two_are_alike(self, made):
        assert make(made)[0] != make(made)[0]

    def test_a_token_needs_its_user(self, made):
        with pytest.raises(NotFound):
            made.make("carol", "ci", now=NOW, expires=math.inf)

    def test_a_user_has_so_many_and_no_more(self, made, monkeypatch):
        monkeypatch.setattr(tokens, "MOST_PER_USER", 2)
        make(made)
        make(made)

        with pytest.raises(Conflict):
            make(made)
        assert len(made.of("alice")) == 2

    @pytest.mark.parametrize(
        "scope",
        [
            pytest.param({"methods": ["GE T"]}, id="method"),
            pytest.param({"networks": ["10.0.0.0/99"]}, id="network"),
            pytest.param({"paths": ["/a/%2e%2e%2fb"]}, id="path of two readings"),
            pytest.param({"paths": ["reports"]}, id="relative path"),
            pytest.param({"paths": ["*"]}, id="star"),
            pytest.param({"paths": [""]}, id="empty path"),
        ],
    )
    def test_a_scope_without_sense_is_refused(self, made, scope):
        with pytest.raises(ValueError, match=r"\w"):
            make(made, **scope)
        assert made.of() == []

    def test_only_the_owner_revokes(self, made):
        _, token = make(made)

        assert made.revoke(token.id, user="bob") is False
        assert made.revoke(token.id, user="alice") is True
        assert made.revoke(token.id, user="alice") is False


@pytest.mark.parametrize(
    ("own", "authorization", "text", "used_up"),
    [
        pytest.param(None, None, None, False, id="nothing"),
        pytest.param(TEXT, None, TEXT, False, id="own header"),
        pytest.param(None, f"Bearer {TEXT}", TEXT, True, id="bearer"),
        pytest.param(None, f"bearer  {TEXT} ", TEXT, True, id="bearer in small"),
        pytest.param(None, basic(f"alice:{TEXT}"), TEXT, True, id="basic"),
        pytest.param(None, basic(f":{TEXT}"), TEXT, True, id="basic, nobody"),
        pytest.param(TEXT, basic("alice:secret"), TEXT, False, id="own and theirs"),
        pytest.param("junk", f"Bearer {TEXT}", TEXT, True, id="junk and bearer"),
        pytest.param(TEXT, f"Bearer {TEXT}", TEXT, True, id="twice"),
        pytest.param("junk", None, None, False, id="junk"),
        pytest.param(None, basic("alice:secret"), None, False, id="a password"),
        pytest.param(None, "Bearer eyJhbGciOi", None, False, id="another bearer"),
        pytest.param(None, f"Token {TEXT}", None, True, id="another scheme"),
        pytest.param(None, f"Bearer\t{TEXT}", None, True, id="tab"),
        pytest.param(None, f"a=b, Bearer {TEXT}", None, True, id="after another"),
        pytest.param(None, f"Bearer {TEXT}x", None, False, id="with a tail"),
        pytest.param(None, f"Bearer a.{TEXT}.c", None, False, id="in a JWT"),
        pytest.param(None, basic(f"a:b{TEXT}"), None, False, id="in a password"),
        pytest.param(None, basic(f"{TEXT}:"), None, True, id="as user name"),
        pytest.param(None, basic(f"a:{TEXT}").rstrip("="), TEXT, True, id="unpadded"),
        pytest.param(None, "Basic é", None, False, id="no base64"),
    ],
)
def test_a_request_shows(own, authorization, text, used_up):
    assert shown(own, authorization) == (text, used_up)


SEGMENTS = st.text(string.ascii_letters + string.digits + "-_", max_size=40)


@given(st.lists(SEGMENTS, min_size=3, max_size=3), st.integers(0, 2), SEGMENTS)
def test_a_jwt_is_the_applications_whatever_it_holds_by_chance(segments, at, tail):
    segments[at] += f"x{TEXT}{tail}"

    assert shown(None, "Bearer " + ".".join(segments)) == (None, False)


@pytest.mark.parametrize(
    ("scope", "method", "readings", "address", "covered"),
    [
        pytest.param({}, "DELETE", ["/a"], "192.0.2.1", True, id="no scope"),
        pytest.param({"methods": ("GET",)}, "HEAD", ["/a"], "", True, id="head"),
        pytest.param({"methods": ("GET",)}, "POST", ["/a"], "", False, id="post"),
        pytest.param({"methods": ("HEAD",)}, "GET", ["/a"], "", False, id="only head"),
        pytest.param({"paths": ("/a",)}, "GET", ["/a"], "", True, id="exact"),
        pytest.param({"paths": ("/a",)}, "GET", ["/a/b"], "", False, id="below exact"),
        pytest.param({"paths": ("/a/*",)}, "GET", ["/a/b"], "", True, id="below"),
        pytest.param({"paths": ("/a/*",)}, "GET", ["/ab"], "", False, id="beside"),
        pytest.param({"paths": ("/*",)}, "GET", ["/ab"], "", True, id="root"),
        pytest.param(
            {"paths": ("/a/*",)}, "GET", ["/a/b", "/c"], "", False, id="other reading"
        ),
        pytest.param(
            {"paths": ("/a/*", "/c")}, "GET", ["/a/b", "/c"], "", True, id="both"
        ),
        pytest.param(
            {"networks": ("10.0.0.0/8",)}, "GET", ["/"], "10.1.2.3", True, id="inside"
        ),
        pytest.param(
            {"networks": ("10.0.0.0/8",)}, "GET", ["/"], "11.1.2.3", False, id="outside"
        ),
    ],
)
def test_a_scope_covers(scope, method, readings, address, covered):
    token = AppToken(id="t", user="alice", digest="d", **scope)

    found = covers(token, method=method, readings=readings, address=address)

    assert found is covered
