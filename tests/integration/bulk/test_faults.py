"""Loading from files while others work on the same database, and while it fails."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from integration.bulk.archives import SPREAD, Files, archive, person, work
from orcid_sync.bulk import batches, workers
from orcid_sync.bulk.load import WorkerLost, load
from orcid_sync.bulk.sources import open_source
from orcid_sync.bulk.write import Plan
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.pools import DatabaseUnavailable, connect
from orcid_sync.store.sync import queue
from rig.proxy import Proxy
from rig.service.command_line import Cli, process_environment

PLAN = Plan(everything=True, dry=False, spread=SPREAD)


@pytest.fixture
def files(dsn: str, connection: asyncpg.Connection) -> Files:
    return Files(dsn, connection)


@pytest.fixture
def ids(sample_orcids: Callable[[int], list[Orcid]]) -> list[Orcid]:
    return sample_orcids(40)


@pytest.fixture
def whole(ids: list[Orcid], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of forty records, read in batches of four."""
    monkeypatch.setattr(batches, "UNITS", 4)
    return archive(tmp_path / "whole.tar.gz", {orcid: person(orcid, work(1)) for orcid in ids})


@contextlib.asynccontextmanager
async def held_up(dsn: str, table: str) -> AsyncIterator[asyncpg.Connection]:
    """Nobody gets at a table."""
    async with connect(dsn) as other, other.transaction():
        await other.execute(f"lock table {table} in access exclusive mode")
        yield other


async def waits_for_a_lock(connection: asyncpg.Connection) -> bool:
    """Whether somebody waits for a lock in this database."""
    query = (
        "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"
    )
    waiting: bool = await connection.fetchval(query)
    return waiting


async def test_notifications_are_marked_while_their_records_are_loaded(
    files: Files, ids: list[Orcid], tmp_path: Path, wait_until: Any
) -> None:
    """The promise to ORCID does not wait for a batch (F26), and is kept after it: what came meanwhile is read."""
    await files.connect(*ids[:4])
    path = archive(tmp_path / "a", {orcid: person(orcid) for orcid in ids[:4]})
    async with held_up(files.dsn, "orcid.names"), asyncio.timeout(10):
        loading = asyncio.create_task(files.load(path))
        async with connect(files.dsn) as other:
            await wait_until(lambda: waits_for_a_lock(other))
            assert await queue.mark_due(other, [ids[0]], lane=Lane.NOTIFICATION) == [ids[0]]
            assert await queue.lease_due(other, limit=9, lease=timedelta(minutes=1)) == [], "nobody reads them now"

    assert await loading == {"loaded": 4}
    rows = await files.queue()
    assert (rows[ids[0]]["lane"], rows[ids[0]]["due_in"] < timedelta()) == (Lane.NOTIFICATION, True)
    assert rows[ids[0]]["gen"] > rows[ids[0]]["leased_gen"]
    assert rows[ids[1]]["lane"] == Lane.SWEEP


async def test_who_is_connected_in_the_same_second_is_followed_properly(
    files: Files, ids: list[Orcid], tmp_path: Path, wait_until: Any
) -> None:
    """The record was about to be written as that of somebody whom nobody follows: it is begun again, with a lease."""
    path = archive(tmp_path / "a", {orcid: person(orcid) for orcid in ids[:4]})
    async with held_up(files.dsn, "orcid.names"):
        loading = asyncio.create_task(files.load(path, everything=True))
        async with connect(files.dsn) as other:
            await wait_until(lambda: waits_for_a_lock(other))
            await connections.connect_orcids(other, [Entry(orcid=ids[0])])

    assert await loading == {"loaded": 4}
    row = (await files.queue())[ids[0]]
    assert (row["lane"], row["lease_no"], row["applied_lease_no"]) == (Lane.SWEEP, 1, 1)
    assert len([line for line in await files.feed() if line["section"] == "record"]) == 4, "said once"


