"""The gate's cookies among others."""

from __future__ import annotations

from contextlib import suppress
from http.cookies import CookieError, SimpleCookie

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.http import parse_cookie

from totp_gate.core.cookies import bake, expire, find, is_gate_cookie, without

NAME = "__Host-totp_gate"
NAMES = (NAME, "__Host-totp_gate_login", "__Host-totp_gate_device")
PLAIN_NAMES = ("totp_gate", "totp_gate_login", "totp_gate_device")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        pytest.param(f"{NAME}=abc", "abc", id="alone"),
        pytest.param(f"a=1; {NAME}=abc; b=2", "abc", id="between others"),
        pytest.param(f"a=1;{NAME}=abc;b=2", "abc", id="no space"),
        pytest.param(f"a=1; \t{NAME} = abc ", "abc", id="blanks around"),
        pytest.param(f";;{NAME}=abc;; ;", "abc", id="empty pairs"),
        pytest.param(f"{NAME}=a=b==", "a=b==", id="equals signs in the value"),
        pytest.param(f"{NAME}=", "", id="empty"),
        pytest.param(f"x{NAME}=1; {NAME}=abc", "abc", id="a name that ends alike"),
        pytest.param(
            f"{NAME}_login=1; {NAME}=abc", "abc", id="a name that begins alike"
        ),
        pytest.param(f"totp_gate=evil; {NAME}=abc", "abc", id="without the prefix"),
        pytest.param(f"__HOST-totp_gate=evil; {NAME}=abc", "abc", id="another case"),
        pytest.param(f"=evil; {NAME}=abc", "abc", id="a nameless one beside"),
    ],
)
def test_a_cookie_is_found_under_its_exact_name(header, value):
    assert find(header, NAME) == value


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param("a=1", id="absent"),
        pytest.param(f"{NAME}", id="no equals sign"),
        pytest.param(f"{NAME}=a; {NAME}=b", id="twice"),
        pytest.param(f"{NAME}=a; x=1; {NAME}=a", id="twice the same"),
        pytest.param(f"{NAME}=a; {NAME}", id="twice, once bare"),
        pytest.param(f'{NAME}=a; {NAME}="b"', id="twice, once quoted"),
        pytest.param(f'{NAME}="a"', id="quoted"),
        pytest.param(f'"{NAME}"=a', id="quoted name"),
        pytest.param(f"={NAME}=a", id="nameless"),
        pytest.param(f" = {NAME}=a", id="nameless with blanks"),
        pytest.param(f"x={NAME}=a", id="in another's value"),
        pytest.param(f"x=1,{NAME}=a", id="behind a comma"),
        pytest.param(f"{NAME}=a,x=1", id="joined from two lines"),
        pytest.param(f"{NAME}=a,{NAME}=b", id="twice, joined from two lines"),
        pytest.param(f"{NAME}=a b", id="space inside"),
        pytest.param(f"{NAME}=a\\b", id="backslash"),
        pytest.param(f"{NAME}=a\x00", id="NUL"),
        pytest.param(f"{NAME}=a\x7f", id="DEL"),
        pytest.param(f"{NAME}=\xa0a", id="8-bit octet"),
        pytest.param(f"\xa0{NAME}=a", id="8-bit octet before the name"),
        pytest.param(f"{NAME.upper()}=a", id="another case"),
        pytest.param("totp_gate=a", id="without the prefix"),
        pytest.param("__Secure-totp_gate=a", id="another prefix"),
    ],
)
def test_anything_doubtful_counts_as_no_cookie(header):
    assert find(header, NAME) is None


