"""Tokens that belong to another iD (401/9017), and what is public while any token is in doubt (contract 2.6, 4.2)."""

from datetime import timedelta

import pytest

from orcid_sync.service.explain.status_findings import findings
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.console.overview import overview
from rig.service.reconciler import LIMITED, OTHER, Bench, O

DAY = timedelta(days=1)


async def connect_with_a_token_of_another(bench: Bench) -> None:
    """As after a merging of records, or a file in which two lines were mixed up."""
    await bench.connect(scopes=LIMITED)
    token = bench.registry.token_service.issue(CLIENT_ID, LIMITED, orcid=OTHER).text
    sealed = bench.vault.seal(token, orcid=O, column="access_token")
    await bench.connection.execute("update orcid_sync.tokens set access_token = $2 where orcid = $1", O, sealed)


async def doubt(bench: Bench) -> tuple[str, str | None]:
    query = "select access_state, suspect_reason from orcid_sync.connections where orcid = $1"
    row = await bench.connection.fetchrow(query, O)
    return row["access_state"], row["suspect_reason"]


@pytest.mark.fault("F56")
@pytest.mark.invariant("S10", "S11", "L1")
async def test_a_token_of_another_id_is_in_doubt_and_what_is_public_is_followed(bench: Bench) -> None:
    await connect_with_a_token_of_another(bench)

    assert await bench.turn() == "suspect"

    await bench.assert_mirrored()  # all that our own token shows
    assert await doubt(bench) == ("suspect", "of another iD")
    assert (await bench.row())["last_error"].startswith("unauthorized: ORCID says that the holder's token belongs")
    for day in range(5):  # it never counts as revoked, and is never taken back at ORCID: it is somebody else's
        bench.registry.edit.add_item(O, "keyword", {"content": f"new {day}"})
        await bench.pass_time(DAY)
        assert await bench.notified() == "suspect"
        await bench.assert_mirrored()
    assert await doubt(bench) == ("suspect", "of another iD")
    assert (await bench.retired(), bench.requests("revoke")) == ([], [])
    sentences = [one.sentence for one in findings(await overview(bench.connection))]
    assert [one for one in sentences if "belongs to another iD" in one and O in one]
    assert not [one for one in sentences if "cannot be read" in one or "count as revoked" in one]

    await bench.connect(scopes=LIMITED)
    assert await bench.turn() == "changed"
    assert await doubt(bench) == ("granted", None)


@pytest.mark.fault("F56", "F59")
@pytest.mark.invariant("S8", "S11")
@pytest.mark.parametrize("reason", ["refused", "of another iD"])
async def test_what_only_the_token_shows_stays_hidden_while_what_is_public_moves(bench: Bench, reason: str) -> None:
    token = await bench.connect(scopes=LIMITED)
    await bench.turn()
    limited, head = await bench.number("limited"), await bench.head()
    old = await bench.connection.fetchval("select access_token from orcid_sync.tokens where orcid = $1", O)
    if reason == "refused":
        bench.registry.token_service.disable(O, "USER_REVOKED")
    else:
        await connect_with_a_token_of_another(bench)
        await bench.connection.execute("delete from orcid_sync.retired_tokens where orcid = $1", O)
    put_code = bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    edited = next(
        code for code, item in bench.registry.profiles.state(O).of("work").items() if item.visibility == "public"
    )
    bench.registry.edit.set_visibility(O, "work", edited, "private")

    assert await bench.check() == "suspect"

    assert (await doubt(bench), await bench.withheld()) == (("suspect", reason), "limited")
    assert await bench.number("limited") == limited
    lines = {(c["section"], c["key"], c["op"]) for c in await bench.changes(head)}
    assert lines == {
        ("record", "", "updated"),
        ("keyword", str(put_code), "added"),
        ("work", str(edited), "removed"),
    }

    if reason == "refused":
        for one in bench.registry.token_service.tokens.values():
            one.disabled = None
    await bench.connection.execute("update orcid_sync.tokens set access_token = $2 where orcid = $1", O, old)
    await bench.when_due()
    assert (await doubt(bench), await bench.withheld()) == (("granted", None), None)
    await bench.assert_mirrored(token=token)
