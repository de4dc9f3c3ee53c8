"""Which headers are believed, and who the client is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from totp_gate.core.headers import (
    FORWARDED_KEYS,
    Networks,
    clean_address,
    client_address,
    client_host,
    client_scheme,
    is_forwarded_key,
    is_local,
    is_navigation,
    plain,
    spellings,
)

PROXIES = Networks(["10.0.0.0/8", "fd00::/8"])


def environ_key(wire):
    """What servers make of a field name (RFC 3875 section 4.1.18)."""
    return "HTTP_" + wire.upper().replace("-", "_")


@pytest.mark.parametrize("mark", "!#$%&'*+-.^_`|~")
def test_every_spelling_of_an_identity_header_is_known(mark):
    keys = spellings(["Remote-User", "X-Remote-User-Groups"])

    assert environ_key(f"remote{mark}USER") in keys
    assert environ_key(f"X-Remote{mark}User_Groups") in keys
    assert f"HTTP_REMOTE{mark}USER" in keys


def test_a_long_name_is_known_with_hyphen_underscore_and_dot():
    keys = spellings(["A-B-C-D-E"])

    assert len(keys) == 3**4
    assert {"HTTP_A_B_C_D_E", "HTTP_A.B_C.D_E", "HTTP_A-B-C-D-E"} <= keys


def test_no_other_header_is_taken_for_a_spelling():
    keys = spellings(["Remote-User"])

    assert keys.isdisjoint({"HTTP_REMOTE", "HTTP_REMOTEUSER", "HTTP_REMOTE_USER_X"})
    assert spellings(["Remote_User"]) == keys
    assert spellings(["DPoP"]) == {"HTTP_DPOP"}
    assert spellings([]) == frozenset()


@pytest.mark.parametrize(
    "wire",
    [
        *["Forwarded", "X-Forwarded-For", "x_forwarded.for", "X-Forwarded-Proto"],
        *["X-Forwarded-Host", "X.Forwarded.Port", "X-Forwarded-Prefix", "Proxy"],
        *["X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Ssl", "SCRIPT_NAME"],
        *[
            "Script-Name",
            "Script.Name",
            "PATH_INFO",
            "X-Original-URL",
            "X_Original_Uri",
        ],
        *[
            "X-Original-Method",
            "X-Rewrite-URL",
            "X-Real-IP",
            "X~Real~IP",
            "X-Forwarded",
        ],
        *["X-Forwarded-User", "X-Forwarded-Server"],
    ],
)
def test_what_only_a_proxy_may_say_is_known_in_every_spelling(wire):
    assert is_forwarded_key(environ_key(wire))


@pytest.mark.parametrize(
    "wire",
    [
        "X-Forwarded-Never-Heard-Of",
        "X.Forwarded+New",
        "X-Original-Colour",
        "X-Rewrite-X",
    ],
)
def test_a_forwarded_header_never_heard_of_is_one_too(wire):
    assert is_forwarded_key(environ_key(wire))


@pytest.mark.parametrize(
    "key",
    [
        *[
            "HTTP_HOST",
            "HTTP_COOKIE",
            "HTTP_ACCEPT",
            "HTTP_ORIGIN",
            "HTTP_X_REQUESTED_WITH",
        ],
        *[
            "SCRIPT_NAME",
            "PATH_INFO",
            "HTTP_PROXY_AUTHORIZATION",
            "HTTP_VIA",
            "REMOTE_ADDR",
        ],
        *["HTTP_X_ORIGIN", "HTTP_AUTHORIZATION", "CONTENT_TYPE", "HTTP_FORWARDED_X"],
    ],
)
def test_an_ordinary_header_is_not_a_forwarded_one(key):
    assert not is_forwarded_key(key)


def test_every_name_that_only_a_proxy_may_send_is_known():
    assert all(map(is_forwarded_key, FORWARDED_KEYS))


# Networks.


@pytest.mark.parametrize(
    ("networks", "address", "inside"),
    [
        pytest.param(["10.0.0.0/8"], "10.1.2.3", True, id="inside"),
        pytest.param(["10.0.0.0/8"], "11.1.2.3", False, id="outside"),
        pytest.param(["10.0.0.1"], "10.0.0.1", True, id="one address"),
        pytest.param(["10.0.0.0/8"], "::ffff:10.1.2.3", True, id="IPv4 in IPv6"),
        pytest.param(["::ffff:10.0.0.0/104"], "10.1.2.3", True, id="written as IPv6"),
        pytest.param(["10.0.0.0/8"], "::10.1.2.3", False, id="IPv4-compatible"),
        pytest.param(["fe80::/10"], "fe80::1%eth0", True, id="zone"),
        pytest.param(["::1/128"], "0:0:0:0:0:0:0:1", True, id="long form"),
        pytest.param(["::/0"], "10.1.2.3", False, id="all of IPv6 is not IPv4"),
        pytest.param(["0.0.0.0/0"], "::1", False, id="all of IPv4 is not IPv6"),
        pytest.param(["unix"], "unix", True, id="unix socket"),
        pytest.param(["10.0.0.0/8"], "unix", False, id="unix socket undeclared"),
        pytest.param(["unix"], "10.1.2.3", False, id="unix is no address"),
        pytest.param([], "10.1.2.3", False, id="none"),
        pytest.param(["0.0.0.0/0"], "", False, id="empty"),
        pytest.param(["0.0.0.0/0"], "unknown", False, id="a word"),
        pytest.param(["0.0.0.0/0"], "10.1.2", False, id="three numbers"),
        pytest.param(["0.0.0.0/0"], "010.1.2.3", False, id="octal"),
        pytest.param(["0.0.0.0/0"], "1.2.3.4%eth0", False, id="zone of IPv4"),
        pytest.param(["0.0.0.0/0"], "1" * 100_000, False, id="huge"),
    ],
)
def test_an_address_is_inside_or_not(networks, address, inside):
    found = Networks(networks)

    assert found.contains(address) is inside
    assert found.contains(address) is inside


@pytest.mark.parametrize(
    ("address", "may"),
    [
        pytest.param("10.0.0.1", True, id="inside"),
        pytest.param("11.0.0.1", False, id="outside"),
        pytest.param("::ffff:11.0.0.1", False, id="outside, in IPv6"),
        pytest.param("unix", False, id="a socket"),
        pytest.param("unknown", True, id="unknown"),
        pytest.param("", True, id="none"),
        pytest.param("1" * 100_000, True, id="huge"),
    ],
)
def test_what_is_no_address_may_be_inside(address, may):
    assert Networks(["10.0.0.0/8"]).may_contain(address) is may


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "10.0.0.1/8", "10.0.0.0/33", "*", "10.*", "::1/129", "UNIX"],
)
def test_what_is_no_network_is_refused_with_a_remedy(text):
    with pytest.raises(ValueError, match=r"write it like"):
        Networks(["10.0.0.0/8", text])


def test_what_is_remembered_about_addresses_is_bounded():
    networks = Networks(["10.0.0.0/8"])
    for number in range(3 * Networks._REMEMBERED):
        networks.contains(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    networks.contains("1" * 100_000)
    assert len(networks._known) <= Networks._REMEMBERED
    assert max(map(len, networks._known), default=0) < 100
    assert networks.contains("10.0.0.1")


# Who the client is.


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        pytest.param("1.1.1.1", None, "1.1.1.1", id="direct"),
        pytest.param("1.1.1.1", "2.2.2.2", "1.1.1.1", id="forged by a stranger"),
        pytest.param("10.0.0.1", None, "10.0.0.1", id="the proxy itself"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="empty"),
        pytest.param("10.0.0.1", "2.2.2.2", "2.2.2.2", id="one proxy"),
        pytest.param("10.0.0.1", "3.3.3.3, 2.2.2.2", "2.2.2.2", id="forged in front"),
        pytest.param("10.0.0.1", "2.2.2.2, 10.0.0.2", "2.2.2.2", id="two proxies"),
        pytest.param("10.0.0.1", "3.3.3.3,2.2.2.2,10.0.0.2", "2.2.2.2", id="both"),
        pytest.param("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", id="all trusted"),
        pytest.param("10.0.0.1", "2.2.2.2:4711", "2.2.2.2", id="port"),
        pytest.param("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1", id="brackets"),
        pytest.param("10.0.0.1", "[2001:db8::1]", "2001:db8::1", id="brackets alone"),
        pytest.param("10.0.0.1", "2001:DB8:0::1", "2001:db8::1", id="IPv6"),
        pytest.param("10.0.0.1", "::ffff:2.2.2.2", "2.2.2.2", id="IPv4 in IPv6"),
        pytest.param("::ffff:10.0.0.1", "2.2.2.2", "2.2.2.2", id="peer IPv4 in IPv6"),
        pytest.param("fd00::1%eth0", "fe80::1%eth0", "fe80::1", id="zones"),
        pytest.param("10.0.0.1", "2.2.2.2, unknown", "10.0.0.1", id="unknown"),
        pytest.param("10.0.0.1", "2.2.2.2, _hidden", "10.0.0.1", id="obfuscated"),
        pytest.param("10.0.0.1", "2.2.2.2,", "10.0.0.1", id="comma behind"),
        pytest.param("10.0.0.1", ",2.2.2.2", "2.2.2.2", id="comma in front"),
        pytest.param("10.0.0.1", "2.2.2.2, x, 10.0.0.2", "10.0.0.2", id="broken chain"),
        pytest.param("10.0.0.1", "unix", "10.0.0.1", id="the word unix"),
        pytest.param("10.0.0.1", "2.2.2.2 3.3.3.3", "10.0.0.1", id="no comma"),
        pytest.param("10.0.0.1", '"2.2.2.2"', "10.0.0.1", id="quoted"),
        pytest.param("10.0.0.1", "[2.2.2.2]", "10.0.0.1", id="brackets around IPv4"),
        pytest.param("10.0.0.1", "[::1", "10.0.0.1", id="bracket left open"),
        pytest.param("10.0.0.1", "2.2.2.2:99999999", "10.0.0.1", id="port too long"),
        pytest.param("10.0.0.1", "\uff12.2.2.2", "10.0.0.1", id="full-width digit"),
        pytest.param("10.0.0.1", "2.2.2.2\x00", "10.0.0.1", id="NUL"),
        pytest.param("10.0.0.1", "<script>", "10.0.0.1", id="markup"),
        pytest.param("", "2.2.2.2", "unix", id="unix socket undeclared"),
        pytest.param("", None, "unix", id="unix socket"),
        pytest.param("nonsense", "2.2.2.2", "unknown", id="peer that is none"),
        pytest.param("unix", "2.2.2.2", "unix", id="unix socket by its word"),
    ],
)
def test_the_client_is_the_nearest_that_is_no_trusted_proxy(
    peer, forwarded_for, client
):
    assert client_address(peer, forwarded_for, PROXIES) == client


def test_a_declared_unix_socket_is_a_trusted_proxy():
    trusted = Networks(["unix"])

    assert client_address("", "2.2.2.2", trusted) == "2.2.2.2"
    assert client_address("", None, trusted) == "unix"
    assert client_address("nonsense", "2.2.2.2", trusted) == "unknown"
    assert client_address("", "2.2.2.2, unix", trusted) == "unix"


def test_a_chain_without_end_is_not_followed_for_ever():
    chain = ", ".join(["2.2.2.2", *["10.0.0.2"] * 100_000])

    assert client_address("10.0.0.1", chain, PROXIES) == "10.0.0.2"


@given(
    st.text(max_size=60),
    st.text(alphabet="0123456789abcdef.:,[]% \t\"'unix_", max_size=60),
)
def test_an_untrusted_peer_is_the_client_whatever_it_says(noise, forged):
    for header in (noise, forged):
        assert client_address("1.1.1.1", header, PROXIES) == "1.1.1.1"
        client = client_address("10.0.0.1", f"{header}, 2.2.2.2", PROXIES)
        assert client == "2.2.2.2"
        seen = client_address("10.0.0.1", header, PROXIES)
        assert clean_address(seen) == seen


@pytest.mark.parametrize(
    ("address", "local"),
    [
        *[("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("unix", True)],
        *[("::ffff:127.0.0.1", True), ("10.0.0.1", False), ("::", False), ("", False)],
        *[("0.0.0.0", False), ("unknown", False), ("localhost", False)],
    ],
)
def test_only_this_machine_is_local(address, local):
    assert is_local(address) is local


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [
        pytest.param("10.0.0.1", "https", "https", id="trusted"),
        pytest.param("10.0.0.1", "HTTPS", "https", id="upper case"),
        pytest.param("10.0.0.1", "wss", "https", id="WebSocket"),
        pytest.param("10.0.0.1", "https, http", "http", id="the last counts"),
        pytest.param("10.0.0.1", "http , https ", "https", id="forged in front"),
        pytest.param("10.0.0.1", None, "http", id="absent"),
        pytest.param("10.0.0.1", "https,", "http", id="empty"),
        pytest.param("10.0.0.1", "gopher", "http", id="another scheme"),
        pytest.param("1.1.1.1", "https", "http", id="stranger"),
        pytest.param("", "https", "http", id="unix socket undeclared"),
        pytest.param("x", "https", "http", id="peer that is none"),
    ],
)
def test_the_scheme_is_believed_from_trusted_proxies_only(peer, said, scheme):
    assert client_scheme(peer, "http", said, PROXIES) == scheme


def test_a_connection_with_tls_of_its_own_stays_https():
    assert client_scheme("1.1.1.1", "https", "http", PROXIES) == "https"
    assert client_scheme("10.0.0.1", "https", None, PROXIES) == "https"


@pytest.mark.parametrize(
    ("peer", "said", "host"),
    [
        pytest.param("10.0.0.1", "app.example.com", "app.example.com", id="trusted"),
        pytest.param(
            "10.0.0.1", "evil, app.example.com", "app.example.com", id="forged"
        ),
        pytest.param("10.0.0.1", None, "own", id="absent"),
        pytest.param("10.0.0.1", "app.example.com,", "own", id="empty"),
        pytest.param("1.1.1.1", "evil", "own", id="stranger"),
    ],
)
def test_the_host_is_believed_from_trusted_proxies_only(peer, said, host):
    assert client_host(peer, "own", said, PROXIES) == host


# Who wants a page.

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.mark.parametrize(
    ("method", "headers", "page"),
    [
        pytest.param("GET", {"SEC_FETCH_MODE": "navigate"}, True, id="navigation"),
        pytest.param(
            "GET",
            {"SEC_FETCH_MODE": "navigate", "SEC_FETCH_DEST": "iframe"},
            True,
            id="frame",
        ),
        pytest.param(
            "POST",
            {"SEC_FETCH_MODE": "navigate", "SEC_FETCH_DEST": "document"},
            True,
            id="form",
        ),
        pytest.param("HEAD", {"ACCEPT": HTML}, True, id="HEAD of an old browser"),
        pytest.param("GET", {"ACCEPT": HTML}, True, id="old browser"),
        pytest.param("GET", {"ACCEPT": "TEXT/HTML"}, True, id="shouted"),
        pytest.param("GET", {}, False, id="no header"),
        pytest.param("GET", {"ACCEPT": "*/*"}, False, id="curl"),
        pytest.param("GET", {"ACCEPT": "application/json"}, False, id="program"),
        pytest.param(
            "GET",
            {"ACCEPT": HTML, "X_REQUESTED_WITH": "XMLHttpRequest"},
            False,
            id="XHR that accepts pages",
        ),
        pytest.param(
            "GET",
            {"SEC_FETCH_MODE": "navigate", "X_REQUESTED_WITH": "xmlhttprequest"},
            False,
            id="XHR before all",
        ),
        pytest.param(
            "GET", {"ACCEPT": HTML, "SEC_FETCH_MODE": "cors"}, False, id="fetch"
        ),
        pytest.param(
            "GET", {"ACCEPT": HTML, "SEC_FETCH_MODE": ""}, False, id="empty mode"
        ),
        pytest.param("GET", {"SEC_FETCH_MODE": "websocket"}, False, id="WebSocket"),
        pytest.param("GET", {"SEC_FETCH_MODE": "no-cors"}, False, id="picture"),
        pytest.param(
            "GET",
            {"SEC_FETCH_MODE": "navigate", "SEC_FETCH_DEST": "script"},
            False,
            id="a destination that is no page",
        ),
        pytest.param("PUT", {"ACCEPT": HTML}, False, id="PUT"),
        pytest.param("OPTIONS", {"ACCEPT": HTML}, False, id="OPTIONS"),
        pytest.param("get", {"ACCEPT": HTML}, False, id="method in lower case"),
    ],
)
def test_a_page_navigation_is_told_from_the_rest(method, headers, page):
    environ = {f"HTTP_{name}": value for name, value in headers.items()}

    assert is_navigation({"REQUEST_METHOD": method, **environ}) is page


# What goes into a log.


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        pytest.param("alice", "alice", id="ordinary"),
        pytest.param("Zoë 渡辺 🙂", "Zoë 渡辺 🙂", id="any language"),
        pytest.param("a\r\nb", "a??b", id="line break"),
        pytest.param("a\tb\x00c", "a?b?c", id="tab and NUL"),
        pytest.param("\x1b[31m", "?[31m", id="terminal colours"),
        pytest.param("\x9b31m", "?31m", id="C1 control"),
        pytest.param("\x85\x7f", "??", id="next line and DEL"),
        pytest.param("\u2028\u2029", "??", id="line and paragraph separators"),
        pytest.param("\u202etxt.exe", "?txt.exe", id="right to left"),
        pytest.param("a\u200bb\ufeff", "a?b?", id="no width"),
        pytest.param("\udc80", "?", id="half a character"),
        pytest.param("", "", id="empty"),
    ],
)
def test_a_strangers_text_stays_in_its_line(text, safe):
    assert plain(text) == safe


@given(st.text() | st.binary().map(lambda octets: octets.decode("latin-1")))
def test_whatever_is_logged_is_one_short_printable_line(text):
    safe = plain(text, 40)

    assert len(safe) <= 40
    assert len(safe.splitlines()) <= 1
    assert json.loads(json.dumps({"a": safe})) == {"a": safe}
    safe.encode("utf-8")


def test_a_long_text_is_cut_where_one_can_see_it():
    assert plain("a" * 300) == "a" * 253 + "..."
    assert plain("abcdef", 4) == "a..."
    assert plain("abcdef", 2) == ".."
