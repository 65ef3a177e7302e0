"""Whatever happens to a record and to our permission, in any order: nothing goes that the Registry still shows us."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.simulator.base.errors import Refusal, Unauthenticated
from orcid_sync.simulator.oauth import access as admission
from orcid_sync.simulator.records.profiles import Effect
from orcid_sync.simulator.records.visibility import PUBLIC, viewer_of
from orcid_sync.simulator.world import CLIENT_ID
from rig.service.reconciler import LIMITED, OTHER, SECOND_LOOK, Bench, O

STEPS = 40

Key = tuple[str, str]
Step = Callable[["Walk"], Any]


class Walk:
    """A record, its holder and the way to them, as chance has it; beside it what may be said of them."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.rng = Random(seed)
        self.edit = bench.registry.edit
        self.vanished: Any = None
        self.done: list[str] = []

    async def connect(self, *scopes: str) -> None:
        await self.bench.connect(scopes=scopes)

    def revoke(self) -> None:
        self.bench.registry.token_service.disable(O, "USER_REVOKED")

    def restore(self) -> None:
        for token in self.bench.registry.token_service.tokens.values():
            token.disabled = None

    def break_down(self) -> None:
        self.bench.registry.token_service.introspection_down = not self.bench.registry.token_service.introspection_down

    def edit_something(self) -> None:
        self.bench.registry.random_edit(self.rng, orcid=O)

    def lose_works(self) -> None:
        state = self.bench.registry.profiles.state(O)
        kept = dict(list(state.of("work").items())[: self.rng.randrange(3)])
        now = self.bench.registry.clock.stamp()
        self.bench.registry.profiles.change(state.with_section("work", kept), Effect.INDEXED, at_ms=now)

    def lock(self) -> None:
        (self.edit.unlock if self.state.locked else self.edit.lock)(O)

    def deactivate(self) -> None:
        (self.edit.reactivate if self.state.deactivated_ms else self.edit.deactivate)(O)

    def merge(self) -> None:
        if self.state.primary_orcid is None:
            self.edit.deprecate(O, OTHER)
        else:
            self.edit._set(O, Effect.INDEXED, primary_orcid=None)

    def flap(self) -> None:
        """The Registry forgets the iD, or remembers it."""
        profiles = self.bench.registry.profiles._profiles
        if self.vanished is None:
            self.vanished = profiles.pop(O)
        else:
            profiles[O], self.vanished = self.vanished, None

    def lie(self) -> None:
        kind = self.rng.choice(["truncated", "html", "wrong-shape", "reset", "wrong-record", "error"])
        self.bench.registry.faults.add(kind, "record", count=self.rng.randrange(1, 3), status=503)

    def leave_out(self) -> None:
        """An answer without one of its sections, whatever the record's state."""
        renderer = self.bench.registry.world.renderer
        body = msgspec.json.decode(msgspec.json.encode(renderer.record(self.state, PUBLIC)))
        del body["activities-summary"][self.rng.choice(["works", "fundings", "peer-reviews"])]
        self.bench.registry.faults.add("wrong-shape", "record", count=1, body=body)

    async def recover(self) -> str | None:
        """All is well again, and the holder grants anew; returns the token."""
        if self.vanished is not None:
            self.flap()
        self.bench.registry.token_service.introspection_down = False
        self.bench.registry.faults.clear()
        if self.state.primary_orcid is not None:
            self.merge()
        if self.state.locked:
            self.lock()
        if self.state.deactivated_ms:
            self.deactivate()
        return await self.bench.connect(scopes=LIMITED)

    @property
    def state(self) -> Any:
        return self.bench.registry.profiles.state(O)

    async def shown(self) -> set[Key] | None:
        """What the Registry shows now to the token that is in use; None if it shows no record."""
        known = await self.bench.connection.fetchrow(
            "select c.access_state, t.access_token from orcid_sync.connections c "
            "left join orcid_sync.tokens t using (orcid) where c.orcid = $1",
            O,
        )
        token = self.bench.own_token
        if known["access_token"] and known["access_state"] in ("granted", "suspect"):
            token = self.bench.vault.open(known["access_token"], orcid=O, column="access_token")
        world = self.bench.registry.world
        try:
            viewer = admission.reader(world.token_service, token, on_public_host=False)
            if O not in world.profiles:
                return None
            admission.check_record(world.profiles.state(O), O, viewer, now_ms=world.clock.now_ms(), address="")
        except (Refusal, Unauthenticated):
            return None
        record = world.renderer.record(world.profiles.state(O), viewer.viewer)
        return {item.id for item in parse_record(msgspec.json.encode(record)).items()}

    async def live(self) -> None:
        """Something happens; then the iD is reconciled, perhaps after a while."""
        names = [name for name in STEPS_OF_LIFE if self.vanished is None or name in UNKNOWN]
        name = self.rng.choice(names)
        self.done.append(name)
        happened = STEPS_OF_LIFE[name](self)
        if happened is not None:
            await happened
        await self.bench.pass_time(self.rng.choice([timedelta(), SECOND_LOOK, timedelta(hours=13)]))

    async def reconcile(self) -> None:
        before = await self.bench.head()
        self.done.append(await self.bench.check())
        shown = await self.shown()
        await self.judge(await self.bench.changes(before), shown or set())

    async def judge(self, changes: list[Any], shown: set[Key]) -> None:
        """S8: what is said to be gone is not shown; and what may not be seen is hidden, or is not there."""
        added = {(c["section"], c["key"]) for c in changes if c["op"] == "added"}
        gone = {(c["section"], c["key"]) for c in changes if c["op"] in ("removed", "withdrawn") and c["key"]}
        assert gone & (shown - added) == set(), self.done
        deleted = {(c["section"], c["key"]) for c in changes if c["reason"] == "removed"}
        assert deleted & self.there() == set(), self.done
        if await self.bench.withheld() is None and await self.bench.access_state() != "granted":
            held = await self.bench.connection.fetch(
                "select section, key from orcid.items where visibility <> 'public'"
            )
            assert {(row["section"], row["key"]) for row in held} <= await self.own_items(), self.done

    def there(self) -> set[Key]:
        """What the record holds for whoever has the holder's full permission."""
        viewer = viewer_of(CLIENT_ID, frozenset(LIMITED), personal=True)
        if O not in self.bench.registry.profiles:
            return set()
        record = self.bench.registry.world.renderer.record(self.state, viewer)
        return {item.id for item in parse_record(msgspec.json.encode(record)).items()}

    async def own_items(self) -> set[Key]:
        """Items of our own client, which our own token sees whatever their visibility."""
        query = "select section, key from orcid.items where doc->'source'->'source-client-id'->>'path' = $1"
        return {(row["section"], row["key"]) for row in await self.bench.connection.fetch(query, CLIENT_ID)}