@pytest.mark.parametrize(
    ("header", "rest"),
    [
        pytest.param("a=1; b=2", "a=1; b=2", id="nothing to take out"),
        pytest.param(f"{NAME}=t", None, id="alone"),
        pytest.param(f"{NAME}=t; a=1", "a=1", id="first"),
        pytest.param(f"a=1; {NAME}=t", "a=1", id="last"),
        pytest.param(f"a=1; {NAME}=t; b=2", "a=1; b=2", id="between"),
        pytest.param(f"a=1;{NAME}=t;b=2", "a=1;b=2", id="no space"),
        pytest.param(f"{NAME}=t; {NAME}=u; a=1", "a=1", id="twice"),
        pytest.param(
            f"a=1; {NAME}=t; {NAME}_login=u; {NAME}_device=v", "a=1", id="all"
        ),
        pytest.param(f'a=1; {NAME}="t"; b=2', "a=1; b=2", id="quoted"),
        pytest.param(f'a=1; {NAME}="t,u"; b=2', "a=1; b=2", id="quoted with a comma"),
        pytest.param(f'a=1; {NAME}="t; b=2', "a=1; b=2", id="quote left open"),
        pytest.param(f'a=1; "{NAME}"=t; b=2', "a=1; b=2", id="quoted name"),
        pytest.param(f"a=1; ={NAME}=t; b=2", "a=1; b=2", id="nameless"),
        pytest.param(f"a=1; = {NAME}=t; b=2", "a=1; b=2", id="nameless with blanks"),
        pytest.param(f"a=1; {NAME}; b=2", "a=1; b=2", id="no value"),
        pytest.param(f"a=1; {NAME} = t ; b=2", "a=1; b=2", id="blanks"),
        pytest.param(f"a=1;\xa0{NAME}=t; b=2", "a=1; b=2", id="blank of 8 bits"),
        pytest.param(f"a=1;\x0b{NAME}=t; b=2", "a=1; b=2", id="vertical tab"),
        pytest.param(f"a=1; {NAME.upper()}=t; b=2", "a=1; b=2", id="upper case"),
        pytest.param("a=1; totp_gate=t; b=2", "a=1; b=2", id="without the prefix"),
        pytest.param("a=1; __Secure-totp_gate=t; b=2", "a=1; b=2", id="other prefix"),
        pytest.param("a=1; __Host-__Host-totp_gate=t", "a=1", id="prefix twice"),
        pytest.param(f"{NAME}=t,a=1", "a=1", id="joined, first"),
        pytest.param(f"a=1,{NAME}=t", "a=1", id="joined, last"),
        pytest.param(f"a=1,{NAME}=t,b=2; c=3", "a=1,b=2; c=3", id="joined, between"),
        pytest.param(f"; ;{NAME}=t;;", None, id="empty pairs alone"),
        pytest.param(f"a=1;; {NAME}=t;;b=2", "a=1;;;b=2", id="empty pairs kept"),
        pytest.param('a="x; y"; b=1,2', 'a="x; y"; b=1,2', id="odd but not ours"),
        pytest.param("totp_gate_x=1", "totp_gate_x=1", id="a longer name"),
        pytest.param("my_totp_gate=1", "my_totp_gate=1", id="a name that ends alike"),
        pytest.param(f"a={NAME}", f"a={NAME}", id="the name as a value"),
        pytest.param(f"a={NAME}=t; b=2", f"a={NAME}=t; b=2", id="inside a value"),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_gates_cookies_are_taken_out_and_no_other(header, rest):
    assert without(header, NAMES) == rest


@pytest.mark.parametrize("names", [NAMES, PLAIN_NAMES, list(NAMES), set(NAMES)])
def test_both_forms_of_the_names_are_taken_out_whichever_is_configured(names):
    assert without("totp_gate=1; __Host-totp_gate=2; a=b", names) == "a=b"


ours = st.sampled_from(
    [
        *[f"{name}=SECRET" for name in (*NAMES, *PLAIN_NAMES)],
        *[f"={NAME}=SECRET", f"{NAME}=SECRET,SECRET"[:-7], f'{NAME}="SECRET"'],
        *[
            f"{NAME.upper()}=SECRET",
            f" {NAME} =SECRET",
            f"__secure-{PLAIN_NAMES[0]}=SECRET",
        ],
    ]
)
theirs = st.sampled_from(
    [
        "a=1",
        "b=x,y",
        'c="q"',
        "d",
        "e=a=b",
        "=n",
        "",
        " ",
        "f=\xc3\xa9",
        "__Host-g=1",
        "totp=1",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(ours | theirs, max_size=8),
    st.sampled_from(["; ", ";", ",", " ; "]),
)
def test_no_lenient_parser_finds_a_cookie_of_the_gate_in_the_rest(pairs, separator):
    rest = without(separator.join(pairs), NAMES) or ""
    kept = [pair for pair in pairs if "SECRET" not in pair and pair.strip(" ")]

    assert "SECRET" not in rest
    assert [p for p in map(str.strip, rest.split(separator.strip())) if p] == [
        p for pair in kept for p in map(str.strip, pair.split(separator.strip())) if p
    ]
    lenient = parse_cookie(rest)
    assert not [name for name in NAMES if name in lenient]
    jar = SimpleCookie()
    with suppress(CookieError):
        jar.load(rest)
    assert not [name for name in NAMES if name in jar]


def test_a_header_of_separators_is_cleaned_in_no_time():
    assert without('=;," ' * 20_000 + f"{NAME}=t", NAMES) is not None
    assert without(f"{NAME}=" + ' "' * 20_000, NAMES) is None
    assert without(f"{NAME}" + " " * 60_000 + "x", NAMES)


@pytest.mark.parametrize(
    "line",
    [
        *[
            f"{NAME}=evil; Path=/",
            f"{NAME.lower()}=evil",
            f"  {NAME}=evil",
            f"\t{NAME} = x",
        ],
        *[
            f"={NAME}=evil",
            f" = {NAME}=evil",
            f'"{NAME}"=evil',
            f"{NAME}",
            f"{NAME};Path=/",
        ],
        *["totp_gate=evil; Secure", "__Secure-totp_gate=evil", f"{NAME}_device=evil"],
        *[f"{NAME}=", f"{NAME}=; Max-Age=0", "__HOST-TOTP_GATE_LOGIN=x"],
    ],
)
def test_an_application_cannot_set_a_cookie_of_the_gate(line):
    assert is_gate_cookie(line, NAMES)


@pytest.mark.parametrize(
    "line",
    [
        "session=1; Path=/",
        "totp_gate_x=1",
        "my_totp_gate=1",
        f"a={NAME}=1",
        "",
        "=",
        f"a=1; {NAME}=2",
    ],
)
def test_an_application_sets_its_own_cookies(line):
    assert not is_gate_cookie(line, NAMES)


def test_a_cookie_is_baked_strict():
    assert bake(NAME, "abc", secure=True) == (
        "__Host-totp_gate=abc; Path=/; Secure; HttpOnly; SameSite=Lax"
    )
    assert bake("totp_gate", "a", secure=False, max_age=60, same_site="Strict") == (
        "totp_gate=a; Path=/; Max-Age=60; HttpOnly; SameSite=Strict"
    )


def test_a_cookie_is_expired_with_the_attributes_it_was_baked_with():
    assert expire(NAME, secure=True) == (
        "__Host-totp_gate=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax; "
        "Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    )


def test_what_is_baked_is_found_again():
    header = bake(NAME, "a.b-c_d~e", secure=True).partition(";")[0]

    assert find(f"x=1; {header}", NAME) == "a.b-c_d~e"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"name": "a b"}, id="space in the name"),
        pytest.param({"name": ""}, id="no name"),
        pytest.param({"value": "a;b"}, id="semicolon"),
        pytest.param({"value": "a\r\nSet-Cookie: b"}, id="line break"),
        pytest.param({"value": "a,b"}, id="comma"),
        pytest.param({"value": '"a"'}, id="quotes"),
        pytest.param({"value": "é"}, id="8-bit octet"),
        pytest.param({"value": "a" * 4096}, id="too long"),
        pytest.param({"path": "/a;b"}, id="semicolon in the path"),
        pytest.param({"path": "a"}, id="relative path"),
        pytest.param({"name": NAME, "secure": False}, id="host prefix on http"),
        pytest.param({"name": NAME, "path": "/a"}, id="host prefix below a path"),
        pytest.param(
            {"name": "__secure-a", "secure": False}, id="secure prefix on http"
        ),
        pytest.param({"same_site": "None", "secure": False}, id="cross-site on http"),
    ],
)
def test_a_cookie_no_browser_would_keep_is_not_baked(wrong):
    with pytest.raises(ValueError, match=r"cookie"):
        bake(**{"name": "a", "value": "b", "secure": True, **wrong})
