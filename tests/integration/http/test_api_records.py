"""Reading the mirror, keeping cursors and changing connections over HTTP; and what is wrong with a request."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from integration.http.api_listener import Api, serving_api
from orcid_sync.model.scopes import View
from orcid_sync.service.api import records as reading
from orcid_sync.service.api import request_body
from orcid_sync.service.explain.status_findings import findings
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.console.overview import overview
from orcid_sync.store.database import roles
from orcid_sync.store.database.pools import Database
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import ORCID, encode, full_forms, rich_record

OTHER = "0000-0002-1825-0097"
THIRD = "0000-0001-5109-3700"
NOBODY = "0000-0002-9079-593X"


@pytest.fixture
async def api(database: Database, connection: asyncpg.Connection) -> AsyncIterator[Api]:
    await connect_orcids(connection, [Entry(orcid=ORCID), Entry(orcid=OTHER)])
    await apply_record(database.worker, encode(rich_record()), full_forms(), access="read-limited")
    for orcid in (OTHER, THIRD):
        await apply_record(database.worker, encode(skeleton(orcid)))
    async with serving_api(database) as running:
        yield running


@pytest.fixture
async def api_of_production(database: Database) -> AsyncIterator[Api]:
    async with serving_api(database, home="production") as running:
        yield running


async def test_a_record_is_what_the_feed_says_of_it(api: Api) -> None:
    record = await api.json(f"/v1/records/{ORCID}")
    *lines, _ = await api.lines(f"/v1/changes?orcid={ORCID}")
    told = {(line["section"], line["key"]): line["new"] for line in lines}
    shown = {(item["section"], item["key"]): item["content"] for item in record["items"]}
    assert shown | {("record", ""): record["record"]} == told
    works = await api.json(f"/v1/records/{ORCID}/work")
    assert works["items"] == [item for item in record["items"] if item["section"] == "work"]
    itself = await api.json(f"/v1/records/{ORCID}/record")
    assert [item["content"] for item in itself["items"]] == [record["record"]]


async def test_the_past_can_be_asked(api: Api, connection: asyncpg.Connection) -> None:
    before = await api.json(f"/v1/records/{ORCID}")
    then = (await connection.fetchval("select max(at) from orcid.changes")).isoformat().replace("+00:00", "Z")
    await apply_record(api.database.worker, encode(skeleton(ORCID)), access="read-limited")
    now = await api.json(f"/v1/records/{ORCID}")
    assert now["items"] == []
    past = await api.json(f"/v1/records/{ORCID}?as_of={then}")
    assert past["items"] == before["items"]
    assert past["as_of"] == then
    assert len((await api.json(f"/v1/records/{ORCID}/work?as_of={then}"))["items"]) > 0
    assert (await api.get(f"/v1/records/{ORCID}?as_of=2020-01-01T00:00:00%2B01:00")).status == 404
    outside = ("0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00")
    for wrong in ("2020-01-01", "yesterday", "2020-01-01T00:00:00", *outside):
        assert (await api.get(f"/v1/records/{ORCID}?as_of={wrong}")).status == 400


async def test_a_text_that_no_database_can_take_is_refused(api: Api) -> None:
    for path in ("/v1/records?after=%00", "/v1/records?cursor=%00", "/v1/changes?after=%00"):
        assert (await api.get(path)).status == 400


async def test_who_has_it_already_is_told_so(api: Api, connection: asyncpg.Connection) -> None:
    path = f"/v1/records/{ORCID}/name"
    await connection.execute("update orcid_sync.queue set verified_at = '2026-01-02T03:04:05Z'")
    first = await api.get(path)
    assert first.headers["X-Mirror-Verified-At"] == "2026-01-02T03:04:05+00:00"
    tag = first.headers["ETag"]
    for known in (tag, f'"x", W/{tag}', "*"):
        again = await api.get(path, headers={"If-None-Match": known})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["X-Mirror-Verified-At"] == first.headers["X-Mirror-Verified-At"]
    await connection.execute("update orcid.names set doc = '{}'")
    assert (await api.get(path, headers={"If-None-Match": tag})).status == 200


async def test_a_snapshot_has_everything_and_where_to_go_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await api.json("/v1/records?limit=1")
    pages = [first]
    while pages[-1]["next"]:
        await apply_record(api.database.worker, encode(skeleton(NOBODY)))  # meanwhile the feed goes on
        pages.append(await api.json(pages[-1]["next"]))
    assert {page["cursor"] for page in pages} == {first["cursor"]}
    records = [record for page in pages for record in page["records"]]
    assert [record["orcid"] for record in records] == sorted([ORCID, OTHER, THIRD, NOBODY])
    for size in (1, 2, 20):
        monkeypatch.setattr(reading, "BATCH", size)
        *lines, ending = await api.lines("/v1/records")
        assert lines == records
    changes = await api.json(f"/v1/changes?after={first['cursor']}")
    assert {change["orcid"] for change in changes["changes"]} == {NOBODY}
    assert (await api.json(f"/v1/changes?after={ending['cursor']}"))["changes"] == []


async def test_a_consumer_keeps_its_cursor_and_is_seen_to_be_behind(api: Api, connection: asyncpg.Connection) -> None:
    cris, other, admin = [await api.bearing(scope) for scope in ("read-limited", "read-public", "admin")]
    cursor = (await cris.json("/v1/changes?limit=5"))["cursor"]
    kept = await cris.ask("PUT", "/v1/consumers/cris", json={"cursor": cursor})
    assert kept.status == 200
    last = await connection.fetchval("select last from orcid_sync.feed_head")
    one = await cris.json("/v1/consumers/cris")
    assert (one["cursor"], one["behind"], one["view"], one["must_resync"]) == (cursor, last - 5, "limited", False)
    assert one["behind_seconds"] > 0
    assert [len((await who.json("/v1/consumers"))["consumers"]) for who in (cris, other, admin)] == [1, 0, 1]
    assert (await other.get("/v1/consumers/cris")).status == 404
    end = (await other.json("/v1/changes?after=end"))["cursor"]
    refused = await other.ask("PUT", "/v1/consumers/cris", json={"cursor": end})
    assert (refused.status, refused.json["type"]) == (403, "urn:orcid-sync:problem:owner")
    assert (await cris.ask("PUT", "/v1/consumers/cris", json={"cursor": end})).json["reason"] == "view"
    assert (await other.ask("DELETE", "/v1/consumers/cris")).status == 404
    shown = (await admin.get("/metrics")).body.decode()
    assert f'orcid_sync_consumer_behind{{consumer="cris"}} {last - 5}.0' in shown
    await connection.execute("update orcid.changes set at = now() - interval '2 days'")
    assert await sentences(connection) == [f"The consumer cris is {last - 5} changes behind"]
    await connection.execute("select orcid_sync.new_epoch()")
    assert (await cris.json("/v1/consumers/cris"))["must_resync"]
    assert await sentences(connection) == [
        "The consumer cris reads a history of the feed that no longer exists: it must start again from a snapshot."
    ]
    assert (await admin.ask("DELETE", "/v1/consumers/cris")).status == 204
    assert (await cris.json("/v1/consumers"))["consumers"] == []


async def sentences(connection: asyncpg.Connection) -> list[str]:
    """What status says of consumers, without ages."""
    found = findings(await overview(connection))
    return [one.sentence.partition(", the first")[0] for one in found if "consumer" in one.sentence]


@pytest.mark.fault("F45")
@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/v1/records/https%3A%2F%2Fsandbox.orcid.org%2F{iD}", None),
        ("GET", "/v1/records/https%3A%2F%2Fsandbox.orcid.org%2F{iD}/changes", None),
        ("POST", "/v1/records/https%3A%2F%2Fsandbox.orcid.org%2F{iD}/sync", None),
        ("DELETE", "/v1/connections/https%3A%2F%2Fsandbox.orcid.org%2F{iD}", None),
        ("GET", "/v1/changes?orcid=https://sandbox.orcid.org/{iD}", None),
        ("POST", "/v1/connections", {"orcid": "https://sandbox.orcid.org/{iD}"}),
        ("POST", "/v1/connections", {"orcid": "sandbox.orcid.org/{iD}", "state": "disconnected"}),
    ],
)
async def test_an_address_in_another_environment_is_refused_with_the_reason(
    api_of_production: Api, method: str, path: str, said: dict[str, str] | None
) -> None:
    body = said and {name: value.replace("{iD}", OTHER) for name, value in said.items()}

    reply = await api_of_production.ask(method, path.replace("{iD}", OTHER), json=body)

    assert reply.status in (400, 404, 422)
    assert "is an iD of ORCID's sandbox, but this is its production" in reply.json["detail"]


async def test_lines_with_an_address_in_another_environment_are_named_and_the_others_are_done(
    api_of_production: Api,
) -> None:
    given = [f"https://sandbox.orcid.org/{OTHER}", f"https://orcid.org/{THIRD}"]
    body = b"\n".join(msgspec.json.encode({"orcid": one}) for one in given)

    reply = await api_of_production.ask(
        "POST", "/v1/connections", data=body, headers={"Content-Type": "application/x-ndjson"}
    )

    first, second = reply.lines
    assert "is an iD of ORCID's sandbox" in first["problem"]
    assert (second["orcid"], second["outcome"]) == (THIRD, "connected")


async def test_connections_are_listed_page_by_page(api: Api) -> None:
    first = await api.json("/v1/connections?limit=1&state=connected")
    second = await api.json(first["next"])
    shown = [one["orcid"] for page in (first, second) for one in page["connections"]]
    assert shown == sorted([ORCID, OTHER])
    assert (await api.json("/v1/connections?state=disconnected"))["connections"] == []
    assert (await api.json("/v1/connections?failing=true"))["connections"] == []


async def test_ids_are_followed_and_let_go(api: Api, connection: asyncpg.Connection) -> None:
    added = await api.ask("POST", "/v1/connections", json={"orcid": f"https://orcid.org/{THIRD}"})
    assert added.json == {"orcid": THIRD, "outcome": "connected"}
    assert (await api.ask("POST", "/v1/connections", json={"orcid": THIRD})).json["outcome"] == "already connected"
    gone = await api.ask("DELETE", f"/v1/connections/{THIRD}")
    assert gone.json == {"orcid": THIRD, "outcome": "disconnecting"}
    assert (await api.ask("DELETE", f"/v1/connections/{NOBODY}")).json["outcome"] == "was not connected"
    assert (await api.ask("POST", "/v1/connections", json={"orcid": "0000-0002-1825-0098"})).status == 422
    learnt = await connection.fetchval("select learnt from orcid_sync.consents where event = 'disconnected'")
    assert learnt == "api"


async def test_many_ids_have_a_line_of_result_for_each_line(api: Api) -> None:
    lines = [
        {"orcid": THIRD},
        {"orcid": NOBODY, "state": "connected"},
        {"orcid": "0000-0002-1825-0098"},
        {"orcid": THIRD, "token": "x"},
        {"orcid": THIRD, "state": "disconnected"},
        {"orcid": OTHER, "state": "connected"},
    ]
    body = b"\n".join([*map(msgspec.json.encode, lines), b"", b"{"])
    reply = await api.ask("POST", "/v1/connections", data=body, headers={"Content-Type": "application/x-ndjson"})
    assert [(line["line"], line["outcome"]) for line in reply.lines] == [
        (1, "connected"),
        (2, "connected"),
        (3, None),
        (4, None),
        (5, "disconnecting"),
        (6, "already connected"),
        (8, None),
    ]
    problems = [line["problem"] for line in reply.lines if line["problem"]]
    assert "check" in problems[0]
    assert "token" in problems[1]


async def test_a_record_is_read_now(api: Api, connection: asyncpg.Connection) -> None:
    await connection.execute("update orcid_sync.queue set due_at = now() + interval '1 day', gen = 0, done_gen = 0")
    reply = await api.ask("POST", f"/v1/records/{OTHER}/sync")
    assert (reply.status, reply.headers["Location"]) == (202, f"/v1/records/{OTHER}")
    due = await connection.fetch("select orcid from orcid_sync.queue where due_at <= now()")
    assert [row["orcid"] for row in due] == [OTHER]
    assert (await api.ask("POST", f"/v1/records/{NOBODY}/sync")).status == 404


ADMINISTRATION = [
    ("GET", "/v1/connections"),
    ("POST", "/v1/connections"),
    ("DELETE", f"/v1/connections/{OTHER}"),
    ("POST", f"/v1/records/{OTHER}/sync"),
]


async def test_only_administrators_see_who_is_connected_and_act(api: Api, connection: asyncpg.Connection) -> None:
    callers = [(401, api), (403, await api.bearing("read-public")), (403, await api.bearing("read-limited"))]
    before = await connection.fetch("select * from orcid_sync.queue order by orcid")
    for status, caller in callers:
        for method, path in ADMINISTRATION:
            reply = await caller.ask(method, path, json={"orcid": THIRD} if path == "/v1/connections" else None)
            assert (reply.status, reply.json["status"]) == (status, status)
    assert await connection.fetch("select * from orcid_sync.queue order by orcid") == before


JSON = {"Content-Type": "application/json"}
WRONG: list[tuple[int, str, str, dict[str, Any]]] = [
    (400, "GET", "/v1/changes?limit=0", {}),
    (400, "GET", "/v1/changes?limit=1001", {}),
    (400, "GET", "/v1/changes?limit=one", {}),
    (400, "GET", "/v1/changes?limit=1&limit=2", {}),
    (400, "GET", "/v1/changes?wait=61", {}),
    (400, "GET", "/v1/changes?minor=maybe", {}),
    (400, "GET", "/v1/changes?section=works", {}),
    (400, "GET", "/v1/changes?orcid=0000-0002-1825-0098", {}),
    (400, "GET", "/v1/records?unknown", {}),
    (400, "GET", "/v1/openapi.json?x=1", {}),
    (404, "GET", "/v1", {}),
    (404, "GET", "/v1/records/0000-0002-1825-0098", {}),
    (404, "GET", f"/v1/records/{NOBODY}", {}),
    (404, "GET", f"/v1/records/{ORCID}/works", {}),
    (404, "PUT", "/v1/consumers/-x", {"json": {"cursor": "x"}}),
    (405, "POST", "/v1/changes", {}),
    (405, "HEAD", "/v1/changes", {}),
    (405, "DELETE", f"/v1/records/{ORCID}", {}),
    (406, "GET", "/v1/changes", {"headers": {"Accept": "text/html"}}),
    (406, "GET", "/v1/records", {"headers": {"Accept": "application/json;q=0"}}),
    (400, "POST", "/v1/connections", {"data": b"{", "headers": JSON}),
    (400, "POST", "/v1/connections", {"data": b"", "headers": JSON}),
    (400, "POST", "/v1/connections", {"json": {"orcid": OTHER, "more": 1}}),
    (400, "POST", "/v1/connections", {"json": {"orcid": OTHER, "state": "erased"}}),
    (400, "POST", "/v1/connections", {"json": [OTHER]}),
    (413, "POST", "/v1/connections", {"data": b" " * (request_body.MAX_JSON + 1), "headers": JSON}),
    (415, "POST", "/v1/connections", {"data": b"orcid", "headers": {"Content-Type": "text/csv"}}),
    (415, "POST", "/v1/connections", {"data": b"", "headers": JSON | {"Content-Encoding": "gzip"}}),
    (409, "PUT", "/v1/consumers/x", {"json": {"cursor": "x"}}),
]


async def test_what_is_wrong_is_said_in_one_form(api: Api) -> None:
    for status, method, path, options in WRONG:
        reply = await api.ask(method, path, **options)
        assert reply.status == status, (method, path, options, reply.body)
        assert reply.headers["Content-Type"] == "application/problem+json"
        if method != "HEAD":
            assert {"type", "title", "status", "detail"} <= reply.json.keys()
            assert reply.json["status"] == status
        assert ("Allow" in reply.headers) == (status == 405)


async def test_a_body_that_does_not_say_how_long_it_is_has_a_bound_too(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    reply = await api.ask("POST", "/v1/connections", data=endless(), headers=JSON)
    assert reply.status == 413


async def test_what_may_not_be_read_for_others_is_not_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(roles.ROLES, View.LIMITED, "orcid_reader_who_does_not_exist")
    for path in ("/v1/changes", f"/v1/records/{ORCID}", "/v1/records", f"/v1/records/{ORCID}/work"):
        reply = await api.get(path)
        assert (reply.status, reply.json["type"]) == (503, "urn:orcid-sync:problem:readers"), path
        assert "deploy/roles.sql" in reply.json["detail"]
