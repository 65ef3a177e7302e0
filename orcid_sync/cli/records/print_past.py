"""A record as it was at a moment, printed for people and made into a document for machines."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from orcid_sync.cli.base.output import console, moment, table, text

if TYPE_CHECKING:
    from orcid_sync.model.ids import Orcid
    from orcid_sync.model.record.past import Past
    from orcid_sync.model.record.sections import ItemKey


def past_document(orcid: "Orcid", at: datetime, state: "Mapping[ItemKey, Past]") -> dict[str, Any]:
    """For machines: the documents as ORCID gave them, and what is forgotten by name."""
    known: dict[str, list[dict[str, Any]]] = defaultdict(list)
    forgotten = []
    for past in _in_order(state):
        if past.content is None:
            forgotten.append({"section": past.section, "key": past.key, "reason": past.reason})
        else:
            said = msgspec.structs.asdict(past.content)
            documents = {name: msgspec.Raw(value) for name, value in said.items() if isinstance(value, bytes)}
            known[past.section].append({"key": past.key, **said, **documents})
    record = known.pop("record", None)
    return {
        "orcid": orcid,
        "as_of": at,
        "record": record[0] if record else None,
        "sections": known,
        "forgotten": forgotten,
    }


def print_past(orcid: "Orcid", at: datetime, state: "Mapping[ItemKey, Past]") -> None:
    """A table for each section; what is forgotten is said, not left out."""
    page = console()
    page.print(text(f"{orcid} as of {moment(at)}", "bold"))
    sections: dict[str, list[Past]] = defaultdict(list)
    for past in _in_order(state):
        sections[past.section].append(past)
    for past in sections.pop("record", []):
        page.print(text(_record(past), "magenta" if past.content is None else ""))
    for name, members in sections.items():
        known = [past for past in members if past.content is not None]
        if known:
            page.print(table("title", "where", "when", "visible to", "key", title=name, rows=map(_cells, known)))
        for why, count in Counter(why for past in members if (why := forgotten_because(past))).items():
            page.print(text(f"{name}: {count} more, whose contents are not kept: {why}", "magenta"))
    if not sections:
        page.print(text("No items.", "note"))


def forgotten_because(past: "Past") -> str | None:
    """Why nobody can say any more what it said; None if it is known."""
    from orcid_sync.model.record.past import FORGOTTEN, UNKNOWN  # noqa: PLC0415 - heavy

    return None if past.content is not None else FORGOTTEN.get(past.reason, UNKNOWN)


def _record(past: "Past") -> str:
    if past.content is None:
        return f"record: its contents are not kept: {forgotten_because(past)}"
    said = msgspec.structs.asdict(past.content)
    names = ("state", "access", "primary_orcid", "withheld")
    return "record: " + ", ".join(str(said[name]) for name in names if said[name])


def _cells(past: "Past") -> list[Any]:
    said, document = past.label, msgspec.json.decode(past.content.doc) if past.content else {}
    return [said.title, said.place, said.dates, document.get("visibility"), text(past.key, "note")]


def _in_order(state: "Mapping[ItemKey, Past]") -> "list[Past]":
    """In ORCID's order of sections, by title."""
    from orcid_sync.model.record.sections import SECTIONS  # noqa: PLC0415 - heavy

    places = {name: place for place, name in enumerate(SECTIONS)}
    return sorted(state.values(), key=lambda past: (places.get(past.section, -1), past.label.title, past.key))
