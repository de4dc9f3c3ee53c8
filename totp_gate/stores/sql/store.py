"""All parts of the store, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from totp_gate.errors import StoreUnavailable
from totp_gate.stores.base import Store
from totp_gate.stores.schema import meta
from totp_gate.stores.sql import dialect
from totp_gate.stores.sql.authenticators import AuthenticatorPart
from totp_gate.stores.sql.browsers import BrowserPart
from totp_gate.stores.sql.counts import CountPart
from totp_gate.stores.sql.events import EventPart
from totp_gate.stores.sql.handoffs import HandOffPart
from totp_gate.stores.sql.held import HeldPart
from totp_gate.stores.sql.links import LinkPart
from totp_gate.stores.sql.sessions import SessionPart
from totp_gate.stores.sql.tokens import TokenPart
from totp_gate.stores.sql.users import UserPart


class SqlStore(
    UserPart,
    AuthenticatorPart,
    SessionPart,
    HandOffPart,
    LinkPart,
    BrowserPart,
    TokenPart,
    HeldPart,
    CountPart,
    EventPart,
):
    """``base.Store`` on a database; made by ``open_store``."""

    def instance(self) -> str:
        """Return the random id this state was created with."""
        wanted = select(meta.c.value).where(meta.c.key == "instance")
        with self._read() as connection:
            found: str | None = connection.scalar(wanted)
        if found is None:
            raise StoreUnavailable("the state has lost its id; use a backup")
        return found

    def ping(self) -> None:
        """Write and read back a heartbeat; raises where either is not possible."""
        with self._write() as writing:
            beat = repr(writing.at)
            wanted = dialect.insert(writing.connection.dialect.name, meta).values(
                key="heartbeat", value=beat
            )
            writing.connection.execute(
                wanted.on_conflict_do_update(
                    index_elements=[meta.c.key], set_={"value": beat}
                )
            )
        with self._read() as connection:
            written = select(meta.c.value).where(meta.c.key == "heartbeat")
            if connection.scalar(written) is None:
                raise StoreUnavailable("the state does not keep what is written")

    def close(self) -> None:
        """Release connections; idempotent."""
        self._database.close()


if TYPE_CHECKING:

    def _keeps_the_promise(store: SqlStore) -> Store:
        return store
