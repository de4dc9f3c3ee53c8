"""How a body is framed is read in one way, and doubt means: a body, and a large one."""

from __future__ import annotations

import pytest

from totp_gate.core.headers import declared_length, has_body, is_chunked, is_large
from totp_gate.errors import BadRequest


def said(length=None, coding=None):
    """Return the environ of a request that says so."""
    known = {"CONTENT_LENGTH": length, "HTTP_TRANSFER_ENCODING": coding}
    return {key: value for key, value in known.items() if value is not None}


@pytest.mark.parametrize(
    ("environ", "length", "body", "large"),
    [
        pytest.param(said(), None, False, False, id="nothing"),
        pytest.param(said(""), None, False, False, id="what servers put for nothing"),
        pytest.param(said("0"), 0, False, False, id="an empty one"),
        pytest.param(said("00"), 0, True, False, id="an empty one, oddly"),
        pytest.param(said("1"), 1, True, False, id="one octet"),
        pytest.param(said("65536"), 65536, True, False, id="the longest to forget"),
        pytest.param(said("65537"), 65537, True, True, id="one more"),
        pytest.param(said("9" * 18), 10**18 - 1, True, True, id="the largest number"),
        pytest.param(said(coding="chunked"), None, True, True, id="chunks"),
        pytest.param(said("0", "chunked"), 0, True, True, id="both"),
        pytest.param(said(coding=""), None, True, True, id="an empty coding"),
    ],
)
def test_what_is_said_of_a_body(environ, length, body, large):
    assert declared_length(environ) == length
    assert has_body(environ) is body
    assert is_large(environ) is large


@pytest.mark.parametrize(
    "length",
    [
        *("-1", "+1", " 1", "1 ", "1\t", "1_0", "1.0", "1e3", "0x10", "1,1", "1;1"),
        *("\u0661", "\u00b2", "\uff11", "x", "\0", "9" * 19, "0" * 100_000),
    ],
)
def test_a_length_that_is_no_number_is_refused_and_taken_for_a_large_body(length):
    with pytest.raises(BadRequest) as caught:
        declared_length(said(length))

    assert caught.value.status == 400
    assert has_body(said(length))
    assert is_large(said(length))


@pytest.mark.parametrize(
    ("coding", "alone"),
    [
        *[(coding, True) for coding in ("chunked", "Chunked", " chunked\t")],
        *[
            (coding, False)
            for coding in (
                *("", "gzip", "gzip, chunked", "chunked, gzip", "chunked,chunked"),
                *("chunked;q=1", "xchunked", "chunked\v", "\xa0chunked", "identity"),
            )
        ],
    ],
)
def test_only_chunks_and_nothing_else_are_chunks(coding, alone):
    assert is_chunked(coding) is alone
