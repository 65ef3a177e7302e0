"""Organisations and what else they are called by, loaded as a whole from ROR's dump."""

from collections.abc import Iterable
from itertools import chain, islice

import msgspec

from orcid_sync.model.analysis.ror import Organisation, OrganisationId
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.sync import job_runs

JOB = "organisations"
"""What a load is called among the runs."""

_BATCH = 1_000

_queries = load_queries(__file__)


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a load has brought."""

    organisations: int
    identifiers: int
    unknown: list[tuple[str, str, str]]
    """Scheme, id and ROR id of lines of the mapping whose organisation the dump does not have."""


class Known(msgspec.Struct, frozen=True):
    """How many of the organisations that items name by a scheme have a ROR id."""

    scheme: str
    items: int
    known: int


async def replace(
    connection: AnyConnection,
    dump: Iterable[tuple[Organisation, list[OrganisationId]]],
    mapping: Iterable[OrganisationId] = (),
) -> Loaded:
    """Put these in the place of all that were loaded before, in one transaction. Whatever the dump raises ends it."""
    run = await job_runs.begin(connection, JOB)
    try:
        async with connection.transaction():
            loaded = await _replace(connection, dump, mapping)
    except Exception as error:
        await job_runs.finish(connection, run, error=type(error).__name__)
        raise
    counts = {"organisations": loaded.organisations, "identifiers": loaded.identifiers}
    await job_runs.finish(connection, run, outcome=counts)
    return loaded


async def known(connection: AnyConnection) -> list[Known]:
    """How much of what the mirror names is known, by scheme."""
    return [Known(**row) async for row in _queries.known(connection)]


async def _replace(
    connection: AnyConnection,
    dump: Iterable[tuple[Organisation, list[OrganisationId]]],
    mapping: Iterable[OrganisationId],
) -> Loaded:
    await _queries.begin_replacement(connection)
    await _queries.forget_identifiers(connection)
    await _queries.forget_organisations(connection)
    organisations = 0
    rest = iter(dump)
    while batch := list(islice(rest, _BATCH)):
        organisations += len(batch)
        await _copy(connection, "orcid.organisations", [one for one, _ in batch])
        await _copy(connection, "orcid_sync.loaded_organisation_ids", chain.from_iterable(ids for _, ids in batch))
    await _copy(connection, "orcid_sync.loaded_organisation_ids", mapping)
    unknown = [(row["scheme"], row["id"], row["ror"]) async for row in _queries.unknown(connection)]
    identifiers: int = await _queries.take_identifiers(connection)
    await _queries.end_replacement(connection)
    return Loaded(organisations=organisations, identifiers=identifiers, unknown=unknown)


async def _copy(connection: AnyConnection, table: str, rows: Iterable[Organisation | OrganisationId]) -> None:
    """COPY rows whose fields are the columns of the table."""
    schema, name = table.split(".")
    rows = list(rows)
    if rows:
        columns = type(rows[0]).__struct_fields__
        records = [msgspec.structs.astuple(row) for row in rows]
        await connection.copy_records_to_table(name, schema_name=schema, columns=columns, records=records)
