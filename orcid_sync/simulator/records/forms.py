"""The content of an item: from what an edit says to the full wire form (contract sections 3.6 and 3.7).

Every member is present, `null` where nothing was said; texts, dates and organisations may be given in brief.
"""

from collections.abc import Callable
from typing import Any

from orcid_sync.simulator.records.identifiers import external_id
from orcid_sync.simulator.records.sections import OWN, Section

Json = dict[str, Any]


def wrapped(given: Any) -> Any:
    """`{"value": text}`; null stays null, and what is wrapped already stays as it is."""
    return {"value": given} if isinstance(given, str) else given


def fuzzy_date(given: Any) -> Any:
    """Year, month and day as wrapped strings, from "2012-10-01", "2012" or the wire form."""
    if not isinstance(given, str):
        return given
    year, month, day = (*given.split("-"), None, None)[:3]
    return {"year": wrapped(year), "month": wrapped(month), "day": wrapped(day)}


def _title(given: Any, members: tuple[str, ...]) -> Any:
    if given is None:
        return None
    title = {"title": given} if isinstance(given, str) else given
    return {key: wrapped(title.get(key)) for key in members}


def work_title(given: Any) -> Any:
    """Title, subtitle and translated title."""
    return _title(given, ("title", "subtitle", "translated-title"))


def plain_title(given: Any) -> Any:
    """Title and translated title: fundings and research resources have no subtitle."""
    return _title(given, ("title", "translated-title"))


def external_ids(given: Any, *, with_normal_form: bool = True) -> Any:
    """A list of external identifiers in wire form, from a list of short or wire forms."""
    if given is None:
        return None
    listed = given["external-id"] if isinstance(given, dict) else given
    return {"external-id": [external_id(one, with_normal_form=with_normal_form) for one in listed]}


def organization(given: Any) -> Any:
    """An organisation in wire form, from (name, city, region, country, id, id source) or from a partial wire form."""
    if given is None or isinstance(given, dict):
        return given
    name, city, region, country, identifier, scheme = (*given, *(None,) * 6)[:6]
    known = {"disambiguated-organization-identifier": identifier, "disambiguation-source": scheme}
    return {
        "name": name,
        "address": {"city": city, "region": region, "country": country},
        "disambiguated-organization": known if identifier else None,
    }


def contributors(given: Any) -> Any:
    """Contributors in wire form, from a list of credit names and wire forms."""
    if given is None:
        return None
    listed = given["contributor"] if isinstance(given, dict) else given
    return {"contributor": [_contributor(one) for one in listed]}


def _contributor(given: Any) -> Json:
    said = {"credit-name": given} if isinstance(given, str) else given
    plain = ("contributor-orcid", "contributor-email", "contributor-attributes")
    orcid, email, attributes = (said.get(key) for key in plain)
    return {
        "contributor-orcid": {"uri": f"https://orcid.org/{orcid}", "path": orcid, "host": None}  # corpus section 3.3
        if isinstance(orcid, str)
        else orcid,
        "credit-name": wrapped(said.get("credit-name")),
        "contributor-email": wrapped(email),
        "contributor-attributes": attributes,
    }


def _work_contributors(given: Any) -> Any:
    return contributors(given or [])


def _hosts(given: Any) -> Any:
    listed = given["organization"] if isinstance(given, dict) else given or []
    return {"organization": [organization(one) for one in listed]}


def _formed(given: Json, layout: tuple[str, ...], forms: dict[str, Callable[[Any], Any]]) -> Json:
    return {key: forms[key](given.get(key)) if key in forms else given.get(key) for key in layout}


def _proposal(given: Any) -> Any:
    layout = ("title", "hosts", "external-ids", "start-date", "end-date", "url")
    return given and _formed(given, layout, {**_FORMS, "title": plain_title})


def _resource_items(given: Any) -> Any:
    layout = ("resource-name", "resource-type", "hosts", "external-ids", "url")
    return [_formed(one, layout, _FORMS) for one in given or []]


def _review_subject(given: Any) -> Any:
    return None if given is None else external_id(given)


_FORMS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("url", "journal-title", "organization-defined-type", "review-url", "subject-url"), wrapped),
    **dict.fromkeys(("subject-container-name", "external-id-url", "country", "given-names", "family-name"), wrapped),
    "credit-name": wrapped,
    **dict.fromkeys(("start-date", "end-date", "publication-date", "review-completion-date"), fuzzy_date),
    **dict.fromkeys(("external-ids", "review-identifiers"), external_ids),
    **dict.fromkeys(("organization", "convening-organization"), organization),
    **dict.fromkeys(("title", "subject-name"), work_title),
    "hosts": _hosts,
    "proposal": _proposal,
    "resource-item": _resource_items,
    "subject-external-identifier": _review_subject,
}
_WORK_FORMS = {**_FORMS, "contributors": _work_contributors}  # corpus: an empty list, not null
_FUNDING_FORMS = {
    **_FORMS,
    "contributors": contributors,
    "title": plain_title,
    "external-ids": lambda given: external_ids(given, with_normal_form=False),  # corpus: null for every funding
}


def complete(section: Section, given: Json) -> Json:
    """The content of an item with every member that the section's full form has.

    Raises KeyError for a member that the section does not know, so that a misspelt edit fails where it is written.
    """
    layout = tuple(key for key in section.full if key not in OWN)
    if unknown := given.keys() - set(layout):
        raise KeyError(f"{section.name} has no member {', '.join(sorted(unknown))}")
    return _formed(given, layout, {"funding": _FUNDING_FORMS, "work": _WORK_FORMS}.get(section.name, _FORMS))