@pytest.mark.fault("F79")
@pytest.mark.invariant("S6", "S7")
async def test_the_same_file_twice_at_the_same_time_is_written_once(
    files: Files, dsn: str, ids: list[Orcid], whole: Path
) -> None:
    await files.connect(*ids[:20])
    async with connect(dsn) as second:
        counts = await asyncio.gather(
            files.load(whole, everything=True), Files(dsn, second).load(whole, everything=True)
        )

    assert sum(one.get("loaded", 0) for one in counts) == 40
    assert all("bad" not in one for one in counts)
    feed = await files.feed()
    assert [line["seq"] for line in feed] == list(range(1, 121))
    assert len({(line["orcid"], line["section"]) for line in feed}) == 120


@pytest.mark.fault("F78")
@pytest.mark.parametrize("everything", ["all", "connected"])
async def test_a_full_disk_stops_the_load_which_goes_on_when_there_is_room(
    files: Files, ids: list[Orcid], whole: Path, cli: Cli, everything: str
) -> None:
    """Whatever was loaded before stays, the leases are given back, and a sentence says what to do."""
    await files.connect(*ids)
    options = ["--all"] if everything == "all" else []
    await files.connection.execute(
        f"""
        create function full_disk() returns trigger language plpgsql as $$
          begin raise exception 'no space left' using errcode = 'disk_full'; end $$;
        create trigger full_disk before insert on orcid.records for each row
          when (new.orcid > '{ids[19]}') execute function full_disk()
        """
    )

    result = await cli.apart("bootstrap", str(whole), "--processes", "1", *options)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].startswith(
        "The database failed: the server is out of disk space, memory or connections"
    )
    assert result.stderr.endswith(
        "What was loaded stays. Fix the cause, then run the same command again: it continues from there.\n"
    )
    assert await files.connection.fetchval("select count(*) from orcid.records") > 0
    assert not any(row["leased"] for row in (await files.queue()).values())

    await files.connection.execute("drop trigger full_disk on orcid.records")
    result = await cli.apart("bootstrap", str(whole), "--json", *options)
    assert result.exit_code == 0
    assert await files.connection.fetchval("select count(*) from orcid.records") == 40


@pytest.mark.fault("F05", "F06")
async def test_a_connection_that_is_cut_is_made_again(
    files: Files, dsn: str, ids: list[Orcid], tmp_path: Path, wait_until: Any
) -> None:
    path = archive(tmp_path / "a", {orcid: person(orcid) for orcid in ids})
    async with held_up(dsn, "orcid.names") as other:
        loading = asyncio.create_task(files.load(path, everything=True))
        async with connect(dsn) as watch:
            await wait_until(lambda: waits_for_a_lock(watch))
        await other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' "
            "and datname = current_database()"
        )
    assert await loading == {"loaded": 40}


async def test_a_database_that_is_away_ends_the_load_in_a_sentence(
    files: Files, ids: list[Orcid], whole: Path, proxy: Proxy, cli_on: Callable[[str], Cli]
) -> None:
    await files.connect(*ids)
    plan = Plan(everything=False, dry=False, spread=SPREAD)
    async with connect(proxy.dsn) as connection:
        with open_source(whole) as source, pytest.raises(DatabaseUnavailable):
            async with workers.here(proxy.dsn, plan) as loads:
                await load(connection, source, plan, loads, ahead=1, report=lambda stand: cut_after(proxy, stand, 8))

    done = await files.connection.fetchval("select count(*) from orcid.records")
    assert 0 < done < 40
    await files.connection.execute("update orcid_sync.queue set lease_until = '-infinity'")  # a while later
    assert (await files.tally(whole)).counts["loaded"] == 40 - done


def cut_after(proxy: Proxy, stand: Any, number: int) -> None:
    """Cut the network as soon as so many records are loaded."""
    if stand.tally.counts["loaded"] >= number:
        proxy.cut()


