"""Whatever happens to records, and whatever a consumer chooses: its copy has nothing that its reader may not see.

The lives are those of test_privacy: what holders, ORCID and chance do, in any order (hypothesis). Consumers of every
kind follow, as consumers.md says: over HTTP with filters, by pushes with filters, and in SQL; each as anybody and as
somebody who sees limited items. Each catches up at moments that are drawn, all of them when nothing is left to do.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
import pytest
import structlog
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from acceptance.harness.follower import Follower, Resync
from acceptance.test_privacy import SECTIONS, Lives, lives, open_lives
from integration.http.api_listener import serving_api
from orcid_sync.model.pushes.filters import Filter
from orcid_sync.model.scopes import View
from orcid_sync.store.database.roles import ROLES
from rig.push_receiver import PushBench, Receiver, push_bench, receiving
from rig.reader_sessions import logins
from rig.recipes import Key, PushCopy, SqlCopy

EXAMPLES = int(os.environ.get("ORCID_SYNC_EXAMPLES", "8"))
STEPS = 20

OVER_HTTP = (
    "",
    "section=work",
    "section=keyword&section=email&minor=false",
    "op=added",
    "op=updated&section=work",
    "op=removed&minor=false",
)
BY_PUSH: Mapping[str, Filter] = {
    "all": Filter(sections=list(SECTIONS), minor=True),
    "works": Filter(sections=["work"]),
    "additions": Filter(sections=list(SECTIONS), operations=["added"]),
    "updates": Filter(sections=["keyword"], operations=["updated"], minor=True),
    "identified": Filter(sections=["work", "keyword"], external_ids=["doi:10."]),
}

SEEN = """
select orcid, section, key, jsonb_build_object('doc', doc, 'detail', detail, 'group_put_code', group_put_code,
       'group_position', group_position)::text as said, true as now from orcid.items
union all
select orcid, section, key, side.said::text, false
  from orcid.change_feed cross join lateral (values (old), (new)) as side (said) where side.said is not null
