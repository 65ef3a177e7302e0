"""Reading the full forms of items: what a summary does not say (contract sections 3.7, 3.8 and 10).

The summaries in `/record` are a complete answer by themselves. So a full form that cannot be read is unknown, whatever
was said instead of it: it stops nothing, and only `/record` speaks of the record's state (contract section 3.5). A page
of works that fails is halved, down to single works, so that one that ORCID cannot render costs no other its full form.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.doubts import Unread
from orcid_sync.model.record.sections import Item, ItemKey
from orcid_sync.model.wire.cleaning import clean
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import (
    INVISIBLE,
    Busy,
    ClientDisabled,
    Deactivated,
    Deprecated,
    Forbidden,
    Locked,
    NotFound,
    Paused,
    RegistryError,
    Unauthorized,
    Unavailable,
    Unclaimed,
)
from orcid_sync.registry.requests import BULK_LIMIT

NO_WORDS_ABOUT_IT = (Busy, Unauthorized, ClientDisabled)
"""What says nothing about the items asked for. All the same it counts as theirs: if only they hear it, whatever is
asked for after them would wait for ever. The pace has heard it, too, and slows down or pauses."""

OF_THE_RECORD = (Deactivated, Deprecated, Locked, Unclaimed)
"""What speaks of the record's state, which only `/record` decides."""

PATIENCE = 24
"""How much may fail in one read before the rest is left for later: a bound on its requests and on its time."""

DEAR = 6
"""What of that is spent on an answer without ORCID's own words, which may have taken a long time not to come, and on
one that may say that the next request will fare no better. It may also be the answer for this one part, always: so it
counts as a failure of this part, and not of those behind it."""

NOT_ASKED = Unread("full_form_not_asked", "not asked for yet: too much else failed in the same read", asked=False)
NOT_ANSWERED = Unread("full_form", "ORCID's answer left it out")


class FullForms(Struct):
    """What was read, and what was not."""

    read: dict[ItemKey, bytes] = {}
    unread: dict[ItemKey, Unread] = {}


async def read_full_forms(
    registry: Registry, orcid: Orcid, token: str | None, wanted: Collection[Item], failures: Callable[[Item], int]
) -> FullForms:
    """Ask for the full forms of the items; `failures`: how often each of them could not be read before.

    Works are read in pages, the others one by one (contract section 3.1). Raises nothing of the Registry's.
    """
    found, parts, patience = FullForms(), deque(_parts(wanted, failures)), PATIENCE
    while parts and patience > 0:
        part = parts.popleft()
        try:
            answers = await _ask(registry, orcid, token, part)
        except Paused as error:  # the next request will fare no better: the rest is not asked for now
            parts.appendleft(part)
            return _given_up(found, parts, Unread("full_form_not_asked", str(error), asked=False))
        except RegistryError as error:
            patience -= _cost(error)
            found.unread |= dict.fromkeys((item.id for item in part), _why(error))
            if len(part) > 1:
                middle = len(part) // 2
                parts += (part[:middle], part[middle:])  # behind the others, or the same few would be asked every time
        else:
            found.read |= answers
            found.unread = {key: why for key, why in found.unread.items() if key not in answers}
            found.unread |= {item.id: NOT_ANSWERED for item in part if item.id not in answers}
    return _given_up(found, parts, NOT_ASKED)


def _given_up(found: FullForms, parts: Iterable[Sequence[Item]], why: Unread) -> FullForms:
    """What is left was not asked for, unless in larger company."""
    for item in (item for part in parts for item in part):
        found.unread.setdefault(item.id, why)
    return found


def _parts(wanted: Iterable[Item], failures: Callable[[Item], int]) -> Iterator[list[Item]]:
    """What is asked for at once: what failed least first, so that nothing waits behind what never succeeds.

    Works that failed before are asked for in smaller company, so that in the end each of them stands for itself.
    """
    pages: dict[tuple[int, int], list[Item]] = {}
    for item in wanted:
        failed = failures(item)
        size = max(1, BULK_LIMIT // 4 ** min(failed, 4)) if item.section == "work" else 1
        pages.setdefault((failed, -size), []).append(item)
    for (_, size), items in sorted(pages.items(), key=lambda page: page[0]):
        for start in range(0, len(items), -size):
            yield items[start : start - size]


async def _ask(registry: Registry, orcid: Orcid, token: str | None, part: Sequence[Item]) -> Mapping[ItemKey, bytes]:
    by_code = {item.put_code: item.id for item in part if item.put_code is not None}
    if part[0].section == "work":
        async with registry.works(orcid, by_code, token) as page:
            return {by_code[code]: clean(full) for code, full in page.items()}
    return {
        name: clean(await registry.fetch_item(orcid, part[0].section, code, token)) for code, name in by_code.items()
    }


def _cost(error: RegistryError) -> int:
    silent = isinstance(error, Unavailable) and not error.error_code
    return DEAR if silent or isinstance(error, NO_WORDS_ABOUT_IT) else 1


def _why(error: RegistryError) -> Unread:
    """An item that ORCID says is not there, or not for us to see, is asked for again seldom: its summary said it is."""
    if isinstance(error, OF_THE_RECORD):
        return Unread("full_form", f"ORCID says otherwise of the record when asked for it: {error}")
    refused = isinstance(error, NotFound) or (isinstance(error, Forbidden) and error.error_code in INVISIBLE)
    return Unread("full_form_refused" if refused else "full_form", str(error))
