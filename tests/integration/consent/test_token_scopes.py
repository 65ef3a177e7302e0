"""Tokens whose scopes are not what somebody wrote beside them: what they show is what counts (contract section 3.4)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import chain, combinations

import pytest

from orcid_sync.simulator.world import CLIENT_ID
from rig.service.reconciler import LIMITED, Bench, O

DAY = timedelta(days=1)
SCOPES = ("/person/read-limited", "/activities/read-limited", "/email/read-private")
_SOME = chain.from_iterable(combinations(SCOPES, size) for size in range(len(SCOPES) + 1))
SUBSETS = [("/authenticate", *some) for some in _SOME]
CLAIMS: list[tuple[str, ...]] = [(), LIMITED, *SUBSETS]

_NOT_OURS = """
   from orcid.items i
  where i.visibility is distinct from 'public'
    and i.doc->'source'->'source-client-id'->>'path' is distinct from $1
    and i.doc->'source'->'assertion-origin-client-id'->>'path' is distinct from $1
"""


async def foreign(bench: Bench) -> int:
    """How many items the mirror holds that only a holder's permission can have shown."""
    number: int = await bench.connection.fetchval(f"select count(*) {_NOT_OURS}", CLIENT_ID)
    return number


async def shown(bench: Bench) -> int:
    """How many of them a reader who may see limited items is shown now."""
    return 0 if await bench.withheld() == "limited" else await foreign(bench)


async def told(bench: Bench) -> list[tuple[str, str]]:
    """What the history still says of them; lines about items that our own token shows are their own affair."""
    rows = await bench.connection.fetch(
        "select c.section, x.visibility, x.side from orcid.change_contents x join orcid.changes c using (orcid, seq)"
        " where x.visibility is distinct from 'public' and not exists (select from orcid.items i"
        " where (i.orcid, i.section, i.key) = (c.orcid, c.section, c.key))"
    )
    return [tuple(row) for row in rows]


async def read(bench: Bench) -> None:
    """Reconcile until the record was read; before that nobody need be asked to hide what a new token may not show."""
    while await bench.turn() == "narrowed":
        pass


async def expire(bench: Bench) -> None:
    await bench.connection.execute("update orcid_sync.tokens set expires_at = now() where orcid = $1", O)
    assert await bench.check() == "expired"


async def revoke(bench: Bench) -> None:
    bench.registry.token_service.disable(O, "USER_REVOKED")
    assert await bench.check() == "suspect"
    assert await shown(bench) == 0
    while await bench.access_state() == "suspect":
        await bench.when_due()


async def leave(bench: Bench) -> None:
    await bench.disconnect()


async def replace(bench: Bench) -> None:
    """By a token of which the same is said, and which shows nothing."""
    scopes = await bench.connection.fetchval("select scopes from orcid_sync.tokens where orcid = $1", O)
    await bench.connect(scopes=scopes, held=["/authenticate"])


ENDINGS: list[Callable[[Bench], Awaitable[None]]] = [revoke, expire, leave, replace]


@pytest.fixture
def private_email(bench: Bench) -> None:
    """One that is verified, so that it can be shown at all (contract section 3.4)."""
    bench.registry.edit.add_item(
        O, "email", {"email": "private@example.org", "verified": True, "primary": False}, visibility="private"
    )


@pytest.mark.fault("F59", "F60")
@pytest.mark.invariant("S8", "S11")
@pytest.mark.usefixtures("private_email")
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
@pytest.mark.parametrize("held", SUBSETS, ids=" ".join)
async def test_nothing_stays_of_what_only_a_permission_showed_whatever_was_said_of_it(
    bench: Bench, held: tuple[str, ...], ending: Callable[[Bench], Awaitable[None]]
) -> None:
    for said in CLAIMS if ending is revoke else CLAIMS[:4]:
        token = await bench.connect(scopes=said, held=held)
        await read(bench)
        await bench.assert_mirrored(token=token)
        before, head = await shown(bench), await bench.head()
        assert bool(before) == (len(held) > 1)

        await ending(bench)

        assert await shown(bench) == 0 or ending is replace  # which nobody has heard of yet
        await read(bench)
        assert (await foreign(bench), await told(bench)) == (0, []), said
        assert await bench.withheld() is None
        gone = [c for c in await bench.changes(head) if c["op"] in ("removed", "withdrawn")]
        assert {(c["op"], c["reason"]) for c in gone} <= {("withdrawn", "access-lost")}, said
        assert gone or not before


@pytest.mark.fault("F54", "F60")
@pytest.mark.invariant("S8", "S11")
async def test_what_an_answer_does_not_speak_of_goes_with_the_permission_all_the_same(bench: Bench) -> None:
    """Unknown is kept, but not shown on to readers after the permission has ended."""
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    public, head = await bench.number("public"), await bench.head()
    await bench.connect(scopes=LIMITED, held=["/authenticate"])
    bench.registry.edit.leave_out(O, ["person"])

    await read(bench)

    assert (await foreign(bench), await told(bench), await bench.withheld()) == (0, [], None)
    assert await bench.number("public") == public
    gone = [c for c in await bench.changes(head) if c["op"] in ("removed", "withdrawn")]
    assert {c["reason"] for c in gone} == {"access-lost"}


async def test_a_label_corrected_once_stays_so_until_the_token_is_replaced(bench: Bench) -> None:
    """The holder deletes the last limited items: those were removed, and nobody has lost anything."""
    await bench.connect(held=LIMITED, scopes=())
    await bench.turn()
    assert (await bench.record())["access"] == "read-limited"
    state, head = bench.registry.profiles.state(O), await bench.head()
    personal = ("keyword", "other-name", "address", "researcher-url", "external-identifier")
    for section in personal:
        for code in [code for code, item in state.of(section).items() if item.visibility == "limited"]:
            bench.registry.edit.remove_item(O, section, code)

    assert await bench.notified() == "changed"

    gone = [c for c in await bench.changes(head) if c["op"] in ("removed", "withdrawn")]
    assert {(c["op"], c["reason"]) for c in gone} == {("removed", "removed")}
    assert (await bench.record())["access"] == "read-limited"


async def test_a_token_granted_again_without_its_scopes_shows_the_same_after_one_read(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    items, past, head = await bench.number(), await bench.past(), await bench.head()

    token = await bench.connect(held=LIMITED, scopes=())
    assert [await bench.turn(), await bench.withheld()] == ["narrowed", "limited"]  # until it has shown something
    await bench.turn()

    assert await bench.withheld() is None
    assert (await bench.number(), await bench.past() >= past) == (items, True)
    assert {c["section"] for c in await bench.changes(head)} == {"record"}
    await bench.assert_mirrored(token=token)
    assert await bench.check() == "unchanged"
