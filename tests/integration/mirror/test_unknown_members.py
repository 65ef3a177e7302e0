"""Members that ORCID adds are noticed while reading, told of once, and acknowledged."""

import asyncio
from collections.abc import Callable

import pytest

from orcid_sync.daemon import serve
from orcid_sync.model.record.unknown_members import Unknown
from orcid_sync.service.record.unknown_members import DriftWatch
from orcid_sync.store.mirror import unknown_members
from rig.service.command_line import Cli
from rig.service.reconciler import OTHER, Bench

NEW = b'"content":"tides","tide-table":{"of":"kestrel"}'


@pytest.fixture
def watch(bench: Bench) -> DriftWatch:
    """What the reconciliations of this test see."""
    watch = DriftWatch()
    composed = serve._reconciler(
        bench.settings, bench.database, bench.reconciler.registry, bench.vault, bench.metrics, watch
    )
    bench.reconciler = composed
    return watch


def grow(bench: Bench, old: bytes, new: bytes) -> None:
    """From now on the Registry says more."""
    answer: Callable[..., bytes] = bench.registry.world.answerer.answer

    def grown(*arguments: object, **options: object) -> bytes:
        return answer(*arguments, **options).replace(old, new)

    bench.registry.world.answerer.answer = grown  # type: ignore[method-assign]


async def test_only_what_changed_is_looked_at(bench: Bench, watch: DriftWatch) -> None:
    await bench.connect(OTHER)
    assert await bench.turn(OTHER) == "changed"
    assert await watch.write(bench.database) == {"members": 0}
    bench.registry.edit.add_item(OTHER, "keyword", {"content": "tides"})
    grow(bench, b'"content":"tides"', NEW)

    await bench.notified(OTHER)
    await bench.check(OTHER)
    await watch.write(bench.database)

    (member,) = await unknown_members.list_members(bench.connection)
    assert (member.name, member.kind, member.times) == ("keyword.tide-table", "object", 1)
    assert "kestrel" not in str(await bench.connection.fetch("select * from orcid_sync.unknown_members"))


async def test_full_forms_are_looked_at(bench: Bench, watch: DriftWatch) -> None:
    await bench.connect(OTHER)
    grow(bench, b'"short-description":', b'"plain-summary":"x","short-description":')

    await bench.turn(OTHER)
    await watch.write(bench.database)

    found = [(member.name, member.times) for member in await unknown_members.list_members(bench.connection)]
    assert found == [("funding.plain-summary", 1), ("work.plain-summary", 3)]


async def test_what_cannot_be_written_is_kept(bench: Bench, behind_its_back: Callable[..., None]) -> None:
    watch, seen = DriftWatch(), [Unknown("work", "a", "null")]
    watch.note(seen)
    behind_its_back("alter table orcid_sync.unknown_members rename to away")
    with pytest.raises(Exception, match="refused"):
        await watch.write(bench.database)
    behind_its_back("alter table orcid_sync.away rename to unknown_members")
    watch.note(seen)

    await watch.write(bench.database)

    (member,) = await unknown_members.list_members(bench.connection)
    assert member.times == 2


async def test_a_type_is_learnt_when_there_is_a_value(bench: Bench) -> None:
    for kind in ("null", "string", "null"):
        await unknown_members.note(bench.connection, {Unknown("work", "a", kind): 1})

    (member,) = await unknown_members.list_members(bench.connection)
    assert (member.kind, member.times) == ("string", 3)


async def test_the_list_has_an_end(bench: Bench) -> None:
    await unknown_members.note(
        bench.connection, {Unknown("work", f"a{number}", "null"): 1 for number in range(unknown_members.MOST)}
    )
    await unknown_members.note(bench.connection, {Unknown("work", "b", "null"): 1, Unknown("work", "a1", "null"): 1})

    members = {member.path: member.times for member in await unknown_members.list_members(bench.connection)}
    assert len(members) == unknown_members.MOST
    assert "b" not in members
    assert members["a1"] == 2


async def test_news_is_told_until_somebody_knows(bench: Bench, cli: Cli) -> None:
    await unknown_members.note(bench.connection, {Unknown("work", name, "string"): 2 for name in ("a", "b")})

    before = (await cli.apart("status")).stdout
    listed = (await cli.apart("drift", "list")).stdout
    acknowledged = await cli.apart("drift", "acknowledge", "work.a")
    between = (await cli.apart("status")).stdout
    again = await cli.apart("drift", "acknowledge", "work.a")
    rest = await asyncio.to_thread(cli.json, "drift", "acknowledge", "--all")
    after = (await cli.apart("status")).stdout
    everything = await asyncio.to_thread(cli.json, "drift", "list", "--all")

    assert "members without a column: work.a, work.b." in before
    assert "work.a" in listed
    assert acknowledged.exit_code == 0
    assert "members without a column: work.b." in between
    assert (again.exit_code, rest) == (1, {"acknowledged": ["work.b"]})
    assert "without a column" not in after
    assert [one["name"] for one in everything] == ["work.a", "work.b"]
    assert (
        await cli.apart("drift", "list")
    ).stdout == "There are no unknown members: this version knows all that ORCID sends.\n"


@pytest.mark.parametrize("arguments", [(), ("work.a", "--all")])
def test_acknowledging_needs_a_word_which(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli("drift", "acknowledge", *arguments).exit_code == 2
