"""Loading records from files into a mirror: what is written, and what is left alone."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from integration.bulk.archives import LOCKED, MODIFIED, SPREAD, Files, archive, body, person, work, work_file, xml_of
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.store.consent import connections, erasure
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.pools import Database
from orcid_sync.store.sync import queue
from rig.records.mirror import apply_record

LATER = MODIFIED + 86_400_000


@pytest.fixture
def files(dsn: str, connection: asyncpg.Connection) -> Files:
    return Files(dsn, connection)


@pytest.fixture
def ids(sample_orcids: Callable[[int], list[Orcid]]) -> list[Orcid]:
    return sample_orcids(6)


async def empty(connection: asyncpg.Connection) -> None:
    """As if nothing had ever been mirrored."""
    await connection.execute("truncate orcid.records cascade; truncate orcid.changes, orcid.change_contents")


async def test_the_same_records_from_a_file_and_from_the_api_are_the_same_rows(
    files: Files, database: Database, tmp_path: Path
) -> None:
    """Every table, every column, every digest; the feed says the same, too."""
    sim = SimulatedRegistry()
    orcids = sim.add_samples(30)
    for orcid in orcids:
        await apply_record(database.worker, body(sim.view(orcid, None)))
    expected = await files.mirror()
    await empty(files.connection)

    assert await files.load(sim.write_data_file(tmp_path), everything=True) == {"loaded": 30}

    mirror = await files.mirror()
    assert mirror.keys() == expected.keys()
    for table, rows in expected.items():
        assert mirror[table] == rows, table
    assert all(expected[table] for table in ("works", "affiliations", "external_ids", "changes", "change_contents"))


async def test_only_connected_ids_are_loaded(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    await files.connect(*ids[:2])
    path = archive(tmp_path / "a.tar.gz", {orcid: person(orcid, work(1)) for orcid in ids})

    assert await files.load(path) == {"loaded": 2}

    found = await files.connection.fetch("select orcid, access, state from orcid.records order by orcid")
    assert [tuple(row) for row in found] == [(orcid, "read-public", "active") for orcid in ids[:2]]


async def test_everything_is_mirrored_but_nobody_is_followed_by_it(
    files: Files, ids: list[Orcid], tmp_path: Path
) -> None:
    await files.connect(ids[0])
    path = archive(tmp_path / "a.tar.gz", {orcid: person(orcid, work(1)) for orcid in ids})

    assert await files.load(path, everything=True) == {"loaded": 6}

    assert await files.connection.fetchval("select count(*) from orcid.works") == 6
    assert set(await files.queue()) == {ids[0]}
    assert await files.connection.fetchval("select count(*) from orcid_sync.connections") == 1


async def test_a_loaded_record_is_still_to_be_read_but_last_of_all(
    files: Files, ids: list[Orcid], tmp_path: Path
) -> None:
    """Nothing is verified: a file is no proof. But whatever is new goes first."""
    await files.connect(*ids[:5])
    await files.load(archive(tmp_path / "a", {orcid: person(orcid) for orcid in ids[:5]}))

    rows = list((await files.queue()).values())
    assert all(row["gen"] > row["done_gen"] and row["gen"] > row["leased_gen"] for row in rows)
    assert {row["verified_at"] for row in rows} == {None}
    assert {row["lane"] for row in rows} == {Lane.SWEEP}
    assert {row["registry_modified_ms"] for row in rows} == {MODIFIED}
    assert {row["body_digest"] for row in rows} == {None}
    assert not any(row["leased"] for row in rows)
    waits = [row["due_in"] for row in rows]
    assert all(timedelta() < wait < SPREAD for wait in waits)
    assert len(set(waits)) == 5, "they are spread"


@pytest.mark.parametrize(
    ("scopes", "lane"),
    [
        (("/read-limited",), Lane.FIRST_LOAD),
        (("/authenticate", "/person/read-limited"), Lane.FIRST_LOAD),
        (("/authenticate",), Lane.SWEEP),
        ((), Lane.FIRST_LOAD),  # nobody said what the token shows
    ],
)
async def test_a_record_whose_holder_shows_more_is_read_as_soon_as_ever(
    files: Files, ids: list[Orcid], tmp_path: Path, scopes: tuple[str, ...], lane: Lane
) -> None:
    entry = Entry(orcid=ids[0], access_token="sealed", scopes=scopes)
    await connections.connect_orcids(files.connection, [entry])

    assert await files.load(archive(tmp_path / "a", {ids[0]: person(ids[0])})) == {"loaded": 1}

    row = (await files.queue())[ids[0]]
    assert (row["lane"], row["due_in"] <= timedelta()) == (lane, lane is Lane.FIRST_LOAD)


@pytest.mark.parametrize("lane", [Lane.NOTIFICATION, Lane.OPERATOR])
async def test_what_somebody_asked_for_is_not_put_off(
    files: Files, ids: list[Orcid], tmp_path: Path, lane: Lane
) -> None:
    await files.connect(ids[0])
    await queue.mark_due(files.connection, [ids[0]], lane=lane)

    assert await files.load(archive(tmp_path / "a", {ids[0]: person(ids[0])})) == {"loaded": 1}

    row = (await files.queue())[ids[0]]
    assert (row["lane"], row["due_in"] <= timedelta()) == (lane, True)


@pytest.mark.invariant("S5", "S6")
async def test_the_feed_names_the_cause(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    await files.connect(*ids[:2])
    await files.load(archive(tmp_path / "a", {orcid: person(orcid, work(7, "Old news")) for orcid in ids[:2]}))

    feed = await files.feed()
    assert [line["seq"] for line in feed] == list(range(1, 7))
    assert {(line["op"], line["cause"]) for line in feed} == {("added", "bootstrap")}
    assert [(line["section"], line["key"]) for line in feed[:3]] == [("record", ""), ("name", ""), ("work", "7")]
    said = msgspec.json.decode(feed[2]["new"])
    assert said["doc"]["title"]["title"]["value"] == "Old news"
    assert feed[2]["old"] is None


@pytest.mark.invariant("S4", "S7")
async def test_loading_again_writes_nothing(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    await files.connect(*ids[:3])
    records = {orcid: person(orcid, work(1)) for orcid in ids}
    first, again = archive(tmp_path / "a", records), archive(tmp_path / "b", {**records, "README": b"x"})
    await files.load(first, everything=True)
    before = await files.versions()

    assert await files.load(first, everything=True) == {"current": 6}
    assert await files.load(again, everything=True) == {"current": 6}

    assert await files.versions() == before


@pytest.mark.invariant("S4", "S8")
async def test_an_older_state_gives_way_and_the_feed_says_how(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    follower, stranger = ids[:2]
    await files.connect(follower)
    old = {
        orcid: person(orcid, work(1, "Kept"), work(2, "Renamed"), work(3, "Removed")) for orcid in (follower, stranger)
    }
    await files.load(archive(tmp_path / "a", old), everything=True)
    head = len(await files.feed())
    new = {
        orcid: person(orcid, work(1, "Kept"), work(2, "New name", modified=LATER), work(4), modified=LATER)
        for orcid in old
    }

    assert await files.load(archive(tmp_path / "b", new), everything=True) == {"updated": 2}

    lines = [(line["orcid"], line["op"], line["key"], line["cause"]) for line in await files.feed(head)]
    for orcid in old:
        mine = [line[1:] for line in lines if line[0] == orcid]
        assert sorted(mine) == [
            ("added", "4", "bootstrap"),
            ("removed", "3", "bootstrap"),
            ("updated", "2", "bootstrap"),
        ]
    assert await files.titles() == {1: "Kept", 2: "New name", 4: "A work"}
    assert (await files.queue())[follower]["registry_modified_ms"] == LATER


async def test_nothing_newer_is_overwritten(files: Files, database: Database, ids: list[Orcid], tmp_path: Path) -> None:
    """Read from ORCID later than the file was made, by its date or by the time of the read."""
    newer, verified = ids[:2]
    await files.connect(newer, verified)
    await apply_record(database.worker, body(person(newer, work(1, "Newer"), modified=LATER)))
    await apply_record(database.worker, body(person(verified, work(2, "Verified"), modified=MODIFIED - 1)))
    await files.connection.execute("update orcid_sync.queue set verified_at = now() where orcid = $1", verified)
    before = await files.versions()

    records = {newer: person(newer, work(1, "Older")), verified: person(verified, work(2, "Older"))}
    assert await files.load(archive(tmp_path / "a", records)) == {"current": 2}

    assert await files.versions() == before


async def test_what_is_not_public_is_left_alone(
    files: Files, database: Database, ids: list[Orcid], tmp_path: Path
) -> None:
    """A record read with its holder's permission, and items of our own client that no file can know of."""
    limited, own = ids[:2]
    await files.connect(limited, own)
    hidden = work(2, "Limited", visibility="limited")
    await apply_record(database.worker, body(person(limited, work(1, "Public"), hidden)), access="read-limited")
    await apply_record(database.worker, body(person(own, work(3, "Public"), {**hidden, "put-code": 4})))

    records = {orcid: person(orcid, work(9), modified=LATER) for orcid in (limited, own)}
    assert await files.load(archive(tmp_path / "a", records)) == {"left": 1, "updated": 1}

    assert await files.titles() == {1: "Public", 2: "Limited", 4: "Limited", 9: "A work"}


