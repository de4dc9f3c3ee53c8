"""A browser made of http.client: cookies, forms, no redirects unless asked for.

For servers in other processes; in this process ``totp_gate.testing`` has one.
"""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def location(self) -> str:
        """Where it sends the visitor."""
        return self.headers["Location"]


@dataclass
class Visitor:
    """Somebody with a browser, at one origin.

    Attributes:
        url: ``http://127.0.0.1:8000``, without a slash at the end.
        cookies: what the server has set, by name.
        headers: sent with every request.
    """

    url: str
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Answer:
        """Ask for a page, as a navigation does."""
        return self._ask("GET", path)

    def post(self, path: str, **fields: str) -> Answer:
        """Send a form."""
        return self._ask("POST", path, urlencode(fields))

    def submit(self, path: str, **fields: str) -> Answer:
        """Open *path*, fill in its form that has all *fields*, and send it."""
        page = self.get(path)
        for form in re.findall(r"<form\b.*?</form>", page.text, re.DOTALL):
            named = dict.fromkeys(re.findall(r'\bname="([^"]+)"', form))
            if not fields.keys() <= named.keys():
                continue
            hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)
            action = re.search(r'\baction="([^"]*)"', form)
            sent = {name: unescape(value) for name, value in hidden} | fields
            return self.post(unescape(action[1]) if action else path, **sent)
        raise AssertionError(f"no form with {sorted(fields)} on {path}: {page}")

    def sign_in(self, name: str, password: str, code: str) -> Answer:
        """Sign in by both steps; the answer to the last one that was made."""
        answer = self.submit("/_gate/login", username=name, password=password)
        if answer.status != 303:
            return answer
        return self.submit(answer.location, code=code)

    def _ask(self, method: str, path: str, body: str | None = None) -> Answer:
        parts = urlsplit(urljoin(self.url + "/", path))
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        headers = {"Accept": "text/html", "Host": urlsplit(self.url).netloc}
        headers |= self.headers
        if self.cookies:
            pairs = [f"{name}={value}" for name, value in self.cookies.items()]
            headers["Cookie"] = "; ".join(pairs)
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = self.url
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        finally:
            connection.close()
        self._keep(answer.headers)
        return Answer(answer.status, answer.headers, text)

    def _keep(self, headers: http.client.HTTPMessage) -> None:
        for line in headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0" or not morsel.value:
                    del self.cookies[name]
