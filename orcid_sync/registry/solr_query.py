"""Questions in the language of ORCID's search, Solr's (contract section 6): values quoted, fields that exist.

What people give is always a phrase or checked by a form before: nothing of it is read as Solr's syntax.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from orcid_sync.model.analysis.institution import Institution, OrganizationId
from orcid_sync.model.ids import Orcid

MODIFIED: Final = "profile-last-modified-date"
SUBMITTED: Final = "profile-submission-date"
"""When the iD was made: the one date that never moves."""

_NAMES: Final = ("given-and-family-names", "credit-name", "other-names")
_ESCAPED: Final = str.maketrans({character: f"\\{character}" for character in '\\":'} | dict.fromkeys(range(32), " "))


def phrase(text: str) -> str:
    """A value, quoted."""
    return f'"{text.strip().translate(_ESCAPED)}"'


def any_of(clauses: Iterable[str]) -> str:
    """One of these holds at least."""
    return _joined(" OR ", clauses)


def all_of(clauses: Iterable[str]) -> str:
    """Every one of these holds."""
    return _joined(" AND ", clauses)


def _joined(word: str, clauses: Iterable[str]) -> str:
    several = list(dict.fromkeys(clauses))
    return several[0] if len(several) == 1 else f"({word.join(several)})"


def organization(known: OrganizationId) -> str:
    """Records that name the organisation by this identifier, in whatever section.

    Funders are known at ORCID by the address of their DOI.
    """
    forms = [known.value, f"http://dx.doi.org/10.13039/{known.value}"] if known.source == "FUNDREF" else [known.value]
    return any_of(f"{known.source.lower()}-org-id:{phrase(form)}" for form in forms)


def organization_name(name: str) -> str:
    """Records with an affiliation to an organisation of that name."""
    return f"affiliation-org-name:{phrase(name)}"


def email_domain(domain: str) -> str:
    """Records with a public address there or below; the domain is one of `parse_domain`.

    There is no field of domains: nothing is known of addresses that are not public.
    """
    return f"(email:*@{domain} OR email:*.{domain})"


def named(name: str) -> str:
    """Records of somebody with these names, one after the other."""
    return any_of(f"{field}:{phrase(name)}" for field in _NAMES)


def work(doi: str) -> str:
    """Records that claim the work."""
    plain = doi.strip()
    start = plain.lower().find("10.")
    plain = plain[start:] if start > 0 else plain
    return any_of(
        f"{field}:{phrase(form)}" for form in (plain, plain.lower()) for field in ("doi-self", "digital-object-ids")
    )


def ways_to(institution: Institution) -> dict[str, str]:
    """The questions for an institution's record holders, by what each goes by."""
    ways = {str(known): organization(known) for known in institution.ids}
    ways |= {f"@{domain}": email_domain(domain) for domain in institution.domains}
    return ways | {name: organization_name(name) for name in institution.names}


def orcids(several: Iterable[Orcid]) -> str:
    """These records."""
    return f"orcid:({' OR '.join(several)})"


def between(field: str, low: datetime | None, high: datetime | None) -> str:
    """From a moment on, up to before another; None for an open end.

    Solr's dates are inclusive in square brackets and exclusive in braces, in UTC with a Z; colons are harmless inside
    a range.
    """
    return f"{field}:[{date(low)} TO {date(high)}{']' if high is None else '}'}"


def without(field: str) -> str:
    """Records of which the index does not know that field."""
    return f"NOT {field}:[* TO *]"


def date(moment: datetime | None) -> str:
    """Solr's form, to the millisecond, which is what ORCID's dates have."""
    if moment is None:
        return "*"
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03}Z"
