"""Control of the authorization server: tokens, clients, who is signed in, what was asked (contract section 2)."""

from typing import Any

import msgspec
from aiohttp import web

from orcid_sync.simulator.base.tokens import Client
from orcid_sync.simulator.oauth.browsers import EVERY
from orcid_sync.simulator.simulation import Simulation

Json = dict[str, Any]


async def issue(sim: Simulation, _request: web.Request, body: Json) -> Any:
    """A token without ceremony: the arguments of `TokenService.issue`."""
    token = sim.token_service.issue(**body)
    return {"access_token": token.text, "refresh_token": token.refresh}


async def revoke(sim: Simulation, _request: web.Request, body: Json) -> Any:
    """A researcher takes a client (or all of them) from the trusted organisations."""
    return {"revoked": sim.token_service.disable(body["orcid"], "USER_REVOKED", client_id=body.get("client_id"))}


async def tokens(sim: Simulation, request: web.Request, _: Json) -> Any:
    """Every token of an iD, or all, with the reason why it does not work any more."""
    orcid = request.query.get("orcid")
    return [token for token in sim.token_service.tokens.values() if orcid in (None, token.orcid)]


async def secrets(sim: Simulation, _request: web.Request, _: Json) -> Any:
    """Every secret that the Registry ever gave out or knows: what must be found in no log."""
    return sim.secrets()


async def add_client(sim: Simulation, _request: web.Request, body: Json) -> Any:
    """A client more, or another in the place of one."""
    client = msgspec.convert(body, Client)
    sim.token_service.clients[client.client_id] = client
    return {"client_id": client.client_id}


async def change_client(sim: Simulation, request: web.Request, body: Json) -> Any:
    """Change members of a client: `redirect_uris`, `local_callbacks`, `webhooks_enabled`, `deactivated` and others."""
    old = sim.token_service.clients[request.match_info["client_id"]]
    client = msgspec.convert({**msgspec.structs.asdict(old), **body}, Client, strict=True)
    sim.token_service.clients[old.client_id] = client
    return {name: value for name, value in msgspec.structs.asdict(client).items() if name != "secret"}


async def sign_in(sim: Simulation, _request: web.Request, body: Json) -> Any:
    """`{"orcid", "browser"}`: who is signed in, in every browser unless one is named; null for nobody."""
    browser = body.get("browser", EVERY)
    if body["orcid"] is None:
        sim.browsers.sign_out(browser=browser)
    else:
        sim.browsers.sign_in(sim.profiles.state(body["orcid"]).orcid, browser=browser)
    return {"signed_in": sim.browsers.signed_in(browser)}


async def consents(sim: Simulation, request: web.Request, _: Json) -> Any:
    """The steps at the authorization endpoint since number `since`."""
    since = int(request.query.get("since", 0))
    return [one for one in sim.journal.consents if one.number > since]


ROUTES = {
    ("POST", "tokens"): issue,
    ("GET", "tokens"): tokens,
    ("POST", "tokens/revoke"): revoke,
    ("GET", "secrets"): secrets,
    ("POST", "clients"): add_client,
    ("POST", "clients/{client_id}"): change_client,
    ("POST", "signed-in"): sign_in,
    ("GET", "consents"): consents,
}
