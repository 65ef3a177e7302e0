"""Texts that give away where they are: each is planted once, and known by who might see it while it stood there.

What a reader can reach is all that is searched: every table, and for readers every view, in one query.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import asyncpg

from acceptance.harness.observers import Key, taken_by
from orcid_sync.simulator.records.profiles import RecordState
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID

PLANTED = re.compile(r"zq\d+zq")

Place = tuple[str, str, int]
"""iD, section, put-code at the Registry."""

_RELATIONS = """
select c.oid::regclass::text as name, c.relkind = 'v' as is_view,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'orcid') as has_orcid
  from pg_class c
 where c.relnamespace = any (array['orcid', 'orcid_sync']::regnamespace[]) and c.relkind in ('r', 'p', 'v') order by 1
"""


@dataclass
class Planted:
    """One text, and all that was ever true of it."""

    visibilities: set[str] = field(default_factory=set)
    """Of its item, while it stood there."""
    places: set[Place] = field(default_factory=set)
    ours: bool = False
    """Our own client is the source: our own token sees it, whatever its visibility (contract section 3.4)."""

    @property
    def orcids(self) -> set[str]:
        """Whose it is; an e-mail may move to the record that its owner's other one was merged into."""
        return {orcid for orcid, _, _ in self.places}


class Plantation:
    """Every text that was planted in a Registry."""

    def __init__(self, sim: SimulatedRegistry) -> None:
        self._sim = sim
        self._number = 0
        self.known: dict[str, Planted] = {}
        self.public: set[Place] = set()
        """What everybody may see now."""

    def new(self) -> str:
        """A text that was not there before."""
        self._number += 1
        return f"zq{self._number}zq"

    def look(self) -> None:
        """Note where every text stands now, and who may see it."""
        self.public.clear()
        for orcid in self._sim.profiles:
            self._look_at(self._sim.profiles.state(orcid))

    def _look_at(self, state: RecordState) -> None:
        for section, items in state.items.items():
            for code, item in items.items():
                place = (state.orcid, section, code)
                if item.visibility == "public":
                    self.public.add(place)
                for text in PLANTED.findall(repr(item.content)):
                    known = self.known.setdefault(text, Planted())
                    known.visibilities.add(item.visibility)
                    known.places.add(place)
                    known.ours |= item.source.belongs_to(CLIENT_ID)


@dataclass(frozen=True)
class Found:
    """A text that came out of a query."""

    relation: str
    orcid: str
    text: str


class Search:
    """A search through all that a login can reach."""

    def __init__(self, session: asyncpg.Connection, query: str) -> None:
        self._session = session
        self._query = query

    async def find(self) -> list[Found]:
        """Every planted text that comes out."""
        rows = await self._session.fetch(self._query)
        return [Found(row["name"], row["orcid"] or "", text) for row in rows for text in PLANTED.findall(row["said"])]


async def make_search(admin: asyncpg.Connection, session: asyncpg.Connection, *, views: bool) -> Search:
    """The tables that this login may read; with the views, and with the past at each moment when something changed."""
    queries = []
    for relation in await admin.fetch(_RELATIONS):
        if relation["is_view"] and not views:
            continue
        orcid = "t.orcid::text" if relation["has_orcid"] else "null"
        query = f"select '{relation['name']}' as name, {orcid} as orcid, t::text as said from {relation['name']} t"
        if await _may_read(session, query):
            queries.append(query)
    if views:
        queries.append(
            "select 'record_as_of', c.orcid::text, p::text from (select distinct orcid, at from orcid.changes) c"
            " cross join lateral orcid.record_as_of(c.orcid, c.at) p"
        )
    return Search(session, f"select * from ({' union all '.join(queries)}) s where said like '%zq%'")


async def _may_read(session: asyncpg.Connection, query: str) -> bool:
    try:
        await session.fetch(f"{query} limit 0")
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True


def told(lines: Iterable[asyncpg.Record]) -> dict[Key, str]:
    """What the feed tells from its beginning, to somebody who takes each line as it is documented."""
    state: dict[Key, str] = {}
    for line in lines:
        key = (line["orcid"], line["section"], line["key"])
        if line["new"] is not None:
            state[key] = line["new"]
        elif line["op"] in ("removed", "withdrawn"):
            state = {one: said for one, said in state.items() if not taken_by(key, one)}
        else:
            state.pop(key, None)  # what it said was forgotten; if it is still there, a later line says so
    return state
