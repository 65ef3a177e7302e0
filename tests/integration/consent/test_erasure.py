"""Erasing a person: everything or nothing, whoever else is at work; with proof, and with word to the feed's readers."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from orcid_sync.model.consent.hash_chain import ChainBroken, Head
from orcid_sync.model.ids import Orcid
from orcid_sync.service.sync import reconcile
from orcid_sync.simulator.records.profiles import Effect
from orcid_sync.store.consent import connections, consent_ledger, erasure, erasure_certificates
from orcid_sync.store.consent.connections import Entry, connect_orcids, disconnect_orcids
from orcid_sync.store.consent.erasure import NotKnown, erase
from orcid_sync.store.consent.erasure_certificates import Certificate
from orcid_sync.store.database.pools import Database, DatabaseUnavailable, statements, transaction
from orcid_sync.store.sync import queue
from orcid_sync.store.sync.queue import LeaseLost
from orcid_sync.store.webhooks import inventory
from rig.records.marked_record import MARKER, marked_forms, marked_record, places
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import ORCID, encode
from rig.service.reconciler import LIMITED, Bench, O
from rig.service.webhook_inventory import present, registered

HERE = Orcid(ORCID)
OTHER = Orcid("0000-0002-1825-0097")
READ = ["/read-limited"]
TABLES = (
    "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'orcid'"
    " where c.relnamespace = 'orcid'::regnamespace and c.relkind = 'r' order by 1"
)
"""Those with people in them; organisations are no people."""


@pytest.fixture
async def person(database: Database, connection: asyncpg.Connection) -> asyncpg.Connection:
    """Somebody with a rich record and a past, and somebody else; every text of the former carries the marker."""
    entries = [Entry(orcid=orcid, access_token=f"token of {orcid}", scopes=tuple(READ)) for orcid in (HERE, OTHER)]
    await connect_orcids(connection, entries)
    for mark in (f"former {MARKER} ", f"{MARKER} "):
        await apply_record(
            database.worker, encode(marked_record(mark)), marked_forms(mark), access="read-limited", cause="first-load"
        )
    other = skeleton(OTHER)
    other["person"]["name"] = {"given-names": {"value": "Ada"}, "visibility": "public", "path": OTHER}
    await apply_record(database.worker, encode(other))
    await registered(connection, HERE, await present(connection))
    await connection.execute("update orcid_sync.queue set last_error = $1 where orcid = $2", MARKER, HERE)
    await connection.execute(
        "insert into orcid_sync.invitations (person_id, given_names, family_names, email, orcid, granted_orcid, name,"
        " expires_at) values ('p1', $1, $1, $1, $2, $2, $1, now())",
        MARKER,
        HERE,
    )
    return connection


async def erase_here(connection: asyncpg.Connection) -> Certificate:
    """Erase the person as the command does."""
    return await erase(connection, HERE, by="operator", learnt="command")


async def everything(connection: asyncpg.Connection) -> dict[str, list[Any]]:
    """All rows of both schemas."""
    tables = await connection.fetch(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('orcid', 'orcid_sync')"
    )
    return {name: sorted(map(str, await connection.fetch(f"select * from {name}"))) for (name,) in tables}


async def rows_of(connection: asyncpg.Connection, orcid: str) -> dict[str, int]:
    """Rows of an iD by table of the mirror, of those that have any."""
    counted = {
        f"orcid.{name}": await connection.fetchval(f"select count(*) from orcid.{name} where orcid = $1", orcid)
        for (name,) in await connection.fetch(TABLES)
    }
    return {name: number for name, number in counted.items() if number}


@pytest.mark.invariant("S11")
async def test_nothing_of_the_person_is_left_in_any_table(person: asyncpg.Connection) -> None:
    before = set(await places(person))
    assert {"orcid.works", "orcid.emails", "orcid.contributors", "orcid.changes", "orcid.change_contents"} <= before
    assert {"orcid_sync.queue", "orcid_sync.invitations"} <= before

    await erase_here(person)

    assert await places(person) == []
    assert await rows_of(person, HERE) == {
        "orcid.changes": await person.fetchval("select count(*) from orcid.changes where orcid = $1", HERE)
    }


@pytest.mark.invariant("S11")
async def test_every_table_of_the_mirror_is_reached(connection: asyncpg.Connection) -> None:
    history = {"changes", "change_contents"}
    assert sorted(erasure.tables()) == [name for (name,) in await connection.fetch(TABLES) if name not in history]


async def test_the_certificate_counts_what_went(person: asyncpg.Connection) -> None:
    counted = await rows_of(person, HERE)
    addresses = await person.fetchval("select count(*) from orcid.changes where section = 'email'")
    del counted["orcid.changes"]

    certificate = await erase_here(person)

    assert certificate.deleted == {
        **counted,
        "orcid.changes (e-mail addresses)": addresses,
        "orcid_sync.tokens": 1,
        "orcid_sync.invitations": 1,
    }
    assert counted["orcid.works"] > 1
    assert (certificate.number, certificate.orcid, certificate.by, certificate.learnt) == (
        1,
        HERE,
        "operator",
        "command",
    )
    assert await erasure_certificates.read(person) == [certificate]


async def test_somebody_else_is_left_alone(person: asyncpg.Connection) -> None:
    before = await rows_of(person, OTHER)
    told = await fetch_changes(person, OTHER)

    await erase_here(person)

    assert await rows_of(person, OTHER) == before
    assert await fetch_changes(person, OTHER) == told
    assert (await connections.load(person, OTHER)).access_token == f"token of {OTHER}"  # type: ignore[union-attr]


async def fetch_changes(connection: asyncpg.Connection, orcid: str, after: int = 0) -> list[Any]:
    """The lines of the feed about an iD."""
    query = "select * from orcid.change_feed where orcid = $1 and seq > $2 order by seq"
    return list(await connection.fetch(query, orcid, after))


async def test_the_readers_of_the_feed_are_told_and_learn_nothing(person: asyncpg.Connection) -> None:
    items = await person.fetch("select section, key, visibility from orcid.items where orcid = $1", HERE)
    expected = {(section, "" if section == "email" else key, seen) for section, key, seen in items}
    last = await person.fetchval("select last from orcid_sync.feed_head")

    await erase_here(person)

    lines = await fetch_changes(person, HERE, last)
    assert [(line["op"], line["reason"], line["cause"]) for line in set_of(lines)] == [("removed", "erased", "erasure")]
    assert (lines[-1]["section"], lines[-1]["key"], lines[-1]["visibility"]) == ("record", "", "public")
    told = [(line["section"], line["key"], line["visibility"]) for line in lines[:-1]]
    assert sorted(told, key=str) == sorted(expected, key=str)
    assert {section for section, _, seen in told if seen == "limited"} > {"email"}
    contents = [(line["old"], line["new"]) for line in await fetch_changes(person, HERE)]
    assert set(contents) == {(None, None)}
    assert [line["seq"] for line in await person.fetch("select seq from orcid.changes order by seq")] == list(
        range(1, last + len(lines) + 1)
    )


def set_of(lines: list[Any]) -> list[Any]:
    """One line of each kind."""
    return list({(line["op"], line["reason"], line["cause"]): line for line in lines}.values())


@pytest.mark.invariant("S16")
async def test_what_orcid_still_has_of_us_is_left_to_the_queue(person: asyncpg.Connection) -> None:
    await erase_here(person)

    known = await connections.load(person, HERE)
    assert known is not None
    assert (known.state, known.access_state, known.access_token) == ("disconnecting", "public", None)
    assert await person.fetchval("select erased_at is not null from orcid_sync.connections where orcid = $1", HERE)
    retired = await person.fetch("select access_token, reason from orcid_sync.retired_tokens where orcid = $1", HERE)
    assert [tuple(row) for row in retired] == [(f"token of {HERE}", "disconnected")]
    assert [hook.state for hook in await inventory.load(person, HERE)] == ["active"]
    due = "select due_at <= now() and lane = 1 and gen > leased_gen from orcid_sync.queue where orcid = $1"
    assert await person.fetchval(due, HERE)


async def test_both_chains_know_of_it(person: asyncpg.Connection) -> None:
    certificate = await erase_here(person)
    again = await erase(person, HERE, by="holder", learnt="disconnect-page")

    assert again.previous == certificate.hash
    assert again.deleted == {}
    assert (await erasure_certificates.verify(person)).hash.hex() == again.hash
    await consent_ledger.verify(person)
    entries = [entry async for entry in consent_ledger.read(person, orcid=HERE)]
    assert [(entry.event, entry.by, entry.learnt) for entry in entries] == [
        ("granted", "holder", "token-file"),
        ("erased", "operator", "command"),
        ("erased", "holder", "disconnect-page"),
    ]
    assert [entry.hash for entry in entries[1:]] == [certificate.consents_hash, again.consents_hash]


@pytest.mark.parametrize(
    ("tampering", "first_broken"),
    [
        ("update orcid_sync.erasures set deleted = '{}' where number = 1", 1),
        ("update orcid_sync.erasures set orcid = '0000-0002-1825-0097' where number = 2", 2),
        ("update orcid_sync.erasures set at = now() where number = 2", 2),
        ("update orcid_sync.erasures set consents_hash = sha256('') where number = 1", 1),
        ("delete from orcid_sync.erasures where number = 1", 1),
        ("delete from orcid_sync.erasures where number = 2", 2),
        ("delete from orcid_sync.consents where number = 4", 2),
    ],
)
async def test_whoever_tampers_is_found_out(person: asyncpg.Connection, tampering: str, first_broken: int) -> None:
    await erase_here(person)
    await erase_here(person)
    await erasure_certificates.verify(person)
    for table in ("erasures", "consents"):
        await person.execute(f"alter table orcid_sync.{table} disable trigger only_additions")
    await person.execute(tampering)

    with pytest.raises(ChainBroken) as broken:
        await erasure_certificates.verify(person)
    assert broken.value.number == first_broken


async def test_no_certificates_are_in_order(connection: asyncpg.Connection) -> None:
    assert await erasure_certificates.verify(connection) == Head()


async def test_who_was_never_connected_cannot_be_erased(connection: asyncpg.Connection) -> None:
    with pytest.raises(NotKnown, match=f"{HERE} was never connected"):
        await erase_here(connection)
    assert await erasure_certificates.read(connection) == []


async def test_who_was_only_invited_can_be_erased(connection: asyncpg.Connection) -> None:
    """They are named in the invitation, and need never have answered it."""
    await connection.execute(
        "insert into orcid_sync.invitations (person_id, given_names, email, orcid, expires_at)"
        " values ('p1', $1, $1, $2, now())",
        MARKER,
        HERE,
    )

    certificate = await erase_here(connection)

    assert certificate.deleted == {"orcid_sync.invitations": 1}
    assert await places(connection) == []


async def test_who_left_long_ago_can_be_erased_later(person: asyncpg.Connection) -> None:
    await disconnect_orcids(person, [HERE])
    await person.execute("delete from orcid_sync.retired_tokens")
    await person.execute("delete from orcid_sync.webhooks")
    assert await connections.finish_disconnecting(person, HERE)

    certificate = await erase_here(person)

    assert certificate.deleted["orcid.works"] > 1
    assert await places(person) == []
    assert await connections.finish_disconnecting(person, HERE)


STEPS = [
    ("update", "orcid_sync.queue"),
    ("delete", "orcid.external_ids"),
    ("delete", "orcid.works"),
    ("delete", "orcid.records"),
    ("update", "orcid.changes"),
    ("delete", "orcid.change_contents"),
    ("delete", "orcid_sync.tokens"),
    ("insert", "orcid_sync.retired_tokens"),
    ("update", "orcid_sync.invitations"),
    ("update", "orcid_sync.connections"),
    ("insert", "orcid_sync.consents"),
    ("insert", "orcid_sync.erasures"),
    ("update", "orcid_sync.feed_head"),
    ("insert", "orcid.changes"),
]


@pytest.mark.fault("F65")
@pytest.mark.invariant("S11")
@pytest.mark.parametrize(("verb", "table"), STEPS, ids=[" ".join(step) for step in STEPS])
async def test_what_fails_half_way_has_not_begun(
    person: asyncpg.Connection, database: Database, verb: str, table: str
) -> None:
    await person.execute(
        "create function fail() returns trigger language plpgsql as"
        " $$ begin raise exception 'the disk is full' using errcode = 'disk_full'; end $$"
    )
    await person.execute(f"create trigger fail after {verb} on {table} for each statement execute function fail()")
    before = await everything(person)

    with pytest.raises(DatabaseUnavailable):
        async with transaction(database.worker) as connection:
            await erase_here(connection)

    assert await everything(person) == before
    await person.execute(f"drop trigger fail on {table}")
    await erase_here(person)
    assert await places(person) == []


async def waiting(database: Database) -> int | None:
    """The process id of a session that waits for a lock."""
    query = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with statements(database.reader) as connection:
        pid: int | None = await connection.fetchval(query)
    return pid


@pytest.mark.fault("F65")
async def test_a_session_that_is_cut_in_the_middle_has_erased_nothing(
    person: asyncpg.Connection, database: Database, wait_until: Callable[..., Any]
) -> None:
    before = await everything(person)
    async with transaction(database.worker) as blocking:
        await blocking.execute("select from orcid.records where orcid = $1 for update", HERE)
        erasing = asyncio.create_task(erase_here(person))
        pid = await wait_until(lambda: waiting(database))
        await blocking.execute("select pg_terminate_backend($1)", pid)
        with contextlib.suppress(Exception):
            await erasing
        assert erasing.exception()

    async with transaction(database.worker) as connection:
        assert await everything(connection) == before
        await erase_here(connection)
    async with transaction(database.worker) as connection:
        assert await places(connection) == []


@pytest.mark.fault("F64")
@pytest.mark.invariant("S3", "S11")
async def test_a_reconciliation_that_has_read_writes_nothing_after_the_erasure(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    bench.registry.edit.add_item(O, "keyword", {"content": MARKER})
    await bench.notify()
    lease = await bench.lease()
    turn = reconcile._turn(lease)
    finding = await bench.reconciler._find(lease, turn)
    assert finding.changeset.changes

    await erase(bench.connection, O, by="holder", learnt="disconnect-page")

    with pytest.raises(LeaseLost):
        await bench.reconciler._commit(lease, turn, finding)
    assert await places(bench.connection) == []
    assert set(await rows_of(bench.connection, O)) == {"orcid.changes"}


@pytest.mark.fault("F64")
@pytest.mark.invariant("S11")
async def test_a_reconciliation_that_is_writing_is_waited_for_and_erased(
    person: asyncpg.Connection, database: Database, wait_until: Callable[..., Any]
) -> None:
    await person.execute("update orcid_sync.queue set due_at = now()")
    leases = await queue.lease_due(person, limit=10, lease=timedelta(minutes=1))
    [lease] = [lease for lease in leases if lease.orcid == HERE]
    async with transaction(database.worker) as writing:
        await queue.hold(writing, lease)
        erasing = asyncio.create_task(erase_here(person))
        await wait_until(lambda: waiting(database))
        await writing.execute("update orcid.keywords set content = $1 where orcid = $2", f"late {MARKER}", HERE)
        assert not erasing.done()

    await erasing

    assert await places(person) == []


KEPT = {"connections", "consents", "erasures", "queue", "retired_tokens", "webhooks"}
"""What may still name who was erased: that they were here, what they said to it, and what ORCID still has of ours."""


async def tables_naming(connection: asyncpg.Connection, orcid: str) -> set[str]:
    """The tables of the service that have a row of this iD."""
    tables = await connection.fetch(
        "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'orcid'"
        " where c.relnamespace = 'orcid_sync'::regnamespace and c.relkind = 'r'"
    )
    asked = [(name, f"select exists (select from orcid_sync.{name} where orcid = $1)") for (name,) in tables]
    return {name for name, question in asked if await connection.fetchval(question, orcid)}


WHEN = {"lane", "gen", "leased_gen", "done_gen", "lease_no", "applied_lease_no", "attempts", "due_at", "lease_until"}
"""What the queue must know of everybody: when it is whose turn, and nothing of what was read."""


@pytest.mark.fault("F64")
@pytest.mark.invariant("S11")
async def test_nothing_is_left_of_what_waits_for_a_second_answer(bench: Bench) -> None:
    """How much somebody had deleted is a word about them, though nothing of it was applied."""
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    state = bench.registry.profiles.state(O)
    bench.registry.profiles.change(state.with_section("work", {}), Effect.INDEXED, at_ms=bench.registry.clock.stamp())
    assert await bench.notified() == "held"

    await erase(bench.connection, O, by="holder", learnt="disconnect-page")

    assert await tables_naming(bench.connection, O) <= KEPT
    said = {name: value for name, value in (await bench.row()).items() if name not in WHEN and value}
    assert said == {"orcid": O}


async def test_connecting_again_after_an_erasure_is_a_first_load(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    before = await bench.mirror()
    await erase(bench.connection, O, by="operator", learnt="command")
    head = await bench.head()

    token = await bench.connect(scopes=LIMITED)

    assert await bench.turn() == "changed"
    lines = await bench.changes(head)
    assert {(line["op"], line["cause"]) for line in lines} == {("added", "first-load")}
    await bench.assert_mirrored(token=token)
    assert len(before["works"]) == len((await bench.mirror())["works"]) > 0
    assert not await bench.connection.fetchval("select erased_at from orcid_sync.connections where orcid = $1", O)


async def test_the_feed_replayed_gives_the_mirror(person: asyncpg.Connection) -> None:
    """Nothing is left in either."""
    await erase_here(person)
    present: set[tuple[str, str]] = set()
    for line in await fetch_changes(person, HERE):
        if line["op"] == "added":
            present.add((line["section"], line["key"]))
        elif line["op"] == "removed" and line["section"] == "email":
            present = {item for item in present if item[0] != "email"}
        elif line["op"] == "removed":
            present.discard((line["section"], line["key"]))
    assert present == set()
