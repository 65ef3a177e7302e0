"""What differs between two moments of a record, printed for people."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orcid_sync.cli.base.output import console, moment, text

if TYPE_CHECKING:
    from orcid_sync.model.ids import Orcid
    from orcid_sync.model.record.past import Difference, FieldChange

SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "updated": ("~", "yellow"), "unknown": ("?", "magenta")}


@dataclass(frozen=True, slots=True)
class Compared:
    """A record at two moments."""

    before: datetime
    after: datetime
    differences: "list[Difference]"


def print_differences(orcid: "Orcid", compared: Compared, *, minor: bool) -> None:
    """Section by section; what only moved dates, order or names of sources is counted, unless `minor`."""
    page = console()
    page.print(text(f"{orcid} from {moment(compared.before)} to {moment(compared.after)}", "bold"))
    shown = [one for one in compared.differences if minor or not one.minor]
    sections: dict[str, list[Difference]] = defaultdict(list)
    for one in shown:
        sections[one.section].append(one)
    for name, members in sections.items():
        counts = Counter(one.op for one in members)
        page.print()
        page.print(text(f"{name}: {', '.join(f'{count} {op}' for op, count in counts.items())}", "bold"))
        for one in members:
            for line in _lines(one, minor=minor):
                page.print(line, soft_wrap=True)
    if not shown:
        page.print(text("No differences.", "note"))
    if left := len(compared.differences) - len(shown):
        page.print(text(f"{left} more differ only in dates, order or names of sources: --minor", "note"))


def _lines(one: "Difference", *, minor: bool) -> Iterator[Any]:
    from orcid_sync.model.record.diff import MINOR  # noqa: PLC0415 - heavy

    sign, style = SIGNS[one.op]
    name = f'"{one.title}"' if one.title else "" if one.section == "record" else one.key
    key = f"  ({one.key})" if one.title and one.key else ""
    why = f"  (its contents are not kept: {one.forgotten})" if one.forgotten else ""
    yield text(f"  {sign} {name or one.section}{key}{why}", style)
    for change in one.fields:
        if minor or one.minor or change.name.partition(": ")[0] not in MINOR - {"doc"}:
            yield from _field(change)


def _field(change: "FieldChange") -> Iterator[Any]:
    """The name of a field, what it lost and what it gained; of lists only the elements that differ."""
    from orcid_sync.model.feed.field_changes import come, gone  # noqa: PLC0415 - heavy

    yield text(f"      {change.name}", "note")
    for sign, style, values in (("-", "red", gone(change)), ("+", "green", come(change))):
        for value in values:
            yield text(f"        {sign} {value}", style)
