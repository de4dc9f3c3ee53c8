"""The rules of the wire by themselves: requests written, answers read, frames followed."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from totp_gate.errors import BadRequest
from totp_gate.upstream.bodies import Chunked, Counted, UntilClose, body_of
from totp_gate.upstream.destination import Destination, Limits
from totp_gate.upstream.fields import AnswerNames, RequestNames
from totp_gate.upstream.frames import Boundary, close_frame
from totp_gate.upstream.head import Head
from totp_gate.upstream.request import RequestWriter
from totp_gate.upstream.trouble import Malformed

WRITER = RequestWriter(Destination.parse("http://app:5000"), "totp_gate-x", ["X-Me"])


def environ(**changes):
    plain = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "a",
    }
    return {**plain, **changes}


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("HTTP_X_ONE", "X-One: "),
        ("HTTP_COOKIE", "Cookie: "),
        ("HTTP_X.FORWARDED.USER", ""),
        ("HTTP_", ""),
        ("HTTP_x", ""),
        ("HTTP_A B", ""),
        ("HTTP_A\r\nB", ""),
        ("HTTP_CONTENT_LENGTH", ""),
        ("HTTP_X_ORIGINAL_ANYTHING", ""),
    ],
)
def test_a_key_becomes_a_name_or_nothing(key, name):
    assert RequestNames()[key] == name


def test_learnt_names_are_bounded():
    names, answers = RequestNames(), AnswerNames()
    for number in range(5000):
        assert names[f"HTTP_X_{number}"] == f"X-{number}: "
        assert answers[b"X-%d" % number][0] == f"X-{number}"

    assert len(names) <= 1024
    assert len(answers) <= 1024


@pytest.mark.parametrize(
    "value",
    ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\u20ac"],
    ids=["CRLF", "LF", "CR", "NUL", "no octet"],
)
def test_a_value_that_is_no_value_is_refused(value):
    with pytest.raises(BadRequest):
        WRITER.write(environ(HTTP_X_A=value))


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"RAW_URI": None, "REQUEST_URI": "/r%2f?q"}, "/r%2f?q"),
        (
            {"RAW_URI": None, "PATH_INFO": "/a b%?\xe4", "QUERY_STRING": "x"},
            "/a%20b%25%3F%E4?x",
        ),
        ({"RAW_URI": None, "SCRIPT_NAME": "/s", "PATH_INFO": ""}, "/s"),
        ({"RAW_URI": None}, "/"),
        ({"RAW_URI": "http://A?q"}, "/?q"),
    ],
)
def test_the_target_is_the_one_the_server_read(changes, target):
    head = WRITER.write(environ(**changes)).head

    assert head.split(b" ")[1].decode() == target


@pytest.mark.parametrize(
    "changes",
    [
        {"RAW_URI": "*"},
        {"RAW_URI": "a:443"},
        {"RAW_URI": "/a b"},
        {"RAW_URI": "/a\x7f"},
        {"RAW_URI": "/\xe4"},
        {"RAW_URI": "/a#"},
        {"RAW_URI": "http://other/"},
        {"RAW_URI": "http://a@b/"},
        {"RAW_URI": None, "PATH_INFO": "x"},
        {"RAW_URI": None, "PATH_INFO": "/", "QUERY_STRING": "a b"},
        {"CONTENT_LENGTH": "\u00b2"},
        {"CONTENT_LENGTH": "1, 1"},
        {"CONTENT_LENGTH": "9" * 30},
        {"CONTENT_LENGTH": "5", "HTTP_TRANSFER_ENCODING": "chunked"},
        {"REQUEST_METHOD": "GE T"},
    ],
)
def test_what_could_be_read_two_ways_is_400(changes):
    with pytest.raises(BadRequest) as refused:
        WRITER.write(environ(**changes))

    assert refused.value.status == 400


def test_chunks_need_a_server_that_tells_their_end():
    with pytest.raises(BadRequest) as refused:
        WRITER.write(environ(HTTP_TRANSFER_ENCODING="chunked"))

    assert refused.value.status == 501


def test_the_loop_is_seen_in_any_place_and_only_there():
    for via in ("1.1 totp_gate-x", "1.0 a, 1.1 TOTP_GATE-X (y), 1.1 b"):
        with pytest.raises(BadRequest) as refused:
            WRITER.write(environ(HTTP_VIA=via))
        assert refused.value.status == 508

    assert WRITER.write(environ(HTTP_VIA="1.1 totp_gate-xy, 1.1 my-totp_gate-x"))


@pytest.mark.parametrize(
    ("field", "keeps"),
    [
        (b"Content-Length: 5", False),
        (b"Transfer-Encoding: chunked", False),
        (b"Content-Length: 0", True),
        (b"X: y", True),
    ],
)
def test_204_with_a_framing_loses_it_and_the_trust_in_its_connection(field, keeps):
    head = Head(b"HTTP/1.1 204 No Content\r\n" + field + b"\r\n\r\n", Limits())
    body = body_of(head, "GET")

    assert body.done
    assert head.keeps == keeps
    assert [name for name, _ in head.headers if name != "X"] == []


CHUNKS = b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nT: x\r\n\r\n"


@given(st.lists(st.integers(1, 12), min_size=1), st.binary(max_size=20))
def test_chunks_cut_anywhere_give_the_same_body(cuts, after):
    stream = CHUNKS + after
    body, got = Chunked(), b""
    position = 0
    for cut in [*cuts, len(stream)]:
        got += body.feed(stream[position : position + cut])
        position += cut
        if body.done or position >= len(stream):
            break

    assert got == b"hello world"[: len(got)]
    if body.done:
        assert got == b"hello world"
        assert position >= len(CHUNKS)
        assert not (position == len(CHUNKS) and body.surplus)


@pytest.mark.parametrize("surplus", [OK := b"HTTP/1.1 200 OK\r\n\r\n", b"junk"])
def test_what_comes_behind_a_body_is_surplus(surplus):
    chunked, counted = Chunked(), Counted(2)

    assert chunked.feed(CHUNKS + surplus) == b"hello world"
    assert counted.feed(b"ok" + surplus) == b"ok"
    assert chunked.surplus
    assert counted.surplus
    assert UntilClose().surplus


def test_a_broken_chunk_is_malformed():
    with pytest.raises(Malformed):
        Chunked().feed(b"5\r\nhelloX")


@given(st.binary(max_size=200))
def test_any_octets_are_a_head_or_malformed(octets):
    try:
        head = Head(b"HTTP/1.1 200 OK\r\n" + octets + b"\r\n\r\n", Limits())
    except Malformed:
        return
    for name, value in head.headers:
        assert not set(name + value) & set("\r\n\0")


def frame(size, *, masked=False):
    mask = 0x80 if masked else 0
    if size < 126:
        head = bytes([0x82, size | mask])
    elif size < 65536:
        head = bytes([0x82, 126 | mask]) + struct.pack("!H", size)
    else:
        head = bytes([0x82, 127 | mask]) + struct.pack("!Q", size)
    return head + bytes(4 if masked else 0) + b"x" * size


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 125, 126, 400, 65536]), st.booleans()),
        max_size=5,
    ),
    st.lists(st.integers(1, 70000), max_size=20),
)
def test_frames_cut_anywhere_are_followed(frames, cuts):
    pieces = [frame(size, masked=masked) for size, masked in frames]
    ends, total = {0}, 0
    for piece in pieces:
        total += len(piece)
        ends.add(total)
    stream, boundary, position = b"".join(pieces), Boundary(), 0
    for cut in [*cuts, len(stream)]:
        boundary.feed(stream[position : position + cut])
        position = min(position + cut, len(stream))
        assert boundary.is_between == (position in ends)


def test_a_close_frame_is_what_the_rfc_says():
    assert close_frame(1000, "bye") == b"\x88\x05\x03\xe8bye"
