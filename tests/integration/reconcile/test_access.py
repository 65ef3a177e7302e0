"""Reading with permission tokens: what they show, and what happens when they show less."""

from datetime import timedelta

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent import connections
from rig.records.mirror import mirrored_docs
from rig.service.reconciler import LIMITED, OTHER, Bench, O


async def visibilities(bench: Bench) -> set[tuple[str, bool]]:
    """Each visibility in the mirror, and whether its item is our own client's."""
    rows = await bench.connection.fetch(
        "select visibility, doc->'source'->'source-client-id'->>'path' = $2 own from orcid.items where orcid = $1",
        O,
        CLIENT_ID,
    )
    return {(row["visibility"], bool(row["own"])) for row in rows}


async def test_our_own_token_sees_what_is_public_and_what_is_our_own(bench: Bench) -> None:
    await bench.connect()

    await bench.turn()

    seen = await visibilities(bench)
    assert ("private", True) in seen  # contract section 3.4: own items whatever their visibility
    assert {visibility for visibility, own in seen if not own} == {"public"}
    assert (await bench.record())["access"] == "read-public"
    await bench.assert_mirrored()


async def test_a_holders_token_sees_what_is_limited_too(bench: Bench) -> None:
    token = await bench.connect(scopes=LIMITED)

    await bench.turn()

    seen = await visibilities(bench)
    assert {visibility for visibility, own in seen if not own} == {"public", "limited"}
    assert (await bench.record())["access"] == "read-limited"
    assert all(one.personal for one in bench.requests("record", "works-bulk", "funding"))
    assert not any(one.personal for one in bench.requests("webhook-put"))
    await bench.assert_mirrored(token=token)


