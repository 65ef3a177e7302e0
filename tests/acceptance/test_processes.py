"""The service as an operator meets it: it starts or says why not, drains, obeys, and works with the commands."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from acceptance.harness.replica import Replica, environment
from acceptance.harness.serving import ORCIDS, SETTLED, callback, count, serving
from orcid_sync.simulator.registry import SimulatedRegistry

LEASED = "select count(*) from orcid_sync.queue where lease_until > now()"


async def command(replica: Replica, *arguments: str, code: int = 0, given: str | None = None) -> str:
    """Run a command beside the service, with the same settings; what it printed. `given` goes to its input."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orcid_sync", *arguments),
        env=replica.settings,
        cwd=replica.log.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate(given.encode() if given else None)
    assert process.returncode == code, err.decode()
    return out.decode()


async def test_the_commands_work_beside_the_running_service(
    sim: SimulatedRegistry, dsn: str, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("orcid\n" + "".join(f"https://orcid.org/{orcid}\n" for orcid in ORCIDS))
    async with serving(sim, dsn, tmp_path) as replica:
        connected_lines = await command(replica, "connect", "--file", str(people), "--json")
        assert [json.loads(line)["outcome"] for line in connected_lines.splitlines()] == ["connected"] * len(ORCIDS)

        synced = await command(replica, "sync", *ORCIDS, "--wait", "--timeout", "20", "--json")
        assert {
            json.loads(line)["orcid"]: json.loads(line)["outcome"] for line in synced.splitlines()
        } == dict.fromkeys(ORCIDS, "done")
        status = json.loads(await command(replica, "status", "--json"))["overview"]
        assert (status["connections"], status["records"]) == ({"connected": len(ORCIDS)}, {"active": len(ORCIDS)})

        feed = asyncio.create_task(
            command(replica, "changes", "--follow", "--after", str(status["feed"]["last"]), "--limit", "1", "--json")
        )
        await wait_until(lambda: len(list(sim.webhooks)) == len(ORCIDS))
        sim.edit.add_item(ORCIDS[3], "keyword", {"content": "kill -9"})
        change = json.loads(await feed)
    assert (change["orcid"], change["section"], change["op"], change["cause"]) == (
        *(ORCIDS[3], "keyword", "added"),
        "notification",
    )


@pytest.mark.fault("F12")
@pytest.mark.invariant("L7")
async def test_a_stop_under_load_leaves_no_notification_unanswered_and_no_lease(
    sim: SimulatedRegistry, dsn: str, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """Senders go on until the load balancer has noticed that readiness went down, and half a second longer."""
    async with serving(sim, dsn, tmp_path, drain_seconds=1.2, stop_seconds=10) as replica:
        await command(replica, "connect", *ORCIDS)
        sim.faults.add("delay", "record", seconds=0.7)
        answers: list[Any] = []
        senders = [asyncio.create_task(send_until_unready(replica, answers, number)) for number in range(4)]
        await wait_until(lambda: len(answers) > 20)
        await wait_until(lambda: count(dsn, LEASED))
        replica.signal(signal.SIGTERM)
        began = time.monotonic()
        replica.signal(signal.SIGTERM)  # impatience changes nothing
        replica.signal(signal.SIGINT)
        code = await replica.ended()
        took = time.monotonic() - began
        await asyncio.gather(*senders)
    assert set(answers) == {204}
    assert code == 0
    assert 1.2 <= took < 6
    assert await count(dsn, LEASED) == 0
    assert "Traceback" not in replica.log.read_text()


async def send_until_unready(replica: Replica, answers: list[Any], number: int) -> None:
    """Post notifications, each on a connection of its own, until half a second after readiness is gone."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=5)) as session:
        end = float("inf")
        while time.monotonic() < end:
            try:
                async with session.post(callback(replica, ORCIDS[number])) as answer:
                    answers.append(answer.status)
            except aiohttp.ClientError as error:
                answers.append(repr(error))
            if end == float("inf") and not await replica.answers(session, "/readyz"):
                end = time.monotonic() + 0.5


@pytest.mark.fault("F02", "F15")
@pytest.mark.invariant("L4")
async def test_what_a_killed_replica_had_leased_is_taken_over_within_lease_and_poll(
    sim: SimulatedRegistry, dsn: str, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    slow = sim.faults.add("delay", "record", seconds=30)
    async with serving(sim, dsn, tmp_path) as victim:
        await command(victim, "connect", *ORCIDS)
        await wait_until(lambda: count(dsn, LEASED))
        async with serving(sim, dsn, tmp_path) as heir:
            sim.faults.clear(slow.number)
            await victim.kill()
            killed = time.monotonic()
            await wait_until(lambda: settled(dsn), 20)
            assert time.monotonic() - killed < 2 + 0.3 + 3  # lease, poll, and the work itself
            assert heir.running


async def settled(dsn: str) -> bool:
    return await count(dsn, SETTLED) == 0


async def test_a_record_is_read_only_when_the_notification_was_answered_and_the_grace_has_passed(
    sim: SimulatedRegistry, dsn: str, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """What is read before or while ORCID writes down our answer may miss a change for good (contract section 1.8)."""
    async with serving(sim, dsn, tmp_path, grace_seconds=0.8) as replica:
        await command(replica, "connect", ORCIDS[0])
        await wait_until(lambda: settled(dsn), 10)
        before = sim.journal.request_count
        async with aiohttp.ClientSession() as session, session.post(callback(replica, ORCIDS[0])) as answer:
            assert answer.status == 204
        answered_ms = sim.clock.now_ms()
        await wait_until(lambda: sim.journal.request_count > before)
    read = next(request for request in sim.journal.requests if request.number > before)
    assert read.began_ms >= answered_ms + 700


REFUSALS = {
    "public port": ({"public_port": "taken"}, "The public listener cannot use 127.0.0.1:taken"),
    "internal port": ({"internal_port": "taken"}, "The internal listener cannot use 127.0.0.1:taken"),
    "no secret": ({"client_secret": ""}, "client_secret: "),
    "short secret": ({"webhook_secret": "short"}, "webhook_secret (environment ORCID_SYNC_WEBHOOK_SECRET): "),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_serve_says_in_a_sentence_why_it_does_not_start(
    sim: SimulatedRegistry, dsn: str, tmp_path: Path, case: str
) -> None:
    settings, sentence = REFUSALS[case]
    taken = sim.url.rpartition(":")[2]
    given = {name: taken if value == "taken" else value for name, value in settings.items()}
    replica = Replica(environment(dsn, sim.url, "http://127.0.0.1:9", **given), tmp_path / "refused.log")
    await replica.start()

    assert await replica.ended() == 1
    [said] = [line for line in replica.log.read_text().splitlines() if not line.startswith("{")]
    assert said.startswith(sentence.replace("taken", taken))


async def test_serve_refuses_a_schema_that_is_behind(sim: SimulatedRegistry, empty_dsn: str, tmp_path: Path) -> None:
    replica = Replica(environment(empty_dsn, sim.url, "http://127.0.0.1:9"), tmp_path / "behind.log")
    await replica.start()

    assert await replica.ended() == 1
    assert replica.log.read_text().strip().endswith("Run: orcid-sync migrate")
