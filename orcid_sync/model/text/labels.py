"""What to call an item on one line: its title, where it belongs, and when it was."""

from collections.abc import Mapping
from typing import Any

import msgspec

# Where each part stands in ORCID's items (contract section 3.6), the first that has a value counts.
_TITLE = (
    "title.title.value",
    "proposal.title.title.value",
    "role-title",
    "reviewer-role",
    "credit-name.value",
    "content",
    "email",
    "url-name",
    "external-id-value",
    "country.value",
    "value",
    "organization.name",
)
_PLACE = (
    "journal-title.value",
    "organization.name",
    "convening-organization.name",
    "external-id-type",
    "url.value",
)
_START = ("publication-date", "completion-date", "start-date", "proposal.start-date")
_END = ("end-date", "proposal.end-date")


class Label(msgspec.Struct, frozen=True):
    """The parts; empty where ORCID says nothing."""

    title: str
    place: str
    dates: str


def label(document: bytes) -> Label:
    """The label of an item as ORCID gave it."""
    item = msgspec.json.decode(document)
    title = _first(item, _TITLE) or _name(item)
    place = _first(item, _PLACE)
    start, end = _date(item, _START), _date(item, _END)
    dates = f"{start} to {end}" if end else start
    return Label(title=title, place="" if place == title else place, dates=dates)


def _name(item: Any) -> str:
    return " ".join(filter(None, (_at(item, "given-names.value"), _at(item, "family-name.value"))))


def _date(item: Any, paths: tuple[str, ...]) -> str:
    for path in paths:
        parts = [_at(item, f"{path}.{part}.value") for part in ("year", "month", "day")]
        if parts[0]:
            return "-".join(part for part in parts if part)
    return ""


def _first(item: Any, paths: tuple[str, ...]) -> str:
    return next((found for path in paths if (found := _at(item, path))), "")


def _at(item: Any, path: str) -> str:
    for step in path.split("."):
        if not isinstance(item, Mapping):
            return ""
        item = item.get(step)
    return str(item) if isinstance(item, str | int) and not isinstance(item, bool) else ""
