"""Reading with permission tokens: what they show, what happens when they show less or stop working."""

from datetime import timedelta

import pytest
from service_rig import LIMITED, OTHER, Bench, O

from orcid_sync.model.ids import Orcid
from orcid_sync.simulator import CLIENT_ID, numbered_orcid
from orcid_sync.store import connections


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


@pytest.mark.fault("F59", "F60")
@pytest.mark.invariant("S8")
async def test_what_is_lost_with_the_access_is_withdrawn_not_removed(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    limited = await bench.connection.fetchval("select count(*) from orcid.items where visibility = 'limited'")
    head = await bench.head()
    await bench.connect(scopes=["/authenticate"])  # granted again, with less

    assert await bench.turn() == "changed"

    gone = [c for c in await bench.changes(head) if c["section"] != "record"]
    assert {(c["op"], c["reason"], c["visibility"]) for c in gone} == {("withdrawn", "access-lost", "limited")}
    own = await bench.connection.fetchval("select count(*) from orcid.items where visibility = 'limited'")
    assert len(gone) == limited - own
    await bench.assert_mirrored()


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

    reasons = {(c["op"], c["reason"]) for c in await bench.changes(head) if c["key"] == str(code)}
    assert reasons == {("removed", "removed")}


def _revoke(bench: Bench) -> None:
    bench.registry.desk.disable(O, "USER_REVOKED")


def _restore(bench: Bench) -> None:
    for token in bench.registry.desk.tokens.values():
        token.disabled = None


@pytest.mark.fault("F56", "F57")
@pytest.mark.invariant("S10")
async def test_a_refused_token_changes_nothing_and_is_tried_again_for_a_day(bench: Bench) -> None:
    token = await bench.connect(scopes=LIMITED)
    await bench.turn()
    before = await bench.mirror()
    _revoke(bench)

    waits = []
    assert await bench.check() == "failed"
    for _ in range(5):
        waits.append(await bench.due_in())
        assert await bench.access_state() == "suspect"
        assert await bench.when_due() == "failed"

    assert waits[0] == pytest.approx(timedelta(hours=1), abs=timedelta(minutes=1))
    assert waits == sorted(waits)  # with growing delay (contract section 2.6)
    assert sum(waits[:4], timedelta()) >= timedelta(hours=5)
    assert await bench.mirror() == before
    assert "unauthorized" in (await bench.row())["last_error"]
    assert token not in (await bench.row())["last_error"]

    _restore(bench)
    assert await bench.when_due() == "unchanged"
    assert await bench.access_state() == "granted"
    await bench.assert_mirrored(token=token)


@pytest.mark.fault("F57")
@pytest.mark.invariant("S10")
@pytest.mark.parametrize("scopes", [(), LIMITED], ids=["our own token", "the holder's token"])
async def test_an_outage_of_the_token_service_changes_nothing(bench: Bench, scopes: tuple[str, ...]) -> None:
    token = await bench.connect(scopes=scopes)
    await bench.turn()
    before = await bench.mirror()
    bench.registry.desk.introspection_down = True

    assert await bench.check() == "failed"
    assert await bench.mirror() == before

    bench.registry.desk.introspection_down = False
    assert await bench.when_due() in ("unchanged", "changed")
    assert await bench.mirror() == before
    assert await bench.access_state() == ("granted" if scopes else "public")
    await bench.assert_mirrored(token=token)


@pytest.mark.fault("F63")
async def test_a_deactivated_record_is_found_though_its_tokens_stopped_working(bench: Bench) -> None:
    """With the holder's token it answers 401 like any other (contract section 2.6): our own token can tell."""
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    bench.registry.edit.deactivate(O)

    assert await bench.notified() == "deactivated"

    assert (await bench.record())["state"] == "deactivated"
    assert await bench.connection.fetchval("select count(*) from orcid.items where orcid = $1", O) == 0


async def test_a_token_for_another_id_is_an_error_and_changes_nothing(bench: Bench) -> None:
    stranger = Orcid(numbered_orcid(5_000_009))
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    before = await bench.mirror()
    wrong = bench.registry.desk.issue(CLIENT_ID, LIMITED, orcid=stranger).text
    sealed = bench.vault.seal(wrong, orcid=O, column="access_token")
    await connections.connect_orcids(
        bench.connection, [connections.Entry(orcid=O, access_token=sealed, scopes=LIMITED)]
    )

    assert await bench.turn() == "failed"
    assert await bench.mirror() == before


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