async def test_a_token_granted_later_adds_what_was_hidden(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    head = await bench.head()

    token = await bench.connect(scopes=LIMITED)
    assert await bench.turn() == "changed"

    changes = await bench.changes(head)
    assert {c["op"] for c in changes if c["section"] != "record"} == {"added"}
    assert {c["visibility"] for c in changes if c["section"] != "record"} == {"limited"}
    await bench.assert_mirrored(token=token)


async def test_an_access_that_shows_no_more_is_written_down_all_the_same(bench: Bench) -> None:
    """The body is equal, and still it says something else: all of what the holder lets us see."""
    await bench.connect(OTHER)
    await bench.turn(OTHER)
    before = await bench.row(OTHER)
    head = await bench.head()

    await bench.connect(OTHER, scopes=LIMITED)
    assert await bench.turn(OTHER) == "changed"

    assert (await bench.row(OTHER))["body_digest"] == before["body_digest"]
    assert (await bench.record(OTHER))["access"] == "read-limited"
    assert [(c["section"], c["op"], c["fields"]) for c in await bench.changes(head)] == [
        ("record", "updated", ["access"])
    ]


NARROWER: dict[str, tuple[str, ...]] = {
    "nothing limited": ("/authenticate",),
    "only activities": ("/activities/read-limited",),
    "only the person": ("/person/read-limited",),
}


@pytest.mark.fault("F59", "F60")
@pytest.mark.invariant("S8", "S11")
@pytest.mark.parametrize("scopes", NARROWER.values(), ids=NARROWER)
async def test_a_narrower_grant_hides_at_once_then_withdraws_and_forgets(bench: Bench, scopes: tuple[str, ...]) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    limited, head = await bench.number("limited"), await bench.head()
    token = await bench.connect(scopes=scopes)  # granted again, with less

    bench.reads.clear()
    assert await bench.turn() == "narrowed"
    assert (await bench.withheld(), bench.reads.targets) == ("limited", [])  # nobody had to be asked for that
    assert await bench.turn() == "changed"

    gone = [c for c in await bench.changes(head) if c["section"] not in ("record", "email")]
    assert {(c["op"], c["reason"], c["visibility"]) for c in gone} == {("withdrawn", "access-lost", "limited")}
    emails = [(c["op"], c["key"] == "") for c in await bench.changes(head) if c["section"] == "email"]
    if "/person/read-limited" not in scopes:
        assert emails[0] == ("withdrawn", True)  # the address that went is not named,
        assert set(emails[1:]) <= {("added", False)}  # and those that stay are named anew
    assert 0 < len(gone) < limited
    assert await _forgotten(bench)
    assert await bench.withheld() is None
    assert "unauthorized" not in str((await bench.row())["last_error"])
    await bench.assert_mirrored(token=token)


async def _forgotten(bench: Bench) -> bool:
    """Of items that are not public nothing is in the history, but of those that our own token shows."""
    query = """
        select count(*) from orcid.change_contents x join orcid.changes c using (orcid, seq)
         where x.visibility is distinct from 'public' and not exists (
           select from orcid.items i where (i.orcid, i.section, i.key) = (c.orcid, c.section, c.key))
    """
    return await bench.connection.fetchval(query) == 0


@pytest.mark.fault("F59")
@pytest.mark.invariant("S8")
async def test_a_public_item_deleted_together_with_the_access_is_removed(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    head = await bench.head()
    items = bench.registry.profiles.state(O).of("keyword").values()
    code = next(item.put_code for item in items if item.visibility == "public")
    bench.registry.edit.remove_item(O, "keyword", code)
    await bench.connect(scopes=["/authenticate"])

    await bench.turn()
    await bench.turn()

    reasons = {(c["op"], c["reason"]) for c in await bench.changes(head) if c["key"] == str(code)}
    assert reasons == {("removed", "removed")}


@pytest.mark.fault("F59", "F60")
async def test_what_the_holder_shows_again_is_shown_again(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    await bench.connect(scopes=["/authenticate"])
    await bench.turn()
    await bench.turn()
    head = await bench.head()

    token = await bench.connect(scopes=LIMITED)
    assert await bench.turn() == "changed"

    assert {c["op"] for c in await bench.changes(head) if c["section"] != "record"} == {"added"}
    assert await bench.withheld() is None
    await bench.assert_mirrored(token=token)


@pytest.mark.fault("F58", "F60")
@pytest.mark.invariant("S11")
async def test_a_token_that_expires_is_noticed_on_time_and_never_prolonged(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED, expires_in=timedelta(hours=1))
    await bench.turn()
    assert await bench.due_in() < timedelta(hours=1)  # not after a week
    bench.reads.clear()

    assert await bench.when_due() == "expired"

    assert (await bench.access_state(), await bench.withheld()) == ("expired", "limited")
    assert (bench.reads.targets, bench.requests("token")) == ([], bench.requests("token")[:1])
    assert await bench.noted() == [("granted", "holder", "token-file"), ("expired", "registry", "expiry")]
    assert await bench.retired() == ["lost"]  # its refresh token may still live

    assert await bench.turn() == "changed"
    assert (await bench.withheld(), await bench.retired()) == (None, [])
    assert len(bench.requests("revoke")) == 1
    assert await _forgotten(bench)
    await bench.assert_mirrored()


@pytest.mark.fault("F58")
@pytest.mark.invariant("S10", "S11")
async def test_an_expired_token_hides_what_is_limited_though_the_registry_is_away(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED, expires_in=timedelta(hours=1))
    await bench.turn()
    limited = await bench.number("limited")
    bench.registry.faults.add("error", status=503)

    assert await bench.when_due() == "expired"
    assert await bench.check() == "failed"

    assert (await bench.withheld(), await bench.number("limited")) == ("limited", limited)


async def test_a_token_for_another_id_hides_what_it_does_not_show_and_changes_nothing(bench: Bench) -> None:
    stranger = Orcid(numbered_orcid(5_000_009))
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    held = await mirrored_docs(bench.connection, O)
    wrong = bench.registry.token_service.issue(CLIENT_ID, LIMITED, orcid=stranger).text
    sealed = bench.vault.seal(wrong, orcid=O, column="access_token")
    await connections.connect_orcids(
        bench.connection, [connections.Entry(orcid=O, access_token=sealed, scopes=LIMITED)]
    )

    assert await bench.turn() == "suspect"
    assert (await bench.withheld(), await mirrored_docs(bench.connection, O)) == ("limited", held)


@pytest.mark.invariant("S12")
async def test_a_token_moved_to_another_row_does_not_open(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    foreign = bench.vault.seal("canary", orcid=numbered_orcid(5_000_009), column="access_token")
    await bench.connection.execute("update orcid_sync.tokens set access_token = $2 where orcid = $1", O, foreign)

    assert await bench.turn() == "failed"

    row = await bench.row()
    assert row["last_error"].startswith("vault")
    assert "canary" not in row["last_error"]
    assert bench.reads.targets == []
