"""What a reconciliation writes: exactly what changed, and nothing of what did not."""

import json
import typing
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from orcid_sync.model.record.diff import Change
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.sections import ItemKey
from orcid_sync.store.database.pools import Database, transaction
from orcid_sync.store.feed import changes
from orcid_sync.store.mirror import items
from rig.records.mirror import apply_record, changeset_of, fetch
from rig.records.sample_record import encode, full_forms, keyword, rich_record, set_in, with_keywords, works_of

FORMS = full_forms()
RICH = encode(rich_record())
LISTS = ["external_ids", "contributors", "research_resource_hosts", "research_resource_items"]
OUR_TABLES = "table_schema = 'orcid' and table_type = 'BASE TABLE'"
Json = dict[str, Any]


class Written(typing.NamedTuple):
    """What one reconciliation wrote in schema orcid."""

    rows: Counter[str]
    """By table and verb: "works.upd"."""
    mirror_wal: int
    """Bytes of WAL of the mirror."""
    feed_wal: int
    """Bytes of WAL of the change feed."""
    changes: list[Change]


async def written(database: Database, body: bytes, details: dict[ItemKey, bytes] | None = None) -> Written:
    """Apply an answer and count what it costs. Within the transaction, so that nobody else's rows are counted."""
    orcid, changeset = await changeset_of(database.worker, body, details)
    async with transaction(database.worker) as connection:
        rows_before, wal_before = await counters(connection)
        await items.apply(connection, orcid, changeset.writing)
        _, wal_between = await counters(connection)
        await changes.append(connection, orcid, changeset.changes, cause="check")
        rows_after, wal_after = await counters(connection)
    cost = rows_after - rows_before
    return Written(cost, wal_between - wal_before, wal_after - wal_between, changeset.changes)


async def counters(connection: Any) -> tuple[Counter[str], int]:
    """Rows that this connection wrote in schema orcid and has not yet reported, and bytes of WAL."""
    wal = await connection.fetchval("select (pg_current_wal_insert_lsn() - '0/0')::bigint")
    found = await connection.fetch(
        """
        select relname || '.' || verb, n from pg_stat_xact_user_tables,
               lateral (values ('ins', n_tup_ins), ('upd', n_tup_upd), ('del', n_tup_del)) counted (verb, n)
         where schemaname = 'orcid'
        """
    )
    return Counter(dict(map(tuple, found))), wal


def reorder(record: Json) -> None:
    for container in record["activities-summary"].values():
        for member in ("group", "affiliation-group"):
            if isinstance(container, dict) and member in container:
                container[member].reverse()


def no_works(record: Json) -> None:
    del works_of(record)[0]["work-summary"][0]


def no_resources(record: Json) -> None:
    record["activities-summary"]["research-resources"]["group"] = []


WORK = ("activities-summary", "works", "group", 0, "work-summary", 0)
FEED = {"records.upd": 1, "changes.ins": 1, "change_contents.ins": 2}
"""One line, and what it says: the item before and after."""
PAST = {"change_contents.upd": 1}
"""What was said while it was public is so no more."""
GONE = {**FEED, "change_contents.ins": 1, **PAST}
EDITS: dict[str, tuple[Callable[[Json], None], dict[str, int]]] = {
    "nothing": (lambda _: None, {}),
    "only the record-wide date": (set_in("history", "last-modified-date", "value", to=1), {"records.upd": 1}),
    "the order of all groups": (reorder, {}),
    "dates of containers": (set_in("activities-summary", "last-modified-date", to=None), {}),
    "a keyword": (set_in("person", "keywords", "keyword", 0, "content", to="x"), {"keywords.upd": 1, **FEED}),
    "the order of display": (
        set_in("person", "keywords", "keyword", 0, "display-index", to=7),
        {"keywords.upd": 1, **FEED},
    ),
    "a title": (set_in(*WORK, "title", "title", "value", to="x"), {"works.upd": 1, **FEED}),
    "an identifier": (
        set_in(*WORK, "external-ids", "external-id", 0, "external-id-value", to="x"),
        {"works.upd": 1, "external_ids.del": 2, "external_ids.ins": 2, **FEED},
    ),
    "visibility": (
        set_in(*WORK, "visibility", to="limited"),
        {
            "works.upd": 1,
            "external_ids.del": 2,
            "external_ids.ins": 2,
            "contributors.del": 3,
            "contributors.ins": 3,
            **PAST,
            **FEED,
        },
    ),
    "a work goes": (
        no_works,
        # The version that stays gives its name to the group now.
        {
            "works.del": 1,
            "external_ids.del": 2,
            "contributors.del": 3,
            "works.upd": 1,
            "records.upd": 1,
            "changes.ins": 2,
            "change_contents.ins": 3,
            **PAST,
        },
    ),
    "a research resource goes": (
        no_resources,
        {
            "research_resources.del": 1,
            "external_ids.del": 2,
            "research_resource_hosts.del": 3,
            "research_resource_items.del": 2,
            **GONE,
        },
    ),
    "the account's language": (set_in("preferences", "locale", to="de"), FEED),
    "an unknown member": (set_in("future-member", to=[1]), FEED),
}


