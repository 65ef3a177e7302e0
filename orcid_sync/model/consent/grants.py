"""How a new grant compares with the one that it replaces: granted, narrowed or widened."""

from collections.abc import Collection

from orcid_sync.model.record.access import access_with
from orcid_sync.model.sync.schedule import READ_LIMITED


def event_of_grant(before: Collection[str] | None, after: Collection[str]) -> str:
    """granted, narrowed or widened, by the scopes before (None: nothing was granted) and after.

    What can be read counts first: scopes imply others (contract section 2.2), so fewer names need not be less.
    """
    if before is None:
        return "granted"
    old, new = frozenset(before), frozenset(after)
    reading = (access_with(old).kind == READ_LIMITED) - (access_with(new).kind == READ_LIMITED)
    if reading > 0 or (reading == 0 and new < old):
        return "narrowed"
    if reading < 0 or new > old:
        return "widened"
    return "granted"
