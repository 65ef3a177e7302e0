"""Whether a record from a file may be written: never over anything newer, and never over anything that says more."""

import enum
from datetime import datetime

from orcid_sync.model.sync.record_states import State
from orcid_sync.model.sync.schedule import READ_PUBLIC
from orcid_sync.store.mirror.bulk_load import Standing


class Verdict(enum.StrEnum):
    """What becomes of a record from a file."""

    LOAD = "loaded"
    """Nothing of it is mirrored."""
    UPDATE = "updated"
    """What is mirrored is older."""
    CURRENT = "current"
    """What is mirrored is as new, or newer."""
    LEFT = "left"
    """It is not for files to say: nobody follows it, the holder went, was erased or shows us more than the public,
    or the Registry has said that the record is closed."""
    BUSY = "busy"
    """The service is just reading it."""


def judge(standing: Standing, modified_at: datetime | None, *, everything: bool) -> Verdict:
    """Decide about one record; `everything`: also of people whom nobody follows."""
    if not _for_files_to_say(standing, everything=everything):
        return Verdict.LEFT
    if standing.state is None:
        return Verdict.BUSY if standing.leased else Verdict.LOAD
    if (standing.state, standing.access) != (State.ACTIVE, READ_PUBLIC):
        return Verdict.LEFT
    # A record that was verified later than the file's state was made says the same or more, whatever its own date is.
    known = [at for at in (standing.registry_modified_at, standing.verified_at) if at is not None]
    if modified_at is None or (known and modified_at <= max(known)):
        return Verdict.CURRENT
    return Verdict.BUSY if standing.leased else Verdict.UPDATE


def judge_details(standing: Standing, *, everything: bool) -> Verdict:
    """Decide whether full forms may be added to the items of one record: to any that is open."""
    if not _for_files_to_say(standing, everything=everything) or standing.state != State.ACTIVE:
        return Verdict.LEFT
    return Verdict.BUSY if standing.leased else Verdict.UPDATE


def _for_files_to_say(standing: Standing, *, everything: bool) -> bool:
    stranger = standing.connection is None and not standing.erased
    ours = standing.connection == "connected" or (everything and stranger)
    return ours and standing.unconfirmed is None and standing.withheld is None