STEPS_OF_LIFE: dict[str, Step] = {
    "edit": Walk.edit_something,
    "edit again": Walk.edit_something,
    "lose works": Walk.lose_works,
    "lock": Walk.lock,
    "deactivate": Walk.deactivate,
    "merge": Walk.merge,
    "flap": Walk.flap,
    "lie": Walk.lie,
    "leave out": Walk.leave_out,
    "revoke": Walk.revoke,
    "restore": Walk.restore,
    "break down": Walk.break_down,
    "grant": lambda walk: walk.connect(*LIMITED),
    "grant less": lambda walk: walk.connect("/activities/read-limited"),
    "grant nothing": lambda walk: walk.connect("/authenticate"),
}

UNKNOWN = {"flap", "lie", "revoke", "break down", "grant"}
"""What can happen while the Registry does not know the iD."""


@pytest.mark.fault("F35", "F37", "F53", "F54", "F56", "F57", "F59", "F62", "F63")
@pytest.mark.invariant("S8", "S10", "S11", "L1")
@pytest.mark.parametrize("seed", range(6))
async def test_nothing_is_said_to_be_gone_that_the_registry_still_shows(bench: Bench, seed: int) -> None:
    walk = Walk(bench, seed)
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    for _ in range(STEPS):
        await walk.live()
        await walk.reconcile()

    token = await walk.recover()
    for _ in range(4):
        await walk.reconcile()
        await bench.pass_time(SECOND_LOOK)

    assert await bench.withheld() is None
    await bench.assert_mirrored(token=token)


