"""The README's SQL examples run, and find something, on a mirror of lifelike records."""

import re
from pathlib import Path

import msgspec

from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.pools import Database
from rig.records.mirror import apply_record

README = Path(__file__).parents[3] / "README.md"
EXAMPLES = re.findall(r"```sql\n-- (\d+)\. ([^\n]+)\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
KNOWN = "0000-0002-1825-0097"


async def mirror_samples(database: Database) -> str:
    """Mirror forty sample records; returns the iD of one of them."""
    sim = SimulatedRegistry()
    orcids = sim.add_samples(40)
    token = sim.desk.issue(CLIENT_ID, ["/read-public"]).text
    for orcid in orcids:
        await apply_record(database.worker, msgspec.json.encode(sim.view(orcid, token)))
    # Two people who claim the same work.
    first, second = (sim.view(orcid, token) for orcid in orcids[:2])
    second["activities-summary"]["works"] = first["activities-summary"]["works"]
    await apply_record(database.worker, msgspec.json.encode(second))
    async with database.worker.acquire() as connection:
        await connections.connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
        await connection.execute("update orcid_sync.queue set verified_at = now()")
        await connection.execute("update orcid.changes set at = at - interval '2 days'")
    return orcids[0]


def test_the_readme_has_ten_examples() -> None:
    assert [int(number) for number, _, _ in EXAMPLES] == list(range(1, 11))


async def test_each_example_finds_something(database: Database) -> None:
    orcid = await mirror_samples(database)

    async with database.reader.acquire() as connection:
        found = {title: len(await connection.fetch(sql.replace(KNOWN, orcid))) for _, title, sql in EXAMPLES}

    assert [title for title, rows in found.items() if rows == 0] == []
