"""How a client wants to be answered, and text of theirs made harmless."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PAGES = frozenset(("document", "iframe", "frame", "embed", "object", "fencedframe"))


def is_navigation(environ_like: Mapping[str, object]) -> bool:
    """Tell whether a browser wants a page, so that a redirect makes sense to it.

    The POST of a form is a navigation too; it is answered with 303, which a browser
    follows with GET. A request that says it came from a script never is one.

    Args:
        environ_like: a WSGI environ; the method and four headers are looked at.

    Source:
        Fetch Metadata (W3C): ``Sec-Fetch-Mode`` and ``-Dest``; where a client sends
        none, RFC 9110 section 12.5.1: it names ``text/html`` in Accept.
    """
    get = environ_like.get
    if get("REQUEST_METHOD") not in ("GET", "HEAD", "POST"):
        return False
    if str(get("HTTP_X_REQUESTED_WITH", "")).lower() == "xmlhttprequest":
        return False
    mode = get("HTTP_SEC_FETCH_MODE")
    if mode is not None:
        return mode == "navigate" and get("HTTP_SEC_FETCH_DEST", "document") in _PAGES
    return "text/html" in str(get("HTTP_ACCEPT", "")).lower()


def is_for_a_window(environ_like: Mapping[str, object]) -> bool:
    """Tell whether a browser would show the answer in a window, for all it says.

    A script that fetches, a frame or a picture is told apart by every browser of today;
    a client that says nothing is a program of its own, and no script of a page.

    Source:
        Fetch Metadata (W3C), ``Sec-Fetch-Dest``.
    """
    return environ_like.get("HTTP_SEC_FETCH_DEST", "document") == "document"


_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def plain(text: str, limit: int = 256) -> str:
    """Return *text* so that it stays within its line and its place in a log.

    Controls, line and paragraph separators, marks that reorder or hide text and halves
    of characters become ``?``.

    Args:
        text: what a stranger sent.
        limit: longest result in characters; what is cut ends in three dots.
    """
    if len(text) > limit:
        text = text[: max(limit - 3, 0)] + "..."[:limit]
    return _UNPRINTABLE.sub("?", text)
