"""Who is asking, and may they ask at all: tokens, record states, items (contract sections 3.4, 3.5, 3.8, 4)."""

import msgspec

from orcid_sync.simulator.base.errors import Refusal, Unauthenticated
from orcid_sync.simulator.base.tokens import Token, TokenService
from orcid_sync.simulator.records.profiles import Item, RecordState
from orcid_sync.simulator.records.visibility import PUBLIC, Viewer, viewer_of

UNCLAIMED_HIDDEN_MS = 10 * 24 * 3600 * 1000
"""An unclaimed record is hidden for ten days."""


class Access(msgspec.Struct, frozen=True):
    """What a caller's token (or none) amounts to on one of the two hosts."""

    viewer: Viewer
    on_public_host: bool
    client_id: str | None = None
    personal: bool = False
    orcid: str | None = None
    """The user who granted the token."""


def bearer(authorization: str | None) -> str | None:
    """The token of an Authorization header, None if there is none."""
    kind, _, text = (authorization or "").partition(" ")
    return text.strip() if kind.lower() == "bearer" and text.strip() else None


def member_token(token_service: TokenService, text: str | None) -> Token:
    """The token of a call to the member host. Raises Unauthenticated, or Refusal for a client that may not call."""
    if text is None:
        raise Unauthenticated("forbidden", status=403)  # contract section 12a
    token = token_service.check(text)
    client = token_service.clients[token.client_id]
    if client.deactivated:
        raise Refusal(9057)
    if client.public:
        raise Refusal(9017, "public client on the member API")
    return token


def reader(token_service: TokenService, text: str | None, *, on_public_host: bool) -> Access:
    """The access of a reading call; any token reads what is public (contract section 12a).

    Raises Unauthenticated and Refusal.
    """
    if on_public_host:
        token = None if text is None else token_service.check(text)
        return Access(PUBLIC, on_public_host=True, client_id=token.client_id if token else None)
    token = member_token(token_service, text)
    personal = token.orcid is not None
    return Access(
        viewer=viewer_of(token.client_id, token.scopes, personal=personal),
        on_public_host=False,
        client_id=token.client_id,
        personal=personal,
        orcid=token.orcid,
    )


def check_record(state: RecordState | None, orcid: str, access: Access, *, now_ms: int, address: str) -> RecordState:
    """The record, if its state allows reading it: the tests of contract section 3.5 in their order."""
    if state is None:
        raise Refusal(9016, f"Full validation error: ORCID iD {orcid} not found")
    if state.primary_orcid is not None:
        primary = state.primary_orcid
        raise Refusal(9007, f"https://orcid.org/{primary}", location=address.replace(orcid, primary))
    young = now_ms - state.submitted_ms < UNCLAIMED_HIDDEN_MS
    if not state.claimed and young and (access.client_id is None or access.client_id != state.creator):
        raise Refusal(9036)
    if state.locked:
        raise Refusal(9018)
    if state.deactivated_ms is not None:
        raise Refusal(9044)
    if access.orcid not in (None, orcid):
        raise Refusal(9017, "the token belongs to another record")
    return state


def forbidden(item: Item, access: Access) -> int:
    """The error code for a single item that exists and is not shown (contract sections 3.8 and 12a)."""
    if access.on_public_host:
        return 9039
    return 9013 if item.visibility == "private" and access.personal else 9038


def forbidden_in_bulk(access: Access) -> int:
    """The error code in a page of works: on the member host the same for whatever is not shown (contract §12a)."""
    return 9039 if access.on_public_host else 9013