"""


@dataclass
class Consumer:
    """Somebody with a copy."""

    name: str
    view: View
    catch_up: Callable[[], Awaitable[object]]
    items: Callable[[], dict[Key, Any]]
    sections: frozenset[str] = frozenset()
    """Those that it has; none: all."""
    complete: bool = False
    """Whether it chooses nothing but sections, so that its copy has to be equal."""
    docs: bool = False
    """Whether it keeps of an item only its doc."""


@dataclass
class Desk:
    """What consumers need."""

    url: str
    tokens: dict[View, str]
    sessions: dict[str, asyncpg.Connection]
    bench: PushBench
    receiver: Receiver

    async def consumers(self) -> list[Consumer]:
        """One of each kind, which have just started."""
        await self.bench.connection.execute("delete from orcid_sync.subscriptions")
        made = []
        for view in View:
            made += [await self._follower(view, filters) for filters in OVER_HTTP]
            made += [await self._receiver(view, name, filter_) for name, filter_ in BY_PUSH.items()]
            made += [await self._reader(view, limit) for limit in (2, 1000)]
        return made

    async def _follower(self, view: View, filters: str) -> Consumer:
        follower = Follower(self.url, ":memory:", self.tokens[view], filters)
        follower.wait = 0
        await asyncio.to_thread(follower.start_again)

        def catch_up() -> None:
            try:
                follower.step()
            except Resync:
                follower.start_again()

        def items() -> dict[Key, Any]:
            rows = follower.copy.execute("select * from items where section <> 'record'").fetchall()
            return {(orcid, section, key): msgspec.json.decode(said) for orcid, section, key, said in rows}

        chosen = frozenset(value for name, value in follower.filters if name == "section")
        whole = not {"op", "minor"} & {name for name, _ in follower.filters}
        name = f"over HTTP: {filters or 'all'}"
        return Consumer(name, view, lambda: asyncio.to_thread(catch_up), items, chosen, whole)

    async def _receiver(self, view: View, name: str, filter_: Filter) -> Consumer:
        subscription = f"{name}-{view.value}"
        secret = await self.bench.subscribe(
            subscription, self.receiver.url, after=None, filter=filter_, view=view.value
        )
        copy = PushCopy(secret, self.url, self.tokens[view], filter_.sections)
        await copy.start()

        async def catch_up() -> None:
            await self.bench.drain()
            mine = [one for one in self.receiver.received if one.message["data"]["subscription"] == subscription]
            self.receiver.received = [one for one in self.receiver.received if one not in mine]
            for one in mine:
                assert await copy.receive(one.body, one.headers) == 204

        whole = filter_.minor and not (filter_.operations or filter_.needs_contents)
        chosen = frozenset(filter_.sections)
        return Consumer(f"by push: {name}", view, catch_up, lambda: copy.items, chosen, whole)

    async def _reader(self, view: View, limit: int) -> Consumer:
        copy = SqlCopy(self.sessions[view.value], limit=limit, sections=SECTIONS)
        await copy.start()
        return Consumer(f"in SQL, by {limit}", view, copy.catch_up, lambda: copy.items, frozenset(SECTIONS), docs=True)


@asynccontextmanager
async def open_desk(dsn: str, lives: type["Followed"]) -> AsyncIterator[Desk]:
    """A listener, a sender and a receiver, and logins."""
    async with AsyncExitStack() as stack:
        database = lives.installation.replicas[0]
        api = await stack.enter_async_context(serving_api(database))
        tokens = {}
        for view, scope in {View.PUBLIC: "read-public", View.LIMITED: "read-limited"}.items():
            caller = await api.bearing(scope)
            tokens[view] = caller.headers["Authorization"].removeprefix("Bearer ")
        sessions = await stack.enter_async_context(logins(dsn, **{view.value: ROLES[view] for view in View}))
        bench = await stack.enter_async_context(push_bench(database, lives.commands))
        yield Desk(api.url, tokens, sessions, bench, await stack.enter_async_context(receiving()))


class Followed(Lives):
    """The same lives, with consumers; locked records are hidden."""

    rounds = 1_000  # refusals of all tokens at once are believed after three days of tries
    desk: Desk
    consumers: tuple[Consumer, ...] = ()

    @invariant()
    def nobody_sees_what_they_must_not(self) -> None:
        """Of readers, test_privacy asks that. Here: consumers begin when the first records are there."""
        if self.consumers:
            return
        for reconciler in self.installation.reconcilers:
            policy = msgspec.structs.replace(reconciler.policy, hide_locked=True)
            object.__setattr__(reconciler, "policy", policy)
        self.consumers = tuple(self.run(self.desk.consumers()))

    @rule(which=st.integers(0, 1000))
    def follow(self, which: int) -> None:
        """One of them catches up, the others later."""
        if self.consumers:
            self._follow(self.consumers[which % len(self.consumers)])

    def judge(self, job: Any) -> None:
        """Of the feed, test_privacy asks that."""

    def judge_the_calm(self) -> None:
        for consumer in self.consumers:
            self._follow(consumer)

    def _follow(self, consumer: Consumer) -> None:
        self.run(consumer.catch_up())
        rows = self.run(self.desk.sessions[consumer.view.value].fetch(SEEN))
        now, ever = dict[Key, Any](), dict[Key, list[Any]]()
        for row in rows:
            key, said = (row["orcid"], row["section"], row["key"]), msgspec.json.decode(row["said"])
            said = said.get("doc") if consumer.docs else said
            ever.setdefault(key, []).append(said)
            if row["now"] and key[1] in (consumer.sections or {key[1]}):
                now[key] = said
        copy = consumer.items()
        who = f"{consumer.name}, {consumer.view.value}"
        assert copy.keys() <= now.keys(), f"{who}: kept what is not to be seen: {copy.keys() - now.keys()}"
        for key, said in copy.items():
            assert said in ever[key], f"{who}: kept of {key} what it said before"
        if consumer.complete:
            assert copy == now, f"{who}: lacks {now.keys() - copy.keys()}"


@pytest.mark.fault("F60", "F61")
@pytest.mark.invariant("S6", "S11", "S13")
def test_no_consumer_keeps_what_it_must_not(dsn: str) -> None:
    with asyncio.Runner() as runner, structlog.testing.capture_logs():
        opening = open_lives(dsn)
        runner.run(opening.__aenter__())
        Followed.runner = runner
        desk = open_desk(dsn, Followed)
        Followed.desk = runner.run(desk.__aenter__())
        try:
            run_state_machine_as_test(
                Followed,
                settings=lives(EXAMPLES, STEPS),
            )
        finally:
            runner.run(desk.__aexit__(None, None, None))
            runner.run(opening.__aexit__(None, None, None))
