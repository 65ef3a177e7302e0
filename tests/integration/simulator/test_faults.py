"""Faults of the simulated Registry, its control over HTTP, and its life as a process."""

import asyncio
import json
import sys
from typing import Any

import aiohttp
import pytest

from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.serve import serve_simulator
from orcid_sync.simulator.world import CLIENT_ID
from rig.simulator import JSON, OTHER, UNKNOWN, Asking, Hub, O, registered

# Faults of requests, and the control over HTTP


@pytest.mark.parametrize(
    ("kind", "options", "status", "body"),
    [
        ("delay", {"seconds": 0.01}, 200, b"orcid-identifier"),
        ("slow-drip", {"seconds": 0.01}, 200, b"orcid-identifier"),
        ("error", {"status": 429}, 429, b"Too Many"),
        ("error", {"status": 500}, 500, b"9008"),
        ("error", {"status": 500, "html": True}, 500, b"<html>"),
        ("error", {"status": 502}, 502, b"<html>"),
        ("error", {"status": 503}, 503, b"<html>"),
        ("error", {"status": 504}, 504, b"<html>"),
        ("html", {}, 200, b"<html>"),
        ("truncated", {}, 200, b"orcid-identifier"),
        ("wrong-shape", {}, 200, b"unexpected"),
        ("wrong-record", {}, 200, OTHER.encode()),
        ("reset", {}, None, b""),
        ("lost-answer", {}, None, b""),
        ("timeout", {"seconds": 0.01}, None, b""),
        ("wrong-length", {}, None, b""),
    ],
)
async def test_faults_of_requests(
    ask: Asking, kind: str, options: dict[str, Any], status: int | None, body: bytes
) -> None:
    ask.sim.faults.add(kind, "record", count=1, **options)
    if status is None:
        with pytest.raises(aiohttp.ClientError):
            await ask.get("record")
    else:
        answer = await ask.get("record")
        assert answer.status == status
        assert body in answer.body
        if kind == "truncated":
            with pytest.raises(json.JSONDecodeError):
                answer.json  # noqa: B018 - reading it is the test
    assert ask.sim.faults.fired[kind] == 1
    healed = await ask.get("record")
    assert healed.json["orcid-identifier"]["path"] == O
    assert [request.faults for request in ask.sim.journal.reads_of(O)] == [(kind,), ()]


ODD = {"headers": {}, "body": {"responseCode": 400}, "statusCode": "BAD_REQUEST", "statusCodeValue": 400}


@pytest.mark.parametrize(
    ("kind", "options", "status", "content_type", "body"),
    [
        ("error", {"code": 9006}, 400, JSON, b'"error-code":9006'),
        ("error", {"code": 9005}, 403, JSON, b'"error-code":9005'),
        ("error", {"code": 9017, "status": 403}, 403, JSON, b'"response-code":403'),
        ("error", {"status": 503, "retry_after": 7}, 503, "text/html", b"<html>"),
        ("answer", {}, 200, None, b""),
        ("answer", {"status": 201, "body": "a < b", "content_type": "text/plain"}, 201, "text/plain", b"a < b"),
        ("answer", {"body": [None], "headers": {"Retry-After": "7"}}, 200, None, b"[null]"),
        ("rejected", {}, 200, None, json.dumps(ODD, separators=(",", ":")).encode()),
        ("untyped", {}, 200, None, b"orcid-identifier"),
        ("empty", {}, 200, JSON, b""),
        ("bom", {}, 200, JSON, b"\xef\xbb\xbf{"),
        ("list", {}, 200, JSON, b"[{"),
        ("padded", {"bytes": 10}, 200, JSON, b"}" + b" " * 10),
    ],
)
async def test_answers_that_come_whole_and_are_wrong(
    ask: Asking, kind: str, options: dict[str, Any], status: int, content_type: str | None, body: bytes
) -> None:
    ask.sim.faults.add(kind, "record", **options)
    answer = await ask.get("record")
    assert answer.status == status
    assert body in answer.body
    assert (answer.headers.get("Content-Type") or "nothing").partition(";")[0] == (content_type or "nothing")
    waits = "retry_after" in options or "headers" in options
    assert answer.headers.get("Retry-After") == ("7" if waits else None)


@pytest.mark.parametrize(("status", "error"), [(403, "access_denied"), (401, "invalid_token")])
async def test_refusals_that_echo_the_token(ask: Asking, status: int, error: str) -> None:
    ask.sim.faults.add("echo", "record", status=status)
    answer = await ask.get("record")
    assert (answer.status, answer.json["error"]) == (status, error)
    assert str(ask.token) in answer.json["error_description"]


@pytest.mark.parametrize("kind", ["error", "html", "empty", "list", "wrong-put-code", "foreign-path"])
async def test_a_fault_can_be_that_of_one_item(ask: Asking, kind: str) -> None:
    good, bad, apart = (ask.sim.edit.add_item(O, "work", {"title": title}) for title in "gba")
    paths = (f"work/{good}", f"works/{good},{apart}", "record", f"work/{bad}", f"works/{good},{bad}")

    async def bodies() -> list[bytes]:
        return [(await ask.get(path)).body for path in paths]

    await bodies()  # from now on pages come from the cache, always in the same order
    before = await bodies()
    ask.sim.faults.add(kind, "work*", orcid=O, put_code=bad)
    after = await bodies()
    assert after[:3] == before[:3]
    assert (after[3] != before[3], after[4] != before[4]) == (True, True)


