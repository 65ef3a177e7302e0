"""Who sees what in which state: contract section 12, 8 and 9 (sections 3.4, 3.5), as tables."""

from collections.abc import Callable
from typing import Any

import pytest

from orcid_sync.simulator.records.edits import Editor
from orcid_sync.simulator.records.profiles import Source
from orcid_sync.simulator.records.sections import AFFILIATIONS
from orcid_sync.simulator.world import CLIENT_ID, OTHER_CLIENT_ID
from rig.simulator import DAY, OTHER, Asking, O

PERSON = {
    "other-name": {"content": "x"},
    "keyword": {"content": "x"},
    "address": {"country": "DE"},
    "researcher-url": {"url-name": "x", "url": "https://example.org"},
    "external-identifier": {"external-id-type": "x", "external-id-value": "1"},
    "email": {"email": "x@example.org"},
}
ACTIVITIES = {
    **{kind: {"role-title": "x"} for kind in AFFILIATIONS},
    "work": {"title": "x"},
    "funding": {"title": "x"},
    "peer-review": {"review-group-id": "orcid-generated:x"},
    "research-resource": {"proposal": {"title": "x"}},
}
VIEWERS: dict[str, tuple[str, ...] | None] = {
    "anonymous": None,
    "client": (),
    "authenticate": ("/authenticate",),
    "limited": ("/read-limited",),
    "person": ("/person/read-limited",),
    "activities": ("/activities/read-limited",),
    "private-emails": ("/read-limited", "/email/read-private"),
    "only-private-emails": ("/email/read-private",),
}
SEES_LIMITED = {
    "person": {"limited", "person", "private-emails"},
    "activities": {"limited", "activities", "private-emails"},
}


def put_codes(document: Any, key: str = "put-code") -> int:
    """How many items a document shows, e-mails (which have no put-code) among them."""
    if isinstance(document, list):
        return sum(put_codes(one) for one in document)
    if not isinstance(document, dict):
        return 0
    own = key in document and "visibility" in document
    return own + sum(put_codes(one) for one in document.values())


def expected(viewer: str, section: str, visibility: str, *, own: bool) -> bool:
    """The table of contract section 3.4."""
    if visibility == "public":
        return True
    if viewer == "anonymous":
        return False
    if own:
        return True
    if visibility == "limited":
        return viewer in SEES_LIMITED["person" if section in PERSON else "activities"]
    return section == "email" and viewer in ("private-emails", "only-private-emails")


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("visibility", ["public", "limited", "private"])
@pytest.mark.parametrize(
    ("source", "own"),
    [
        (None, False),
        (OTHER_CLIENT_ID, False),
        (CLIENT_ID, True),
        (Source(client_id=OTHER_CLIENT_ID, origin_client_id=CLIENT_ID), True),
    ],
    ids=["researcher", "other", "own", "on-behalf"],
)
async def test_12_09_the_table_of_visibility(ask: Asking, viewer: str, visibility: str, source: Any, own: Any) -> None:
    scopes = VIEWERS[viewer]
    token = None if scopes is None else ask.user_token(*scopes) if scopes else ask.token
    for section, content in (PERSON | ACTIVITIES).items():
        ask.sim.edit.add_item(O, section, content, source=source, visibility=visibility)
    ask.sim.edit.remove_single(O, "name")
    record = (await ask("GET", f"{'/pub' if token is None else ''}/v3.0/{O}/record", token=token)).json
    shown = put_codes(record["person"]) + put_codes(record["activities-summary"])
    assert shown == sum(expected(viewer, section, visibility, own=own) for section in PERSON | ACTIVITIES)


@pytest.mark.parametrize(
    ("visibility", "host", "scopes", "error"),
    [
        ("limited", "", (), (403, 9038)),
        ("private", "", (), (403, 9038)),
        ("private", "", ("/read-limited",), (403, 9013)),
        ("limited", "/pub", (), (403, 9039)),
        ("private", "/pub", (), (403, 9039)),
    ],
)
@pytest.mark.parametrize("section", ["work", "funding", "employment", "keyword"])
async def test_12_09_single_items_that_are_hidden(
    ask: Asking, section: str, visibility: str, host: str, scopes: tuple[str, ...], error: tuple[int, int]
) -> None:
    code = ask.sim.edit.add_item(O, section, (PERSON | ACTIVITIES)[section], visibility=visibility)
    path = {"keyword": "keywords"}.get(section, section)
    token = ask.user_token(*scopes) if scopes else ask.token
    assert (await ask("GET", f"{host}/v3.0/{O}/{path}/{code}", token=token)).error == error


STATES: list[tuple[str, Callable[[Editor], Any], tuple[int, Any], tuple[int, Any]]] = [
    ("active", lambda _: None, (200, None), (200, None)),
    ("locked", lambda edit: edit.lock(O), (409, 9018), (409, 9018)),
    ("unlocked", lambda edit: (edit.lock(O), edit.unlock(O)), (200, None), (200, None)),
    ("unclaimed", lambda edit: edit.unclaim(O), (409, 9036), (409, 9036)),
    ("claimed", lambda edit: (edit.unclaim(O), edit.claim(O)), (200, None), (200, None)),
    ("deactivated", lambda edit: edit.deactivate(O), (409, 9044), (401, "invalid_token")),
    ("reactivated", lambda edit: (edit.deactivate(O), edit.reactivate(O)), (200, None), (401, "invalid_token")),
    ("deprecated", lambda edit: edit.deprecate(O, OTHER), (301, 9007), (301, 9007)),
    ("revoked", lambda edit: edit.revoke_access(O, CLIENT_ID), (200, None), (401, "invalid_token")),
    ("revoked-by-another", lambda edit: edit.revoke_access(O, OTHER_CLIENT_ID), (200, None), (200, None)),
]


@pytest.mark.parametrize(("happens", "client", "personal"), [row[1:] for row in STATES], ids=[row[0] for row in STATES])
async def test_12_08_what_either_token_is_told(
    ask: Asking, happens: Callable[[Editor], Any], client: tuple[int, Any], personal: tuple[int, Any]
) -> None:
    user = ask.user_token()
    ask.sim.edit.add_item(O, "work", {"title": "t"})
    happens(ask.sim.edit)
    for token, told in ((ask.token, client), (user, personal)):
        answer = await ask.get("record", token=token)
        assert (answer.status, answer.json.get("error-code", answer.json.get("error"))) == told


async def test_12_08_what_is_left_after_coming_back(ask: Asking) -> None:
    ask.sim.edit.add_item(O, "work", {"title": "t"})
    ask.sim.edit.deactivate(O)
    ask.sim.clock.advance(DAY)
    ask.sim.edit.reactivate(O)
    record = (await ask.get("record")).json
    assert put_codes(record["activities-summary"]) == 0
    assert record["person"]["name"] is None
    assert record["history"]["deactivation-date"] is None
    assert (await ask.get("record", token=ask.user_token())).status == 200, "a new grant works"


async def test_12_08_a_merged_records_answer_names_the_primary_everywhere(ask: Asking) -> None:
    ask.sim.edit.deprecate(O, OTHER)
    answer = await ask.get("works")
    assert answer.error == (301, 9007)
    assert answer.headers["Location"] == f"{ask.sim.url}/v3.0/{OTHER}/works"
    for member in ("developer-message", "user-message"):
        assert f"https://orcid.org/{OTHER}" in answer.json[member]
