"""The scheduled sweeps over the queue and the runs; each returns how many rows it touched."""

from datetime import timedelta

from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

AT_ONCE = 1000
"""Rows that one sweep touches at most; the next one goes on."""

WEBHOOKS_AT_ONCE = 5_000
"""iDs that wait for work on their webhooks, at most: with their reads some ten minutes of ORCID's limit."""


async def mark_for_webhooks(connection: AnyConnection, *, overlap: timedelta) -> int:
    """Make due those whose webhooks at ORCID are not what they should be; few enough that others keep their pace.

    `overlap` is how long an iD's new webhook stands before its older one goes.
    """
    marked = load_queries(__file__).mark_for_webhooks(connection, overlap=overlap, limit=WEBHOOKS_AT_ONCE)
    number: int = await marked
    return number


async def mark_unfinished_disconnections(connection: AnyConnection) -> int:
    """Make due those who left and of whom ORCID may still have something, although nobody is at it (S16)."""
    number: int = await load_queries(__file__).mark_unfinished_disconnections(connection, limit=AT_ONCE)
    return number


async def bring_checks_nearer(connection: AnyConnection, *, interval: timedelta) -> int:
    """Bring checks nearer that lie further away than the interval allows, spread over it."""
    number: int = await load_queries(__file__).bring_checks_nearer(connection, interval=interval, limit=AT_ONCE)
    return number


async def forget_runs(connection: AnyConnection, *, keep: timedelta) -> int:
    """Delete runs older than `keep`."""
    number: int = await load_queries(__file__).forget_runs(connection, keep=keep)
    return number