async def keys(bench: Bench, section: str) -> set[str]:
    """The items of a section that the mirror holds."""
    query = "select key from orcid.items where orcid = $1 and section = $2"
    return {row["key"] for row in await bench.connection.fetch(query, O, section)}


def works(bench: Bench) -> list[int]:
    """The put-codes of the public works."""
    shown = bench.registry.profiles.state(O).of("work").items()
    return sorted(code for code, work in shown if work.visibility == "public")


async def later(bench: Bench) -> None:
    """A notification, and everything that follows from it by itself."""
    await bench.notified()
    for _ in range(2):
        await bench.when_due()


@pytest.mark.fault("F49")
@pytest.mark.invariant("S8")
async def test_a_part_set_aside_is_the_item_that_its_path_names_and_no_other(bench: Bench) -> None:
    """What is hidden in the same session as another item loses its number is hidden all the same."""
    await bench.connect()
    await bench.turn()
    sick, hidden, *_ = works(bench)
    bench.registry.edit.put_raw_in_item(O, "work", sick, ["put-code"], None, form="summary")
    bench.registry.edit.remove_item(O, "work", hidden)
    await later(bench)
    assert {str(sick), str(hidden)} & await keys(bench, "work") == {str(sick)}

    sick, hidden, *_ = works(bench)  # and of one that was set aside from the first, when it is edited
    bench.registry.edit.put_raw_in_item(O, "work", sick, ["display-index"], "77", form="summary")
    bench.registry.edit.remove_item(O, "work", hidden)
    await later(bench)
    assert {str(sick), str(hidden)} & await keys(bench, "work") == {str(sick)}


@pytest.mark.fault("F49")
@pytest.mark.invariant("S8")
async def test_two_parts_of_one_wording_are_two_items(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    for code in works(bench)[:2]:
        bench.registry.edit.put_raw_in_item(O, "work", code, [], None, form="summary")
        await later(bench)
        assert str(code) in await keys(bench, "work")
    assert len(await bench.doubts("item")) == 2


@pytest.mark.fault("F49", "F54")
@pytest.mark.parametrize("answer", [9016, 9018, 9036, "without the works"])
async def test_an_answer_in_between_does_not_make_a_part_new(bench: Bench, answer: int | str) -> None:
    """A part of which it is known that it is no item of the mirror keeps nothing there that is hidden later."""
    sick, hidden, *_ = works(bench)
    for member in ("put-code", "path"):
        bench.registry.edit.leave_out_of_item(O, "work", sick, [member], form="summary")
    await bench.connect()
    await bench.turn()
    if isinstance(answer, int):
        bench.registry.faults.add("error", "record", orcid=O, code=answer, count=1)
    else:
        bench.registry.edit.put_raw(O, ["activities-summary", "works"], None)
    await bench.notified()

    bench.registry.edit.mend_record(O)
    bench.registry.edit.remove_item(O, "work", hidden)
    await later(bench)

    assert str(hidden) not in await keys(bench, "work")


@pytest.mark.fault("F48", "F49")
@pytest.mark.parametrize("value", [2**64, -(2**70), 2**62])
async def test_an_item_with_a_date_beyond_all_calendars_is_like_one_without(bench: Bench, value: int) -> None:
    bench.registry.edit.put_raw_in_item(O, "work", works(bench)[0], ["last-modified-date", "value"], value)
    await bench.connect()
    assert await bench.turn() == "changed"
    assert not await bench.doubts()
