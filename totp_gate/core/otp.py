"""One-time codes: TOTP by the clock (RFC 6238), HOTP by a counter (RFC 4226).

Strategy: time becomes a whole step at once, and from there on everything is integers.
pyotp does the arithmetic on such a step and writes ``otpauth://`` addresses; nothing
here ever sees a datetime, so neither time zone nor daylight saving can matter. A code
is ASCII digits before it is compared (pyotp takes full-width ones for the same code),
every candidate of the window is compared in constant time, and the answer is the step
that matched: whoever accepts it must record it in the same breath.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Literal, get_args

import pyotp

Algorithm = Literal["SHA1", "SHA256", "SHA512"]
Kind = Literal["totp", "hotp"]

MIN_SECRET = 16  # bytes; RFC 4226 section 4, R6: at least 128 bits, 160 recommended
MAX_SECRET = 128  # bytes; the block of SHA-512, beyond which HMAC only hashes the key
SHORTEST_PERIOD = 15
LONGEST_PERIOD = 120
TYPED = 32  # characters of a typed code, separators included
TEXT = 1024  # characters of a secret as text
LABEL = 64  # characters of an issuer or account in an otpauth address

_HASHES = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
_LAST_STEP = 2**63 - 1
_BASE32 = re.compile(r"[A-Z2-7]+")
_HEX = re.compile(r"(?:[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What both sides of a shared secret must agree on, and how lenient the gate is.

    The defaults are what authenticator apps take without asking; some ignore any other
    value that an ``otpauth://`` address names.

    Attributes:
        algorithm: hash inside the HMAC.
        digits: length of a code, 6 to 8.
        period: length of a step in seconds, 15 to 120 (NIST SP 800-63B-4, 3.1.4.1).
        drift: steps accepted on either side of the current one (RFC 6238, 5.2).
        look_ahead: counters accepted from the next one on (RFC 4226, 7.4).

    Raises:
        ValueError: a value is out of range; the text says what would do.
    """

    algorithm: Algorithm = "SHA1"
    digits: int = 6
    period: int = 30
    drift: int = 1
    look_ahead: int = 10

    def __post_init__(self) -> None:
        if self.algorithm not in get_args(Algorithm):
            raise ValueError("algorithm must be SHA1, SHA256 or SHA512")
        for name, low, high in (
            ("digits", 6, 8),
            ("period", SHORTEST_PERIOD, LONGEST_PERIOD),
            ("drift", 0, 3),
            ("look_ahead", 1, 50),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be between {low} and {high}")


def new_secret(size: int = 20) -> bytes:
    """Return a fresh secret from the system's generator.

    Args:
        size: bytes, 16 to 128; 20 is what RFC 4226 recommends and every app takes.
    """
    if not MIN_SECRET <= size <= MAX_SECRET:
        raise ValueError(f"a secret has {MIN_SECRET} to {MAX_SECRET} bytes")
    return secrets.token_bytes(size)


def parse_secret(text: str) -> bytes:
    """Read a secret as people have it: base32 or hexadecimal, in any layout.

    Case, white space and dashes do not matter, nor does base32 padding. A prefix
    ``base32:`` or ``hex:`` says which it is; without one the letters do. A text that
    could be either is refused and not guessed at, since the wrong reading would only
    show once somebody cannot sign in: of 100,000 secrets in bare hexadecimal about one
    is concerned, of those in base32 one in 10^13.

    Raises:
        ValueError: not a secret, ambiguous, or not 16 to 128 bytes long. The text does
            not repeat what was given.
    """
    compact = "".join(text[:TEXT].split()).replace("-", "")
    form, _, rest = compact.upper().rpartition(":")
    readings = {"BASE32": _from_base32(rest), "HEX": _from_hex(rest)}
    if form:
        readings = {form: readings.get(form)}
    understood = [key for key in readings.values() if key is not None]
    if not understood or not compact.isascii() or len(text) > TEXT:
        raise ValueError("a secret is base32 (A-Z, 2-7), or hexadecimal as hex:...")
    fitting = [key for key in understood if MIN_SECRET <= len(key) <= MAX_SECRET]
    if not fitting:
        raise ValueError(
            f"a secret has {MIN_SECRET} to {MAX_SECRET} bytes; make one with"
            " `totp-gate otp secret`"
        )
    if len(fitting) > 1:
        raise ValueError(
            "this secret reads as base32 and as hexadecimal: put base32: or hex:"
            " before it"
        )
    return fitting[0]


def to_base32(key: bytes) -> str:
    """Return *key* as apps want it typed: base32, upper case, without padding."""
    return base64.b32encode(key).decode("ascii").rstrip("=")


def grouped(base32: str) -> str:
    """Return *base32* in groups of four, for reading out and typing."""
    return " ".join(base32[i : i + 4] for i in range(0, len(base32), 4))


def step_at(now: float, params: Params) -> int:
    """Return the step that *now* (Unix seconds) lies in, counted from the epoch.

    Source:
        RFC 6238 section 4.2, with T0 = 0.
    """
    return int(now // params.period)


def seconds_left(now: float, params: Params) -> int:
    """Return for how many seconds the current step lasts yet, 1 to the period."""
    return params.period - int(now % params.period)


def code_at(key: bytes, step: int, params: Params) -> str:
    """Return the code of a step (TOTP) or counter (HOTP).

    Args:
        key: shared secret as raw bytes (not base32), 16 or more.
        step: 0 or more; from ``step_at``, or a counter.
        params: algorithm and digits.

    Raises:
        ValueError: the key is too short or the step no 8-byte number.

    Source:
        RFC 4226 section 5.3; RFC 6238 section 4.
    """
    if not 0 <= step <= _LAST_STEP:
        raise ValueError("a step is a whole number from 0 to 2^63 - 1")
    if len(key) < MIN_SECRET:
        raise ValueError(f"a secret has at least {MIN_SECRET} bytes")
    otp = pyotp.OTP(
        to_base32(key), digits=params.digits, digest=_HASHES[params.algorithm]
    )
    return otp.generate_otp(step)


def is_code(text: str, digits: int) -> bool:
    """Tell whether *text* is exactly *digits* ASCII digits."""
    return len(text) == digits and text.isascii() and text.isdigit()


def clean_code(text: str) -> str:
    """Return what was typed without spaces and dashes; nothing else is forgiven.

    More than 32 characters are nobody's code and come back as the empty text.
    """
    if len(text) > TYPED:
        return ""
    return text.replace(" ", "").replace("-", "")


def match_step(
    key: bytes, code: str, params: Params, *, now: float, after: int = -1
) -> int | None:
    """Return the time step at which *code* is right, or None.

    Whoever accepts the step must record it in the same breath
    (``Store.accept_step``), or the code works twice. Should the code be right at two
    steps of the window, the later one is returned, so that it is used up for both.

    Args:
        key: shared secret as raw bytes (not base32), 16 or more.
        code: cleaned (``clean_code``) and checked (``is_code``).
        params: period in seconds, and drift in steps either way.
        now: Unix time in seconds.
        after: the last step accepted; it and earlier ones never match.

    Returns:
        The step, counted in periods since the Unix epoch.

    Raises:
        ValueError: *code* is not as many ASCII digits as *params* says.

    Source:
        RFC 6238 section 4.2 (steps) and 5.2 (window, one use of a code).
    """
    current = step_at(now, params)
    found = None
    for step in range(current - params.drift, current + params.drift + 1):
        if _is_right(key, code, step, params) and step > after:
            found = step
    return found


def match_counter(key: bytes, code: str, params: Params, *, counter: int) -> int | None:
    """Return the counter at which *code* is right, or None.

    Should it be right at two counters of the window, the earlier one is returned: a
    later one would leave the token behind for good.

    Args:
        key: shared secret as raw bytes, 16 or more.
        code: cleaned (``clean_code``) and checked (``is_code``).
        params: ``look_ahead`` counters are tried.
        counter: the next acceptable one, one above the last that was accepted.

    Raises:
        ValueError: *code* is not as many ASCII digits as *params* says.

    Source:
        RFC 4226 section 7.2 (counter) and 7.4 (look-ahead).
    """
    found = None
    for candidate in reversed(range(counter, counter + params.look_ahead)):
        if _is_right(key, code, candidate, params):
            found = candidate
    return found


def clock_offset(
    key: bytes, code: str, params: Params, *, now: float, reach: int = 20
) -> int | None:
    """Return by how many seconds the clock behind *code* seems to be wrong, or None.

    A diagnosis after a right password, for the log; such a code is never accepted.
    Never tell the person about a clock that is ahead: whoever guesses would learn a
    code of the coming minutes from it, and each guess would be worth seven.

    Args:
        key: shared secret as raw bytes, 16 or more.
        code: cleaned (``clean_code``) and checked (``is_code``).
        params: the window, which is left out, ends ``drift`` steps from now.
        now: Unix time in seconds.
        reach: steps tried on either side beyond the window.

    Returns:
        Seconds, a multiple of the period; negative: that clock is behind. The nearest
        of several.

    Raises:
        ValueError: *code* is not as many ASCII digits as *params* says.

    Source:
        RFC 6238 section 6.
    """
    current = step_at(now, params)
    for distance in range(params.drift + 1, params.drift + reach + 1):
        for offset in (-distance, distance):
            if _is_right(key, code, current + offset, params):
                return offset * params.period
    return None


def provisioning_uri(
    key: bytes,
    params: Params,
    *,
    issuer: str,
    account: str,
    kind: Kind = "totp",
    counter: int = 0,
) -> str:
    """Return the ``otpauth://`` address that an app reads from a QR code.

    It holds the secret: show it once, and never put it into a log or a link.

    Args:
        key: shared secret as raw bytes.
        params: named in the address where they differ from what apps assume.
        issuer: name of the site. A colon would end it early and a slash split the
            path, so both become dashes, here and in *account*.
        account: name of the user at the site.
        kind: by time or by counter.
        counter: the token's first counter (HOTP).

    Raises:
        ValueError: issuer or account has no printable character.

    Source:
        https://github.com/google/google-authenticator/wiki/Key-Uri-Format
    """
    name, site = _label(account), _label(issuer)
    if not name or not site:
        raise ValueError("issuer and account must have a printable character")
    secret, digest = to_base32(key), _HASHES[params.algorithm]
    if kind == "hotp":
        hotp = pyotp.HOTP(secret, digits=params.digits, digest=digest)
        return hotp.provisioning_uri(name=name, issuer_name=site, initial_count=counter)
    totp = pyotp.TOTP(
        secret, digits=params.digits, digest=digest, interval=params.period
    )
    return totp.provisioning_uri(name=name, issuer_name=site)


def _is_right(key: bytes, code: str, step: int, params: Params) -> bool:
    if not is_code(code, params.digits):
        raise ValueError(f"a code is {params.digits} digits")
    if step < 0:
        return False
    return hmac.compare_digest(code_at(key, step, params), code)


def _from_base32(compact: str) -> bytes | None:
    bare = compact.rstrip("=")
    if not _BASE32.fullmatch(bare):
        return None
    try:
        return base64.b32decode(bare + "=" * (-len(bare) % 8))
    except binascii.Error:
        return None


def _from_hex(compact: str) -> bytes | None:
    return bytes.fromhex(compact) if _HEX.fullmatch(compact) else None


def _label(text: str) -> str:
    flat = " ".join(text.split()).translate({ord(":"): "-", ord("/"): "-"})
    return "".join(c for c in flat if c.isprintable())[:LABEL].strip()