@pytest.mark.parametrize(
    "statement",
    [
        "update orcid.records set state = 'deactivated'",
        "update orcid.records set state = 'locked'",
        "update orcid.records set withheld = 'all'",
        "update orcid_sync.queue set unconfirmed = 'not-found', unconfirmed_at = now()",
        "update orcid_sync.connections set state = 'disconnected', disconnected_at = now()",
        "update orcid_sync.connections set state = 'disconnecting', disconnected_at = now()",
    ],
)
async def test_what_orcid_or_the_holder_has_closed_stays_closed(
    files: Files, ids: list[Orcid], tmp_path: Path, statement: str
) -> None:
    await files.connect(ids[0])
    await files.load(archive(tmp_path / "a", {ids[0]: person(ids[0])}))
    await files.connection.execute(statement)
    before = await files.versions()

    newer = archive(tmp_path / "b", {ids[0]: person(ids[0], work(1), modified=LATER)})
    counts = [await files.load(newer, everything=everything) for everything in (False, True)]

    assert counts[1] == {"left": 1}
    assert await files.versions() == before


@pytest.mark.fault("F66")
@pytest.mark.parametrize("followed", ["followed", "never connected"])
async def test_who_was_erased_does_not_come_back(files: Files, ids: list[Orcid], tmp_path: Path, followed: str) -> None:
    """Nor would somebody be told that nothing is known of them who is mirrored without having been connected."""
    path = archive(tmp_path / "a", {ids[0]: person(ids[0], work(1))})
    if followed == "followed":
        await files.connect(ids[0])
    assert await files.load(path, everything=True) == {"loaded": 1}

    await erasure.erase(files.connection, ids[0], by="holder", learnt="command")
    assert await files.titles() == {}
    again = archive(tmp_path / "b", {ids[0]: person(ids[0], work(1), modified=LATER)})
    counts = [await files.load(file, everything=True) for file in (path, again)]

    assert counts == [{"left": 1}, {"left": 1}]
    assert await files.connection.fetchval("select count(*) from orcid.records") == 0


