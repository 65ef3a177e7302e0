"""How far ORCID's webhooks are from what they should be, and queueing the work that corrects them, for the commands.

Nothing here talks to ORCID. iDs are marked due, in the lane of sweeps, and their reconciliations do the rest.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.model.webhooks.registration import Generation
from orcid_sync.store.consent import connections
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.sync import queue
from orcid_sync.store.webhooks import generations
from orcid_sync.store.webhooks import inventory as webhooks

BATCH = 5_000
"""iDs that are marked in one transaction."""


class Visits(msgspec.Struct, frozen=True):
    """iDs of which something can be done now."""

    total: int
    waiting: int
    """Their turn is to come."""
    failing: int
    """They were tried without success and are tried again later."""

    @property
    def idle(self) -> int:
        """Nobody is at it: they have yet to be marked, or ORCID refused."""
        return self.total - self.waiting - self.failing


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known about our webhooks, in numbers."""

    at: datetime
    connected: int
    """iDs that we follow."""
    generations: list[Generation]
    states: dict[int, dict[str, int]]
    """Webhooks by generation and state."""
    work: dict[int, dict[str, int]]
    """Webhooks by generation and what is to be done about them: register, verify, revive, remove, wait, lost."""
    visits: Visits
    suspects: int
    oldest_requested_at: datetime | None
    """Since when the oldest webhook that is not active is in its state."""
    at_work: bool
    """Whether any process is there that does the work."""

    @property
    def present(self) -> Generation | None:
        """The generation that is wanted; None: webhooks are off, or no process has ever started."""
        return next((one for one in self.generations if one.is_present), None)

    @property
    def lost(self) -> list[Generation]:
        """Those with webhooks that cannot be removed, for nobody knows their secret."""
        return [one for one in self.generations if self.number("lost", one)]

    def number(self, act: str, generation: Generation | None = None) -> int:
        """Webhooks about which this is to be done, of a generation or of all."""
        if generation is not None:
            return self.work.get(generation.number, {}).get(act, 0)
        return sum(acts.get(act, 0) for acts in self.work.values())

    @property
    def acts(self) -> dict[str, int]:
        """Webhooks by what is to be done about them, of all generations."""
        names = {act for acts in self.work.values() for act in acts}
        return {name: self.number(name) for name in names}

    def of(self, generation: Generation) -> int:
        """Webhooks of a generation."""
        return sum(self.states.get(generation.number, {}).values())


async def inventory(connection: AnyConnection, *, overlap: timedelta) -> Inventory:
    """How it stands, as of one moment."""
    queries = load_queries(__file__)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        states: dict[int, dict[str, int]] = {}
        for (generation, state), number in (await webhooks.counts(connection)).items():
            states.setdefault(generation, {})[state] = number
        work: dict[int, dict[str, int]] = {}
        async for row in queries.work(connection, overlap=overlap):
            work.setdefault(row["generation"], {})[row["act"]] = row["number"]
        return Inventory(
            **await queries.facts(connection),
            generations=await generations.load(connection),
            states=states,
            work=work,
            visits=Visits(**await queries.visits(connection, overlap=overlap)),
        )


async def visits(connection: AnyConnection, *, overlap: timedelta) -> Visits:
    """How many iDs something can be done of now."""
    return Visits(**await load_queries(__file__).visits(connection, overlap=overlap))


async def mark_all(connection: AnyConnection, *, overlap: timedelta, again: bool) -> int:
    """Have everything done that can be done now; how many iDs were marked.

    `again`: also what failed, and would be tried again later, or what ORCID refused.
    """
    queries = load_queries(__file__)
    rows = queries.open_orcids(connection, overlap=overlap, again=again)
    orcids = [row["orcid"] async for row in rows]
    for some in batched(orcids):
        if again:
            await queries.try_now(connection, orcids=some)
        await queue.mark_due(connection, some, lane=Lane.SWEEP)
    return len(orcids)


async def verified(connection: AnyConnection, *, since: datetime) -> tuple[int, int]:
    """How many webhooks ORCID was asked about since a moment, and how many of them were missing."""
    row = await load_queries(__file__).verified(connection, since=since)
    return row["verified"], row["missing"]


async def connected(connection: AnyConnection) -> AsyncIterator[list[Orcid]]:
    """The iDs that we follow, in batches."""
    after = ""
    while True:
        rows = load_queries(__file__).connected_after(connection, after=after, limit=BATCH)
        if not (batch := [row["orcid"] async for row in rows]):
            return
        yield batch
        after = batch[-1]


async def strangers(connection: AnyConnection) -> list[Orcid]:
    """Whom we do not follow but have followed, or have been allowed to: they may have webhooks of ours."""
    return [row["orcid"] async for row in load_queries(__file__).strangers(connection)]


async def expect(connection: AnyConnection, orcids: Collection[Orcid]) -> int:
    """Take it that ORCID may have any webhook of these iDs that we follow; how many they are.

    The present one is made anew, older ones are removed as in a rotation.
    """
    number: int = await load_queries(__file__).expect(connection, orcids=list(orcids))
    return number


async def expect_of_strangers(connection: AnyConnection, orcids: Collection[Orcid]) -> int:
    """The same of iDs that we do not follow, known to us or not: all are removed; how many iDs they are."""
    async with connection.transaction():
        await connections.make_known(connection, orcids)
        number: int = await load_queries(__file__).expect_of_strangers(connection, orcids=list(orcids))
    return number


def batched(orcids: Sequence[Orcid]) -> list[list[Orcid]]:
    """In pieces that fit a transaction."""
    rest = iter(orcids)
    return list(iter(lambda: list(islice(rest, BATCH)), []))
