"""NOTIFY on the channel on which workers hear that something became due.

Only shortens their wait: the queue's rows are the truth, and a lost announcement costs one poll (fault F82).
"""

from typing import Final

from orcid_sync.store.database import AnyConnection, load_queries

DUE_CHANNEL: Final = "orcid_sync_due"
"""The channel to LISTEN on. Its messages are empty."""


async def announce_due(connection: AnyConnection) -> None:
    """Tell the workers of all processes to look at the queue."""
    await load_queries("wake").announce_due(connection)
