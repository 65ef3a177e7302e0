"""What the name of a file says: the iD, and the kind of contents. Names are checked before anything is parsed.

…/[last 3 of the iD]/[iD].xml                                 a record's summary (contract section 7.1)
…/[last 3 of the iD]/[iD]/[type]/[iD]_[type]_[put-code].xml   a full activity (contract section 7.2)
"""

import re

from msgspec import Struct

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.sections import SECTIONS, ItemKey

_NAME = re.compile(
    r"(?:.*/)?(?P<orcid>\d{4}-\d{4}-\d{4}-\d{3}[\dX])(?:_(?P<type>[a-z-]+)_(?P<put_code>\d{1,19}))?\.(?:xml|json)",
    re.ASCII | re.DOTALL,
)

_FULL = {section.container: name for name, section in SECTIONS.items() if section.detail}
"""The sections of which there is a full form, by their names in the plural."""


class Name(Struct, frozen=True):
    """Whose a file is and what."""

    orcid: Orcid
    activity: ItemKey | None = None
    """The item of which it is the full form; None: it is a record."""


def parse_name(name: str) -> Name | None:
    """Read the name of a file; None if it is none of ours, or an affiliation, of which the record says everything."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    orcid, kind = Orcid(found["orcid"]), found["type"]
    if kind is None:
        return Name(orcid)
    section = _FULL.get(kind) or (kind if kind in _FULL.values() else None)
    return None if section is None else Name(orcid, (section, found["put_code"]))
