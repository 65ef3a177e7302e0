"""A record that came from a file, read by the service later: what that costs, and what it still finds."""

from pathlib import Path

from integration.bulk.archives import Files
from orcid_sync.model.sync.schedule import Lane
from rig.service.reconciler import LIMITED, OTHER, Bench, O


async def loaded(bench: Bench, folder: Path, *, activities: bool) -> Files:
    """Both records of the Registry, loaded from its data file."""
    files = Files(bench.database.dsn, bench.connection)
    summaries = bench.registry.write_data_file(folder, activities=activities)
    assert (await files.load(summaries))["loaded"] == await bench.connection.fetchval(
        "select count(*) from orcid_sync.connections"
    )
    for path in sorted(folder.glob("*activities*")):  # noqa: ASYNC240 - eleven names
        await files.load(path)
    return files


async def test_with_the_full_activities_it_is_one_request_that_finds_nothing(bench: Bench, tmp_path: Path) -> None:
    await bench.connect(OTHER)
    files = await loaded(bench, tmp_path, activities=True)
    head, before = await bench.head(), await bench.mirror(OTHER)
    bench.reads.clear()

    assert await bench.check(OTHER) == "unchanged"

    assert [target.endpoint for target in bench.reads.targets] == ["record"]
    assert await bench.head() == head
    assert await bench.mirror(OTHER) == before
    row = (await files.queue())[OTHER]
    assert row["verified_at"] is not None
    assert (row["gen"], row["lane"]) == (row["done_gen"], Lane.CHECK)
    assert await bench.webhook_rows(OTHER) == ["active"]
    await bench.assert_mirrored(OTHER)


async def test_without_them_only_the_full_forms_are_news(bench: Bench, tmp_path: Path) -> None:
    await bench.connect(OTHER)
    await loaded(bench, tmp_path, activities=False)
    head = await bench.head()

    assert await bench.check(OTHER) == "changed"

    lines = await bench.changes(head)
    assert {(line["op"], line["cause"]) for line in lines} == {("updated", "first-load")}
    assert all("detail_modified_at" in line["fields"] for line in lines)
    await bench.assert_mirrored(OTHER)


async def test_what_happened_since_the_file_is_found(bench: Bench, tmp_path: Path) -> None:
    await bench.connect(OTHER)
    await loaded(bench, tmp_path, activities=True)
    await bench.registry.advance(60)
    bench.registry.edit.add_item(OTHER, "keyword", {"content": "new since"})
    head = await bench.head()

    assert await bench.check(OTHER) == "changed"

    lines = await bench.changes(head)
    assert [(line["op"], line["section"], line["cause"]) for line in lines] == [("added", "keyword", "first-load")]
    await bench.assert_mirrored(OTHER)


async def test_with_the_holders_token_the_rest_follows_as_ever(bench: Bench, tmp_path: Path) -> None:
    token = await bench.connect(O, scopes=LIMITED)
    await loaded(bench, tmp_path, activities=True)
    assert (await bench.due_in(O)).total_seconds() <= 0, "it is not put off"

    assert await bench.turn(O) == "changed"

    await bench.assert_mirrored(O, token)
    assert await bench.number("limited") > 0
    assert (await bench.record(O))["access"] == "read-limited"
