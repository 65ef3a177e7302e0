"""When notifications could be taken, what a read tells about its webhook, and what follows from both."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.webhooks.evidence import Verdict
from orcid_sync.model.webhooks.health import AlarmKind, Rules
from orcid_sync.service.webhooks import health
from orcid_sync.service.webhooks.heartbeat import present
from orcid_sync.store.database.pools import Database, transaction
from orcid_sync.store.webhooks import evidence
from rig.service.reconciler import OTHER, Bench, O

ANNOUNCED, WITHIN_GRACE, MISSED = Verdict
BEATS = """
insert into orcid_sync.intake_hours (process, alive_from, alive_until)
values ($1, now() - $2::interval, now() - $3::interval)
"""
SIGNS = (
    "select process, alive_from, alive_until, notifications, heard_at from orcid_sync.intake_hours order by alive_from"
)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


async def outages(connection: asyncpg.Connection) -> list[tuple[int, int]]:
    """Beginnings and ends, in minutes before now."""
    now = await evidence.clock(connection)
    found = await evidence.outages(connection)
    return [(round((now - one.began) / minutes(1)), round((now - one.ended) / minutes(1))) for one in found]


@pytest.mark.fault("F13")
@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([], [], id="nothing was ever alive: not an outage"),
        pytest.param([("a", 90, 0)], [], id="always alive"),
        pytest.param([("a", 90, 60), ("a", 40, 0)], [(60, 40)], id="away for a while"),
        pytest.param([("a", 90, 60), ("b", 70, 0)], [], id="somebody else was there"),
        pytest.param([("a", 90, 60), ("b", 50, 20), ("c", 55, 30), ("a", 10, 0)], [(60, 55), (20, 10)], id="two"),
        pytest.param([("a", 90, 60)], [(60, 0)], id="away still"),
        pytest.param([("a", 90, 1)], [], id="the next beat is not overdue"),
    ],
)
async def test_outages_are_what_nobody_was_alive_in(
    connection: asyncpg.Connection, spans: list[tuple[str, int, int]], expected: list[tuple[int, int]]
) -> None:
    for process, since, until in spans:
        await connection.execute(BEATS, process, minutes(since), minutes(until))

    assert await outages(connection) == expected


async def test_a_silence_that_is_over_counts_as_an_outage(connection: asyncpg.Connection) -> None:
    await connection.execute(BEATS, "a", minutes(90), minutes(0))
    now = await evidence.clock(connection)
    await evidence.raise_alarm(connection, AlarmKind.SILENCE, now - minutes(50))
    assert await outages(connection) == []

    await evidence.end_alarm(connection, AlarmKind.SILENCE, now - minutes(20))

    assert await outages(connection) == [(50, 20)]


async def test_a_process_says_that_it_is_alive(database: Database, connection: asyncpg.Connection) -> None:
    async with present(database.intake, "me") as count:
        count()
        count()
    row = await connection.fetchrow(SIGNS)

    assert (row["process"], row["notifications"]) == ("me", 2)
    assert row["heard_at"] == row["alive_until"] > row["alive_from"]


@pytest.mark.parametrize(
    ("began", "silent_for", "spans", "expected"),
    [
        pytest.param(1, 0.4, None, [], id="an ordinary beat"),
        pytest.param(70, 0.4, 2, [], id="each hour is a row, without a gap"),
        pytest.param(70, 5, 2, [(5, 0)], id="it was away"),
    ],
)
async def test_a_process_that_goes_on_being_alive(
    connection: asyncpg.Connection,
    began: float,
    silent_for: float,
    spans: int | None,
    expected: list[tuple[int, int]],
) -> None:
    await connection.execute(BEATS, "me", minutes(began), minutes(silent_for))

    await evidence.beat(connection, "me", 3)

    assert await outages(connection) == expected
    rows = await connection.fetch(SIGNS)
    assert len(rows) == (spans or len(rows))
    assert sum(row["notifications"] for row in rows) == 3


async def test_what_came_is_known_by_the_hour(connection: asyncpg.Connection) -> None:
    """Two processes at once are one hour of listening."""
    for process in ("a", "b"):
        await connection.execute(
            "insert into orcid_sync.intake_hours values ($1, '2026-03-02 10:00Z', '2026-03-02 10:40Z', 2), "
            "($1, '2026-03-02 11:30Z', '2026-03-02 12:00Z', 1)",
            process,
        )

    hours = [(hour.began.hour, hour.alive, hour.notifications) for hour in await evidence.hours(connection)]

    assert hours == [(10, minutes(40), 4), (11, minutes(30), 2)]


async def days(bench: Bench) -> dict[Verdict, int]:
    return await evidence.verdicts(bench.connection, days=7)


async def hook(bench: Bench, orcid: str = O) -> Any:
    return await bench.connection.fetchrow("select * from orcid_sync.webhooks where orcid = $1", orcid)


async def standing(bench: Bench) -> int:
    """O, read once, with a webhook that stood for long; the last position of the feed."""
    await bench.connect()
    await bench.turn()
    await bench.connection.execute("update orcid_sync.webhooks set registered_at = now() - interval '10 days'")
    return await bench.head()


def at_once(bench: Bench) -> None:
    """Notifications are late as soon as a change is found."""
    bench.reconciler = replace(
        bench.reconciler, policy=msgspec.structs.replace(bench.reconciler.policy, delivery_grace=timedelta())
    )


@pytest.mark.fault("F99")
async def test_a_change_that_nothing_announced_makes_its_webhook_suspect(bench: Bench) -> None:
    at_once(bench)
    await standing(bench)
    bench.registry.edit.add_item(O, "keyword", {"content": "unheard"})

    assert await bench.check() == "changed"

    assert await days(bench) == {ANNOUNCED: 0, WITHIN_GRACE: 0, MISSED: 1}
    assert ((await hook(bench))["missed"], (await hook(bench))["suspect_since"] is None) == (1, False)

    assert (await health.watch(bench.database, Rules()))["revived"] == 1
    assert await bench.turn() == "unchanged"
    assert [one.method for one in bench.requests("webhook-delete", "webhook-put")][-2:] == ["DELETE", "PUT"]
    assert ((await hook(bench))["state"], (await hook(bench))["suspect_since"]) == ("active", None)


async def test_a_notification_is_a_sign_of_life(bench: Bench) -> None:
    at_once(bench)
    await standing(bench)
    await bench.connection.execute("update orcid_sync.webhooks set missed = 1, suspect_since = now()")
    bench.registry.edit.add_item(O, "keyword", {"content": "heard"})

    assert await bench.notified() == "changed"

    row = await hook(bench)
    assert row["last_called_at"] == (await bench.row())["notified_at"]
    assert (row["missed"], row["suspect_since"]) == (0, None)
    assert await days(bench) == {ANNOUNCED: 1, WITHIN_GRACE: 0, MISSED: 0}


async def test_what_a_notification_told_of_is_announced_also_if_it_is_found_later(bench: Bench) -> None:
    """ORCID's caches may show old content after the call (contract section 3.9)."""
    at_once(bench)
    await standing(bench)
    assert await bench.notified() == "unchanged"
    bench.registry.edit.add_item(O, "keyword", {"content": "shown late"})

    assert await bench.check() == "changed"

    assert await days(bench) == {ANNOUNCED: 1, WITHIN_GRACE: 0, MISSED: 0}