async def test_a_load_goes_on_where_it_was_interrupted(files: Files, ids: list[Orcid], whole: Path) -> None:
    """What was dealt with is not even parsed again; a load that came to its end begins anew."""

    def interrupt(stand: Any) -> None:
        if stand.tally.counts["loaded"] >= 12:
            raise KeyboardInterrupt

    with open_source(whole) as source, pytest.raises(KeyboardInterrupt):
        async with workers.here(files.dsn, PLAN) as loads:
            await load(files.connection, source, PLAN, loads, ahead=1, report=interrupt)

    counts = await files.load(whole, everything=True)
    assert files.reports[0].files == 12, "where it went on"
    assert counts["loaded"] >= 20, "of the rest a batch or two may have been written, but not yet noted"
    assert sum(counts.values()) == 28
    assert await files.load(whole, everything=True) == {"current": 40}


async def test_who_was_connected_since_the_interruption_is_not_passed_over(
    files: Files, ids: list[Orcid], whole: Path
) -> None:
    await files.connect(*ids[10:])
    plan = Plan(everything=False, dry=False, spread=SPREAD)

    def interrupt(stand: Any) -> None:
        if stand.tally.counts["loaded"] >= 12:
            raise KeyboardInterrupt

    with open_source(whole) as source, pytest.raises(KeyboardInterrupt):
        async with workers.here(files.dsn, plan) as loads:
            await load(files.connection, source, plan, loads, ahead=1, report=interrupt)
    await files.connect(*ids[:10])
    await files.connection.execute("update orcid_sync.queue set lease_until = '-infinity'")  # a while later

    counts = await files.load(whole)

    assert files.reports[0].files == 0, "it is another load than before"
    assert counts["loaded"] + counts["current"] == 40
    assert await files.connection.fetchval("select count(*) from orcid.records") == 40


def processes_of(parent: int) -> list[int]:
    """The children of a process."""
    path = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_a_killed_load_leaves_no_process_and_no_half_of_anything(
    files: Files, dsn: str, sample_orcids: Callable[[int], list[Orcid]], tmp_path: Path, wait_until: Any
) -> None:
    people = sample_orcids(3_000)
    await files.connect(*people[:1_500])
    records = {orcid: person(orcid, *(work(n) for n in range(1, 6))) for orcid in people}
    path = archive(tmp_path / "many.tar.gz", records)
    environment = process_environment(DATABASE_URL=dsn)
    command = [sys.executable, "-m", "orcid_sync", "bootstrap", "--all", str(path), "--processes", "2"]
    running = await asyncio.create_subprocess_exec(*command, env=environment)
    await wait_until(lambda: files.connection.fetchval("select count(*) > 400 from orcid.records"), 60)
    children = processes_of(running.pid)
    running.kill()
    await running.wait()

    assert children
    await wait_until(lambda: not any(Path(f"/proc/{pid}/stat").exists() for pid in children), 20)
    await wait_until(
        lambda: files.connection.fetchval(
            "select count(*) = 0 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        ),
        20,
    )
    done = await files.connection.fetchval("select count(*) from orcid.records")
    assert 0 < done < 3_000
    assert await files.connection.fetchval("select count(*) from orcid.works") == 5 * done

    # The leases of what was under way lapse by themselves; here time passes.
    await files.connection.execute("update orcid_sync.queue set lease_until = '-infinity'")
    again = await asyncio.create_subprocess_exec(*command, env=environment)
    assert await again.wait() == 0

    assert await files.connection.fetchval("select count(*) from orcid.works") == 15_000
    feed = "select count(*), max(seq), count(distinct (orcid, section, key)) from orcid.changes"
    said = tuple(await files.connection.fetchrow(feed) or ())
    assert said == (3_000 * 7,) * 3, "each change was said once, and none is missing"
    assert {row["lane"] for row in (await files.queue()).values()} == {Lane.SWEEP}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_a_process_that_is_killed_ends_the_load_in_a_sentence(
    files: Files, ids: list[Orcid], whole: Path
) -> None:
    def kill(_stand: Any) -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGKILL)

    with open_source(whole) as source, pytest.raises(WorkerLost, match="the memory was too small"):
        async with workers.processes(files.dsn, PLAN, 1) as loads:
            await load(files.connection, source, PLAN, loads, ahead=1, report=kill)
    await files.load(whole, everything=True)
    assert await files.connection.fetchval("select count(*) from orcid.records") == 40
