"""Control over HTTP, under `/_sim/`, for simulations that run as a process of their own. Everything is JSON."""

import inspect
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from aiohttp import web

from orcid_sync.simulator.answers.http_answer import encode
from orcid_sync.simulator.base.errors import Refusal, Unauthenticated
from orcid_sync.simulator.records.profiles import Source
from orcid_sync.simulator.server import control_oauth
from orcid_sync.simulator.simulation import Simulation

Json = dict[str, Any]
Handler = Callable[[Simulation, web.Request, Json], Awaitable[Any]]


async def _edit(sim: Simulation, request: web.Request, body: Json) -> Any:
    operation = request.match_info["operation"]
    method = getattr(sim.edit, operation, None)
    if operation.startswith("_") or not inspect.ismethod(method):
        raise KeyError(f"no edit {operation}")
    if isinstance(body.get("source"), dict):
        body["source"] = msgspec.convert(body["source"], Source)
    return {"result": method(**body)}


async def _view(sim: Simulation, request: web.Request, _: Json) -> Any:
    query = request.query
    version, at_ms = (int(query[key]) if key in query else None for key in ("version", "at_ms"))
    return sim.view(request.match_info["orcid"], query.get("token"), version=version, at_ms=at_ms)


async def _history(sim: Simulation, request: web.Request, _: Json) -> Any:
    """Every version with its moment and what the record's state was."""
    members = ("version", "modified_ms", "claimed", "locked", "deactivated_ms", "primary_orcid")
    past = sim.profiles[request.match_info["orcid"]].past
    return [{"at_ms": at_ms, **{name: getattr(state, name) for name in members}} for at_ms, state in past]


async def _state(sim: Simulation, request: web.Request, _: Json) -> Any:
    profile = sim.profiles[request.match_info["orcid"]]
    facts = {key: value for key, value in msgspec.structs.asdict(profile.state).items() if key != "items"}
    items = {section: list(items) for section, items in profile.state.items.items()}
    return {**facts, "indexing_status": profile.indexing_status, "put_codes": items}


async def _records(sim: Simulation, _request: web.Request, _: Json) -> Any:
    return list(sim.profiles)


async def _add_records(sim: Simulation, _request: web.Request, body: Json) -> Any:
    """Either `{"samples": n, "seed": s}` or `{"orcid": …, "works": n, …}`."""
    if "samples" in body:
        return sim.add_samples(body["samples"], seed=body.get("seed", 7))
    sim.add_record(**body)
    return [body["orcid"]]


async def _random_edits(sim: Simulation, _request: web.Request, body: Json) -> Any:
    rng = Random(body["seed"]) if "seed" in body else sim.world.rng
    return [sim.random_edit(rng, orcid=body.get("orcid")) for _ in range(body.get("count", 1))]


async def _switches(sim: Simulation, _request: web.Request, body: Json) -> Any:
    """Settings of the delivery, the index and the authorization server, and the outage of the token service."""
    holders = (sim.settings, sim.index.settings, sim.data_sync.settings, sim.token_service.settings)
    if "introspection_down" in body:
        sim.token_service.introspection_down = bool(body.pop("introspection_down"))
    for name, value in body.items():
        holder = next((one for one in holders if name in one.__struct_fields__), None)
        if holder is None:
            raise KeyError(f"no setting {name}")
        setattr(holder, name, value)
    return {name: value for one in holders for name, value in msgspec.structs.asdict(one).items()}


async def _add_fault(sim: Simulation, _request: web.Request, body: Json) -> Any:
    return sim.faults.add(**body)


async def _faults(sim: Simulation, _request: web.Request, _: Json) -> Any:
    return {"active": list(sim.faults.active.values()), "fired": dict(sim.faults.fired)}


async def _clear_faults(sim: Simulation, request: web.Request, _: Json) -> Any:
    number = request.query.get("number")
    sim.faults.clear(None if number is None else int(number))
    return {}


async def _clock(sim: Simulation, _request: web.Request, _: Json) -> Any:
    return {"now_ms": sim.clock.now_ms(), "speed": sim.clock.speed}


async def _advance(sim: Simulation, _request: web.Request, body: Json) -> Any:
    return {"calls": await sim.advance(body["seconds"]), "now_ms": sim.clock.now_ms()}


async def _deliver(sim: Simulation, _request: web.Request, body: Json) -> Any:
    return {"calls": await sim.run_delivery(after=body.get("after", 0.0))}


async def _requests(sim: Simulation, request: web.Request, _: Json) -> Any:
    since, orcid = int(request.query.get("since", 0)), request.query.get("orcid")
    return [one for one in sim.journal.requests if one.number > since and orcid in (None, one.orcid)]


async def _notifications(sim: Simulation, request: web.Request, _: Json) -> Any:
    since, orcid = int(request.query.get("since", 0)), request.query.get("orcid")
    return [one for one in sim.journal.notifications if one.number > since and orcid in (None, one.orcid)]


async def _write_data_file(sim: Simulation, _request: web.Request, body: Json) -> Any:
    """`{"folder", "year", "activities", "emptied"}`: the public data file, on the simulator's disk."""
    path = sim.write_data_file(Path(body.pop("folder")), **body)
    return {"path": str(path)}


async def _webhooks(sim: Simulation, request: web.Request, _: Json) -> Any:
    """Rows of the hook table, which ORCID shows to nobody; with `failures` those that failed so often in a row."""
    orcid, failures = request.query.get("orcid"), int(request.query.get("failures", 0))
    rows = sim.webhooks.of(orcid) if orcid else list(sim.webhooks)
    most = sim.settings.max_attempts
    return [
        {**msgspec.structs.asdict(row), "dead": row.sending.failures >= most}
        for row in rows
        if row.sending.failures >= failures
    ]


ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "edit/{operation}"): _edit,
    ("GET", "view/{orcid}"): _view,
    ("GET", "history/{orcid}"): _history,
    ("GET", "state/{orcid}"): _state,
    ("GET", "records"): _records,
    ("POST", "records"): _add_records,
    ("POST", "random-edits"): _random_edits,
    ("POST", "switches"): _switches,
    ("POST", "faults"): _add_fault,
    ("GET", "faults"): _faults,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "clock"): _clock,
    ("POST", "clock/advance"): _advance,
    ("POST", "deliver"): _deliver,
    ("GET", "requests"): _requests,
    ("GET", "notifications"): _notifications,
    ("GET", "webhooks"): _webhooks,
    ("POST", "data-file"): _write_data_file,
    **control_oauth.ROUTES,
}


def add_routes(app: web.Application, sim: Simulation) -> None:
    """Hang the control under `/_sim/`."""
    for (method, path), handler in ROUTES.items():
        app.router.add_route(method, f"/_sim/{path}", _adapted(sim, handler))


def _adapted(sim: Simulation, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read() or b"{}")  # msgspec refuses lone surrogates
            status, answer = 200, await handler(sim, request, body)
        except Refusal as error:
            status, answer = error.status, error.body
        except Unauthenticated as error:
            status, answer = error.status, error.body
        except (KeyError, TypeError, ValueError) as error:
            status, answer = 400, {"error": f"{type(error).__name__}: {error}"}
        return web.Response(status=status, body=encode(msgspec.to_builtins(answer)), content_type="application/json")

    return handle