async def test_a_second_look_belongs_to_its_notification(bench: Bench) -> None:
    at_once(bench)
    await standing(bench)
    await bench.notified()
    bench.registry.edit.add_item(O, "keyword", {"content": "never announced"})

    assert await bench.when_due() == "changed"

    assert sum((await days(bench)).values()) == 0


@pytest.mark.parametrize("what", ["display order", "before the webhook", "no webhook"])
async def test_what_is_never_announced_is_not_missed(bench: Bench, what: str) -> None:
    at_once(bench)
    await standing(bench)
    if what == "display order":
        works = bench.registry.profiles.state(O).of("work")
        bench.registry.edit.set_display_index(O, "work", next(iter(works)), 99)
    else:
        bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    if what == "before the webhook":
        await bench.connection.execute("update orcid_sync.webhooks set registered_at = now()")
    if what == "no webhook":
        bench.reconciler = replace(bench.reconciler, subscription=None)
        await bench.connection.execute("delete from orcid_sync.webhooks")

    assert await bench.check() == "changed"

    assert sum((await days(bench)).values()) == 0
    row = await hook(bench)
    assert row is None or row["suspect_since"] is None


@pytest.mark.parametrize(
    ("happens", "verdict"),
    [
        pytest.param("nothing", None, id="it may still come"),
        pytest.param("too late", MISSED, id="it did not come"),
        pytest.param("call", WITHIN_GRACE, id="it came"),
        pytest.param("made anew", None, id="there is another webhook by now"),
    ],
)
async def test_what_is_found_early_is_decided_later(bench: Bench, happens: str, verdict: Verdict | None) -> None:
    await standing(bench)
    bench.registry.edit.add_item(O, "keyword", {"content": "early"})
    assert await bench.check() == "changed"
    assert (await hook(bench))["awaited_since"] is not None
    if happens == "too late":
        await bench.connection.execute("update orcid_sync.webhooks set awaited_since = now() - interval '7 hours'")
    if happens == "call":
        await bench.notified()
    if happens == "made anew":
        await bench.connection.execute("update orcid_sync.webhooks set registered_at = now()")

    counts = await health.watch(bench.database, Rules())

    assert await days(bench) == {each: int(each is verdict) for each in Verdict}
    assert counts == {"missed": int(verdict is MISSED), "revived": int(verdict is MISSED)}
    assert ((await hook(bench))["awaited_since"] is None) == (happens != "nothing")


