"""A rule and what is worked out from it at start."""

from __future__ import annotations

from totp_gate.core.policy.rules import Paths, Rule, query_matches
from totp_gate.model import AccessRequest, Subject


class Compiled:
    """A rule and what is worked out from it at start."""

    __slots__ = ("hosts", "methods", "paths", "plain", "rule", "suffixes")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.paths = Paths.of(rule)
        self.hosts = {host for host in rule.hosts if not host.startswith("*")}
        self.suffixes = tuple(host[1:] for host in rule.hosts if host.startswith("*"))
        self.plain = not (rule.query or rule.demands)
        self.methods = set(rule.methods)
        if "GET" in self.methods:
            self.methods.add("HEAD")

    def means_host(self, host: str) -> bool:
        """Tell whether *host* is one of its hosts, or it names none."""
        below = bool(self.suffixes) and host.endswith(self.suffixes)
        return below or host in self.hosts or not self.rule.hosts

    def misses(self, host: str, method: str, path: str) -> str:
        """Return why the rule is not meant, or nothing if it is."""
        if not self.means_host(host):
            return f"the host {host} is none of its hosts"
        if not self.paths.match(path):
            return f"the path {path} is none of its paths"
        if self.rule.strict:
            method = method.upper()
        if self.methods and method not in self.methods:
            return f"the method {method} is none of its methods"
        return ""

    def steps_aside(self, subject: Subject, request: AccessRequest) -> str:
        """Return why the rule, chosen, leaves the request to the next, or nothing."""
        rule = self.rule
        if rule.query and not query_matches(rule, request.query):
            return "the query does not hold what it names"
        if rule.policy == "two-factor" or not rule.demands:
            return ""
        if not self._is_at(request.address):
            return f"the address {request.address or '(none)'} is outside its networks"
        if rule.policy == "one-factor" and subject.user is None:
            return ""
        if not is_member(rule, subject):
            return f"{subject.user or 'nobody'} is none of its users and groups"
        return ""

    def _is_at(self, address: str) -> bool:
        """Tell whether *address* is where the rule is meant to be felt.

        Who is denied some networks is not let in from where nobody knows.
        """
        rule = self.rule
        if rule.networks is None:
            return True
        if rule.policy == "deny":
            return rule.networks.may_contain(address)
        return rule.networks.contains(address)


def is_member(rule: Rule, subject: Subject) -> bool:
    """Tell whether *subject* is whom *rule* names, or it names nobody."""
    if not (rule.users or rule.groups):
        return True
    return subject.user in rule.users or not rule.groups.isdisjoint(subject.groups)
