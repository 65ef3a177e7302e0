"""The token and revocation endpoints (contract sections 2.3 to 2.6, 2.8)."""

from collections.abc import Callable
from typing import Any

import msgspec

from orcid_sync.simulator.answers import http_answer
from orcid_sync.simulator.answers.http_answer import Answer
from orcid_sync.simulator.answers.rendering import displayed_name
from orcid_sync.simulator.api.request import Call
from orcid_sync.simulator.base.errors import Unauthenticated
from orcid_sync.simulator.base.tokens import Client, Token
from orcid_sync.simulator.world import World

GRANTS = {"client_credentials": "token", "authorization_code": "token-code", "refresh_token": "token-refresh"}
"""Kinds of grant, and the endpoints under which faults and the journal know them."""

_HEADERS = {"OAUTH_AUTHORIZATION_CODE_EXCHANGE": "ON", "Cache-Control": "no-store", "Pragma": "no-cache"}


def kind_of_grant(call: Call) -> str:
    """The name of the endpoint that a request for a token is meant for."""
    return GRANTS.get(call.fields.get("grant_type", ""), "token")


def token(world: World, call: Call) -> Answer:
    """`POST /oauth/token`. Raises Unauthenticated."""
    form = call.posted()
    client = world.token_service.authenticate(*call.client_credentials())
    grant = _GRANTING.get(form.get("grant_type", ""))
    if grant is None:
        raise Unauthenticated("unsupported_grant_type", "The grant type is not supported", status=400)
    answer = http_answer.json_answer(200, _granted(world, grant(world, client, form)))
    return msgspec.structs.replace(answer, headers=_HEADERS)


def revoke(world: World, call: Call) -> Answer:
    """`POST /oauth/revoke` by the client: one pair, 200 for an unknown one too. Raises Unauthenticated."""
    form = call.posted()
    client = world.token_service.authenticate(*call.client_credentials())
    if not form.get("token"):
        raise Unauthenticated("invalid_request", "The token is missing", status=400)
    world.token_service.revoke(client, form["token"])
    return Answer(200)


def _by_credentials(world: World, client: Client, form: dict[str, str]) -> Token:
    return world.token_service.client_credentials(client, form.get("scope", ""))


def _by_code(world: World, client: Client, form: dict[str, str]) -> Token:
    return world.grants.exchange(client, form.get("code"), form.get("redirect_uri"))


def _by_refresh_token(world: World, client: Client, form: dict[str, str]) -> Token:
    return world.grants.refresh(client, form.get("refresh_token"), form.get("scope"))


_GRANTING: dict[str, Callable[[World, Client, dict[str, str]], Token]] = {
    "client_credentials": _by_credentials,
    "authorization_code": _by_code,
    "refresh_token": _by_refresh_token,
}


def _granted(world: World, token: Token) -> dict[str, Any]:
    """The members of the answer; a user's token comes with the iD and the name that everybody sees at this moment.

    `id_token` is not simulated: a mirror does not ask for `openid`.
    """
    granted = {
        "access_token": token.text,
        "token_type": "bearer",
        "refresh_token": token.refresh,
        "expires_in": (token.expires_ms - world.clock.now_ms()) // 1000,
        "scope": " ".join(sorted(token.scopes)),
        "orcid": token.orcid,
    }
    if token.orcid is not None:
        granted["name"] = displayed_name(world.profiles.state(token.orcid)) or ""
    return granted
