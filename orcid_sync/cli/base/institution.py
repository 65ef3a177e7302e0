"""The institution, as the settings know it."""

from typing import TYPE_CHECKING

from orcid_sync.cli.base.session import Failure
from orcid_sync.model.analysis.institution import Institution, parse_organization_id

if TYPE_CHECKING:
    from orcid_sync.settings.settings import Settings


def institution_of(settings: "Settings", *, by_name: bool = False) -> Institution:
    """By what record holders are found. Raises Failure if nothing is set."""
    ids = (settings.institution_ror, *settings.institution_ids)
    known = Institution(
        ids=tuple(dict.fromkeys(parse_organization_id(one) for one in ids if one)),
        domains=tuple(dict.fromkeys(settings.institution_domains)),
        names=(settings.institution,) if by_name and settings.institution else (),
    )
    if not (known.ids or known.domains or known.names):
        raise Failure(
            "The settings do not name your institution: set institution_ror (its id is at https://ror.org), "
            "institution_ids or institution_domains."
        )
    return known
