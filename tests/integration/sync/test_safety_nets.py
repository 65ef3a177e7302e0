"""The nets mark what changed behind our back, and only that: ORCID's search and the daily list of changed records."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.errors import Unavailable
from orcid_sync.registry.modified_file import ModifiedFileUnusable
from orcid_sync.service.sync.safety_nets import MARGIN, sweep_file, sweep_search
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.sync import safety_nets
from rig.service.reconciler import OTHER, Bench, O

THIRD = Orcid(numbered_orcid(5_000_003))


@pytest.fixture
async def watched(bench: Bench) -> Bench:
    """Three records that were read, whose past changes the index knows, and that nothing is due for."""
    bench.registry.add_record(THIRD, works=1)
    for orcid in (O, OTHER, THIRD):
        await bench.connect(orcid)
        await bench.turn(orcid)
    await settled(bench)
    await search(bench)
    return bench


async def settled(bench: Bench) -> None:
    """Nothing is due, and the past lies behind the overlap of the sweeps."""
    await bench.connection.execute("update orcid_sync.queue set due_at = now() + interval '1 day', lane = 3")
    await bench.registry.run_delivery(after=301)


async def search(bench: Bench) -> dict[str, int]:
    return await sweep_search(bench.database, bench.reconciler.registry)


async def due(bench: Bench) -> list[str]:
    """The iDs that a sweep made due, which are all in the lane of checks."""
    query = "select orcid, lane from orcid_sync.queue where due_at <= now() order by orcid"
    rows = await bench.connection.fetch(query)
    assert {row["lane"] for row in rows} <= {Lane.CHECK}
    return [row["orcid"] for row in rows]


async def edit(bench: Bench, orcid: Orcid, *, visibility: str = "public") -> None:
    """A change that the index knows of, and that no notification tells."""
    bench.registry.clock.advance(5)
    bench.registry.edit.add_item(orcid, "keyword", {"content": "tides"}, visibility=visibility)
    await bench.registry.run_delivery(after=301)


@pytest.mark.invariant("L3")
async def test_search_finds_what_changed_and_nothing_else(watched: Bench) -> None:
    await edit(watched, OTHER)

    await search(watched)

    assert await due(watched) == [OTHER]
    assert await watched.turn(OTHER) == "changed"
    await watched.assert_mirrored(OTHER)


async def test_while_nobody_was_read_nothing_is_asked(bench: Bench) -> None:
    """Whoever sets up the service connects people last, and may not have the right credentials until then."""
    assert await search(bench) == {"searches": 0, "found": 0, "due": 0}

    assert not bench.registry.journal.requests


async def test_what_was_read_meanwhile_is_not_read_again(watched: Bench) -> None:
    """The sweep sees the change once more, and asks with the date of the last read instead of reading."""
    await edit(watched, OTHER)
    await watched.check(OTHER)
    await settled(watched)

    counts = await search(watched)

    assert (counts["found"], counts["due"]) == (1, 0)
    assert await due(watched) == []


async def test_one_question_is_put_for_hundreds_and_fits_into_an_address(watched: Bench) -> None:
    many = [Orcid(numbered_orcid(6_000_000 + n)) for n in range(600)]
    await connect_orcids(watched.connection, [Entry(orcid=orcid) for orcid in many])
    await watched.connection.execute(
        "update orcid_sync.queue set verified_at = now(), due_at = now() + interval '1 d', lane = 3"
    )
    for orcid in many[::100]:
        watched.registry.add_record(orcid, works=0)
        await edit(watched, orcid)

    counts = await search(watched)

    assert await due(watched) == many[::100]
    assert counts["searches"] == 1 + 3, "whether the index is alive, and three times up to 250 iDs"
    assert all(one.status == 200 for one in watched.requests("search")), (
        "an address that is too long is refused with 414"
    )


@pytest.mark.fault("F99")
async def test_while_the_index_stands_still_nothing_is_taken_for_searched(watched: Bench) -> None:
    watched.registry.world.index.settings.index_stalled = True
    await edit(watched, OTHER)
    watched.registry.clock.advance(7_200)
    await watched.connection.execute("update orcid_sync.nets set since = since - interval '1 s'")
    before = await watched.connection.fetchval("select since from orcid_sync.nets")

    await search(watched)

    assert await due(watched) == []
    assert await watched.connection.fetchval("select since from orcid_sync.nets") == before

    watched.registry.world.index.settings.index_stalled = False
    await search(watched)

    assert await due(watched) == [OTHER]


async def test_limited_changes_are_not_in_the_index(watched: Bench) -> None:
    """So the search is never the only net: such records keep their turn."""
    await edit(watched, THIRD, visibility="limited")

    counts = await search(watched)

    assert counts["found"] == 1, "the date of the record moves for all to see"


@pytest.mark.fault("F21")
@pytest.mark.invariant("S17")
async def test_only_one_replica_sweeps_at_a_time(watched: Bench) -> None:
    sweep = await safety_nets.lease(watched.connection, "search")
    assert sweep is not None

    assert (await search(watched))["searches"] == 0

    await safety_nets.release(watched.connection, sweep)
    assert (await search(watched))["searches"] > 0


async def test_an_interrupted_sweep_goes_on_where_it_was(watched: Bench) -> None:
    many = [Orcid(numbered_orcid(6_000_000 + n)) for n in range(600)]
    await connect_orcids(watched.connection, [Entry(orcid=orcid) for orcid in many])
    await watched.connection.execute(
        "update orcid_sync.queue set verified_at = now(), due_at = now() + interval '1 d', lane = 3"
    )
    watched.registry.add_record(many[-1], works=0)
    await edit(watched, many[-1])
    asked = watched.registry.world.index.find
    answered = iter(range(2))

    def find(query: object) -> list[str]:
        if next(answered, None) is None:
            watched.registry.faults.add("error", endpoint="search", status=500)
        return asked(query)

    watched.registry.world.index.find = find  # type: ignore[method-assign]

    with pytest.raises(Unavailable):
        await search(watched)
    reached = await watched.connection.fetchval("select reached from orcid_sync.nets")
    watched.registry.faults.clear()
    watched.registry.world.index.find = asked  # type: ignore[method-assign]
    counts = await search(watched)

    assert reached, "the first batch was searched before the Registry went away"
    assert counts["searches"] < 5
    assert many[-1] in await due(watched)


@pytest.mark.parametrize("packed", [True, False], ids=["as it comes", "the bare CSV"])
async def test_the_daily_list_names_who_is_behind(watched: Bench, tmp_path: Path, *, packed: bool) -> None:
    await edit(watched, OTHER)
    watched.registry.clock.advance(86_400)
    sync = watched.registry.world.data_sync
    path = tmp_path / "last_modified.csv.tar"
    path.write_bytes(sync.last_modified_file() if packed else sync.last_modified_csv().encode())

    counts = await sweep_file(watched.database, str(path))

    assert await due(watched) == [OTHER]
    assert counts["due"] == 1


async def test_the_list_is_read_from_an_address_and_only_as_far_as_needed(watched: Bench) -> None:
    address = f"{watched.registry.url}/orcid-lambda-file/last_modified.csv.tar"
    for number in range(50):
        old = numbered_orcid(7_000_000 + number)
        watched.registry.add_record(old, works=0)
    await sweep_file(watched.database, address)
    watched.registry.clock.advance(2 * 86_400)
    await edit(watched, OTHER)
    watched.registry.clock.advance(86_400)

    counts = await sweep_file(watched.database, address)

    assert counts["lines"] == 1, "whatever is older than the last run is not even read"
    assert await due(watched) == [OTHER]


def listing(*lines: tuple[str, datetime]) -> str:
    """A list as ORCID's: the latest change first."""
    head = "orcid, path, date_created, last_modified"
    return "\n".join([head, *(f"{orcid}, , , {changed_at:%Y-%m-%d %H:%M:%S}" for orcid, changed_at in lines)])


