"""A browser of few words: http.client, cookies kept by hand, forms filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from http.client import HTTPConnection, HTTPMessage
from urllib.parse import urlencode, urljoin, urlsplit

PATIENCE = 30
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    url: str
    status: int
    headers: HTTPMessage
    text: str

    def form(self, *fields: str) -> tuple[str, dict[str, str]]:
        """Return where the first form with all *fields* goes, and what it hides."""
        for form in re.findall(r"<form\b.*?</form>", self.text, re.DOTALL):
            if set(fields) <= set(re.findall(r'\bname="([^"]+)"', form)):
                action = re.search(r'\baction="([^"]*)"', form)
                assert action is not None
                hidden = {
                    name: unescape(value) for name, value in _HIDDEN.findall(form)
                }
                return urljoin(self.url, unescape(action[1])), hidden
        raise AssertionError(f"no form with {fields} at {self.url}: {self.status}")


@dataclass(slots=True)
class Visitor:
    """Somebody in front of *origin*; every request is a connection of its own.

    Attributes:
        cookies: by name; give a copy to somebody else and they are a thief.
        visited: every URL asked for, in order.
    """

    origin: str
    cookies: dict[str, str] = field(default_factory=dict)
    visited: list[str] = field(default_factory=list)

    def copy(self) -> Visitor:
        """Return a thief: somebody else with the same cookies."""
        return Visitor(self.origin, dict(self.cookies))

    def open(self, method: str, path: str, *, body: str = "", **headers: str) -> Page:
        """Send one request and keep the cookies of its answer."""
        url = urljoin(self.origin, path)
        self.visited.append(url)
        sent = {"Accept": "text/html", "Connection": "close"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if body:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        parts = urlsplit(url)
        connection = HTTPConnection(parts.netloc, timeout=PATIENCE)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body=body or None, headers=sent)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            self._keep(line)
        return Page(url, answer.status, answer.headers, text)

    def get(self, path: str = "/", **headers: str) -> Page:
        """Ask for a page; redirects are not followed."""
        return self.open("GET", path, **headers)

    def post(self, path: str, fields: dict[str, str]) -> Page:
        """Send a form."""
        return self.open("POST", path, body=urlencode(fields), Origin=self.origin)

    def fill(self, page: Page | str, **fields: str) -> Page:
        """Fill in the first form on *page* that has all *fields*, and send it."""
        shown = self.get(page) if isinstance(page, str) else page
        action, hidden = shown.form(*fields)
        return self.post(action, hidden | fields)

    def prove_password(self, name: str, password: str, path: str = "/") -> Page:
        """Go to *path* as a stranger; return the page that asks for the code."""
        sent = self.get(path)
        assert sent.status == 303, sent.text
        answer = self.fill(sent.headers["Location"], username=name, password=password)
        assert answer.status == 303, answer.text
        return self.get(answer.headers["Location"])

    def _keep(self, line: str) -> None:
        pair, _, attributes = line.partition(";")
        name, _, value = pair.partition("=")
        if "max-age=0" in attributes.lower():
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value
