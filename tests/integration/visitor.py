"""A visitor who leaves a trace: every URL asked for, forms shown before they are sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

from tests.visitor import Answer, Visitor

_HIDDEN = re.compile(r'type="hidden" name="([^"]+)" value="([^"]*)"')


def form_of(answer: Answer, *fields: str) -> tuple[str, dict[str, str]]:
    """Return where the first form with all *fields* goes, and what it hides."""
    for form in re.findall(r"<form\b.*?</form>", answer.text, re.DOTALL):
        if set(fields) <= set(re.findall(r'\bname="([^"]+)"', form)):
            action = re.search(r'\baction="([^"]*)"', form)
            assert action is not None
            hidden = {name: unescape(value) for name, value in _HIDDEN.findall(form)}
            return unescape(action[1]), hidden
    raise AssertionError(f"no form with {fields}: {answer.status}\n{answer.text}")


@dataclass
class Guest(Visitor):
    """Somebody with a browser; every request is a connection of its own.

    Attributes:
        visited: every path asked for, in order.
    """

    visited: list[str] = field(default_factory=list)

    def copy(self) -> Guest:
        """Return a thief: somebody else with the same cookies."""
        return Guest(self.url, dict(self.cookies))

    def get(self, path: str = "/") -> Answer:
        """Ask for a page, as a navigation does; redirects are not followed."""
        return super().get(path)

    def fill(self, page: Answer | str, **fields: str) -> Answer:
        """Fill in the first form on *page* that has all *fields*, and send it."""
        shown = self.get(page) if isinstance(page, str) else page
        action, hidden = form_of(shown, *fields)
        return self.post(action, **(hidden | fields))

    def prove_password(self, name: str, password: str, path: str = "/") -> Answer:
        """Go to *path* as a stranger; return the page that asks for the code."""
        sent = self.get(path)
        assert sent.status == 303, sent.text
        answer = self.fill(sent.location, username=name, password=password)
        assert answer.status == 303, answer.text
        return self.get(answer.location)

    def _ask(self, method: str, path: str, body: str | None = None) -> Answer:
        self.visited.append(path)
        return super()._ask(method, path, body)
