"""Loading a batch of full activities: what the record's summary of them does not say (contract section 3.7).

They are given to items that are mirrored already, and only if they are of the same edit; so the summaries come first.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from orcid_sync.bulk import versions
from orcid_sync.bulk.parse import Closed, Unit, read_each
from orcid_sync.bulk.precedence import Verdict, judge_details
from orcid_sync.bulk.tally import Tally
from orcid_sync.bulk.write import Plan, Written, write_or_split, write_under_leases
from orcid_sync.bulk.xml import documents, strays
from orcid_sync.bulk.xml.documents import Strays, Unreadable
from orcid_sync.bulk.xml.full_forms import FULL
from orcid_sync.model.record import diff
from orcid_sync.model.record.diff import Change, Held, Update, Writing
from orcid_sync.model.record.extract import moment
from orcid_sync.model.record.found import item_of
from orcid_sync.model.record.sections import SECTIONS, Item, ItemKey
from orcid_sync.model.record.unknown_members import Unknown
from orcid_sync.model.wire.malformed import MalformedRecord
from orcid_sync.model.wire.orcid_json import Timestamp
from orcid_sync.store.database.pools import AnyConnection, guarded
from orcid_sync.store.mirror import bulk_load, items


class Person(Struct, frozen=True):
    """The full forms of one person's activities."""

    orcid: str
    file: str
    """The first of them, for people."""
    items: dict[ItemKey, Item]
    """Each in place of its summary."""
    unknown: list[Unknown]
    """What no column is made of."""


async def load_details(connection: AnyConnection, plan: Plan, units: Sequence[Unit]) -> Tally:
    """Load what belongs to items that are mirrored. Raises DatabaseUnavailable; what was written until then stays."""
    tally = Tally()
    people = _people(units, tally)
    async with guarded(connection):
        standings = await bulk_load.standings(connection, list(people))
    chosen = []
    for orcid, person in people.items():
        verdict = judge_details(standings[orcid], everything=plan.everything)
        if verdict is Verdict.UPDATE:
            chosen.append(person)
            tally.unknown.update(person.unknown)
        else:
            tally.count(verdict, len(person.items))
    followed = {orcid for orcid, standing in standings.items() if standing.connection is not None}
    written, refused = await write_or_split(connection, chosen, lambda some: _write(connection, plan, some, followed))
    tally.add(written)
    for person, refusal in refused:
        tally.complain(person.file, refusal)
    return tally


def _people(units: Sequence[Unit], tally: Tally) -> dict[str, Person]:
    people: dict[str, Person] = {}
    for unit, (item, unknown) in read_each(units, _full_item, tally):
        if item.visibility != "public":
            tally.count("not_public")  # no file should have it
            continue
        orcid = unit.name.orcid if unit.name else ""
        person = people.setdefault(orcid, Person(orcid, unit.file, {}, []))
        person.items[item.id] = item
        person.unknown.extend(unknown)
    return people


def _full_item(unit: Unit) -> tuple[Item, list[Unknown]]:
    """The full form as an item, and what is unknown in it. Raises Closed, OtherVersion, Unreadable, MalformedRecord."""
    wanted = unit.name.activity if unit.name else None
    name, root = documents.parse_document(unit.content)
    if name == "error":
        raise Closed
    versions.refuse_document(name, root)
    if wanted is None or name != wanted[0]:
        raise Unreadable(f"it is {f'a {name}' if name else 'not of ORCID'}, not what its name says")
    found: Strays = []
    item = item_of(SECTIONS[name], documents.encode(root, FULL[name], found))
    if item.id != wanted:
        raise Unreadable("it is another item than its name says")
    return item, strays.named(name, root, FULL[name], found)


async def _write(connection: AnyConnection, plan: Plan, batch: Sequence[Person], followed: AbstractSet[str]) -> Tally:
    tally = Tally()

    async def write(held: AbstractSet[str]) -> Written:
        written = Written()
        for person in batch:
            if plan.dry:
                held_now = await items.load(connection, person.orcid)
                tally.count("detailed", len(await _differences(connection, held_now, person)))
            elif person.orcid in followed and person.orcid not in held:
                tally.count(Verdict.BUSY, len(person.items))
            else:
                await _add(connection, person, written, tally)
        return written

    leased = [] if plan.dry else [person.orcid for person in batch if person.orcid in followed]
    await write_under_leases(connection, plan, leased, write)
    return tally


async def _add(connection: AnyConnection, person: Person, written: Written, tally: Tally) -> None:
    """Give the full forms to the items of one person; of what turns out to be broken nothing is written."""
    try:
        async with connection.transaction():
            await bulk_load.lock_records(connection, [person.orcid])
            held = await items.load(connection, person.orcid)
            found = await _differences(connection, held, person)
            if found:
                writing = Writing(held.modified_at, updated=[update for update, _ in found])
                await items.apply(connection, person.orcid, writing)
    except MalformedRecord as problem:
        tally.complain(person.file, problem)
        return
    tally.count("detailed", len(found))
    tally.count(Verdict.CURRENT, len(person.items) - len(found))
    if found:
        written.note(person.orcid, None, [change for _, change in found if change])


async def _differences(connection: AnyConnection, held: Held, person: Person) -> list[tuple[Update, Change | None]]:
    """What changes by the full forms that are missing, or are of an older edit. Raises MalformedRecord."""
    wanted = [key for key, full in person.items.items() if _misses(held, key, full)]
    contents = await items.load_contents(connection, person.orcid, wanted) if wanted else {}
    found = []
    for key, old in contents.items():
        full = person.items[key]
        summary = item_of(SECTIONS[full.section], old.doc)
        if summary.modified_ms == full.modified_ms:
            item = replace(summary, content=replace(old, detail=None))
            update, change = diff.update(person.orcid, item, old, full.content.doc)
            found.append((_of_the_same_summary(update, held.items[key].digest), change))
    return found


def _of_the_same_summary(update: Update, digest: bytes) -> Update:
    """With the digest that the summary had as ORCID wrote it: PostgreSQL gives it back in an order of its own."""
    row = replace(update.entry.row, digest=digest)
    return replace(update, entry=replace(update.entry, row=row))


def _misses(held: Held, key: ItemKey, full: Item) -> bool:
    """Whether the mirror holds the item, without this full form; what is not public no file should have."""
    known = held.items.get(key)
    if known is None or {known.visibility, full.visibility} != {"public"}:
        return False
    return known.detail_modified_at != moment(Timestamp(full.modified_ms))
