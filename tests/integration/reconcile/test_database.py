"""Reconciling while PostgreSQL has trouble: nothing is half written, and the iD is tried again."""

from datetime import timedelta

import pytest

from orcid_sync.store.database.pools import DatabaseUnavailable
from rig.service.reconciler import Bench, O


@pytest.mark.fault("F78", "F79")
@pytest.mark.invariant("S5", "S14")
@pytest.mark.parametrize("error", ["disk_full", "deadlock_detected", "serialization_failure"])
async def test_a_database_that_cannot_take_the_changes_is_tried_again_later(bench: Bench, error: str) -> None:
    await bench.connect()
    await bench.turn()
    before, head = await bench.mirror(), await bench.head()
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    await bench.connection.execute(
        f"create function refuse() returns trigger language plpgsql as $$begin raise {error}; end$$"
    )
    await bench.connection.execute("create trigger refusing before insert on orcid.changes execute function refuse()")

    assert await bench.notified() == "failed"

    assert (await bench.mirror(), await bench.head()) == (before, head)
    row = await bench.row()
    assert row["done_gen"] < row["gen"]
    assert row["last_error"].startswith("database")
    assert await bench.due_in() > timedelta(seconds=1)  # not at once: each try asks the Registry
    await bench.connection.execute("drop trigger refusing on orcid.changes")
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F75")
@pytest.mark.invariant("S5")
async def test_a_connection_lost_while_writing_leaves_nothing(bench: Bench) -> None:
    await bench.connect()
    await bench.connection.execute(
        "create function die() returns trigger language plpgsql as "
        "$$begin perform pg_terminate_backend(pg_backend_pid()); return null; end$$"
    )
    await bench.connection.execute("create trigger dying before insert on orcid.changes execute function die()")

    outcome = await bench.turn()

    assert outcome == "failed"
    assert await bench.connection.fetchval("select count(*) from orcid.items") == 0
    await bench.connection.execute("drop trigger dying on orcid.changes")
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F83")
@pytest.mark.invariant("S5", "L1")
async def test_a_column_added_meanwhile_does_not_stop_the_work(bench: Bench) -> None:
    """Prepared statements of old connections no longer fit (InvalidCachedStatementError)."""
    await bench.connect()
    await bench.turn()
    for number, table in enumerate(("orcid_sync.queue", "orcid.works", "orcid.keywords", "orcid_sync.connections")):
        await bench.connection.execute(f"alter table {table} add column added_{number} text")
        bench.registry.edit.add_item(O, "keyword", {"content": table})
        await bench.notify()
        for _ in range(4):
            try:
                if await bench.turn() == "changed":
                    break
            except DatabaseUnavailable:
                pass
            await bench.pass_time(timedelta(minutes=2))

    await bench.assert_mirrored()
