"""A record that the mirror holds in an older state: what differs, as a reconciliation would find it."""

from msgspec import Struct
from msgspec.structs import replace

from orcid_sync.bulk.parsing import Parsed
from orcid_sync.model import diff
from orcid_sync.model.diff import Change, Held, Writing
from orcid_sync.model.removals import REMOVED, removal
from orcid_sync.model.sections import SECTIONS
from orcid_sync.store import mirror
from orcid_sync.store.database import AnyConnection


class Difference(Struct, frozen=True):
    """What is to be written of a record."""

    writing: Writing
    changes: list[Change]


async def find_difference(connection: AnyConnection, held: Held, parsed: Parsed) -> Difference | None:
    """Compare a file with what the mirror holds; None if most of a section would go. Raises MalformedRecord.

    So much must have been seen by somebody else, too (design section 8): it is left to the next read. What the mirror
    holds and is not public (we see our own client's items, contract section 3.4) no file can know of.
    """
    orcid, at = parsed.orcid, parsed.modified_at
    public = {key: known for key, known in held.items.items() if known.visibility == "public"}
    gone = diff.compare(public, parsed.answered, parsed.items, {}).gone
    if diff.shrinks(held.items, gone):
        return None
    comparison = replace(diff.compare(held.items, parsed.answered, parsed.items, {}), gone=gone)
    wanted = [*gone, *(item.id for item in comparison.moved)]
    old = await mirror.load_contents(connection, orcid, wanted) if wanted else {}
    own = diff.record_change(orcid, held.record, parsed.content, at)
    changes = [own] if own else []
    changes += [removal(key, public[key], old[key], reason=REMOVED, at=at) for key in gone]
    updates = [diff.update(orcid, item, old[item.id], None) for item in comparison.moved]
    changes += [change for _, change in updates if change]
    changes += [diff.addition(item, item.content) for item in comparison.added]
    added = [(SECTIONS[item.section], item.content) for item in comparison.added]
    record, updated = parsed.content if own else None, [update for update, _ in updates]
    return Difference(Writing(at, record, held.record is None, added, updated, gone), changes)
