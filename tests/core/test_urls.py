"""Targets, places to go back to, hosts and origins."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.wrappers import Request

from totp_gate.core.urls import (
    ASTERISK,
    canonical,
    clean_host,
    parse_origin,
    safe_next,
    split_port,
    under,
    understand,
)
from totp_gate.errors import BadRequest

ORIGIN = "https://app.example.com"
PREFIX = "/_gate"

quick = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def path_of(raw):
    return understand(raw)[0].path


# What is refused, whoever asks.


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("", id="empty"),
        pytest.param("*", id="asterisk form unasked"),
        pytest.param("443", id="authority form of CONNECT"),
        pytest.param("example.com:443", id="authority form with a name"),
        pytest.param("admin", id="no slash"),
        pytest.param("?x=1", id="query alone"),
        pytest.param("/a#b", id="fragment"),
        pytest.param("/a?b#c", id="fragment after the query"),
        pytest.param("/a b", id="space"),
        pytest.param("/a\tb", id="tab"),
        pytest.param("/a\r\nX: y", id="line break"),
        pytest.param("/a\x00", id="NUL"),
        pytest.param("/a\x7f", id="DEL"),
        pytest.param("/a?\x00", id="NUL in the query"),
        pytest.param("/a?b\xa0", id="8-bit octet in the query"),
        pytest.param("/caf\xe9", id="8-bit octet"),
        pytest.param("/caf\u0117", id="beyond 8 bits"),
        pytest.param("/%00", id="escaped NUL"),
        pytest.param("/a%0ab", id="escaped line feed"),
        pytest.param("/a%0D", id="escaped carriage return"),
        pytest.param("/a%7F", id="escaped DEL"),
        pytest.param("/a%1b[0m", id="escaped ESC"),
        pytest.param("/a%2500", id="NUL, escaped twice"),
        pytest.param("/a%25250a", id="line feed, escaped three times"),
        pytest.param("/a\\b", id="backslash"),
        pytest.param("/..\\admin", id="backslash after dots"),
        pytest.param("/a%5cb", id="escaped backslash"),
        pytest.param("/a%255Cb", id="backslash, escaped twice"),
        pytest.param("/.", id="dot"),
        pytest.param("/..", id="dots"),
        pytest.param("/../a", id="dots in front"),
        pytest.param("/a/./b", id="dot between"),
        pytest.param("/a/../b", id="dots between"),
        pytest.param("/a/..", id="dots behind"),
        pytest.param("/a/%2e%2e/b", id="escaped dots"),
        pytest.param("/a/.%2E/b", id="half escaped dots"),
        pytest.param("/a/%2e/b", id="escaped dot"),
        pytest.param("/a/%252e%252e/b", id="dots, escaped twice"),
        pytest.param("/a/%25252e%25252e/b", id="dots, escaped three times"),
        pytest.param("/a/%25%32%65%25%32%65/b", id="dots, escapes escaped"),
        pytest.param("/a/..;/b", id="dots with empty params"),
        pytest.param("/a/..;x=1/b", id="dots with params"),
        pytest.param("/a/..%3bx/b", id="dots with escaped params"),
        pytest.param("/a/..%253bx/b", id="dots with params escaped twice"),
        pytest.param("/a/.;/b", id="dot with params"),
        pytest.param("/a/..%2fb", id="dots before an escaped slash"),
        pytest.param("/a%2f..%2fb", id="dots between escaped slashes"),
        pytest.param("/a%2f../b", id="dots after an escaped slash"),
        pytest.param("/a%252f..%252fb", id="dots between slashes escaped twice"),
        pytest.param("/a/..%3Fb", id="dots before an escaped question mark"),
        pytest.param("/a/..%23b", id="dots before an escaped hash"),
        pytest.param("/%zz", id="no hex"),
        pytest.param("/%", id="bare per cent"),
        pytest.param("/%2", id="half an escape"),
        pytest.param("/%u002e", id="escape of another kind"),
        pytest.param("/%c0%ae", id="overlong dot"),
        pytest.param("/%c0%af", id="overlong slash"),
        pytest.param("/%e0%80%af", id="overlong slash in three"),
        pytest.param("/%f0%80%80%af", id="overlong slash in four"),
        pytest.param("/%25c0%25af", id="overlong slash, escaped twice"),
        pytest.param("/%ff", id="no UTF-8"),
        pytest.param("/%ed%a0%80", id="surrogate"),
        pytest.param("/%c3", id="half a character"),
        pytest.param("/" + "%" + "25" * 60 + "41", id="sixty-fold escape"),
        pytest.param("http://example.com/a", id="absolute form without a host"),
    ],
)
def test_a_target_no_honest_client_sends_is_refused(raw):
    with pytest.raises(BadRequest) as refusal:
        understand(raw)

    assert refusal.value.status == 400


def test_a_target_that_is_too_long_is_414():
    assert understand("/" + "a" * 8189)[0].path
    with pytest.raises(BadRequest) as refusal:
        understand("/" + "a" * 8190)

    assert refusal.value.status == 414


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        pytest.param("/", "/", "", id="root"),
        pytest.param("/a/b", "/a/b", "", id="plain"),
        pytest.param("/a/", "/a/", "", id="slash behind"),
        pytest.param("/a?b=c&d", "/a", "b=c&d", id="query"),
        pytest.param("/a?", "/a", "", id="empty query"),
        pytest.param("/a?b?c", "/a", "b?c", id="question mark in the query"),
        pytest.param("/a?100%&%0a\\", "/a", "100%&%0a\\", id="queries are not judged"),
        pytest.param("/%61%7Eb", "/a~b", "", id="unreserved escapes"),
        pytest.param("/caf%c3%a9", "/caf%C3%A9", "", id="hex in capitals"),
        pytest.param("/a%20b", "/a%20b", "", id="escaped space"),
        pytest.param("/a|b[c]", "/a%7Cb%5Bc%5D", "", id="raw octets browsers send"),
        pytest.param("/...", "/...", "", id="three dots"),
        pytest.param("/.well-known/x", "/.well-known/x", "", id="hidden"),
        pytest.param("/a..b/..c/d..", "/a..b/..c/d..", "", id="dots in names"),
        pytest.param("/Admin", "/Admin", "", id="case is kept"),
        pytest.param("/a%40%2Bb", "/a@+b", "", id="escapes that mean themselves"),
    ],
)
def test_a_target_is_read_in_one_spelling(raw, path, query):
    target, found = understand(raw)

    assert (target.path, found) == (path, query)
    assert target.raw == raw.partition("?")[0]
    assert target.readings[0] == path


@pytest.mark.parametrize(
    ("raw", "readings"),
    [
        pytest.param("/a//b", {"/a//b", "/a/b"}, id="empty segment"),
        pytest.param("//h/b", {"//h/b", "/h/b", "/b"}, id="what looks like a host"),
        pytest.param("/a;v=1/b", {"/a;v=1/b", "/a/b"}, id="params"),
        pytest.param("/a;v/b;w", {"/a;v/b;w", "/a/b", "/a;v/b"}, id="params twice"),
        pytest.param("/a%2Fb", {"/a%2Fb", "/a/b"}, id="escaped slash"),
        pytest.param("/a%2562", {"/a%2562", "/ab"}, id="escaped twice"),
        pytest.param("/a%252Fb", {"/a%252Fb", "/a%2Fb", "/a/b"}, id="slash twice"),
        pytest.param("/a%3Fb", {"/a%3Fb", "/a"}, id="escaped question mark"),
        pytest.param("/a%23b", {"/a%23b", "/a"}, id="escaped hash"),
        pytest.param("/100%25", {"/100%25"}, id="an honest per cent sign"),
        pytest.param("/100%25zz", {"/100%25zz"}, id="per cent before no hex"),
    ],
)
def test_every_way_to_read_a_soft_ambiguity_is_listed(raw, readings):
    assert set(understand(raw)[0].readings) == readings


def test_the_wsgi_form_is_decoded_once_as_latin_1():
    assert understand("/caf%C3%A9%252F")[0].wsgi == "/caf\xc3\xa9%2F"


@pytest.mark.parametrize(
    ("raw", "host", "path"),
    [
        pytest.param("http://example.com/a?b", "example.com", "/a", id="equal"),
        pytest.param("HTTP://EXAMPLE.com/a", "example.COM", "/a", id="case"),
        pytest.param("http://example.com", "example.com", "/", id="no path"),
        pytest.param("http://example.com?b", "example.com", "/", id="query alone"),
        pytest.param("http://example.com:80/a", "example.com", "/a", id="own port"),
        pytest.param(
            "https://example.com/a", "example.com:443", "/a", id="port in Host"
        ),
        pytest.param("http://[::1]:8000/a", "[::1]:8000", "/a", id="IPv6"),
        pytest.param("http://example.com./a", "example.com", "/a", id="dot behind"),
    ],
)
def test_the_absolute_form_of_the_same_authority_is_understood(raw, host, path):
    target, _ = understand(raw, host=host)

    assert target.path == path
    assert target.raw == path


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        pytest.param("http://evil.example/a", "example.com", id="another host"),
        pytest.param("http://example.com:81/a", "example.com", id="another port"),
        pytest.param("https://example.com/a", "example.com:80", id="port of http"),
        pytest.param("http://u@example.com/a", "example.com", id="userinfo"),
        pytest.param("http://example.com@evil/a", "example.com", id="host as user"),
        pytest.param("http:///a", "example.com", id="no authority"),
        pytest.param("http:/a", "example.com", id="one slash"),
        pytest.param("ftp://example.com/a", "example.com", id="scheme"),
        pytest.param("http\u017f://a.example/a", "a.example", id="long s"),
        pytest.param("http://example.com\\a/b", "example.com", id="backslash"),
        pytest.param("http://example.com/../a", "example.com", id="dots"),
        pytest.param("http://example.com/a", "", id="empty host"),
        pytest.param("http://a,b/a", "a,b", id="invalid but equal"),
    ],
)
def test_the_absolute_form_of_another_authority_is_refused(raw, host):
    with pytest.raises(BadRequest):
        understand(raw, host=host)


def test_the_asterisk_is_understood_only_when_asked_for():
    assert understand("*", asterisk=True) == (ASTERISK, "")
    with pytest.raises(BadRequest):
        understand("*")
    with pytest.raises(BadRequest):
        understand("*/admin", asterisk=True)


# Servers as they are found in the wild, written from their behaviour. Each takes the
# path as received and gives the path it would route, decoded, or None where it refuses.


KEPT = "\ue000"  # stands for an escaped slash that a server leaves as it is


def remove_dots(path):
    out = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            out[-1:] = []
        elif segment != ".":
            out.append(segment)
    return "/" + "/".join(out)


def plain_wsgi(raw):
    return unquote(raw)


def urllib_reader(raw):
    return unquote(urlsplit(raw).path) or "/"


def urllib_params_reader(raw):
    path = raw.rpartition("/")
    return unquote(path[0] + path[1] + path[2].partition(";")[0])


def werkzeug_reader(raw):
    path_info = unquote(raw, encoding="latin-1")
    return Request({"PATH_INFO": path_info, "REQUEST_METHOD": "GET"}).path


def werkzeug_merging(raw):
    return re.sub("/{2,}", "/", werkzeug_reader(raw))


def nginx_reader(raw):
    return remove_dots(re.sub("/{2,}", "/", unquote(raw)))


def apache_reader(raw):
    """AllowEncodedSlashes NoDecode: everything but the slash is decoded, then merged."""
    kept = re.sub("%2f", KEPT, raw, flags=re.IGNORECASE)
    return remove_dots(re.sub("/{2,}", "/", unquote(kept)))


def tomcat_reader(raw):
    path = re.sub(";[^/]*", "", raw)
    return remove_dots(re.sub("/{2,}", "/", unquote(path) or "/"))


def decoding_tomcat_reader(raw):
    return remove_dots(re.sub("/{2,}", "/", re.sub(";[^/]*", "", unquote(raw)))) or "/"


def node_reader(raw):
    """``new URL(req.url, base).pathname``, then decoded."""
    path = re.sub(r"[\t\r\n]", "", raw).replace("\\", "/")
    if path.startswith("//"):
        path = "/" + path.lstrip("/").partition("/")[2]
    path = re.sub("%2e", ".", path, flags=re.IGNORECASE)
    return unquote(remove_dots(path))


def twice(reader):
    def read(raw):
        return unquote(reader(raw), errors="surrogateescape")

    return read


def decoded_then_split(raw):
    return re.split("[?#]", unquote(raw))[0] or "/"


READERS = [
    plain_wsgi,
    urllib_reader,
    urllib_params_reader,
    werkzeug_reader,
    werkzeug_merging,
    nginx_reader,
    apache_reader,
    tomcat_reader,
    decoding_tomcat_reader,
    node_reader,
    decoded_then_split,
    twice(plain_wsgi),
    twice(nginx_reader),
    twice(tomcat_reader),
    twice(node_reader),
]


def spelled(path):
    """Encode a decoded path as the readings are."""
    plain = "/;!$&'()*+,=:@-._~"
    octets = path.encode("utf-8", "surrogateescape")
    return quote(octets, safe=plain).replace(quote(KEPT), "%2F")


PIECES = [
    *[
        "/",
        "//",
        ".",
        "..",
        ";",
        ";x=1",
        "%2f",
        "%2F",
        "%5c",
        "\\",
        "%2e",
        "%2E",
        "%25",
    ],
    *["%252e", "%252f", "%3b", "%3B", "%3f", "%23", "#", "%61", "%41", "%00", "%0a"],
    *["%c0%ae", "%c3%a9", "%ff", "%zz", "%", "25", "2f", "2e", "a", "admin", "Admin"],
    *["public", "%40", "@", ":", "!", "%21", "%20", "+", "~", "%7e", "|", "x", "%2"],
]
targets = st.lists(st.sampled_from(PIECES), max_size=9).map(lambda p: "/" + "".join(p))


@quick
@given(targets)
@example("/public/..;/admin")
@example("/public/%2e%2e/admin")
@example("/public%2f..%2fadmin")
@example("//admin/x")
@example("//a//b")
@example("///a/b")
@example("////")
@example("///admin//x;y/z;w")
@example("/a%2F%2Fb%3Bc%3Fd")
def test_what_any_server_would_serve_was_judged_or_refused(raw):
    try:
        target, _ = understand(raw)
    except BadRequest:
        return
    judged = set(target.readings)

    for reader in READERS:
        assert spelled(reader(raw)) in judged, reader


@quick
@given(st.text(alphabet=st.characters(max_codepoint=0x17F), max_size=30))
def test_any_text_is_understood_or_refused(text):
    try:
        target, query = understand(text)
    except BadRequest:
        return

    sent = target.raw + ("?" + query if query else "")
    assert sent in (text, text.removesuffix("?"))
    for reading in target.readings:
        assert reading.startswith("/")
        assert reading.isascii()
        assert not {".", ".."} & set(unquote(reading).split("/"))


@quick
@given(targets)
def test_the_judged_path_is_a_fixed_point(raw):
    try:
        target, _ = understand(raw)
    except BadRequest:
        return

    assert path_of(target.path) == target.path
    assert understand(target.path)[0].readings == target.readings


def test_a_path_read_in_too_many_ways_is_refused_soon():
    with pytest.raises(BadRequest):
        understand("/" + "%2f;a%3b//%3f%252f%25253b%2523" * 200)


# The gate's own pages.


@pytest.mark.parametrize(
    "raw",
    [
        *["/_gate", "/_gate/", "/_gate/login", "/_GATE/login", "/%5fgate/login"],
        *["/_gate%2Flogin", "//_gate/login", "/_gate;x/login", "/_gat%65/login"],
        *["/%255fgate", "/_gate%3F", "//host/_gate/login", "/_gate//login"],
        *["/%2f_gate/x", "/;/_gate", "/_gate%253b"],
    ],
)
def test_no_spelling_of_the_prefix_goes_past_the_gate(raw):
    assert under(understand(raw)[0], PREFIX)


@pytest.mark.parametrize("raw", ["/", "/_gates", "/a/_gate", "/_gat", "/x?/_gate"])
def test_a_path_beside_the_prefix_is_not_under_it(raw):
    assert not under(understand(raw)[0], PREFIX)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        pytest.param("/admin/*", "/admin/*", id="pattern"),
        pytest.param("/Straße/a b", "/Stra%C3%9Fe/a%20b", id="as people write"),
        pytest.param("/%7ealice", "/~alice", id="escapes"),
    ],
)
def test_a_written_path_gets_the_spelling_of_a_judged_one(written, path):
    assert canonical(written) == path


@pytest.mark.parametrize(
    "written",
    [
        "admin",
        "",
        "/a?b",
        "/a#b",
        "/a/../b",
        "/a\\b",
        "/%x",
        "/a//b",
        "/a;b",
        "/a%2Fb",
        "/%2a",
    ],
)
def test_a_written_path_nobody_could_ask_for_is_refused(written):
    with pytest.raises(ValueError, match=r"path|asked for|write"):
        canonical(written)


# Places to go back to.


def browser(location, base="https://app.example.com/_gate/login"):
    """Resolve as the WHATWG URL standard does; return (scheme, host, port) or None."""
    location = location.strip("".join(map(chr, range(0x21))))
    location = re.sub(r"[\t\r\n]", "", location)
    own = urlsplit(base)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", location, re.DOTALL)
    if scheme:
        name, rest = scheme[1].lower(), scheme[2]
        if name not in ("http", "https", "ws", "wss", "ftp"):
            return None
        if name == own.scheme and not re.match(r"[/\\]{2}", rest):
            return browser(rest, base) if rest[:1] not in "/\\" else origin_of(base)
        return authority(name, rest.lstrip("/\\"))
    if re.match(r"[/\\]{2}", location):
        return authority(own.scheme, location.lstrip("/\\"))
    return origin_of(base)


def authority(scheme, rest):
    text = re.split(r"[/\\?#]", rest)[0].rpartition("@")[2]
    name, _, port = text.partition(":")
    name = unicodedata.normalize("NFKC", unquote(name)).lower().rstrip(".")
    return scheme, name, int(port) if port.isdigit() else {"http": 80}.get(scheme, 443)


def origin_of(url):
    parts = urlsplit(url)
    return (
        parts.scheme,
        parts.hostname,
        parts.port or {"http": 80}.get(parts.scheme, 443),
    )


EVIL = "evil.example"
SLASHES = ["/", "\\", "//", "/\\", "\\/", "\\\\", "///", "/\\/", "\\//", "////"]
BLANKS = ["\t", "\n", "\r", "\r\n", "\x00", "\x0b", "\x0c", "\x1f", " ", "\x7f", "\xa0"]
ESCAPED = ["%09", "%0a", "%0d", "%0d%0a", "%00", "%0b", "%7f", "%5c", "%5C%5C", "%255c"]
UNICODE = [
    "\u2044",
    "\u2215",
    "\uff0f",
    "\u29f8",
    "\ufe68",
    "\uff3c",
    "\u3002",
    "\u200b",
]

LEAVING = [
    # two slashes, in every shape
    *[slash + EVIL for slash in SLASHES if slash != "/"],
    *[slash + EVIL + "/a?b" for slash in SLASHES if slash != "/"],
    *["/" + slash + EVIL for slash in SLASHES],
    *[f"//{EVIL}@app.example.com", f"//app.example.com@{EVIL}", f"//x:y@{EVIL}/"],
    *[f"//{EVIL}:443/a", f"//{EVIL}.", f"//{EVIL}%2f..", f"//{EVIL}/%2e%2e", "//"],
    *[f"//app.example.com.{EVIL}", f"//app.example.com%2f@{EVIL}", "///", "/\\"],
    f"//app.example.com\\@{EVIL}",
    # blanks that browsers drop
    *[f"/{blank}/{EVIL}" for blank in BLANKS],
    *[f"{blank}//{EVIL}" for blank in BLANKS],
    *[f"/{blank}\\{EVIL}" for blank in BLANKS],
    *[f"/a{blank}b" for blank in BLANKS],
    # escapes that some layer decodes before the Location is written
    *[f"/{escape}/{EVIL}" for escape in ESCAPED],
    *[f"{escape}//{EVIL}" for escape in ESCAPED],
    *[f"/%2f{EVIL}", f"/%2F%2F{EVIL}", f"/%252f{EVIL}", f"/%25252f{EVIL}"],
    *[f"%2f%2f{EVIL}", f"%2f/{EVIL}", f"/%2f%5c{EVIL}", f"/;/{EVIL}/..;/"],
    # dot segments that end in two slashes
    *[f"/.//{EVIL}", f"/..//{EVIL}", f"/a/..//{EVIL}", f"/%2e//{EVIL}"],
    *[
        f"/./{EVIL}",
        f"/../{EVIL}",
        f"/.;//{EVIL}",
        f"/%2e%2e//{EVIL}",
        f"/a/../..//{EVIL}",
    ],
    *[f"/%252e//{EVIL}", f".//{EVIL}", f"..//{EVIL}", "./a", "../a", f"/.%5c/{EVIL}"],
    # schemes
    *[f"https:{slash}{EVIL}" for slash in ["", *SLASHES]],
    *[f"http:{slash}{EVIL}" for slash in ["", *SLASHES]],
    *[
        f"HtTpS://{EVIL}",
        "http\u017f://app.example.com/",
        f"https:\t//{EVIL}",
        f"ht\ntps://{EVIL}",
        f" https://{EVIL}",
    ],
    *[f"https:%2f%2f{EVIL}", f"https%3a//{EVIL}", f"ftp://{EVIL}", f"wss://{EVIL}"],
    *["javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "/\tjs:x"],
    *["javascript://app.example.com/%0aalert(1)", "javascript:/a", "vbscript:x"],
    *["data:text/html,<script>alert(1)</script>", "blob:https://app.example.com/x"],
    *["file:///etc/passwd", "mailto:a@b", "about:blank", "view-source:/a", "x:/a"],
    # own origin only to look at
    *[f"https://app.example.com@{EVIL}", f"https://app.example.com:x@{EVIL}/"],
    *[f"https://app.example.com.{EVIL}/", f"https://app.example.com%2e{EVIL}/"],
    *[f"https://{EVIL}/app.example.com", f"https://{EVIL}?app.example.com"],
    *[f"https://{EVIL}#app.example.com", f"https://{EVIL}\\app.example.com"],
    *[f"https://app.example.com\\.{EVIL}", f"https://app.example.com\\@{EVIL}"],
    *[f"https://app.example.com%00.{EVIL}", f"https://app.example.com\t.{EVIL}"],
    *[f"https://app.example.com,{EVIL}", f"https://app.example.com;{EVIL}"],
    *[f"https://app.example.com&@{EVIL}", f"https://app.example.com:443@{EVIL}/"],
    *[
        "https://evilapp.example.com/",
        "https://app-example.com/",
        "https://example.com/",
    ],
    *["https://app.example.com.evil/", "https://x.app.example.com/", "https://app/"],
    *["https://app.example.com:8443/", "https://app.example.com:99999/", "https://"],
    *["http://app.example.com/", "http://app.example.com:443/", "https://@/"],
    *[
        "https://@app.example.com/",
        "https://:@app.example.com/",
        "https:/app.example.com",
    ],
    *["https:app.example.com", "https:///app.example.com", "https://app.example.com:/"],
    *["https://[::1]/", "https://[app.example.com]/", "https://app.example.com../"],
    *["https://app.example.com//evil.example", "https://app.example.com/.//x"],
    *["https://app.example.com/\\evil.example", "https://app.example.com/a\r\nb"],
    *["https://app.example.com /a", "https:// app.example.com/a", "https://%61pp/"],
    # letters that turn into separators or into the host
    *[f"/{char}{EVIL}" for char in UNICODE],
    *[f"/{char}/{EVIL}" for char in UNICODE],
    *[f"//{EVIL}{char}app.example.com" for char in UNICODE],
    *[f"https://app.example.com{char}.{EVIL}/" for char in UNICODE],
    *[
        "https://\uff41pp.example.com/",
        "https://app.example\u3002com/",
        "/é",
        "/\u2028a",
    ],
    # broken headers
    *[f"/\r\nLocation: https://{EVIL}", "/%0d%0aSet-Cookie:a=b", "/a%0d%0a%0d%0a<b>"],
    *[
        "/a%E5%98%8A%E5%98%8D\x0d",
        "/%c0%af/a",
        "/%ff",
        "/%zz",
        "/%",
        "/a?b\nc",
        "/a?\x00",
    ],
    # neither path nor address
    *["", " ", "a", "evil.example", "?a", "#a", "@evil.example", ":80", "*", ".", ".."],
    *["/" + "a" * 2048, "https://app.example.com/" + "a" * 2048, "\ufeff/a", "\x85/a"],
    # the gate's own pages
    *["/_gate", "/_gate/login", "/_gate/logout", "/_GATE/logout", "/%5Fgate/logout"],
    *["/_gate%2flogout", "/_gate;a/logout", "/a%2f..%2f_gate/logout", "/_gate?x"],
    *["https://app.example.com/_gate/logout", "https://app.example.com/%5fgate"],
]


def ids(text):
    return text[:40].encode("unicode_escape").decode()


def test_the_hostile_table_is_long_and_without_repetition():
    assert len(set(LEAVING)) >= 200


@pytest.mark.parametrize("text", list(dict.fromkeys(LEAVING)), ids=ids)
def test_a_hostile_place_is_never_gone_back_to(text):
    assert safe_next(text, origins=[ORIGIN], prefix=PREFIX) is None


@pytest.mark.parametrize(
    ("text", "result"),
    [
        pytest.param("/", "/", id="root"),
        pytest.param("/a/b?c=d&e", "/a/b?c=d&e", id="path and query"),
        pytest.param("/a?next=https://evil.example/", None, id="address in the query"),
        pytest.param("/a?b=c\\d", None, id="backslash in the query"),
        pytest.param("/a?b=%0d%0a", None, id="line break in a form field"),
        pytest.param("/a%20b/c%2Fd", None, id="escapes"),
        pytest.param("/caf%c3%a9", None, id="hex as it was"),
        pytest.param("/a//b", None, id="empty segment inside"),
        pytest.param("/a;v=1", None, id="params"),
        pytest.param("/@evil.example", None, id="at sign in a path"),
        pytest.param("/https://evil.example", None, id="address in a path"),
        pytest.param("/a:b@c", None, id="colon in a path"),
        pytest.param("/a?", "/a", id="empty query"),
        pytest.param("/a?b#c", "/a?b", id="fragment cut"),
        pytest.param("https://app.example.com/a?b", None, id="own origin"),
        pytest.param(
            "https://app.example.com", "https://app.example.com/", id="no path"
        ),
        pytest.param(
            "HTTPS://App.Example.COM.:443/A", "https://app.example.com/A", id="shouted"
        ),
        pytest.param(
            "https://app.example.com?x", "https://app.example.com/?x", id="query alone"
        ),
    ],
)
def test_an_honest_place_survives_octet_for_octet(text, result):
    place = safe_next(text, origins=[ORIGIN], prefix=PREFIX)

    assert place == (result or text)
    assert browser(place) == origin_of(ORIGIN)


def test_every_origin_of_the_gate_may_be_gone_back_to():
    origins = ["https://a.example", "http://127.0.0.1:8000", "https://[::1]:9"]

    def go(text):
        return safe_next(text, origins=origins, prefix=PREFIX)

    assert go("https://a.example/x") == "https://a.example/x"
    assert go("http://127.0.0.1:8000/x") == "http://127.0.0.1:8000/x"
    assert go("https://[0::1]:9/x") == "https://[::1]:9/x"
    assert go("https://127.0.0.1:8000/x") is None
    assert go("http://a.example/x") is None


def test_nothing_leads_nowhere():
    assert safe_next(None, origins=[ORIGIN], prefix=PREFIX) is None


redirects = st.lists(
    st.sampled_from(
        [
            *[*SLASHES, *BLANKS, *ESCAPED, *UNICODE, *PIECES, EVIL, "app.example.com"],
            *[
                "https:",
                "http:",
                "javascript:",
                "?",
                "#",
                "https://app.example.com",
                "@",
            ],
        ]
    ),
    max_size=7,
).map("".join)


@quick
@given(redirects | redirects.map(lambda text: "/" + text))
def test_wherever_a_browser_is_sent_it_stays_on_the_origin(text):
    place = safe_next(text, origins=[ORIGIN], prefix=PREFIX)

    if place is not None:
        assert browser(place) == origin_of(ORIGIN)
        assert browser(unquote(place)) == origin_of(ORIGIN)
        assert re.fullmatch(r"[!-~]+", place)


# Hosts and origins.


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com"),
        ("example.com:8000", "example.com:8000"),
        ("example.com.:08000", "example.com:8000"),
        ("example.com:443", "example.com:443"),
        ("localhost", "localhost"),
        ("my_app-1", "my_app-1"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("[::1]", "[::1]"),
        ("[0:0::0:1]:80", "[::1]:80"),
        ("[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("1.example", "1.example"),
        ("a.b.c.d.e.f", "a.b.c.d.e.f"),
    ],
)
def test_a_valid_host_has_one_spelling(text, host):
    if host == "[::ffff:1.2.3.4]":
        host = clean_host("[::ffff:102:304]")

    assert clean_host(text) == host
    assert clean_host(host) == host


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            " ",
            "a b",
            "a/x",
            "a/evil",
            "a@b",
            "a, b",
            "a,b",
            "[::1",
            "::1",
            "[::1]x",
        ],
        *[
            "a:abc",
            "a:",
            "a:0",
            "a:65536",
            "a:-1",
            "a:+1",
            "a: 1",
            "a:1:2",
            ":80",
            "a:²",
        ],
        *[
            "a..b",
            ".a",
            "..",
            ".",
            "a..",
            "-a",
            "a-",
            "a\r\nb",
            "a\tb",
            "a\x00",
            " a",
            "a ",
        ],
        *[
            "a?b",
            "a#b",
            "a\\b",
            "a%2eb",
            "%61",
            "é.example",
            "a\u3002b",
            "ⓐ",
            "a;b",
            "a=b",
        ],
        *[
            "[::1%eth0]",
            "[::1%25eth0]",
            "[1.2.3.4]",
            "[v1.a]",
            "[]",
            "[[::1]]",
            "[::g]",
        ],
        *["1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "2130706433", "0x7f.1", "a.1"],
        *[
            "a.0x",
            "a" * 64,
            "a." * 127 + "aa",
            "a" * 10_000,
            "*.example.com",
            "(a)",
            "a!b",
        ],
    ],
)
def test_an_invalid_host_is_none(text):
    assert clean_host(text) is None


def test_a_host_is_taken_apart():
    assert split_port("example.com") == ("example.com", None)
    assert split_port("example.com:80") == ("example.com", 80)
    assert split_port("[::1]") == ("[::1]", None)
    assert split_port("[::1]:80") == ("[::1]", 80)


@pytest.mark.parametrize(
    ("text", "origin", "hosts"),
    [
        ("https://app.example.com", ORIGIN, {"app.example.com", "app.example.com:443"}),
        (
            "HTTPS://APP.example.com.:443/",
            ORIGIN,
            {"app.example.com", "app.example.com:443"},
        ),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", {"127.0.0.1:8000"}),
        ("http://[0::1]", "http://[::1]", {"[::1]", "[::1]:80"}),
        (
            "https://Bücher.example:8443",
            "https://xn--bcher-kva.example:8443",
            {"xn--bcher-kva.example:8443"},
        ),
    ],
)
def test_an_origin_has_one_spelling(text, origin, hosts):
    found = parse_origin(text)

    assert found.text == origin
    assert found.hosts() == hosts
    assert parse_origin(found.text) == found


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "write https://"),
        ("app.example.com", "write https://"),
        ("ftp://app.example.com", "write https://"),
        ("https:app.example.com", "write https://"),
        ("https://", "write it like"),
        ("https://app.example.com/path", "nothing else"),
        ("https://app.example.com//", "nothing else"),
        ("https://user@app.example.com", "nothing else"),
        ("https://*.example.com", "nothing else"),
        ("https://app.example.com?x", "write it like"),
        ("https://app.example.com:http", "write it like"),
        ("https://a b", "write it like"),
        ("https://straße.example", "xn--"),
        ("https://a\u3002\u3002example", "international"),
    ],
)
def test_what_is_no_origin_is_refused_with_a_remedy(text, remedy):
    with pytest.raises(ValueError, match=re.escape(remedy)):
        parse_origin(text)
