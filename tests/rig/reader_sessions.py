"""Sessions of those who read the database with roles of their own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

PASSWORD = "only for readers of tests"

Sessions = dict[str, asyncpg.Connection]
"""Connections by the name of the login."""


@asynccontextmanager
async def logins(dsn: str, **memberships: str | None) -> AsyncIterator[Sessions]:
    """A session for each name, logged in as a new role that is a member of the role named, or of none."""
    async with AsyncExitStack() as stack:
        admin = await asyncpg.connect(dsn)
        stack.push_async_callback(admin.close)
        suffix = await admin.fetchval("select current_database()")
        sessions = {}
        for name, group in memberships.items():
            role = f"{name}_{suffix}"
            await admin.execute(f"create role {role} login password '{PASSWORD}'")
            stack.push_async_callback(_drop, admin, role)
            if group:
                await admin.execute(f"grant {group} to {role}")
            sessions[name] = await asyncpg.connect(dsn, user=role, password=PASSWORD)
            stack.push_async_callback(sessions[name].close)
        yield sessions


async def _drop(admin: asyncpg.Connection, role: str) -> None:
    await admin.execute(f"drop owned by {role}")
    await admin.execute(f"drop role {role}")
