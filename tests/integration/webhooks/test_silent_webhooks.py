"""Webhooks die, stall and lie: the mirror stays right, `status` says so, and all heals without anybody's doing."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from orcid_sync.model.webhooks.evidence import Verdict
from orcid_sync.simulator.world import CLIENT_ID
from rig.service.connected_records import Fleet, following
from rig.service.daemon import serving

DAY = 86_400
ANNOUNCED, WITHIN_GRACE, MISSED = Verdict


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is watched every five minutes is watched twice a second."""
    monkeypatch.setattr("orcid_sync.service.webhooks.health.EVERY", timedelta(seconds=0.5))


class Lines:
    """What was logged."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._text = capsys, ""

    def count(self, event: str) -> int:
        self._text += self._capsys.readouterr().out
        return self._text.count(event)


@pytest.mark.fault("F13", "F99")
@pytest.mark.invariant("S16", "L1", "L3")
async def test_after_three_days_away_every_webhook_lives_again(
    connection: asyncpg.Connection, dsn: str, wait_until: Any
) -> None:
    async with following(connection, days=3, number=8) as fleet:
        edited, quiet = fleet.orcids[:6], fleet.orcids[6:]
        async with serving(fleet.settings, dsn):
            await wait_until(fleet.settled, 30)
            assert await fleet.states() == {"active"}
            assert await fleet.said() == ""

        for _ in range(3 * 4):
            fleet.edit(*edited)
            await fleet.registry.advance(DAY / 4)
        assert set(fleet.dead()) == set(edited)  # for ever, and nobody was told
        await fleet.pass_time(timedelta(days=3))
        assert "25 of ORCID's 25 tries" in await fleet.said()
        assert "8 webhooks may be dead" in await fleet.said()

        async with serving(fleet.settings, dsn):
            await wait_until(lambda: no_doubt(fleet), 30)
            await wait_until(fleet.settled, 30)
            assert fleet.dead() == []
            assert await fleet.states() == {"active"}
            assert await fleet.stale() == []
            assert await fleet.said() == ""

            before = len(fleet.registry.journal.notifications)
            fleet.edit(*edited, *quiet)
            await fleet.registry.advance(1_200)
            assert fleet.calls(before) == len(fleet.orcids)
            await wait_until(fleet.mirrored, 30)


async def no_doubt(fleet: Fleet) -> bool:
    """Whether no webhook is lost or being revived."""
    webhooks = (await fleet.hearing()).webhooks
    return webhooks.lost == webhooks.reviving == webhooks.suspect == 0


async def verdicts(fleet: Fleet) -> dict[Verdict, int]:
    return (await fleet.hearing()).verdicts


@pytest.mark.fault("F99")
@pytest.mark.invariant("S16", "L3")
async def test_notifications_that_are_swallowed_are_missed_and_their_webhooks_made_anew(
    connection: asyncpg.Connection, dsn: str, wait_until: Any
) -> None:
    async with following(connection, days=1, number=8) as fleet, serving(fleet.settings, dsn):
        await wait_until(fleet.settled, 30)
        await fleet.be_old()
        made = {row.orcid: row.created_ms for row in fleet.webhooks()}
        swallowed = fleet.orcids[::2]
        for orcid in swallowed:
            fleet.registry.faults.add("lost", "notification", orcid=orcid)
        fleet.edit()
        await fleet.registry.advance(3_600)
        await wait_until(lambda: heard_of(fleet, 4), 30)
        assert await fleet.stale() == swallowed

        await fleet.check_all()
        await wait_until(fleet.mirrored, 30)

        await wait_until(lambda: no_doubt(fleet), 30)
        assert await verdicts(fleet) == {ANNOUNCED: 4, WITHIN_GRACE: 0, MISSED: 4}
        assert {row.orcid for row in fleet.webhooks() if row.created_ms > made[row.orcid]} == set(swallowed)
        assert "ORCID did not announce 50%" in await fleet.said()

        fleet.registry.faults.clear()
        before = fleet.calls()
        fleet.edit()
        await fleet.registry.advance(3_600)
        assert fleet.calls() - before == len(fleet.orcids)
        await wait_until(fleet.mirrored, 30)


async def heard_of(fleet: Fleet, number: int) -> bool:
    """Whether the notifications of so many iDs have led to a read."""
    query = "select count(*) from orcid_sync.webhooks where last_called_at is not null"
    return bool(await fleet.connection.fetchval(query) == number)


@pytest.mark.fault("F99")
async def test_notifications_that_are_late_are_awaited(
    connection: asyncpg.Connection, dsn: str, wait_until: Any
) -> None:
    async with following(connection, days=0.2) as fleet, serving(fleet.settings, dsn):
        await wait_until(fleet.settled, 30)
        await fleet.be_old()
        asked = len(fleet.registry.journal.requests)
        fleet.registry.faults.add("delayed", "notification", seconds=4 * 3600, count=len(fleet.orcids))
        fleet.edit()
        await fleet.registry.advance(3_600)
        await fleet.check_all()
        await wait_until(fleet.mirrored, 30)
        await wait_until(fleet.settled, 30)
        assert (await fleet.hearing()).webhooks.awaited == len(fleet.orcids)
        assert sum((await verdicts(fleet)).values()) == 0

        await fleet.registry.advance(4 * 3600)
        await wait_until(lambda: counted(fleet, len(fleet.orcids)), 30)

        assert await verdicts(fleet) == {ANNOUNCED: 0, WITHIN_GRACE: len(fleet.orcids), MISSED: 0}
        assert (await fleet.hearing()).webhooks.awaited == 0
        assert await fleet.said() == ""
        assert not [one for one in list(fleet.registry.journal.requests)[asked:] if one.endpoint.startswith("webhook")]


async def counted(fleet: Fleet, number: int) -> bool:
    return sum((await verdicts(fleet)).values()) == number


@pytest.mark.fault("F99")
@pytest.mark.invariant("L3")
async def test_a_client_that_was_switched_off_for_webhooks_is_noticed(
    connection: asyncpg.Connection, dsn: str, wait_until: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is told, and registering goes on to be answered with success (contract section 1.2)."""
    lines = Lines(capsys)
    async with following(connection, days=1, canary_orcid="0000-0002-1825-0097") as fleet, serving(fleet.settings, dsn):
        await wait_until(fleet.settled, 30)
        await fleet.be_old()
        await usual(fleet, hours=8 * 24, quiet=24)
        fleet.registry.token_service.clients[CLIENT_ID].webhooks_enabled = False
        fleet.edit()
        await fleet.registry.advance(DAY / 2)
        assert fleet.calls() == 0

        await fleet.check_all()
        await wait_until(fleet.mirrored, 30)
        await wait_until(lambda: no_doubt(fleet), 30)
        await wait_until(lambda: lines.count("webhooks are silent"), 10)

        assert await verdicts(fleet) == {ANNOUNCED: 0, WITHIN_GRACE: 0, MISSED: len(fleet.orcids)}
        assert "No notification has arrived since" in await fleet.said()
        assert "ORCID did not announce 100%" in await fleet.said()
        assert "canary 0000-0002-1825-0097 is not connected" in await fleet.said()

        await wait_until(fleet.settled, 30)
        fleet.registry.token_service.clients[CLIENT_ID].webhooks_enabled = True
        fleet.edit()
        await fleet.registry.advance(3_600)
        await wait_until(fleet.mirrored, 30)
        await wait_until(lambda: counted(fleet, 2 * len(fleet.orcids)), 30)

        # A read that came by itself may have been quicker than the notification.
        assert (await verdicts(fleet))[MISSED] == len(fleet.orcids)

    assert "No notification has arrived since" not in await fleet.said()
    assert lines.count("webhooks are silent") == 1


