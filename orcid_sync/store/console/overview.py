"""What people want to know: the whole at a glance, one record, the changes. Reads only."""

from datetime import datetime
from typing import Any

import msgspec

from orcid_sync.model.feed.feed_line import FeedLine
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.doubts import Doubt
from orcid_sync.model.sync.record_states import Heard
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.store.consent import connections
from orcid_sync.store.console import in_doubt
from orcid_sync.store.console.in_doubt import DoubtCount
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.feed import consumers
from orcid_sync.store.feed.consumers import Consumer
from orcid_sync.store.mirror import unknown_members
from orcid_sync.store.mirror.unknown_members import Member
from orcid_sync.store.pushes import outbox
from orcid_sync.store.pushes.outbox import Pushes
from orcid_sync.store.sync import job_runs, pace_and_circuit, queue
from orcid_sync.store.sync.job_runs import Run
from orcid_sync.store.sync.pace_and_circuit import Pace
from orcid_sync.store.sync.queue import LaneDepth
from orcid_sync.store.webhooks import inventory


class FailureCount(msgspec.Struct, frozen=True):
    """A kind of failure, how many iDs have it at present, and one of them."""

    error: str | None
    number: int
    example: Orcid
    read: bool = True
    """Whether it is to be read; else it is disconnected, and something of it is left."""


class SuspectCount(msgspec.Struct, frozen=True):
    """Why holders' tokens are in doubt, how many, and one of the iDs."""

    reason: Heard
    number: int
    example: Orcid


class SideStepCount(msgspec.Struct, frozen=True, kw_only=True):
    """A step at ORCID beside the reading of records that fails, how often, and one of the iDs."""

    step: str
    """webhook or revocation."""
    error: str
    number: int
    example: Orcid


class FeedHead(msgspec.Struct, frozen=True):
    """Where the change feed ends."""

    epoch: str
    last: int
    at: datetime | None
    """When the last change was committed."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The whole at a glance."""

    at: datetime
    """The database's clock: the moment of which all this is true."""
    connections: dict[str, int]
    """iDs by state of the connection."""
    access: dict[str, int]
    """Connected iDs by access state."""
    records: dict[str, int]
    """Connected iDs by state of the record."""
    webhooks: dict[str, int]
    unconfirmed_webhooks: int
    """Webhooks whose registration or removal ORCID has not confirmed for an hour."""
    queue: list[LaneDepth]
    failures: list[FailureCount]
    doubts: list[DoubtCount] = []
    """What the last answers left in doubt, by kind."""
    suspects: list[SuspectCount] = []
    """Tokens in doubt, by reason."""
    side_steps: list[SideStepCount] = []
    """What fails for itself: webhooks, and tokens to be revoked."""
    freshness: dict[str, int]
    """Connected iDs by how long ago they were last verified, the freshest first."""
    jobs: list[Run]
    """The last run of each job."""
    feed: FeedHead
    paces: list[Pace]
    """How each of our API clients gets on with the Registry."""
    workers: int
    """Database connections of workers."""
    consumers: list[Consumer] = []
    """Programs that follow the feed over HTTP and keep their position here."""
    unknown: list[Member] = []
    """Members of ORCID's JSON that no column is made of and nobody has acknowledged."""
    pushes: Pushes = Pushes()
    """How telling the subscriptions goes."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One iD: its connection, its record (None before the first load), its place in the queue."""

    orcid: Orcid
    connection: str
    access_state: str
    connected_at: datetime
    disconnected_at: datetime | None
    name: str | None
    employer: str | None
    state: str | None
    access: str | None
    primary_orcid: Orcid | None
    registry_modified_at: datetime | None
    first_seen_at: datetime | None
    changed_at: datetime | None
    verified_at: datetime | None
    notified_at: datetime | None
    due_at: datetime | None
    lane: Lane | None
    leased: bool | None
    attempts: int | None
    last_error: str | None
    second_look_at: datetime | None
    doubts: list[Doubt] = []
    """What the last answer left in doubt; without what was set aside."""


class MirroredItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item as it stands in the mirror."""

    section: str
    key: str
    visibility: str | None
    modified_at: datetime | None
    changed_at: datetime
    group_put_code: int | None
    group_position: int | None
    doc: msgspec.Raw


class FeedEntry(FeedLine, frozen=True, kw_only=True):
    """A change, and the history of the feed that it belongs to."""

    epoch: str


class Choice(msgspec.Struct, frozen=True):
    """Which changes are wanted."""

    orcid: Orcid | None = None
    section: str | None = None
    minor: bool = True

    @property
    def arguments(self) -> dict[str, Any]:
        """As parameters of the queries."""
        return msgspec.structs.asdict(self)


async def overview(connection: AnyConnection) -> Overview:
    """The whole at a glance, as of one moment."""
    queries = load_queries(__file__)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        states = await connections.counts(connection)
        head = await queries.feed_head(connection)
        return Overview(
            at=await queries.clock(connection),
            connections=_summed((state, number) for (state, _), number in states.items()),
            access=_summed((access, number) for (state, access), number in states.items() if state == "connected"),
            records={row["state"]: row["number"] async for row in queries.record_states(connection)},
            webhooks=_summed((state, number) for (_, state), number in (await inventory.counts(connection)).items()),
            unconfirmed_webhooks=await queries.unconfirmed_webhooks(connection),
            queue=await queue.depth(connection),
            failures=[FailureCount(**row) async for row in queries.failures(connection)],
            doubts=await in_doubt.counts(connection),
            suspects=[msgspec.convert(dict(row), SuspectCount) async for row in queries.suspects(connection)],
            side_steps=[SideStepCount(**row) async for row in queries.side_steps(connection)],
            freshness={row["verified"]: row["number"] async for row in queries.freshness(connection)},
            jobs=await job_runs.last_of_each(connection),
            feed=FeedHead(**head),
            paces=await pace_and_circuit.load_all(connection),
            workers=await queries.workers(connection),
            consumers=await consumers.load(connection),
            unknown=await unknown_members.list_members(connection),
            pushes=await outbox.summary(connection),
        )


async def clock(connection: AnyConnection) -> datetime:
    """The database's time, against which moments are shown."""
    moment: datetime = await load_queries(__file__).clock(connection)
    return moment


async def workers(connection: AnyConnection) -> int:
    """Database connections of workers: whether anybody is at work."""
    number: int = await load_queries(__file__).workers(connection)
    return number


async def person(connection: AnyConnection, orcid: Orcid) -> Person | None:
    """One iD; None if it was never connected."""
    row = await load_queries(__file__).person(connection, orcid=orcid)
    if row is None:
        return None
    lane = None if row["lane"] is None else Lane(row["lane"])
    return Person(**{**row, "lane": lane, "doubts": await in_doubt.of_record(connection, orcid)})


async def items(connection: AnyConnection, orcid: Orcid, section: str | None = None) -> list[MirroredItem]:
    """The items of a record, or of one of its sections; in no order."""
    rows = load_queries(__file__).items(connection, orcid=orcid, section=section)
    return [MirroredItem(**{**row, "doc": msgspec.Raw(row["doc"])}) async for row in rows]


async def feed_head(connection: AnyConnection) -> FeedHead:
    """Where the change feed ends."""
    return FeedHead(**await load_queries(__file__).feed_head(connection))


async def changes_after(connection: AnyConnection, after: int, choice: Choice, *, limit: int) -> list[FeedEntry]:
    """Up to `limit` of the chosen changes after a position, in the order of the feed."""
    rows = load_queries(__file__).changes_after(connection, after=after, limit=limit, **choice.arguments)
    return [FeedEntry(**{**row, "old": _raw(row["old"]), "new": _raw(row["new"])}) async for row in rows]


async def position_before_last(connection: AnyConnection, number: int, choice: Choice) -> int:
    """The position after which the last `number` of the chosen changes come."""
    position: int = await load_queries(__file__).position_before_last(connection, number=number, **choice.arguments)
    return position


async def server_version(connection: AnyConnection) -> int:
    """The major version of PostgreSQL."""
    version: int = await load_queries(__file__).server_version(connection)
    return version // 10_000


def _summed(pairs: Any) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, number in pairs:
        sums[name] = sums.get(name, 0) + number
    return sums


def _raw(document: bytes | None) -> msgspec.Raw | None:
    return None if document is None else msgspec.Raw(document)
