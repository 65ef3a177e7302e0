"""Loading a batch of records, new ones and those that the mirror holds in an older state."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from orcid_sync.bulk.parse import New, Parsed, Unit, make_new, parse_unit, peek_modified_at, read_each
from orcid_sync.bulk.precedence import Verdict, judge
from orcid_sync.bulk.tally import Tally
from orcid_sync.bulk.write import Plan, Written, write_or_split, write_under_leases
from orcid_sync.model.record import diff
from orcid_sync.model.record.diff import Change, Held, Writing
from orcid_sync.model.record.removals import REMOVED, removal
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.model.wire.malformed import MalformedRecord
from orcid_sync.model.wire.set_aside import may_lose
from orcid_sync.store.database.pools import AnyConnection, guarded
from orcid_sync.store.mirror import bulk_load, items
from orcid_sync.store.mirror.bulk_load import Standing

WRITTEN = frozenset({Verdict.LOAD, Verdict.UPDATE})


class Difference(Struct, frozen=True):
    """What is to be written of a record."""

    writing: Writing
    changes: list[Change]


class Chosen(Struct, frozen=True):
    """A record that is to be written."""

    parsed: Parsed
    new: New | None
    """As rows, if nothing of it is mirrored."""
    followed: bool
    """The iD is in the queue."""

    @property
    def orcid(self) -> str:
        """Whose record it is."""
        return self.parsed.orcid


async def load_records(connection: AnyConnection, plan: Plan, units: Sequence[Unit]) -> Tally:
    """Load what may be loaded. Raises DatabaseUnavailable; what was written until then stays."""
    tally = Tally()
    async with guarded(connection):
        standings = await bulk_load.standings(connection, {unit.name.orcid for unit in units if unit.name})
        batch = _newest(read_each(_fresh(units, standings, plan, tally), parse_unit, tally), tally)
        if unnamed := [one.orcid for one in batch if one.orcid not in standings]:
            standings |= await bulk_load.standings(connection, unnamed)
    chosen, to_load = [], []
    for one in batch:
        verdict = judge(standings[one.orcid], one.modified_at, everything=plan.everything)
        if plan.dry or verdict not in WRITTEN:
            tally.count(verdict)
            if verdict in WRITTEN:
                one.tell(tally)
        elif verdict is Verdict.LOAD:
            to_load.append(one)
        else:
            chosen.append(Chosen(one, None, followed=_followed(one, standings)))
    for one, new in read_each(to_load, make_new, tally):
        chosen.append(Chosen(one, new, followed=_followed(one, standings)))
    written, refused = await write_or_split(connection, chosen, lambda some: _write(connection, plan, some))
    tally.add(written)
    for victim, refusal in refused:
        tally.complain(victim.parsed.file, refusal)
    return tally


def _followed(parsed: Parsed, standings: Mapping[str, Standing]) -> bool:
    return standings[parsed.orcid].connection is not None


def _fresh(units: Sequence[Unit], standings: Mapping[str, Standing], plan: Plan, tally: Tally) -> Iterator[Unit]:
    """Those that are not at a glance as old as what is mirrored: parsing takes much longer than finding that out."""
    for unit in units:
        standing = standings.get(unit.name.orcid) if unit.name else None
        modified_at = peek_modified_at(unit) if standing is not None and standing.state is not None else None
        if (
            standing is not None
            and modified_at is not None
            and judge(standing, modified_at, everything=plan.everything) is Verdict.CURRENT
        ):
            tally.count(Verdict.CURRENT)
        else:
            yield unit


def _newest(batch: Iterable[tuple[Unit, Parsed]], tally: Tally) -> list[Parsed]:
    """Of several records of the same iD the newest."""
    found: dict[str, Parsed] = {}
    for _, one in batch:
        other = found.get(one.orcid)
        if other is not None:
            tally.count(Verdict.CURRENT)
        if other is None or (other.modified_ms or 0) < (one.modified_ms or 0):
            found[one.orcid] = one
    return list(found.values())


async def _write(connection: AnyConnection, plan: Plan, batch: Sequence[Chosen]) -> Tally:
    writer = _Writer(connection, plan, batch)
    await write_under_leases(connection, plan, [one.orcid for one in batch if one.followed], writer.write)
    return writer.tally


class _Writer:
    """One batch in its transaction."""

    def __init__(self, connection: AnyConnection, plan: Plan, batch: Sequence[Chosen]) -> None:
        self._connection = connection
        self._plan = plan
        self._batch = batch
        self._written = Written()
        self.tally = Tally()

    async def write(self, held: AbstractSet[str]) -> Written:
        """Judge again, now that nobody else writes to what is held or locked, and write."""
        free = [one for one in self._batch if one.orcid in held or not one.followed]
        self.tally.count(Verdict.BUSY, len(self._batch) - len(free))
        if older := [one.orcid for one in free if not one.followed and one.new is None]:
            await bulk_load.lock_records(self._connection, older)
        standings = await bulk_load.standings(self._connection, [one.orcid for one in free])
        new = []
        for one in free:
            standing = standings[one.orcid]
            if one.orcid in held:
                standing = replace(standing, leased=False)  # the lease is ours
            verdict = judge(standing, one.parsed.modified_at, everything=self._plan.everything)
            if verdict is Verdict.LOAD and one.new is not None:
                new.append(one.new)
            elif verdict is Verdict.UPDATE:
                await self._update(one.parsed)
            else:
                self.tally.count(verdict)
        await self._insert(new)
        return self._written

    async def _insert(self, new: Sequence[New]) -> None:
        """Write records of which nothing is mirrored."""
        if new:
            entries = [entry for one in new for entry in one.entries]
            await items.insert(self._connection, [one.record for one in new], entries)
            self.tally.count(Verdict.LOAD, len(new))
            self.tally.items += len(entries)
        for one in new:
            one.parsed.tell(self.tally)
            self._written.note(one.parsed.orcid, one.parsed.modified_ms, one.changes)

    async def _update(self, parsed: Parsed) -> None:
        """Write what differs from an older state; of what turns out to be broken nothing is written."""
        try:
            async with self._connection.transaction():
                held = await items.load(self._connection, parsed.orcid)
                difference = await find_difference(self._connection, held, parsed)
                if difference is None:
                    self.tally.count(Verdict.LEFT)
                    return
                await items.apply(self._connection, parsed.orcid, difference.writing)
        except MalformedRecord as problem:
            self.tally.complain(parsed.file, problem)
            return
        self._written.note(parsed.orcid, parsed.modified_ms, difference.changes)
        self.tally.count(Verdict.UPDATE)
        parsed.tell(self.tally)
        self.tally.items += len(difference.writing.added) + len(difference.writing.updated)


async def find_difference(connection: AnyConnection, held: Held, parsed: Parsed) -> Difference | None:
    """Compare a file with what the mirror holds; None if most of a section would go. Raises MalformedRecord.

    So much must have been seen by somebody else, too (design section 8): it is left to the next read. What the mirror
    holds and is not public (we see our own client's items, contract section 3.4) no file can know of.
    """
    orcid, at = parsed.orcid, parsed.modified_at
    whole = may_lose(parsed.answered, parsed.set_aside)
    public = {key: known for key, known in held.items.items() if known.visibility == "public"}
    gone = diff.compare(public, whole, parsed.items, {}).gone
    if diff.shrinking(held.items, gone):
        return None
    comparison = replace(diff.compare(held.items, whole, parsed.items, {}), gone=gone)
    wanted = [*gone, *(item.id for item in comparison.moved)]
    old = await items.load_contents(connection, orcid, wanted) if wanted else {}
    own = diff.record_change(orcid, held.record, parsed.content, at)
    changes = [own] if own else []
    changes += [removal(key, public[key], old[key], reason=REMOVED, at=at) for key in gone]
    updates = [diff.update(orcid, item, old[item.id], None) for item in comparison.moved]
    changes += [change for _, change in updates if change]
    changes += [diff.addition(item, item.content) for item in comparison.added]
    added = [(SECTIONS[item.section], item.content) for item in comparison.added]
    record, updated = parsed.content if own else None, [update for update, _ in updates]
    return Difference(Writing(at, record, held.record is None, added, updated, gone), changes)
