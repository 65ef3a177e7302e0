"""Erasing: everything that the database holds about a person goes, in one transaction (faults F64, F65).

What remains is the iD itself, as a tombstone (contract section 9): in the lines of the change feed without what they
said, in the connection (so that its webhook and its tokens are removed at ORCID, by the queue, as long as that takes),
in the consent ledger and in the certificate.

A reconciliation that is writing is waited for, and what it wrote is erased; one that is still reading has lost its
lease. Either way nothing of the person is written afterwards without a new consent.
"""

from collections.abc import Iterator
from datetime import datetime

from orcid_sync.model.consent.erasure import erasure_changes
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.store.analysis import discoveries
from orcid_sync.store.consent import connections, consent_ledger, erasure_certificates, invitations
from orcid_sync.store.consent.consent_ledger import Note
from orcid_sync.store.consent.erasure_certificates import Certificate
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.feed import changes, forgetting
from orcid_sync.store.mirror import items
from orcid_sync.store.sync import doubts, read_journal

_queries = load_queries(__file__)


class NotKnown(Exception):
    """The iD was neither connected nor invited, mirrored from a file or discovered, so nothing is known of it."""

    def __init__(self, orcid: str) -> None:
        super().__init__(f"{orcid} was never connected: there is nothing to erase.")


async def erase(connection: AnyConnection, orcid: str, *, by: str, learnt: str) -> Certificate:
    """Erase everything about the person, and certify it; `by` and `learnt` as in the consent ledger.

    Needs nothing of ORCID: the tokens are revoked and the webhook is removed by the queue, where the iD is due next.
    Raises NotKnown.
    """
    async with connection.transaction():
        # The invitation before the queue row, as the connect pages lock them.
        forgotten = await _forget_strangers(connection, orcid)
        if any(forgotten.values()) or await _queries.is_mirrored(connection, orcid=orcid):
            await connections.make_known(connection, [Orcid(orcid)])
        if not await _lock(connection, orcid):
            raise NotKnown(orcid)
        return await _erase(connection, orcid, by, learnt, forgotten)


async def erase_again(connection: AnyConnection, orcid: str, *, at: datetime, by: str) -> Certificate | None:
    """Erase who was erased at that moment, and is back because a backup was restored (fault F66).

    None if nothing of that time is there: erased since, or connected again since, which is a new consent.
    """
    async with connection.transaction():
        found = await discoveries.is_known(connection, orcid, at)
        if found:
            await connections.make_known(connection, [Orcid(orcid)])
        if await _lock(connection, orcid) and (found or await is_back(connection, orcid, at)):
            forgotten = await _forget_strangers(connection, orcid)
            return await _erase(connection, orcid, by, "erasure-log", forgotten)
    return None


async def _forget_strangers(connection: AnyConnection, orcid: str) -> dict[str, int]:
    """Forget what is known of people who were only to be asked; returns the numbers of rows by table."""
    return {
        "orcid_sync.invitations": await invitations.forget_person(connection, orcid),
        "orcid_sync.discoveries": await discoveries.forget_person(connection, orcid),
    }


async def is_back(connection: AnyConnection, orcid: str, at: datetime) -> bool:
    """Whether data are here that were erased at that moment."""
    known = await _queries.is_back(connection, orcid=orcid, at=at)
    return bool(known) or await discoveries.is_known(connection, orcid, at)


async def all_orcids(connection: AnyConnection) -> list[str]:
    """Every iD of which something may be known."""
    return [row["orcid"] async for row in _queries.all_orcids(connection)]


async def _lock(connection: AnyConnection, orcid: str) -> bool:
    """Hold the iD's queue row until the end of the transaction; False if it is not known."""
    await _queries.be_patient(connection)
    return bool(await _queries.lock(connection, orcid=orcid))


async def _erase(connection: AnyConnection, orcid: str, by: str, learnt: str, forgotten: dict[str, int]) -> Certificate:
    await _queries.fence(connection, orcid=orcid)
    held = await items.load(connection, orcid)
    deleted = await _delete(connection, orcid)
    deleted |= {table: number for table, number in forgotten.items() if number}
    await _queries.close_connection(connection, orcid=orcid)
    consents = await consent_ledger.record_all(connection, [Note(event="erased", orcid=orcid, by=by, learnt=learnt)])
    certificate = await erasure_certificates.issue(
        connection, orcid=orcid, by=by, learnt=learnt, deleted=deleted, consents=consents
    )
    await changes.append(connection, orcid, erasure_changes(held), cause="erasure")
    return certificate


async def _delete(connection: AnyConnection, orcid: str) -> dict[str, int]:
    """Delete what is there; returns the numbers of rows by table, of those where there were any."""
    deleted = {f"orcid.{table}": await _delete_from(connection, table, orcid) for table in tables()}
    deleted["orcid.changes (e-mail addresses)"] = await _queries.addresses(connection, orcid=orcid)
    deleted["orcid.change_contents"] = await forgetting.forget_all(connection, orcid)
    deleted["orcid_sync.reads"] = await read_journal.forget(connection, orcid)
    deleted["orcid_sync.doubts"] = await doubts.forget(connection, orcid)
    deleted["orcid_sync.tokens"] = await _queries.retire_token(connection, orcid=orcid)
    return {table: number for table, number in deleted.items() if number}


async def _delete_from(connection: AnyConnection, table: str, orcid: str) -> int:
    # The only identifier in the statement is a table of this package, never a value.
    status: str = await connection.execute(f"delete from orcid.{table} where orcid = $1", orcid)  # noqa: S608
    return int(status.removeprefix("DELETE "))


def tables() -> Iterator[str]:
    """The tables of the mirror, those that refer to others before them."""
    sections = SECTIONS.values()
    yield from dict.fromkeys(table for section in sections for table in section.children)
    yield from dict.fromkeys(section.table for section in sections)
    yield "records"
