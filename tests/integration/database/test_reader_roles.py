"""Reading for others: as the roles of readers, or not at all."""

import pytest

from orcid_sync.model.scopes import View
from orcid_sync.store.database.pools import Database, DatabaseRefused, DatabaseUnavailable
from orcid_sync.store.database.roles import ROLES, viewing
from rig.records.mirror import apply_record
from rig.records.sample_record import ORCID, encode, full_forms, rich_record

pytestmark = [pytest.mark.invariant("S13"), pytest.mark.fault("F68")]

VISIBLE = "select distinct visibility from orcid.items order by 1"


async def test_a_view_sees_what_its_role_sees_and_writes_nothing(database: Database) -> None:
    record = rich_record()
    await apply_record(database.worker, encode(record), full_forms(), access="read-limited")
    seen = {}
    for view, role in ROLES.items():
        async with viewing(database.reader, view) as connection:
            assert await connection.fetchval("select current_user") == role
            seen[view] = [row["visibility"] for row in await connection.fetch(VISIBLE)]
        with pytest.raises(DatabaseUnavailable, match="read-only"):
            async with viewing(database.reader, view) as connection:
                await connection.execute("delete from orcid.works")
        with pytest.raises(DatabaseRefused):
            async with viewing(database.reader, view) as connection:
                await connection.fetch("select * from orcid_sync.tokens")
    assert seen == {View.PUBLIC: ["public"], View.LIMITED: ["limited", "public"]}
    async with database.reader.acquire() as connection:  # whoever comes next is the service again
        assert await connection.fetchval("select count(*) from orcid.items where orcid = $1", ORCID) > 0
        assert await connection.fetchval("select current_user = session_user")
