"""The simulated Registry along contract section 12, 1 and 2: registrations of webhooks."""

from urllib.parse import quote

import pytest

from orcid_sync.simulator.world import CLIENT_ID, OTHER_CLIENT_ID
from rig.simulator import CALLBACK, JSON, UNKNOWN, Asking, O

# 1, 2: registrations


async def test_12_01_put_hook_created_then_unchanged_then_removed_then_gone(ask: Asking) -> None:
    created = await ask.hook("PUT")
    assert (created.status, created.body) == (201, b"")
    assert created.headers["Location"] == f"{ask.sim.url}/{O}/webhook/{quote(CALLBACK, safe='')}"
    again = await ask.hook("PUT")
    assert (again.status, again.body) == (204, b"")
    assert ask.sim.webhooks.of(O)[0].uri == CALLBACK
    assert (await ask.hook("DELETE")).status == 204
    assert (await ask.hook("DELETE")).error == (404, 9028)


async def test_12_01_a_foreign_hook_is_unchanged_by_put_and_safe_from_delete(ask: Asking) -> None:
    await ask.hook("PUT")
    foreign = ask.sim.token_service.issue(OTHER_CLIENT_ID, ["/webhook"]).text
    assert (await ask.hook("PUT", token=foreign)).status == 204
    assert ask.sim.webhooks.of(O)[0].client_id == CLIENT_ID
    assert (await ask.hook("DELETE", token=foreign)).error == (403, 9014)


@pytest.mark.parametrize(
    ("orcid", "uri", "headers", "error"),
    [
        (UNKNOWN, CALLBACK, {}, (404, 9011)),
        (O, "https://hub.example/a b", {}, (400, 9012)),
        (O, CALLBACK, {"Content_Type": "application/octet-stream"}, (415, 9001)),
    ],
)
async def test_12_01_registrations_that_are_refused(
    ask: Asking, orcid: str, uri: str, headers: dict[str, str], error: tuple[int, int]
) -> None:
    assert (await ask.hook("PUT", orcid=orcid, uri=uri, **headers)).error == error


async def test_12_01_a_token_without_the_scope_registers_nothing(ask: Asking) -> None:
    reading = ask.sim.token_service.issue(CLIENT_ID, ["/read-public"]).text
    assert (await ask.hook("PUT", token=reading)).error == (403, 9038)
    without = await ask.hook("PUT", token=None)
    assert (without.status, without.json) == (403, {"error": "forbidden"})
    assert (await ask.hook("PUT", Content_Type=JSON)).status == 201


async def test_12_01_errors_are_xml_unless_json_is_accepted(ask: Asking) -> None:
    answer = await ask.hook("DELETE", accept=None)
    assert answer.status == 404
    assert b"<error:error xmlns:" in answer.body
    assert b"<error:error-code>9028</error:error-code>" in answer.body


async def test_12_02_hooks_cannot_be_listed_and_have_no_version(ask: Asking) -> None:
    await ask.hook("PUT")
    assert (await ask.hook("GET")).status == 405
    assert (await ask("PUT", f"/v3.0/{O}/webhook/{quote(CALLBACK, safe='')}")).status == 404


@pytest.mark.parametrize("state", ["lock", "deactivate", "unclaim"])
async def test_12_02_the_records_state_does_not_matter_for_hooks(ask: Asking, state: str) -> None:
    getattr(ask.sim.edit, state)(O)
    assert (await ask.hook("PUT")).status == 201
    assert (await ask.hook("DELETE")).status == 204
