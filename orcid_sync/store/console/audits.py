"""Audits: what a sample is drawn from, and the series of their results."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from orcid_sync.model.analysis.audit import Finding, Share, Verdict
from orcid_sync.model.ids import Orcid
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a record stands in the queue."""

    verified_at: datetime | None
    registry_modified_ms: int | None
    """ORCID's date of the record as it was read last."""
    due: bool
    """Something has asked for a read of it already."""


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one audit."""

    id: int
    started_at: datetime
    finished_at: datetime
    sampled: int
    verdicts: dict[str, int]
    share: float | None
    """Share of the identical records among those that ORCID gave."""
    low: float | None
    high: float | None
    """Its 95 % confidence interval."""


async def draw(connection: AnyConnection, size: int) -> dict[Orcid, datetime]:
    """At most so many connected iDs by chance, with the moment at which they were drawn."""
    return {row["orcid"]: row["drawn_at"] async for row in load_queries(__file__).sample(connection, size=size)}


async def standing(connection: AnyConnection, orcid: Orcid) -> Standing | None:
    """How a record stands; None if the iD was forgotten meanwhile."""
    row = await load_queries(__file__).standing(connection, orcid=orcid)
    return None if row is None else Standing(**row)


async def add(
    connection: AnyConnection,
    *,
    started_at: datetime,
    verdicts: Mapping[Verdict, int],
    share: Share | None,
    findings: Sequence[Finding],
) -> int:
    """Keep the result of an audit; `findings` are those that are worth keeping. Returns its number."""
    number: int = await load_queries(__file__).add(
        connection,
        started_at=started_at,
        sampled=sum(verdicts.values()),
        verdicts=msgspec.json.encode(verdicts),
        share=share and share.share,
        low=share and share.low,
        high=share and share.high,
        findings=msgspec.json.encode(findings),
    )
    return number


async def last(connection: AnyConnection, limit: int) -> list[Audit]:
    """The latest results, the newest first."""
    rows = load_queries(__file__).last(connection, limit=limit)
    return [Audit(**{**row, "verdicts": msgspec.json.decode(row["verdicts"])}) async for row in rows]