@pytest.mark.invariant("S7")
@pytest.mark.fault("F52")
@pytest.mark.parametrize("edit", EDITS)
async def test_exactly_what_changed_is_written(database: Database, edit: str) -> None:
    alter, expected = EDITS[edit]
    await apply_record(database.worker, RICH, FORMS)
    record = rich_record()
    alter(record)
    cost = await written(database, encode(record))
    assert cost.rows == Counter(expected)
    assert len(cost.changes) == expected.get("changes.ins", 0)
    again = await written(database, encode(record))
    assert (again.rows, again.changes) == (Counter(), [])


# Upper bounds in bytes, of the mirror and of the feed, whose entry holds the item before and after; where an item
# goes, what was said of it is written once more, with another visibility.
WAL = {
    "nothing": (256, 0),  # PostgreSQL's own housekeeping falls into it now and then
    "the order of all groups": (256, 0),
    "a keyword": (1024, 2560),
    "a title": (4096, 4608),
    "a work goes": (2048, 8192),
}


@pytest.mark.parametrize("edit", WAL)
async def test_a_change_costs_little_log(database: Database, edit: str) -> None:
    async with transaction(database.reader) as connection:
        if await connection.fetchval("show full_page_writes") == "on":
            pytest.skip("the first touch of a page after a checkpoint logs all of it")
    await apply_record(database.worker, RICH, FORMS)
    record = rich_record()
    EDITS[edit][0](record)
    cost = await written(database, encode(record))
    mirror_limit, feed_limit = WAL[edit]
    assert cost.mirror_wal <= mirror_limit
    assert cost.feed_wal <= feed_limit


async def test_a_first_load_writes_each_row_once(database: Database) -> None:
    cost = await written(database, RICH, FORMS)
    tables = await fetch(database.reader, "select table_name from information_schema.tables where " + OUR_TABLES)
    others = {"organisations", "organisation_ids"}  # of no record
    assert set(cost.rows) == {f"{table}.ins" for (table,) in tables if table not in others}
    assert cost.rows["changes.ins"] == cost.rows["change_contents.ins"] == len(list(parse_record(RICH).items())) + 1


@pytest.mark.parametrize("key", FORMS, ids=str)
async def test_a_full_form_that_comes_later_is_an_update(database: Database, key: ItemKey) -> None:
    await apply_record(database.worker, RICH, {name: form for name, form in FORMS.items() if name != key})
    cost = await written(database, RICH, {key: FORMS[key]})
    (change,) = cost.changes
    assert ((change.section, change.key), change.op) == (key, "updated")
    assert (await written(database, RICH, {key: FORMS[key]})).changes == []


async def test_lists_share_the_visibility_of_their_item(database: Database) -> None:
    await apply_record(database.worker, RICH, FORMS)
    record = rich_record()
    set_in(*WORK, "visibility", to="limited")(record)
    resource = record["activities-summary"]["research-resources"]["group"][0]["research-resource-summary"][0]
    resource["visibility"] = "private"
    await apply_record(database.worker, encode(record))
    everything = " union all ".join(
        f"select '{table}', put_code, visibility from orcid.{table} where put_code in (201, 501)" for table in LISTS
    )
    assert set(await fetch(database.reader, everything)) == {
        ("external_ids", 201, "limited"),
        ("contributors", 201, "limited"),
        ("external_ids", 501, "private"),
        ("research_resource_hosts", 501, "private"),
        ("research_resource_items", 501, "private"),
    }