async def test_most_of_a_section_does_not_vanish_by_a_file_alone(
    files: Files, ids: list[Orcid], tmp_path: Path
) -> None:
    await files.connect(ids[0])
    await files.load(archive(tmp_path / "a", {ids[0]: person(ids[0], *(work(n) for n in range(1, 9)))}))
    before = await files.versions()

    emptier = archive(tmp_path / "b", {ids[0]: person(ids[0], work(1), modified=LATER)})
    assert await files.load(emptier) == {"left": 1}

    assert set(await files.titles()) == set(range(1, 9))
    assert [row for row in await files.versions() if row[0] != "orcid_sync.queue"] == [
        row for row in before if row[0] != "orcid_sync.queue"
    ]


@pytest.mark.fault("F16")
@pytest.mark.invariant("S3")
async def test_what_is_being_read_is_left_to_the_service(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    await files.connect(*ids[:2])
    (lease, _) = await queue.lease_due(files.connection, limit=2, lease=timedelta(minutes=1))
    await files.connection.execute(
        "update orcid_sync.queue set lease_until = '-infinity' where orcid <> $1", lease.orcid
    )

    counts = await files.load(archive(tmp_path / "a", {orcid: person(orcid) for orcid in ids[:2]}))

    assert counts == {"loaded": 1, "busy": 1}
    async with files.connection.transaction():
        await queue.hold(files.connection, lease)


@pytest.mark.fault("F16")
@pytest.mark.invariant("S3")
async def test_a_worker_that_was_paused_past_its_lease_cannot_apply_any_more(
    files: Files, ids: list[Orcid], tmp_path: Path
) -> None:
    """What it read may be as old as the file, or older: it reads again."""
    await files.connect(ids[0])
    (lease,) = await queue.lease_due(files.connection, limit=1, lease=timedelta(seconds=-1))

    assert await files.load(archive(tmp_path / "a", {ids[0]: person(ids[0])})) == {"loaded": 1}

    with pytest.raises(queue.LeaseLost):
        await queue.hold(files.connection, lease)


async def test_a_dry_run_counts_and_writes_nothing(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    await files.connect(*ids[:3])
    await files.load(archive(tmp_path / "a", {ids[0]: person(ids[0]), ids[1]: person(ids[1], work(1))}))
    before = await files.versions()
    runs = await files.connection.fetchval("select count(*) from orcid_sync.runs")

    path = archive(
        tmp_path / "b",
        {
            ids[0]: person(ids[0], modified=LATER),
            ids[1]: person(ids[1]),
            ids[2]: person(ids[2]),
            ids[3]: person(ids[3]),
        },
    )
    assert await files.load(path, dry=True) == {"updated": 1, "current": 1, "loaded": 1}
    full = archive(tmp_path / "c", dict([work_file(ids[1], work(1))]))
    assert await files.load(full, dry=True) == {"detailed": 1}

    assert await files.versions() == before
    assert await files.connection.fetchval("select count(*) from orcid_sync.runs") == runs


async def test_errors_and_broken_files_are_counted_and_the_rest_is_loaded(
    files: Files, ids: list[Orcid], tmp_path: Path
) -> None:
    await files.connect(*ids)
    path = archive(
        tmp_path / "a",
        {
            ids[0]: person(ids[0]),
            ids[1]: LOCKED,
            ids[2]: xml_of(person(ids[2]))[:-200],
            ids[3]: person(ids[4]),
            ids[4]: b"<a/>",
            "notes.txt": b"nothing",
            ids[5]: xml_of(person(ids[5], {**work(1), "put-code": None})),
        },
    )

    tally = await files.tally(path)

    assert dict(tally.counts) == {"loaded": 2, "closed": 1, "bad": 3, "set_aside": 1}
    assert tally.items == 2, "their names; nothing else is in them that can be understood"
    said = {Path(problem.file).stem: problem.what for problem in tally.problems}
    assert said[ids[2]].startswith("it is not well-formed XML")
    assert said[ids[3]] == "it is the record of another iD"
    assert said[ids[4]] == "it is not a record but something that is not of ORCID"
    (remark,) = tally.remarks
    assert ids[5] in remark.file
    assert remark.what == "work: 1 not understood: its put-code is not a whole number below 2^63"
    assert (await files.queue())[ids[1]]["lane"] == Lane.FIRST_LOAD, "what ORCID says of it is to be asked"


async def test_a_record_that_postgresql_refuses_does_not_take_others_with_it(
    files: Files, ids: list[Orcid], tmp_path: Path
) -> None:
    await files.connect(*ids)
    await files.connection.execute("alter table orcid.works add constraint short check (length(url) < 1000)")
    records: dict[str, Any] = {orcid: person(orcid, work(1)) for orcid in ids}
    records[ids[3]] = person(ids[3], {**work(1), "url": {"value": "x" * 2000}})

    tally = await files.tally(archive(tmp_path / "a", records))

    assert dict(tally.counts) == {"loaded": 5, "bad": 1}
    (problem,) = tally.problems
    assert ids[3] in problem.file
    assert "short" in problem.what
    assert "xxx" not in problem.what
    row = (await files.queue())[ids[3]]
    assert (row["lane"], row["leased"]) == (Lane.FIRST_LOAD, False)


async def test_of_two_states_in_one_batch_the_newer_is_loaded(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    await files.connect(ids[0])
    path = archive(
        tmp_path / "a",
        {
            f"a/{ids[0]}.xml": person(ids[0], work(1, "Older")),
            f"b/{ids[0]}.xml": person(ids[0], work(1, "Newer"), modified=LATER),
            f"c/{ids[0]}.xml": person(ids[0], work(1, "Older")),
        },
    )
    assert await files.load(path) == {"loaded": 1, "current": 2}
    assert await files.titles() == {1: "Newer"}


async def test_folders_and_single_files_in_both_forms(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    await files.connect(*ids[:4])
    folder = tmp_path / "33X"
    folder.mkdir()
    (folder / f"{ids[0]}.xml").write_bytes(xml_of(person(ids[0])))
    (folder / f"{ids[1]}.json").write_bytes(body(person(ids[1])))
    (folder / f"{ids[4]}.xml").write_bytes(b"is not parsed, for nobody follows it")
    (tmp_path / "chosen.xml").write_bytes(xml_of(person(ids[2])))
    (tmp_path / "chosen.json").write_bytes(body(person(ids[3])))
    (tmp_path / "stranger.xml").write_bytes(xml_of(person(ids[5])))

    assert await files.load(folder) == {"loaded": 2}
    assert await files.load(tmp_path / "chosen.xml") == {"loaded": 1}
    assert await files.load(tmp_path / "chosen.json") == {"loaded": 1}
    assert await files.load(tmp_path / "stranger.xml") == {"left": 1}

    found = await files.connection.fetch("select orcid from orcid.records order by orcid")
    assert [row["orcid"] for row in found] == ids[:4]


# Activities


def full_work(put_code: int, **more: Any) -> dict[str, Any]:
    """A work in full."""
    summary = {name: value for name, value in work(put_code).items() if name != "display-index"}
    contributor = {
        "credit-name": {"value": "Bob Placeholder"},
        "contributor-attributes": {"contributor-role": "author"},
    }
    return {**summary, "short-description": "Says it all.", "contributors": {"contributor": [contributor]}, **more}


async def test_full_works_are_added_to_the_works_that_are_mirrored(
    files: Files, ids: list[Orcid], tmp_path: Path
) -> None:
    follower, stranger = ids[:2]
    await files.connect(follower, ids[2])
    records = {orcid: person(orcid, work(1), work(2, modified=LATER), modified=LATER) for orcid in (follower, stranger)}
    await files.load(archive(tmp_path / "a", records), everything=True)
    head = len(await files.feed())
    given = [work_file(orcid, full_work(number)) for orcid in (follower, stranger, ids[2]) for number in (1, 2, 3)]
    path = archive(
        tmp_path / "b", {f"x/{follower}/employments/{follower}_employments_5.xml": b"is not even parsed", **dict(given)}
    )

    # Number 2 was edited since, 3 is not on the record, and nothing is mirrored of the third person.
    assert await files.load(path, everything=True) == {"detailed": 2, "current": 4, "left": 3}

    rows = await files.connection.fetch(
        "select orcid, short_description, detail_modified_at is not null from orcid.works order by orcid, put_code"
    )
    assert [tuple(row) for row in rows] == [
        (orcid, *said) for orcid in (follower, stranger) for said in (("Says it all.", True), (None, False))
    ]
    assert await files.connection.fetchval("select count(*) from orcid.contributors") == 2
    lines = await files.feed(head)
    assert [(line["op"], line["key"], line["cause"]) for line in lines] == [("updated", "1", "bootstrap")] * 2
    assert set(lines[0]["fields"]) == {"short_description", "detail_modified_at", "contributors"}
    before = await files.versions()
    assert await files.load(path, everything=True) == {"current": 6, "left": 3}
    assert [row for row in await files.versions() if "queue" not in row[0]] == [
        row for row in before if "queue" not in row[0]
    ]


async def test_broken_full_works_are_named(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    await files.connect(ids[0])
    await files.load(archive(tmp_path / "a", {ids[0]: person(ids[0], *(work(n) for n in range(1, 5)))}))
    (name, good), (other, _) = (work_file(ids[0], full_work(n)) for n in (1, 2))
    third, fourth = (work_file(ids[0], full_work(n))[0] for n in (3, 4))
    path = archive(tmp_path / "b", {name: good, other: full_work(7), third: LOCKED, fourth: xml_of(person(ids[0]))})

    tally = await files.tally(path)

    assert dict(tally.counts) == {"detailed": 1, "bad": 2, "closed": 1}
    assert [problem.what for problem in tally.problems] == [
        "it is another item than its name says",
        "it is a record, not what its name says",
    ]
