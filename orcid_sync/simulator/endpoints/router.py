"""Requests in, answers out: which endpoint is meant, and what the Registry says there."""

from collections.abc import Mapping

import msgspec

from orcid_sync.simulator.answers import http_answer
from orcid_sync.simulator.answers.http_answer import Answer
from orcid_sync.simulator.api import data_sync
from orcid_sync.simulator.api.read_record import Target, find_target, skips_state_test
from orcid_sync.simulator.api.request import Call
from orcid_sync.simulator.base.errors import Refusal, Unauthenticated
from orcid_sync.simulator.base.tokens import Token
from orcid_sync.simulator.endpoints import authorize, oauth_token, search
from orcid_sync.simulator.faults.faults import Fault
from orcid_sync.simulator.faults.stale_caches import REPLICATED, earlier
from orcid_sync.simulator.oauth import access as admission
from orcid_sync.simulator.records.identifiers import ORCID_SHAPE
from orcid_sync.simulator.records.profiles import RecordState
from orcid_sync.simulator.world import World

VERSION = "v3.0"
PUBLIC_HOST = "pub"
"""First segment of the path that stands for the public host."""

WEB_ADDRESSES = {
    "/oauth/token": "token",
    "/oauth/revoke": "revoke",
    "/oauth/authorize": "authorize",
    "/userStatus.json": "user-status",
}
"""The web host's part (contract section 2.1)."""

_CONSUMED = (*http_answer.JSON_TYPES, *http_answer.XML_TYPES)


class Route(msgspec.Struct, frozen=True):
    """Where a call goes."""

    endpoint: str
    orcid: str | None = None
    target: Target | None = None
    segment: str = ""
    """The encoded callback address of a webhook call."""

    @property
    def put_codes(self) -> frozenset[int]:
        """The items that are asked for by number."""
        return self.target.put_codes if self.target else frozenset()


def find_route(call: Call) -> Route:
    """The endpoint that a call is meant for; `nowhere` if there is none, `redirect` for addresses of other versions."""
    segments = call.path.strip("/").split("/")
    if call.path in WEB_ADDRESSES:
        name = WEB_ADDRESSES[call.path]
        return Route(oauth_token.kind_of_grant(call) if name == "token" else name)
    if segments[0] == VERSION:
        return _versioned(segments[1:])
    if ORCID_SHAPE.fullmatch(segments[0]):
        return _unversioned(call, segments)
    return Route(_OTHER_FIRST_SEGMENTS.get(segments[0], "nowhere"))


_OTHER_FIRST_SEGMENTS = {
    **dict.fromkeys((f"{VERSION}_rc1", f"{VERSION}_rc2"), "redirect"),
    **dict.fromkeys(data_sync.BUCKETS, "data-sync"),
}


def _versioned(segments: list[str]) -> Route:
    if len(segments) == 1 and segments[0] in search.ENDPOINTS:
        return Route(segments[0])
    target = find_target(segments)
    return Route(target.endpoint, target.orcid, target) if target else Route("nowhere")


def _unversioned(call: Call, segments: list[str]) -> Route:
    if len(segments) == 3 and segments[1] == "webhook" and not call.on_public_host:
        return Route(f"webhook-{call.method.lower()}", segments[0], segment=segments[2])
    return Route("redirect", segments[0])


def answer(world: World, call: Call, route: Route, faults: Mapping[str, Fault]) -> Answer:
    """What the Registry says to a call, and that nobody may store it; the buckets are not the Registry's own."""
    said = _answer(world, call, route, faults)
    if route.endpoint == "data-sync":
        return said
    return msgspec.structs.replace(said, headers={**http_answer.NEVER_STORED, **said.headers})


def _answer(world: World, call: Call, route: Route, faults: Mapping[str, Fault]) -> Answer:
    try:
        _check_scheme(call)
        if route.target is not None:
            return _read(world, call, route.target, faults)
        if route.endpoint.startswith("webhook-"):
            return _webhook(world, call, route)
        return _OTHERS[route.endpoint](world, call)
    except Refusal as error:
        return http_answer.refusal(error, call.media_type)
    except Unauthenticated as error:
        return http_answer.unauthenticated(error)
    finally:
        world.token_service.count_call(call.token)


def _check_scheme(call: Call) -> None:
    """Plain http is refused; here the header of the proxy that ends TLS says what was used."""
    if call.headers.get("X-Forwarded-Proto") == "http":
        raise Refusal(9012, "the API is reached by https only")