async def test_items_that_are_not_those_that_were_asked_for(ask: Asking) -> None:
    good, bad = (ask.sim.edit.add_item(O, "work", {"title": title}) for title in "gb")
    ask.sim.faults.add("wrong-put-code", "works-bulk", put_code=bad, value=7)
    ask.sim.faults.add("foreign-path", "works-bulk", put_code=good, other=OTHER)
    works = [entry["work"] for entry in (await ask.get(f"works/{good},{bad}")).json["bulk"]]
    assert {(work["put-code"], work["path"]) for work in works} == {
        (good, f"/{OTHER}/work/{good}"),
        (7, f"/{O}/work/{bad}"),
    }


async def test_a_lost_answer_has_done_what_was_asked(ask: Asking) -> None:
    ask.sim.faults.add("lost-answer", "webhook-put", count=1)
    with pytest.raises(aiohttp.ClientError):
        await ask.hook("PUT")
    assert (await ask.hook("PUT")).status == 204


async def test_everything_can_be_controlled_over_http(ask: Asking, hub: Hub) -> None:
    async def control(method: str, path: str, **body: Any) -> Any:
        async with ask.http.request(method, f"{ask.sim.url}/_sim/{path}", json=body or None) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    orcid = numbered_orcid(4_000_009)
    await control("POST", "records", orcid=orcid, works=3)
    assert orcid in await control("GET", "records")
    added = await control(
        "POST", "edit/add_item", orcid=orcid, section="work", content={"title": "t"}, source=CLIENT_ID
    )
    await control(
        "POST", "edit/set_visibility", orcid=orcid, section="work", put_code=added["result"], visibility="private"
    )
    token = (await control("POST", "tokens", client_id=CLIENT_ID, scopes=["/read-limited"], orcid=orcid))[
        "access_token"
    ]
    view = await control("GET", f"view/{orcid}?token={token}")
    assert len(view["activities-summary"]["works"]["group"]) >= 2
    registered(ask.sim, hub, orcid)
    await control("POST", "edit/set_locale", orcid=orcid, locale="de")
    await control("POST", "faults", kind="duplicate", endpoint="notification", count=1)
    assert (await control("POST", "deliver"))["calls"] == 2
    assert (await control("GET", "faults"))["fired"] == {"duplicate": 1}
    notifications = await control("GET", f"notifications?orcid={orcid}")
    assert [one["success"] for one in notifications] == [True, True]
    assert (await control("GET", f"webhooks?orcid={orcid}"))[0]["sending"]["failures"] == 0
    assert len(await control("GET", f"history/{orcid}")) == 4
    first = await control("GET", f"view/{orcid}?token={token}&version=0")
    assert len(first["activities-summary"]["works"]["group"]) < len(view["activities-summary"]["works"]["group"])
    assert (await control("POST", "clock/advance", seconds=3600))["calls"] == 0
    await control("POST", "switches", max_attempts=3, introspection_down=True)
    assert ask.sim.settings.max_attempts == 3
    assert (await ask.get("record")).status == 401
    assert (await control("GET", "requests"))[-1]["status"] == 401
    assert (await control("POST", "tokens/revoke", orcid=orcid))["revoked"] == 1
    assert len(await control("POST", "random-edits", count=5, seed=1)) == 5


async def test_texts_that_postgresql_refuses_can_be_served(ask: Asking) -> None:
    text = "nul \x00 and half a pair \ud800"
    body = json.dumps({"orcid": O, "section": "work", "content": {"title": text}})
    async with ask.http.post(f"{ask.sim.url}/_sim/edit/add_item", data=body) as answer:
        code = (await answer.json())["result"]
    assert (await ask.get(f"work/{code}")).json["title"]["title"]["value"] == text
    assert b"half a pair" in (await ask.get(f"work/{code}", accept=None)).body


async def test_control_says_what_was_wrong(ask: Asking) -> None:
    for path, body in (("edit/explode", {}), ("edit/lock", {"orcid": UNKNOWN}), ("faults", {"kind": "nonsense"})):
        async with ask.http.post(f"{ask.sim.url}/_sim/{path}", json=body) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]


async def test_jobs_run_in_the_background_as_time_passes(hub: Hub) -> None:
    sim = SimulatedRegistry(speed=1000)
    sim.settings.indexer_period = sim.settings.hook_period = 1
    await sim.start(deliver=True)
    try:
        sim.edit.create_record(O)
        registered(sim, hub)
        sim.edit.set_locale(O, "de")
        async with asyncio.timeout(5):
            await hub.called.wait()
    finally:
        await sim.stop()


async def test_a_simulation_edits_its_records_until_it_is_cancelled() -> None:
    started: asyncio.Future[SimulatedRegistry] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_simulator(port=0, records=5, edits_per_minute=60_000, limited=False, ready=started.set_result)
    )
    sim = await started
    async with asyncio.timeout(5):
        while sum(sim.profiles.state(orcid).version for orcid in sim.profiles) < 20:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


@pytest.mark.reveals("process", reason="the made-up secret of the simulated client is announced")
async def test_it_runs_as_a_process_of_its_own(http: aiohttp.ClientSession) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orcid_sync.simulator", "--port", "0", "--records", "3"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        address = next(word for word in line.split() if word.startswith("http://"))
        async with http.get(f"{address}/_sim/records") as answer:
            assert len(await answer.json()) == 3
    finally:
        process.terminate()
        await process.wait()