@pytest.mark.fault("F13")
async def test_what_orcid_cannot_tell_us_is_not_missed(bench: Bench) -> None:
    await standing(bench)
    await bench.connection.execute(BEATS, "a", timedelta(days=3), timedelta(days=2))
    at_once(bench)
    bench.registry.edit.add_item(O, "keyword", {"content": "told in vain"})

    assert await bench.check() == "changed"

    assert (await hook(bench))["awaited_since"] is not None


@pytest.mark.fault("F13")
@pytest.mark.parametrize(
    ("alive_ago", "called_ago", "revived"),
    [
        pytest.param(timedelta(hours=20), None, 0, id="away for a night"),
        pytest.param(timedelta(hours=33), None, 1, id="away for so long that it is nearly dead"),
        pytest.param(timedelta(days=4), None, 1, id="dead"),
        pytest.param(timedelta(days=4), timedelta(minutes=5), 0, id="it has called since"),
    ],
)
async def test_webhooks_that_an_outage_may_have_killed_are_revived(
    bench: Bench, alive_ago: timedelta, called_ago: timedelta | None, revived: int
) -> None:
    await standing(bench)
    await bench.connection.execute(BEATS, "a", timedelta(days=9), alive_ago)
    await bench.connection.execute(BEATS, "b", minutes(10), minutes(0))
    await bench.connection.execute("update orcid_sync.webhooks set last_called_at = now() - $1::interval", called_ago)

    assert (await health.watch(bench.database, Rules()))["revived"] == revived

    assert await bench.webhook_rows() == (["reviving"] if revived else ["active"])
    assert (await health.watch(bench.database, Rules()))["revived"] == 0


async def test_nothing_is_revived_while_nobody_could_answer(bench: Bench) -> None:
    await standing(bench)
    await bench.connection.execute(BEATS, "a", timedelta(days=9), timedelta(days=4))

    assert (await health.watch(bench.database, Rules()))["revived"] == 0

    heard = await health.assess(bench.connection, Rules())
    assert (heard.failures, heard.webhooks.lost) == (25, 1)
    assert heard.alarms.keys() == {AlarmKind.OUTAGE}


@pytest.mark.invariant("S17")
async def test_one_replica_watches_at_a_time(bench: Bench) -> None:
    await standing(bench)
    async with transaction(bench.database.worker) as connection:
        assert await evidence.watching(connection)

        assert await health.watch(bench.database, Rules()) == {}

    assert await health.watch(bench.database, Rules()) != {}


@pytest.mark.parametrize(
    ("canary", "notified_ago", "silent"),
    [
        pytest.param(O, timedelta(hours=47), False, id="heard of"),
        pytest.param(O, timedelta(hours=49), True, id="not heard of"),
        pytest.param(O, None, False, id="connected only now"),
        pytest.param(OTHER, None, False, id="not connected"),
    ],
)
async def test_the_canary(bench: Bench, canary: Any, notified_ago: timedelta | None, *, silent: bool) -> None:
    await standing(bench)
    if notified_ago:
        await bench.connection.execute("update orcid_sync.connections set connected_at = now() - interval '99 days'")
        await bench.connection.execute("update orcid_sync.queue set notified_at = now() - $1::interval", notified_ago)

    heard = await health.assess(bench.connection, Rules(canary=canary))

    assert heard.canary_silent == silent
    assert (AlarmKind.CANARY in heard.alarms) == silent
    assert (heard.canary_heard_at is None) == (canary == OTHER)


async def test_alarms_begin_and_end_once(bench: Bench, logged: Any) -> None:
    await standing(bench)
    await bench.connection.execute("update orcid_sync.connections set connected_at = now() - interval '99 days'")
    rules = Rules(canary=O)
    for _ in range(3):
        await health.watch(bench.database, rules)
    assert await evidence.open_alarms(bench.connection) != {}
    await bench.notify()
    for _ in range(2):
        await health.watch(bench.database, rules)

    assert await evidence.open_alarms(bench.connection) == {}
    assert logged.getvalue().count("canary not heard of") == 1
    assert logged.getvalue().count("canary heard of again") == 1


async def test_what_is_old_is_forgotten(connection: asyncpg.Connection) -> None:
    await connection.execute(BEATS, "a", timedelta(days=70), timedelta(days=61))
    await connection.execute(BEATS, "b", timedelta(days=70), timedelta(days=59))

    await evidence.forget(connection)

    assert [row["process"] for row in await connection.fetch(SIGNS)] == ["b"]