def _read(world: World, call: Call, target: Target, faults: Mapping[str, Fault]) -> Answer:
    access = admission.reader(world.token_service, call.token, on_public_host=call.on_public_host)
    if call.method != "GET":
        raise Refusal(9001, status=405)
    media_type = call.media_type
    if media_type is None:
        raise Refusal(9001, status=406)
    if wrong := faults.get("wrong-record"):
        target = msgspec.structs.replace(target, orcid=_other(world, target.orcid, wrong))
    state = _state(world, call, target, access)
    epoch: int | None = world.profiles.names_epoch
    if target.orcid in world.profiles and (stale := faults.get("stale") or faults.get("earlier")):
        state, epoch = _stale_state(world, target.orcid, stale), None
    body = world.answerer.answer(target, state, access, as_json=media_type in http_answer.JSON_TYPES, epoch=epoch)
    return http_answer.document(body, media_type)


def _state(world: World, call: Call, target: Target, access: admission.Access) -> RecordState:
    found = world.find_state(target.orcid)
    if found is not None and skips_state_test(target, access):
        unavailable = found.locked or not found.claimed or found.primary_orcid or found.deactivated_ms
        return msgspec.structs.replace(found, items={}, version=-1) if unavailable else found
    return admission.check_record(found, target.orcid, access, now_ms=world.clock.now_ms(), address=call.address)


def _stale_state(world: World, orcid: str, fault: Fault) -> RecordState:
    if fault.kind == "earlier":
        return earlier(world.profiles[orcid], fault)
    lag_ms = round(fault.options.get("seconds", 300) * 1000)
    sections = tuple(fault.options.get("sections", REPLICATED))
    return world.stale.state(world.profiles[orcid], now_ms=world.clock.now_ms(), lag_ms=lag_ms, sections=sections)


def _other(world: World, orcid: str, fault: Fault) -> str:
    named = fault.options.get("other")
    return str(named) if named else next((other for other in world.profiles if other != orcid), orcid)


def _webhook(world: World, call: Call, route: Route) -> Answer:
    """PUT and DELETE of registrations (contract sections 1.1, 1.3, 1.4)."""
    if call.method not in ("PUT", "DELETE"):
        raise Refusal(9001, status=405)
    token = _webhook_token(world, call)
    content_type = call.headers.get("Content-Type")
    if content_type and content_type.partition(";")[0].strip().lower() not in _CONSUMED:
        raise Refusal(9001, status=415)
    orcid = route.orcid or ""
    if call.method == "DELETE":
        world.webhooks.delete(orcid, route.segment, token.client_id)
        return Answer(204)
    created = world.webhooks.put(orcid, route.segment, token.client_id)
    return Answer(201, headers={"Location": call.address}) if created else Answer(204)


def _webhook_token(world: World, call: Call) -> Token:
    text = call.token
    if text is not None and "/webhook" not in world.token_service.check(text).scopes:
        raise Refusal(9038, "/webhook")
    return admission.member_token(world.token_service, text)


def _bucket(world: World, call: Call) -> Answer:
    """An object of the data sync (contract section 7.2)."""
    return world.data_sync.get(call)


def _redirect(_world: World, call: Call) -> Answer:
    """Addresses without a version, or with that of a release candidate (contract section 3.1)."""
    first, _, rest = call.path.strip("/").partition("/")
    if first.startswith(VERSION):
        location = call.address.replace(f"/{first}/", f"/{VERSION}/", 1)
        raise Refusal(9056, location, location=location)
    if call.method != "GET":
        raise Refusal(9001)
    tail = f"{first}/{rest}" if rest else first
    root = call.address.removesuffix(call.path.lstrip("/")).rstrip("/")
    return Answer(302, headers={"Location": f"{root}/{VERSION}/{tail}"})


def _nowhere(_world: World, call: Call) -> Answer:
    version, _, rest = call.path.strip("/").partition("/")
    first = rest.partition("/")[0]
    if version == VERSION and first and not ORCID_SHAPE.fullmatch(first):
        raise Refusal(9016, f"Full validation error: ORCID iD {first} not found")  # as observed: corpus section 4
    raise Refusal(9001, status=404)


_OTHERS = {
    **dict.fromkeys(oauth_token.GRANTS.values(), oauth_token.token),
    "revoke": oauth_token.revoke,
    "authorize": authorize.authorize,
    "user-status": authorize.user_status,
    **search.ENDPOINTS,
    "data-sync": _bucket,
    "redirect": _redirect,
    "nowhere": _nowhere,
}