@pytest.mark.invariant("L3")
async def test_the_list_is_read_an_hour_behind_where_the_last_one_began(watched: Bench, tmp_path: Path) -> None:
    """It is not written in an instant: what changed meanwhile may be missing in it, and stands in the next one."""
    stranger, newest, path = numbered_orcid(7_000_000), datetime(2099, 1, 2, tzinfo=UTC), tmp_path / "list.csv"
    path.write_text(listing((stranger, newest)))
    await sweep_file(watched.database, str(path))
    path.write_text(
        listing((stranger, newest), (OTHER, newest - MARGIN), (THIRD, newest - MARGIN - timedelta(seconds=1)))
    )

    counts = await sweep_file(watched.database, str(path))

    assert counts == {"lines": 2, "due": 1}
    assert await due(watched) == [OTHER]


@pytest.mark.invariant("L3")
@pytest.mark.parametrize(
    ("later_by", "behind"),
    [(timedelta(seconds=-1), False), (timedelta(), False), (timedelta(seconds=1), True)],
    ids=["read later", "read as it is", "read before"],
)
async def test_who_was_read_since_is_not_read_again(
    watched: Bench, tmp_path: Path, later_by: timedelta, *, behind: bool
) -> None:
    changed_at = datetime(2099, 1, 2, tzinfo=UTC)
    await watched.connection.execute(
        "update orcid_sync.queue set registry_modified_ms = $2 where orcid = $1",
        *(OTHER, round((changed_at - later_by).timestamp() * 1000)),
    )
    path = tmp_path / "list.csv"
    path.write_text(listing((OTHER, changed_at)))

    assert (await sweep_file(watched.database, str(path)))["due"] == behind
    assert await due(watched) == [OTHER] * behind


