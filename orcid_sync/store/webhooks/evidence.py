"""Evidence whether webhooks are alive: when calls could be answered, what came, what was found without them."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from msgspec import Struct

from orcid_sync.model.ids import Orcid
from orcid_sync.model.webhooks.dead_webhooks import Outage
from orcid_sync.model.webhooks.evidence import SKEW, Verdict
from orcid_sync.model.webhooks.health import AlarmKind, Webhooks
from orcid_sync.model.webhooks.silence import Hour
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

BEAT = timedelta(seconds=30)
"""How often a process says that it is alive."""

TOLERANCE = 3 * BEAT
"""A process that was silent for longer was away. What is shorter ORCID's next try outlasts (contract section 1.6)."""

KEEP = timedelta(days=60)
"""How long it is remembered when somebody was alive, and what was alarming."""

AT_ONCE = 1_000
"""Webhooks that are looked at or revived in one transaction."""


class Day(Struct, frozen=True, kw_only=True):
    """How the changes that were found on a day (UTC) were found."""

    day: date
    announced: int
    within_grace: int
    missed: int


class Alarm(Struct, frozen=True, kw_only=True):
    """A time in which notifications did not come as they should."""

    kind: AlarmKind
    began_at: datetime
    ended_at: datetime | None
    """None: it lasts."""


async def beat(connection: AnyConnection, process: str, notifications: int) -> None:
    """This process is alive, and took so many notifications since it last said so."""
    await load_queries(__file__).beat(connection, process=process, notifications=notifications, tolerance=TOLERANCE)


async def outages(connection: AnyConnection) -> list[Outage]:
    """The times in which nobody could answer ORCID, or nothing was heard for too long; the first first."""
    rows = load_queries(__file__).outages(connection, keep=KEEP, tolerance=TOLERANCE)
    return [Outage(**row) async for row in rows]


async def hours(connection: AnyConnection) -> list[Hour]:
    """When somebody was alive and what came, hour by hour."""
    return [Hour(**row) async for row in load_queries(__file__).hours(connection)]


async def last_signs(connection: AnyConnection) -> tuple[datetime | None, datetime | None]:
    """When a listener was last alive, and when the last notification came."""
    row = await load_queries(__file__).last_signs(connection)
    return row["alive_at"], row["heard_at"]


async def forget(connection: AnyConnection) -> None:
    """Delete what is too old to matter."""
    await load_queries(__file__).forget(connection, keep=KEEP)


async def webhook_registered_at(connection: AnyConnection, orcid: Orcid) -> datetime | None:
    """Since when the iD has a webhook that should announce its changes; None: it has none."""
    moment: datetime | None = await load_queries(__file__).webhook_registered_at(connection, orcid=orcid)
    return moment


async def called(connection: AnyConnection, orcid: Orcid, at: datetime) -> None:
    """ORCID called on behalf of this iD: its webhooks live."""
    await load_queries(__file__).called(connection, orcid=orcid, at=at)


async def note(connection: AnyConnection, orcid: Orcid, verdict: Verdict, changed_at: datetime) -> None:
    """Keep the verdict on a change that was found: at its webhook, and in the day's numbers.

    What is within the grace is counted only when it is decided.
    """
    queries = load_queries(__file__)
    if verdict is Verdict.WITHIN_GRACE:
        await queries.await_notification(connection, orcid=orcid, changed_at=changed_at)
        return
    if verdict is Verdict.MISSED:
        await queries.missed(connection, orcid=orcid)
    await _count(connection, {verdict: 1})


async def decide_awaited(
    connection: AnyConnection, *, grace: timedelta, up_since: datetime | None
) -> dict[Verdict, int]:
    """Decide and count what became of the notifications that were awaited; `up_since` is the last outage's end."""
    rows = load_queries(__file__).decide_awaited(connection, grace=grace, up_since=up_since, skew=SKEW, limit=AT_ONCE)
    decided = {row["verdict"]: row["number"] async for row in rows}
    counts = {verdict: decided[verdict] for verdict in Verdict if verdict in decided}
    if counts:
        await _count(connection, counts)
    return counts


async def verdicts(connection: AnyConnection, *, days: int) -> dict[Verdict, int]:
    """The verdicts of so many days, today included."""
    row = await load_queries(__file__).verdicts(connection, days=days)
    return {verdict: row[verdict] for verdict in Verdict}


async def days(connection: AnyConnection, *, limit: int) -> list[Day]:
    """The verdicts day by day, the latest first."""
    return [Day(**row) async for row in load_queries(__file__).days(connection, days=limit)]


async def webhooks(connection: AnyConnection, *, alive_since: datetime | None) -> Webhooks:
    """How many webhooks are in doubt; those that were not seen alive since a moment may be lost."""
    return Webhooks(**await load_queries(__file__).webhooks(connection, alive_since=alive_since))


async def heard_of(connection: AnyConnection, orcid: Orcid) -> datetime | None:
    """When an iD was last heard of, or connected; None if it is not connected."""
    moment: datetime | None = await load_queries(__file__).heard_of(connection, orcid=orcid)
    return moment


async def clock(connection: AnyConnection) -> datetime:
    """The database's time."""
    moment: datetime = await load_queries(__file__).now(connection)
    return moment


async def switched_on(connection: AnyConnection) -> bool:
    """Whether ORCID is asked to notify us."""
    on: bool = await load_queries(__file__).switched_on(connection)
    return on


async def watching(connection: AnyConnection) -> bool:
    """Take the watch until the transaction ends; False: another replica has it."""
    mine: bool = await load_queries(__file__).watching(connection)
    return mine


async def open_alarms(connection: AnyConnection) -> dict[AlarmKind, datetime]:
    """What is alarming, and since when."""
    return {AlarmKind(row["kind"]): row["began_at"] async for row in load_queries(__file__).open_alarms(connection)}


async def alarms(connection: AnyConnection, *, limit: int) -> list[Alarm]:
    """The latest alarms, those that last first."""
    rows = load_queries(__file__).alarms(connection, limit=limit)
    return [Alarm(**{**row, "kind": AlarmKind(row["kind"])}) async for row in rows]


async def raise_alarm(connection: AnyConnection, kind: AlarmKind, began_at: datetime) -> None:
    """Something is alarming from now on; nothing happens if it is already."""
    await load_queries(__file__).raise_alarm(connection, kind=kind.value, began_at=began_at)


async def end_alarm(connection: AnyConnection, kind: AlarmKind, ended_at: datetime) -> None:
    """It is over."""
    await load_queries(__file__).end_alarm(connection, kind=kind.value, ended_at=ended_at)


async def _count(connection: AnyConnection, counts: Mapping[Verdict, int]) -> None:
    await load_queries(__file__).count(connection, **{verdict.value: counts.get(verdict, 0) for verdict in Verdict})
