"""Whether this database can be worked with right now."""

import asyncpg

from orcid_sync.store.database.migrate import SchemaState, status
from orcid_sync.store.database.pools import AnyConnection, transaction
from orcid_sync.store.database.queries import load_queries

# A newer release may have migrated already while this one still runs: migrations only add (fault F83).
_USABLE = {SchemaState.CURRENT, SchemaState.AHEAD}


async def database_problem(pool: asyncpg.Pool) -> str | None:
    """Why the database cannot take our writes, in words for an operator; None if it can.

    Writes nothing: asked every few seconds by every probe of every replica. A pool that led to a server which has
    become read-only is renewed, so that the next question finds the new primary. Raises DatabaseUnavailable.
    """
    async with transaction(pool) as connection:
        writable = await load_queries(__file__).server_writable(connection)
        schema = await status(connection)
        problem = await role_problem(connection) if schema.state in _USABLE else schema.explanation
    if not writable:
        await pool.expire_connections()
        return "the database is read-only"
    return problem


async def role_problem(connection: AnyConnection) -> str | None:
    """Why we cannot work as the role that we are logged in as, in words for an operator; None if we can (fault F68)."""
    if await load_queries(__file__).rows_hidden(connection):
        return "row security applies to the service: let it log in as the owner of the schemas, or with BYPASSRLS"
    return None
