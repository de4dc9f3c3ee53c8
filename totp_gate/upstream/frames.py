"""Where WebSocket frames begin and end, without looking into them.

A close frame can be put into a stream only between two frames. ``Boundary`` follows
the lengths of what the application sends, so that the gate knows whether it may say
goodbye or must just hang up.
"""

from __future__ import annotations

import struct

#: Close codes (RFC 6455 section 7.4.1).
GOING_AWAY = 1001
POLICY_VIOLATION = 1008


class Boundary:
    """Follows frames from the application to the client.

    Source:
        RFC 6455 section 5.2.
    """

    __slots__ = ("_header", "_left")

    def __init__(self) -> None:
        self._left = 0
        self._header = b""

    def feed(self, octets: bytes) -> None:
        """Follow *octets*, the next part of the stream, cut anywhere."""
        position = 0
        end = len(octets)
        while position < end:
            if self._left:
                step = min(self._left, end - position)
                self._left -= step
                position += step
                continue
            take = _header_size(self._header) - len(self._header)
            self._header += octets[position : position + take]
            position += take
            if len(self._header) == _header_size(self._header):
                self._left = _payload(self._header)
                self._header = b""

    @property
    def is_between(self) -> bool:
        """Whether the stream rests between two frames."""
        return self._left == 0 and not self._header


def close_frame(code: int, reason: str = "") -> bytes:
    """Return an unmasked close frame; *reason* of at most 123 octets."""
    payload = struct.pack("!H", code) + reason.encode()
    return bytes([0x88, len(payload)]) + payload


def _header_size(begun: bytes) -> int:
    if len(begun) < 2:
        return 2
    extra = {126: 2, 127: 8}.get(begun[1] & 0x7F, 0)
    return 2 + extra + (4 if begun[1] & 0x80 else 0)


def _payload(header: bytes) -> int:
    short = header[1] & 0x7F
    if short == 126:
        return int.from_bytes(header[2:4], "big")
    if short == 127:
        return int.from_bytes(header[2:10], "big")
    return short
