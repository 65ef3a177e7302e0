"""A system that was written from deploy/docs/consumers.md alone ends equal, whatever is killed meanwhile."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest

from acceptance.harness.observers import connected
from acceptance.harness.replica import Replica, environment
from orcid_sync.model.feed.cursor import parse_cursor
from orcid_sync.model.ids import Orcid
from orcid_sync.model.scopes import Scope, View
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.store.consent import erasure
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.console import api_tokens
from orcid_sync.store.database.pools import Database, open_database, transaction
from orcid_sync.store.database.roles import ROLES
from orcid_sync.store.mirror import hiding
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import encode, keyword

pytestmark = [pytest.mark.invariant("S6", "S13", "S20")]

FOLLOWER = Path(__file__).with_name("harness") / "follower.py"
ORCIDS = [Orcid(numbered_orcid(610_000_000_000 + number)) for number in range(6)]
ALWAYS_SHOWN = ORCIDS[:3]
"""Nothing of them is ever withheld: lines about others are hidden meanwhile, and come back too late to be seen."""

EDITS = 40
"""Edits of one round."""

HEAD = "select epoch::text as epoch, last from orcid_sync.feed_head"
CONTENTS = """
select orcid, section, key, jsonb_build_object('doc', doc, 'detail', detail, 'group_put_code', group_put_code,
       'group_position', group_position) as content from orcid.items
union all
select orcid, 'record', '', jsonb_build_object('state', state, 'access', access, 'primary_orcid', primary_orcid,
       'doc', doc) || case when withheld is null then '{}' else jsonb_build_object('withheld', withheld) end
  from orcid.records
"""


@dataclass
class System:
    """One such system: a process and its copy."""

    view: View
    file: Path
    arguments: tuple[str, ...]
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(sys.executable, str(FOLLOWER), *self.arguments)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def ask(self, query: str) -> list[Any]:
        """What its copy says."""
        copy = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)
        try:
            return copy.execute(query).fetchall()
        finally:
            copy.close()

    def reached(self, epoch: str, last: int) -> bool:
        """Whether it has dealt with everything up to there."""
        try:
            rows = self.ask("select text from cursor")
        except sqlite3.OperationalError:  # it has only just begun
            return False
        cursor = parse_cursor(rows[0][0]) if rows else None
        return cursor is not None and (cursor.place.epoch, cursor.place.seq) == (epoch, last)

    def copied(self) -> dict[tuple[str, ...], Any]:
        """The copy by iD, section and key."""
        return {tuple(key): json.loads(content) for *key, content in self.ask("select * from items")}


def random_record(orcid: Orcid, rng: Random) -> bytes:
    """A record of a few entries whose visibilities change from time to time."""
    record = skeleton(orcid)
    seen = ("public", "public", "limited")
    record["person"]["keywords"]["keyword"] = [
        keyword(code, f"word {rng.randrange(3)}", visibility=rng.choice(seen)) for code in rng.sample(range(8), 4)
    ]
    record["person"]["emails"]["email"] = [
        {"email": f"{name}@example.org", "visibility": rng.choice(seen), "verified": True, "primary": False}
        for name in rng.sample(("a", "b", "c"), 2)
    ]
    return encode(record)


async def edit(database: Database, rng: Random) -> None:
    """One of the things that happen to records."""
    orcid, luck = rng.choice(ORCIDS), rng.random()
    if luck < 0.92 or (orcid in ALWAYS_SHOWN and luck < 0.97):
        await apply_record(database.worker, random_record(orcid, rng), access="read-limited")
        return
    async with transaction(database.worker) as connection:
        if luck < 0.97:
            await hiding.hide_limited(connection, [orcid], cause="operator")
        else:
            await erasure.erase(connection, orcid, by="operator", learnt="command")


@asynccontextmanager
async def installed(dsn: str, folder: Path) -> AsyncIterator[tuple[Database, Replica, list[System]]]:
    """The service's listeners, and a system for each view."""
    settings = environment(dsn, "http://127.0.0.1:9", "http://127.0.0.1:9")
    replica = Replica(settings, folder / "web.log", "--only", "web")
    async with open_database(dsn, workers=2) as database:
        systems = []
        async with transaction(database.worker) as connection:
            await connect_orcids(connection, [Entry(orcid=orcid) for orcid in ORCIDS])
            for view, scope in {View.PUBLIC: Scope.READ_PUBLIC, View.LIMITED: Scope.READ_LIMITED}.items():
                token, file = api_tokens.new_token(), folder / f"{view.value}.sqlite"
                await api_tokens.create(connection, token, name=view.value, scopes=[scope], lifetime=None)
                systems.append(System(view, file, (replica.internal_url, str(file), token)))
        try:
            await replica.start()
            await replica.ready()
            for system in systems:
                await system.start()
            yield database, replica, systems
        finally:
            for one in (replica, *systems):
                await one.kill()