async def test_who_was_never_read_is_behind_and_who_is_not_connected_is_not(watched: Bench, tmp_path: Path) -> None:
    await watched.connection.execute(
        "update orcid_sync.queue set registry_modified_ms = null where orcid = any($1)", [OTHER, THIRD]
    )
    await watched.disconnect(THIRD)
    await settled(watched)
    path = tmp_path / "list.csv"
    path.write_text(listing(*((orcid, datetime(2099, 1, 1, tzinfo=UTC)) for orcid in (OTHER, THIRD))))

    await sweep_file(watched.database, str(path))

    assert await due(watched) == [OTHER]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\x1f\x8bnonsense", "is damaged"),
        (b"a,b\n1,2\n", "must name the columns"),
        (None, "cannot be read"),
    ],
)
async def test_a_bad_list_is_named(watched: Bench, tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "list.csv"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ModifiedFileUnusable, match=complaint):
        await sweep_file(watched.database, str(path))

    async with asyncio.timeout(5):
        assert await safety_nets.lease(watched.connection, "file") is not None, "the net is given back"


async def test_a_line_that_says_nothing_is_passed_over(watched: Bench, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    lines = ["orcid, path, date_created, last_modified", "nobody, , , 2099-01-01 00:00:00", f"{O}, , , never"]
    path.write_text("\n".join([*lines, f"{OTHER}, , , 2099-01-01 00:00:00"]))

    await sweep_file(watched.database, str(path))

    assert await due(watched) == [OTHER]


async def test_known_changes_share_a_question_and_are_not_forgotten_when_it_fails(
    watched: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found again because of what was read an hour ago; one of them has changed once more since."""
    monkeypatch.setattr("orcid_sync.registry.search.SINCE_SIZE", 1)
    for orcid in (O, OTHER, THIRD):
        await edit(watched, orcid)
        await watched.check(orcid)
    await edit(watched, O)

    def refuse(*_: object, **__: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as failing:
        failing.setattr("orcid_sync.service.sync.safety_nets.search.each_since_request", refuse)
        with pytest.raises(Unavailable):
            await search(watched)
    counts = await search(watched)

    assert counts == {"searches": 1 + 3 + 1, "found": 3, "due": 1}
    assert await due(watched) == [O]
