"""One-time links and recovery codes: each is used up by one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from totp_gate.model import Authenticator, Link
from totp_gate.stores.schema import links, recovery, storable
from totp_gate.stores.sql import dialect
from totp_gate.stores.sql.authenticators import add_factor, lock_of
from totp_gate.stores.sql.database import Writing
from totp_gate.stores.sql.part import (
    Part,
    change_password_of,
    end_and_announce,
    forget_links_of,
    values,
)


class LinkPart(Part):
    """``base.LinkRecords`` and ``base.RecoveryRecords``."""

    def add_link(self, link: Link) -> None:
        """Keep *link*; earlier unused links of the user for the purpose die."""
        with self._write() as writing:
            dialect.lock(writing.connection, f"links of {link.user}")
            writing.connection.execute(
                delete(links).where(
                    links.c.user == link.user, links.c.purpose == link.purpose
                )
            )
            writing.connection.execute(insert(links).values(values(links, link)))

    def link(self, digest: str) -> Link | None:
        """Return the link, expired or not; None: never made, replaced or used."""
        with self._read() as connection:
            wanted = select(links).where(links.c.digest == digest)
            return _link(connection.execute(wanted).one_or_none())

    def links(self, user: str) -> list[Link]:
        """Return the unused links of *user*, expired or not, newest first."""
        wanted = (
            select(links)
            .where(links.c.user == user)
            .order_by(links.c.created.desc(), links.c.digest)
        )
        with self._read() as connection:
            return [Link(**row._mapping) for row in connection.execute(wanted)]

    def remove_links(self, user: str) -> int:
        """Delete the unused links of *user*; how many."""
        with self._write() as writing:
            return forget_links_of(writing, user)

    def redeem_link(
        self,
        digest: str,
        *,
        authenticator: Authenticator,
        password_hash: str | None,
        now: float,
        keep: str = "",
    ) -> bool:
        """Use the link up, and with it add *authenticator* and set the password."""
        user = authenticator.user
        with self._write() as writing:
            dialect.lock(writing.connection, lock_of(user))
            link = _taken(writing, digest, now)
            if link is None:
                return False
            done = link.user == storable(user)
            if done and password_hash is not None:
                done = change_password_of(writing, user, password_hash, keep=keep)
            if not done:
                writing.undo()
                return False
            add_factor(writing, authenticator)
            if password_hash is None:
                end_and_announce(writing, user, keep=keep)
            else:  # the new password has ended it
                writing.announce(("", user))
        return True

    def replace_recovery(self, user: str, digests: Sequence[str], now: float) -> None:
        """Make *digests* the user's whole set; every earlier one is dead."""
        rows = [
            {"user": user, "digest": digest, "created": now}
            for digest in dict.fromkeys(digests)
        ]
        with self._write() as writing:
            dialect.lock(writing.connection, f"recovery of {user}")
            writing.connection.execute(delete(recovery).where(recovery.c.user == user))
            if rows:
                writing.connection.execute(insert(recovery), rows)

    def spend_recovery(self, user: str, digest: str, *, now: float) -> bool:
        """Use one up; True only for the one caller that was first."""
        with self._write() as writing:
            spent = writing.connection.execute(
                update(recovery)
                .where(
                    recovery.c.user == user,
                    recovery.c.digest == digest,
                    recovery.c.used.is_(None),
                )
                .values(used=now)
            )
            return spent.rowcount == 1

    def recovery_left(self, user: str) -> int:
        """Return how many unused codes the user has."""
        left = (
            select(func.count())
            .select_from(recovery)
            .where(recovery.c.user == user, recovery.c.used.is_(None))
        )
        with self._read() as connection:
            return connection.scalar(left) or 0


def _taken(writing: Writing, digest: str, now: float) -> Link | None:
    taken = (
        delete(links)
        .where(links.c.digest == digest, links.c.expires > now)
        .returning(*links.columns)
    )
    return _link(writing.connection.execute(taken).one_or_none())


def _link(row: Row[Any] | None) -> Link | None:
    return Link(**row._mapping) if row else None