async def test_it_ends_equal_over_kills_of_either_side_and_a_restore(
    crash_dsn: str, tmp_path: Path, wait_until: Callable[..., Awaitable[Any]]
) -> None:
    rng = Random(7)

    async def write() -> None:
        for _ in range(EDITS):
            await edit(database, rng)

    async def kill_the_service() -> None:
        await replica.kill()
        await replica.start()
        await replica.ready()

    async def kill_the_systems() -> None:
        for system in systems:
            await system.kill()
            await system.start()

    async def let_them_follow() -> None:
        await asyncio.wait({writing})

    async def restore() -> None:
        async with connected(crash_dsn) as connection:
            await connection.execute("select orcid_sync.new_epoch()")

    async with installed(crash_dsn, tmp_path) as (database, replica, systems):
        for disturb in (kill_the_systems, restore, kill_the_systems, kill_the_service, let_them_follow):
            writing = asyncio.create_task(write())
            await disturb()
            await writing
        async with connected(crash_dsn) as connection:
            head = await connection.fetchrow(HEAD)
            for system in systems:
                await wait_until(lambda one=system: one.reached(head["epoch"], head["last"]), 30)
                await system.kill()
                assert system.copied() == await shown(connection, system.view), system.view
                assert_nothing_lost_or_reordered(system, await told(connection, system))


async def shown(connection: asyncpg.Connection, view: View) -> dict[tuple[str, ...], Any]:
    """The mirror as a reader sees it in the database."""
    async with connection.transaction():
        await connection.execute(f"set local role {ROLES[view]}")
        rows = await connection.fetch(CONTENTS)
    assert {row["section"] for row in rows} == {"record", "keyword", "email"}
    return {(row["orcid"], row["section"], row["key"]): json.loads(row["content"]) for row in rows}


async def told(connection: asyncpg.Connection, system: System) -> list[int]:
    """Positions that the feed shows to its reader since its last snapshot, about those of whom nothing was withheld."""
    begun = parse_cursor(system.ask("select cursor from begun")[0][0])
    assert begun is not None
    async with connection.transaction():
        await connection.execute(f"set local role {ROLES[system.view]}")
        query = "select seq from orcid.change_feed where seq > $1 and orcid = any($2::text[]) order by seq"
        rows = await connection.fetch(query, begun.place.seq, ALWAYS_SHOWN)
    return [row["seq"] for row in rows]


def assert_nothing_lost_or_reordered(system: System, expected: list[int]) -> None:
    """Lines that were shown and are not any more may be there besides."""
    applied = [seq for (seq,) in system.ask("select seq from log order by number")]
    assert applied == sorted(set(applied))
    assert set(expected) <= set(applied)
    assert len(expected) > EDITS


def test_it_uses_nothing_of_ours() -> None:
    assert "orcid_sync" not in FOLLOWER.read_text("utf-8").replace("orcid_sync but what", "")