async def test_no_list_outlives_its_item(database: Database) -> None:
    await apply_record(database.worker, RICH, FORMS)
    record = rich_record()
    for container in record["activities-summary"].values():
        for member in ("group", "affiliation-group"):
            if isinstance(container, dict) and member in container:
                container[member] = []
    await apply_record(database.worker, encode(record))
    for table in LISTS:
        assert await fetch(database.reader, f"select * from orcid.{table}") == [], table
    assert len(await fetch(database.reader, "select * from orcid.items")) == 9  # the person


async def test_the_same_put_code_in_another_section_is_left_alone(database: Database) -> None:
    """One sequence of put-codes for each kind of item: an employment and a work may share one (F50)."""
    record = rich_record()
    set_in(*WORK, "put-code", to=101)(record)
    await apply_record(database.worker, encode(record), {("work", "101"): FORMS["work", "201"]})
    record["activities-summary"]["works"]["group"] = []
    await apply_record(database.worker, encode(record))
    assert await fetch(
        database.reader, "select section, put_code, value from orcid.external_ids where put_code = 101"
    ) == [("employment", 101, "EMP-1")]


@pytest.mark.invariant("S8")
async def test_a_read_with_less_access_is_no_deletion(database: Database) -> None:
    await apply_record(database.worker, RICH, FORMS, access="read-limited")
    public = rich_record()
    public["person"]["emails"]["email"] = []  # limited
    del works_of(public)[1]  # limited
    public["person"]["keywords"]["keyword"].pop()  # public, and gone
    told = await apply_record(database.worker, encode(public), access="read-public")
    assert {(change.section, change.key): (change.op, change.reason) for change in told} == {
        ("record", ""): ("updated", None),
        ("email", ""): ("withdrawn", "access-lost"),  # its key was its address
        ("work", "203"): ("withdrawn", "access-lost"),
        ("keyword", "14"): ("removed", "removed"),
    }
    again = await apply_record(database.worker, RICH, FORMS, access="read-limited")
    assert {(change.section, change.key): change.op for change in again} == {
        **dict.fromkeys([("email", "ada.sample@example.org"), ("work", "203"), ("keyword", "14")], "added"),
        ("record", ""): "updated",
    }


@pytest.mark.invariant("S8")
async def test_hiding_an_item_is_a_removal_while_access_stays(database: Database) -> None:
    await apply_record(database.worker, RICH, FORMS, access="read-limited")
    record = rich_record()
    del works_of(record)[1]
    (change,) = await apply_record(database.worker, encode(record), access="read-limited")
    assert (change.op, change.reason, change.visibility) == ("removed", "removed", "limited")


def turned_round(value: Any) -> Any:
    """The same JSON with all members in the opposite order."""
    if isinstance(value, dict):
        return {key: turned_round(value[key]) for key in reversed(value)}
    return [turned_round(one) for one in value] if isinstance(value, list) else value


@pytest.mark.invariant("S7")
async def test_the_same_record_written_otherwise_is_no_change(database: Database) -> None:
    await apply_record(database.worker, RICH, FORMS)
    times = (
        "select section, key, changed_at from orcid.items union all select 'record', '', changed_at from orcid.records"
    )
    before = await fetch(database.reader, times)
    rewritten = json.dumps(turned_round(rich_record()), indent=3).encode()
    cost = await written(database, rewritten)
    assert cost.changes == []
    assert {table for table in cost.rows if not table.endswith(".upd")} == set()
    assert sorted(await fetch(database.reader, times)) == sorted(before)
    assert (await written(database, rewritten)).rows == Counter()  # now that the digests are known


async def test_first_seen_stays_and_changed_moves(database: Database) -> None:
    times = "select first_seen_at, changed_at from orcid.keywords order by put_code"
    await apply_record(database.worker, encode(with_keywords(rich_record(), keyword(1), keyword(2))))
    before = await fetch(database.reader, times)
    await apply_record(database.worker, encode(with_keywords(rich_record(), keyword(1, "other"), keyword(2))))
    after = await fetch(database.reader, times)
    assert before[1] == after[1]
    assert (after[0][0], after[0][1] > before[0][1]) == (before[0][0], True)
