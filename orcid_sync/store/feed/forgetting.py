"""Forgetting: taking the contents out of the history, or moving them out of sight. The lines of the feed stay.

The two that forget are called inside the applying transaction, after `mirror.items.apply` and before `changes.append`:
what is removed now is then already gone from the mirror, and the lines that say so are not among those that are
emptied. Replaying the feed still gives the mirror, for what is forgotten is gone from it, too.
"""

from collections.abc import Iterable

from orcid_sync.model.record.visibility import Restriction
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)


async def forget_all(connection: AnyConnection, orcid: str) -> int:
    """Forget all that the history says of the iD: contents, and e-mail addresses. Returns how many contents."""
    await _queries.forget_addresses(connection, orcid=orcid)
    count: int = await _queries.forget_contents(connection, orcid=orcid)
    await _note_residue(connection)
    return count


async def forget_limited(connection: AnyConnection, orcid: str) -> int:
    """Forget what is not public, but for items that the mirror still holds as not public. Returns how many contents.

    Those are items that our own token may still see (contract section 3.4): their history is no more than they are.
    """
    await _queries.forget_limited_addresses(connection, orcid=orcid)
    count: int = await _queries.forget_limited_contents(connection, orcid=orcid)
    await _note_residue(connection)
    return count


async def _note_residue(connection: AnyConnection) -> None:
    """Note that deleted rows are to be taken out of the files (`consent.deleted_rows`, fault F67).

    In a subtransaction of its own, whose number is above those of all that deleted something before it.
    """
    async with connection.transaction():
        await _queries.note_residue(connection)


async def restrict(connection: AnyConnection, orcid: str, restrictions: Iterable[Restriction]) -> None:
    """Give the past of items that have become less visible the visibility that they have now (fault F61)."""
    for restriction in restrictions:
        sections, keys = zip(*restriction.items, strict=True)
        visibility = {"visibility": restriction.visibility, "wider": restriction.wider}
        await _queries.restrict_contents(connection, orcid=orcid, sections=sections, keys=keys, **visibility)
        if addresses := [key for section, key in restriction.items if section == "email"]:
            await _queries.restrict_addresses(connection, orcid=orcid, keys=addresses, **visibility)
