"""Columns are made anew from stored documents: exactly, beside the service, and without a word in the feed."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.diff import RECORD
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.service.record import rebuild as rebuilding
from orcid_sync.service.record.rebuild import Outcome, compare, rebuild
from orcid_sync.store.database.pools import Database
from orcid_sync.store.mirror import rebuilds
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import ORCID, encode, full_forms, rich_record
from rig.service.command_line import Cli
from rig.service.reconciler import LIMITED, OTHER, Bench, O

THIRD = Orcid("0000-0002-1825-0097")


def silent(_outcome: Outcome) -> None:
    """Reports to nobody."""


@pytest.fixture
async def mirrored(bench: Bench) -> Bench:
    """Two records by way of the service, and one that nobody follows."""
    await bench.connect(scopes=LIMITED)
    await bench.connect(OTHER)
    await bench.turn(O)
    await bench.turn(OTHER)
    await apply_record(bench.database.worker, encode(rich_record()), full_forms(), cause="bootstrap")
    return bench


async def contents(connection: asyncpg.Connection) -> dict[str, list[Any]]:
    """All rows of the mirror but for when they were written, the feed included."""
    tables = await connection.fetch("select tablename from pg_tables where schemaname = 'orcid' order by 1")
    query = "select to_jsonb(t) - 'changed_at' as row from orcid.{} as t order by 1"
    return {name: [row["row"] for row in await connection.fetch(query.format(name))] for (name,) in tables}


async def test_what_was_just_written_needs_nothing(database: Database) -> None:
    await apply_record(database.worker, encode(rich_record()), full_forms())

    outcomes = {name: await compare(database.worker, name, silent) for name in (RECORD, *SECTIONS)}

    assert [name for name, outcome in outcomes.items() if not outcome.items] == []
    assert {name: (outcome.fields, outcome.unreadable) for name, outcome in outcomes.items()} == dict.fromkeys(
        outcomes, ({}, [])
    )


DAMAGE = {
    "work": ("update orcid.works set title = 'wrong', publication_year = null", {"title", "publication_year"}),
    "employment": ("update orcid.affiliations set org_name = 'wrong' where section = 'employment'", {"org_name"}),
    "funding": ("delete from orcid.contributors where section = 'funding'", {"contributors"}),
    "peer-review": ("delete from orcid.external_ids where section = 'peer-review'", {"external_ids"}),
    "research-resource": ("delete from orcid.research_resource_hosts", {"hosts"}),
    "name": ("update orcid.names set credit_name = 'wrong'", {"credit_name"}),
    "email": ("update orcid.emails set verified_at = now()", {"verified_at"}),
    "keyword": ("update orcid.keywords set source_name = 'wrong'", {"source_name"}),
    RECORD: ("update orcid.records set locale = 'wrong', claimed = null", {"locale", "claimed"}),
}


async def test_what_the_documents_say_comes_back(mirrored: Bench) -> None:
    before, head = await contents(mirrored.connection), await mirrored.head()
    for damage, _ in DAMAGE.values():
        await mirrored.connection.execute(damage)
    damaged, pool = await contents(mirrored.connection), mirrored.database.worker

    shown = {section: await compare(pool, section, silent) for section in DAMAGE}
    after_showing = await contents(mirrored.connection)
    done = {section: await rebuild(pool, section, "1", silent) for section in DAMAGE}

    fields = {section: fields for section, (_, fields) in DAMAGE.items()}
    assert {section: set(outcome.fields) for section, outcome in shown.items()} == fields
    assert after_showing == damaged, "the difference is only shown"
    assert {section: set(outcome.fields) for section, outcome in done.items()} == fields
    assert [outcome.differing for outcome in done.values()] == [outcome.differing for outcome in shown.values()]
    assert await contents(mirrored.connection) == before
    assert await mirrored.head() == head, "the feed has nothing to tell"
    assert await mirrored.check(OTHER) == "unchanged"


async def test_only_what_differs_is_written(mirrored: Bench) -> None:
    rows = "select put_code, xmin::text, changed_at from orcid.works order by put_code"
    code = await mirrored.connection.fetchval("select min(put_code) from orcid.works where orcid = $1", OTHER)
    await mirrored.connection.execute("update orcid.works set title = 'x' where put_code = $1", code)
    before = {row["put_code"]: row for row in await mirrored.connection.fetch(rows)}

    await rebuild(mirrored.database.worker, "work", "1", silent)

    after = {row["put_code"]: row for row in await mirrored.connection.fetch(rows)}
    assert [key for key, row in after.items() if row != before[key]] == [code]
    assert after[code]["changed_at"] > before[code]["changed_at"]


async def test_who_is_just_being_read_is_left_for_the_next_run(mirrored: Bench, cli: Cli) -> None:
    await mirrored.connection.execute("update orcid.works set title = 'wrong'")
    await mirrored.notify(OTHER)
    lease = await mirrored.lease(OTHER)

    result = await cli.apart("rebuild", "--section", "work", "--apply")
    wrong = await mirrored.connection.fetch("select distinct orcid from orcid.works where title = 'wrong'")
    await mirrored.reconciler.reconcile(lease)
    again = await cli.apart("rebuild", "--section", "work", "--apply")

    assert (result.exit_code, again.exit_code) == (1, 0)
    assert "1 records were being read and are not done. Run the command again." in result.stderr
    assert [row["orcid"] for row in wrong] == [OTHER]
    assert await mirrored.connection.fetchval("select count(*) from orcid.works where title = 'wrong'") == 0


async def test_nobody_stays_leased_and_nothing_asked_for_is_forgotten(mirrored: Bench) -> None:
    await mirrored.notify(OTHER)
    before = await mirrored.row(OTHER)

    await rebuild(mirrored.database.worker, "work", "1", silent)

    after = await mirrored.row(OTHER)
    assert {**dict(after), "lease_no": 0} == {**dict(before), "lease_no": 0}
    assert await mirrored.turn(OTHER) == "unchanged"


async def test_an_interrupted_rebuild_goes_on(mirrored: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "BATCH", 1)
    await apply_record(mirrored.database.worker, encode(skeleton(THIRD)))
    total = 4

    def interrupted() -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    steps = interrupted()
    with pytest.raises(KeyboardInterrupt):
        await rebuild(mirrored.database.worker, RECORD, "1", lambda _outcome: next(steps))
    rest = await rebuild(mirrored.database.worker, RECORD, "1", silent)
    steps = interrupted()
    with pytest.raises(KeyboardInterrupt):
        await rebuild(mirrored.database.worker, RECORD, "1", lambda _outcome: next(steps))
    newer = await rebuild(mirrored.database.worker, RECORD, "2", silent)

    assert rest.records == total - 2
    assert newer.records == total, "another version may know more"


async def test_an_interrupted_rebuild_does_not_pass_over_who_was_being_read(
    mirrored: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "BATCH", 1)
    await mirrored.connection.execute("update orcid.records set locale = 'wrong'")
    first = await mirrored.connection.fetchval("select min(orcid) from orcid.records")
    await mirrored.notify(first)
    lease = await mirrored.lease(first)

    def stop(outcome: Outcome) -> None:
        if outcome.records == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rebuild(mirrored.database.worker, RECORD, "1", stop)
    await mirrored.reconciler.reconcile(lease)
    await rebuild(mirrored.database.worker, RECORD, "1", silent)

    assert await mirrored.connection.fetchval("select count(*) from orcid.records where locale = 'wrong'") == 0


async def test_a_document_that_cannot_be_read_is_named_and_left(mirrored: Bench) -> None:
    await mirrored.connection.execute("update orcid.keywords set doc = '[]' where orcid = $1", ORCID)
    before = await contents(mirrored.connection)

    outcome = await rebuild(mirrored.database.worker, "keyword", "1", silent)

    assert {orcid for orcid, _ in outcome.unreadable} == {ORCID}
    assert await contents(mirrored.connection) == before


REFUSED = {
    "a visibility that there is not": '{"put-code": 1, "content": "x", "visibility": "nonsense"}',
    "no visibility": '{"put-code": 1, "content": "x"}',
    "a number beyond all columns": '{"put-code": 1, "content": "x", "visibility": "public", "display-index": "9e99"}',
    "another put-code": '{"put-code": 99999999, "content": "x", "visibility": "public"}',
    "no put-code": '{"content": "x", "visibility": "public"}',
    "a list": "[]",
    "nothing": "null",
}
"""Documents of an earlier time, or of another hand, that do not fit the columns of today."""


@pytest.mark.parametrize("doc", REFUSED.values(), ids=REFUSED)
async def test_one_odd_record_does_not_end_a_rebuild(mirrored: Bench, cli: Cli, doc: str) -> None:
    await mirrored.connection.execute("update orcid.keywords set source_name = 'wrong'")
    await mirrored.connection.execute("update orcid.keywords set doc = $2::text::json where orcid = $1", ORCID, doc)
    arguments = ("rebuild", "--section", "keyword", "--section", "work")

    shown = await cli.apart(*arguments)
    done = await cli.apart(*arguments, "--apply", "--json")

    assert "Unexpected" not in shown.stderr + done.stderr
    assert shown.exit_code in (0, 1)
    document = msgspec.json.decode(done.stdout)
    left = {orcid for orcid, *_ in document["sections"]["keyword"]["unreadable"]}
    assert left <= {ORCID}
    assert done.exit_code == int(bool(left))
    query = "select count(*) from orcid.keywords where source_name = 'wrong' and orcid <> $1"
    assert await mirrored.connection.fetchval(query, ORCID) == 0, "the others are rebuilt"
    assert document["sections"]["work"]["unreadable"] == []


async def test_one_record_that_the_database_refuses_does_not_end_a_rebuild(mirrored: Bench, cli: Cli) -> None:
    await mirrored.connection.execute("update orcid.keywords set source_name = 'wrong'")
    await mirrored.connection.execute(f"alter table orcid.keywords add constraint odd check (orcid <> '{O}') not valid")
    wrong = "select distinct orcid from orcid.keywords where source_name = 'wrong'"

    done = await cli.apart("rebuild", "--section", "keyword", "--apply")
    machine = await cli.apart("rebuild", "--section", "keyword", "--apply", "--json")

    assert (done.exit_code, machine.exit_code) == (1, 1)
    assert f"keyword: {O} cannot be stored: PostgreSQL refused (CheckViolationError" in done.stdout
    assert "1 records cannot be stored; their columns are left as they are." in done.stderr
    [[orcid, why]] = msgspec.json.decode(machine.stdout)["sections"]["keyword"]["refused"]
    assert (orcid, "odd" in why) == (O, True)
    assert [row["orcid"] for row in await mirrored.connection.fetch(wrong)] == [O]
    assert await mirrored.check(O) == "unchanged", "nobody stays leased"


async def test_the_command_shows_the_difference_first(mirrored: Bench, cli: Cli) -> None:
    await mirrored.connection.execute("update orcid.works set title = 'wrong' where orcid = $1", OTHER)
    arguments = ("rebuild", "--section", "work", "--section", "keyword")

    shown = await cli.apart(*arguments)
    document = await asyncio.to_thread(cli.json, *arguments)
    done = await cli.apart(*arguments, "--apply")
    after = await cli.apart(*arguments)

    assert shown.exit_code == 0
    assert "work: 3 of " in shown.stdout
    assert "would be rewritten. To do it: --apply" in shown.stdout
    work = document["sections"]["work"]
    assert (document["applied"], work["differing"], list(work["columns"])) == (False, 3, ["title"])
    assert work["columns"]["title"]["examples"][0]["old"] == "wrong"
    assert "were rewritten." in done.stdout
    assert "items agree with their documents." in after.stdout


def test_a_section_that_is_none_is_refused(cli: Cli) -> None:
    result = cli("rebuild", "--section", "works")

    assert result.exit_code == 2
    assert "works is not a section" in " ".join(result.stderr.split())


async def test_every_statement_of_a_rebuild_can_be_prepared(connection: asyncpg.Connection) -> None:
    for statement in rebuilds.statements():
        await connection.prepare(statement)
