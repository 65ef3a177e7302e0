"""The consent ledger on a real database: complete, in order, only added to, and any change of its past shows."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from orcid_sync.model.consent.hash_chain import ChainBroken, Head
from orcid_sync.model.ids import Orcid
from orcid_sync.store.consent import consent_ledger
from orcid_sync.store.database.pools import Database, transaction

A, B = Orcid("0000-0002-1825-0097"), Orcid("0000-0002-1694-233X")
TRIGGER = "orcid_sync.consents disable trigger only_additions"


async def fill(connection: asyncpg.Connection) -> None:
    """Three entries: two of A, one of somebody unknown."""
    async with connection.transaction():
        await consent_ledger.record(
            connection, "granted", orcid=A, by="holder", learnt="connect-page", scopes=["/read-limited", "openid"]
        )
        await consent_ledger.record(connection, "denied", orcid=None, by="holder", learnt="connect-page")
        await consent_ledger.record(
            connection, "revoked", orcid=A, by="holder", learnt="refused-token", facts={"refusals": 3, "why": "“401”"}
        )


async def entries(connection: asyncpg.Connection, orcid: str | None = None) -> list[consent_ledger.Entry]:
    """All entries, or those of an iD."""
    return [entry async for entry in consent_ledger.read(connection, orcid=orcid)]


async def test_entries_come_back_as_they_were_written(connection: asyncpg.Connection) -> None:
    await fill(connection)

    first, second, third = await entries(connection)

    assert [(e.number, e.event, e.orcid) for e in (first, second, third)] == [
        (1, "granted", A),
        (2, "denied", None),
        (3, "revoked", A),
    ]
    assert first.scopes == ["/read-limited", "openid"]
    assert third.facts == {"refusals": 3, "why": "“401”"}
    assert await entries(connection, A) == [first, third]
    assert await entries(connection, B) == []
    assert (await consent_ledger.verify(connection)).hash.hex() == third.hash


async def test_an_empty_ledger_is_in_order(connection: asyncpg.Connection) -> None:
    assert await consent_ledger.verify(connection) == Head()


async def test_what_is_rolled_back_leaves_no_gap(connection: asyncpg.Connection) -> None:
    begun = connection.transaction()
    await begun.start()
    await consent_ledger.record(connection, "granted", orcid=A, by="holder", learnt="token-file")
    with pytest.raises(asyncpg.CheckViolationError):
        await consent_ledger.record(connection, "abducted", orcid=A, by="holder", learnt="token-file")
    await begun.rollback()
    await fill(connection)

    assert (await consent_ledger.verify(connection)).number == 3


async def test_many_pages(connection: asyncpg.Connection, sample_orcids: Callable[[int], list[Orcid]]) -> None:
    notes = [
        consent_ledger.Note(event="granted", orcid=orcid, by="holder", learnt="token-file")
        for orcid in sample_orcids(consent_ledger.PAGE + 5)
    ]
    async with connection.transaction():
        end = await consent_ledger.record_all(connection, notes)

    assert [entry.orcid for entry in await entries(connection)] == [note.orcid for note in notes]
    assert await consent_ledger.verify(connection) == end


async def test_writers_at_the_same_time_make_one_chain(database: Database, connection: asyncpg.Connection) -> None:
    async def write(number: int) -> None:
        async with transaction(database.worker) as mine:
            await consent_ledger.record(
                mine, "granted", orcid=A, by="holder", learnt="token-file", facts={"number": number}
            )

    await asyncio.gather(*(write(number) for number in range(30)))

    assert (await consent_ledger.verify(connection)).number == 30
    assert sorted(entry.facts["number"] for entry in await entries(connection)) == list(range(30))  # type: ignore[type-var]


@pytest.mark.parametrize(
    "statement",
    [
        "update {} set by = 'registry' where number = 1",
        "update {} set by = by where false",
        "delete from {} where number = 3",
        "truncate {}",
        "truncate {} cascade",
        "insert into {} select * from {} on conflict (number) do update set by = 'registry'",
        "set local session_replication_role = replica; delete from {}",
    ],
)
@pytest.mark.parametrize("table", ["orcid_sync.consents", "orcid_sync.erasures"])
async def test_even_its_owner_can_only_add(connection: asyncpg.Connection, table: str, statement: str) -> None:
    await fill(connection)
    with pytest.raises(asyncpg.RestrictViolationError, match="only added"):
        async with connection.transaction():
            await connection.execute(statement.format(table, table))
    assert len(await entries(connection)) == 3


@pytest.mark.parametrize(
    ("tampering", "first_broken"),
    [
        ("update orcid_sync.consents set by = 'registry' where number = 1", 1),
        ("update orcid_sync.consents set at = at + interval '1 microsecond' where number = 2", 2),
        ("update orcid_sync.consents set orcid = '0000-0002-1694-233X' where number = 3", 3),
        ("update orcid_sync.consents set orcid = '0000-0002-1694-233X' where number = 2", 2),
        ("update orcid_sync.consents set scopes = '{/read-public}' where number = 1", 1),
        ("""update orcid_sync.consents set facts = '{"refusals": 4, "why": "“401”"}' where number = 3""", 3),
        ("update orcid_sync.consents set hash = sha256('') where number = 2", 2),
        ("delete from orcid_sync.consents where number = 1", 1),
        ("delete from orcid_sync.consents where number = 2", 2),
        ("delete from orcid_sync.consents where number = 3", 3),
        ("delete from orcid_sync.consents", 1),
        ("insert into orcid_sync.consents select 4, orcid, event, by, learnt, scopes, facts, at, hash from first", 4),
        ("update orcid_sync.consents set number = number + 10", 1),
        ("update orcid_sync.ledger_heads set number = 2", 3),
        ("update orcid_sync.ledger_heads set hash = sha256('') where ledger = 'consents'", 3),
    ],
)  # fmt: skip
async def test_whoever_tampers_is_found_out(connection: asyncpg.Connection, tampering: str, first_broken: int) -> None:
    await fill(connection)
    await connection.execute(f"alter table {TRIGGER}")
    await connection.execute("create temp view first as select * from orcid_sync.consents where number = 1")
    await connection.execute(tampering)

    with pytest.raises(ChainBroken) as broken:
        await consent_ledger.verify(connection)
    assert broken.value.number == first_broken
