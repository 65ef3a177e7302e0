"""Connections over HTTP: listing, connecting and disconnecting iDs, one or many at once, and reading one now."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from orcid_sync.model.ids import InvalidOrcid, Orcid
from orcid_sync.service.api.request_body import decode, read_body, read_document
from orcid_sync.service.api.responses import document, streaming, write
from orcid_sync.service.api.route import LINES, Asked
from orcid_sync.service.http.orcids import read_orcid
from orcid_sync.service.http.problems import Problem
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry, Standing
from orcid_sync.store.database.pools import AnyConnection, Database, statements
from orcid_sync.store.sync import queue

BATCH = 1_000
"""Lines that become one transaction."""

State = Literal["connected", "disconnected"]


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An iD, in any form, and what it shall be."""

    orcid: Annotated[str, msgspec.Meta(extra_json_schema={"format": "orcid"})]
    state: State = "connected"


class Granted(msgspec.Struct, frozen=True):
    """What became of a wish."""

    orcid: str
    outcome: str


class LineResult(msgspec.Struct, frozen=True):
    """What became of a line, by its number: an outcome, or a problem."""

    line: int
    orcid: str | None
    outcome: str | None
    problem: str | None


class ConnectionShown(msgspec.Struct, frozen=True):
    """A connection and its place in the queue."""

    orcid: str
    state: str
    access_state: str
    connected_at: datetime
    due_at: datetime
    lane: str
    leased: bool
    work_left: bool
    attempts: int
    last_error: str | None
    notified_at: datetime | None
    verified_at: datetime | None


class Connections(msgspec.Struct, frozen=True):
    """Some connections, and the address of the next ones, if there are more."""

    connections: list[ConnectionShown]
    next: str | None


class Following:
    """Shows and changes who is followed. For administrators."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, asked: Asked) -> web.StreamResponse:
        """GET /v1/connections."""
        given = asked.given
        async with statements(self._database.reader) as connection:
            found = await connections.list_connections(
                connection,
                after=given["after"] or "",
                limit=given["limit"],
                state=given["state"],
                failing=given["failing"],
            )
        kept = {"state": given["state"], "failing": "true" if given["failing"] else None, "limit": given["limit"]}
        query = urlencode({name: value for name, value in kept.items() if value})
        more = len(found) == given["limit"]
        following = f"/v1/connections?after={found[-1].orcid}&{query}" if more else None
        return document(Connections([_shown(one) for one in found], following))

    async def post(self, asked: Asked) -> web.StreamResponse:
        """POST /v1/connections: one wish as JSON, or one on each line."""
        if asked.request.content_type == LINES:
            return await self._post_lines(asked.request)
        wish = await read_document(asked.request, Wish)
        try:
            orcid = read_orcid(asked.request, wish.orcid)
        except InvalidOrcid as error:
            raise Problem(422, f"orcid: {error}.", kind="orcid") from None
        outcomes = await self._grant([orcid], wish.state)
        return document(Granted(orcid, outcomes[orcid]))

    async def delete(self, asked: Asked) -> web.StreamResponse:
        """DELETE /v1/connections/{orcid}."""
        orcid = asked.given["orcid"]
        return document(Granted(orcid, (await self._grant([orcid], "disconnected"))[orcid]))

    async def sync(self, asked: Asked) -> web.StreamResponse:
        """POST /v1/records/{orcid}/sync."""
        orcid = asked.given["orcid"]
        async with statements(self._database.worker) as connection:
            requested = await queue.request_sync(connection, [orcid])
            await queue.wake(connection)
        if not requested:
            raise Problem(404, f"{orcid} is not connected.")
        return document(Granted(orcid, "requested"), status=202, headers={"Location": f"/v1/records/{orcid}"})

    async def _post_lines(self, request: web.Request) -> web.StreamResponse:
        """Read all before anything is answered: hardly any program reads an answer while it still sends."""
        lines = [_read_line(request, number, text) for number, text in _numbered(await read_body(request))]
        async with streaming(request, LINES) as response:
            for start in range(0, len(lines), BATCH):
                results = await self._grant_lines(lines[start : start + BATCH])
                await write(response, b"".join(msgspec.json.encode(result) + b"\n" for result in results))
        return response

    async def _grant_lines(self, lines: "list[tuple[int, Orcid | None, State, str | None]]") -> list[LineResult]:
        results = []
        for state, run in groupby(lines, key=lambda line: line[2]):
            batch = list(run)
            outcomes = await self._grant([orcid for _, orcid, _, _ in batch if orcid], state)
            results += [
                LineResult(number, orcid, outcomes[orcid] if orcid else None, problem)
                for number, orcid, _, problem in batch
            ]
        return results

    async def _grant(self, orcids: list[Orcid], state: State) -> dict[Orcid, str]:
        if not orcids:
            return {}
        async with statements(self._database.worker) as connection:
            outcomes = await (_connect if state == "connected" else _disconnect)(connection, orcids)
            await queue.wake(connection)
        return outcomes


async def _connect(connection: AnyConnection, orcids: list[Orcid]) -> dict[Orcid, str]:
    outcomes = await connections.connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    return {orcid: outcome.value for orcid, outcome in outcomes.items()}


async def _disconnect(connection: AnyConnection, orcids: list[Orcid]) -> dict[Orcid, str]:
    gone = await connections.disconnect_orcids(connection, orcids, by="operator", learnt="api")
    return {orcid: "disconnecting" if orcid in gone else "was not connected" for orcid in orcids}


def _numbered(body: bytes) -> Iterator[tuple[int, bytes]]:
    return ((number, text) for number, text in enumerate(body.split(b"\n"), 1) if text.strip())


def _read_line(request: web.Request, number: int, text: bytes) -> "tuple[int, Orcid | None, State, str | None]":
    try:
        wish = decode(text, Wish)
        return number, read_orcid(request, wish.orcid), wish.state, None
    except Problem as problem:
        return number, None, "connected", problem.detail.removeprefix("The body: ")
    except InvalidOrcid as error:
        return number, None, "connected", str(error)


def _shown(one: Standing) -> ConnectionShown:
    lane = one.lane.name.lower().replace("_", "-")
    return ConnectionShown(**{**msgspec.structs.asdict(one), "lane": lane})