async def usual(fleet: Fleet, *, hours: int, quiet: int) -> None:
    """Before the last so many quiet hours, five notifications came in each of these hours."""
    await fleet.connection.execute("delete from orcid_sync.intake_hours")
    await fleet.connection.execute(
        "insert into orcid_sync.intake_hours (process, alive_from, alive_until, notifications, heard_at) "
        "select 'before', began, least(began + interval '1 hour', now()), case when ago >= $2 then 5 else 0 end, "
        "       case when ago >= $2 then began + interval '59 minutes' end "
        "  from generate_series(0, $1::integer + $2::integer - 1) as ago, "
        "       lateral (select date_trunc('hour', now(), 'UTC') - ago * interval '1 hour') as hour (began)",
        *(hours, quiet),
    )


@pytest.mark.fault("F99")
@pytest.mark.invariant("L3")
async def test_while_the_registrys_indexer_stands_still_the_silence_is_told(
    connection: asyncpg.Connection, dsn: str, wait_until: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines(capsys)
    async with following(connection, days=2) as fleet:
        async with serving(fleet.settings, dsn):
            await wait_until(fleet.settled, 30)
            await fleet.be_old()
            await usual(fleet, hours=8 * 24, quiet=40)
            fleet.registry.settings.broker_down = True
            fleet.edit()
            await fleet.registry.advance(40 * 3600)

            await fleet.check_all()
            await wait_until(fleet.mirrored, 30)
            await wait_until(lambda: lines.count("webhooks are silent"), 10)
            assert "No notification has arrived since" in await fleet.said()
            fleet.registry.settings.broker_down = False
            await wait_until(lambda: no_doubt(fleet), 30)
            fleet.edit()
            await fleet.registry.advance(3_600)
            await wait_until(fleet.mirrored, 30)

        # The silence is over, and nobody knows what ORCID tried in vain: all that was not heard of is made anew.
        before = max(row.created_ms for row in fleet.webhooks())
        fleet.registry.clock.advance(60)
        await fleet.connection.execute("update orcid_sync.webhooks set registered_at = now() - interval '10 days'")
        await fleet.connection.execute("update orcid_sync.webhooks set last_called_at = null")
        async with serving(fleet.settings, dsn):
            await wait_until(lambda: lines.count("webhooks are heard again"), 10)
            await wait_until(lambda: all(row.created_ms > before for row in fleet.webhooks()), 30)
            await wait_until(fleet.settled, 30)
            await wait_until(lambda: no_doubt(fleet), 30)

    assert await fleet.stale() == []
    assert lines.count("webhooks are silent") == 1
    assert "No notification has arrived since" not in await fleet.said()
