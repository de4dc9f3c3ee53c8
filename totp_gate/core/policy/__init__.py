"""Who may do what: ordered rules, of which the first that applies decides.

A rule is **chosen** by host, path, method and query. What it says about networks, users
and groups is then a **demand**:

- a strict rule (``two-factor``) whose demand is not met refuses; nobody falls through
  it to something laxer, so the rule "admins, from the office" closes ``/admin`` to
  everybody else;
- a lax rule (``public``, ``one-factor``) whose demand is not met does not apply; the
  next rule is asked, and at the end stand two factors;
- ``deny`` denies those who meet its demands, and without demands everybody.

A person meets the demand for users and groups if named among the users *or* in one of
the groups. Somebody not signed in may still turn out to be one, so ``one-factor`` asks
for the password first, and ``two-factor`` for everything before it says no.

**Strict rules read wide, lax rules narrow.** ``two-factor`` and ``deny`` compare paths
without regard to case, ``/a`` covers ``/a/`` and the other way round, also where a
pattern says so, and ``/a/*`` covers ``/a``; ``public`` and ``one-factor`` compare
octets, and ``/a/*`` is ``/a/`` and what lies below it. So no spelling leads from a
strict rule to a lax one.

Every reading of the path must lead to the same rule; otherwise the request is refused
as ambiguous. What no rule decides needs two factors, under the name ``default``.
"""

from totp_gate.core.policy.judge import Policy, Step
from totp_gate.core.policy.rules import Addresses, PolicyName, Rule, problems_of

__all__ = ["Addresses", "Policy", "PolicyName", "Rule", "Step", "problems_of"]
