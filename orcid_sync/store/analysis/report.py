"""The figures of a report, at one moment of the mirror."""

from collections.abc import Collection
from typing import Any

import msgspec

from orcid_sync.model.analysis.report_figures import (
    Adoption,
    Changes,
    Coverage,
    Freshness,
    Funder,
    Invitations,
    Month,
    Period,
    Works,
)
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)


class Mirrored(msgspec.Struct, frozen=True, kw_only=True):
    """What the present role may see of the mirror."""

    records: int
    active: int
    employed: int | None
    coverage: list[Coverage]
    works: list[Works]
    changes: list[Changes]
    people_with_changes: int
    funders: list[Funder]
    freshness: Freshness


async def adoption(connection: AnyConnection, period: Period) -> Adoption:
    """Who is followed. Needs the rights of the schemas' owner."""
    bounds = {"since": period.since, "until": period.until}
    months = [Month(**row) async for row in _queries.adoption(connection, **bounds)]
    counts = await _queries.permission(connection)
    invited = await _queries.invitations(connection, **bounds)
    return Adoption(months, counts["connected"], counts["with_permission"], Invitations(**invited))


async def mirrored(connection: AnyConnection, period: Period, rors: Collection[str]) -> Mirrored:
    """What the mirror says; `rors` are the ids of the institution."""
    bounds = {"since": period.since, "until": period.until}
    counts = await _queries.records(connection)
    return Mirrored(
        records=counts["records"],
        active=counts["active"],
        employed=await _queries.employed(connection, rors=list(rors)) if rors else None,
        coverage=await _rows(Coverage, _queries.coverage(connection)),
        works=await _rows(Works, _queries.works(connection)),
        changes=await _rows(Changes, _queries.changes(connection, **bounds)),
        people_with_changes=await _queries.people_with_changes(connection, **bounds),
        funders=await _rows(Funder, _queries.funders(connection)),
        freshness=Freshness(**await _queries.freshness(connection)),
    )


async def _rows(kind: Any, found: Any) -> list[Any]:
    return [kind(**row) async for row in found]
