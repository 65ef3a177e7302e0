"""rebuild: making the columns of a section again from the stored documents, after showing what would differ."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from orcid_sync import __version__
from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, print_json, table, text
from orcid_sync.cli.base.session import Failure, Session, tell
from orcid_sync.model.record.diff import RECORD
from orcid_sync.model.record.sections import SECTIONS

if TYPE_CHECKING:
    from orcid_sync.service.record.rebuild import Outcome
    from orcid_sync.store.mirror.rebuilds import Derived

LONGEST = 60
"""Characters of a value that are shown."""

EVERY = 1_000
"""Records between two words about how far it is."""

LISTS = {"external_ids", "contributors", "hosts", "items"}
"""Parts of an item that are lists."""

Section = Annotated[
    list[str],
    typer.Option(
        "--section",
        "-s",
        metavar="NAME",
        help="Section to rebuild, as orcid-sync changes names it. record: the records themselves.",
    ),
]


@command
def rebuild(
    session: Session,
    section: Section,
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the new columns. Default: only show the differences.")
    ] = False,
    json: Json = False,
) -> None:
    """Rebuild the columns of a section from the stored documents, without a request to ORCID.

    You can interrupt and repeat it. A record that cannot be rebuilt is named, and the others go on.

    Exit codes: 0 if all are done; 1 if a document cannot be read or stored, or records were being read just then.
    """
    known = [RECORD, *SECTIONS]
    if unknown := [name for name in section if name not in known]:
        raise typer.BadParameter(
            f"{unknown[0]} is not a section. The sections are: {', '.join(known)}.", param_hint="--section"
        )
    with session.database() as dsn:
        outcomes = {name: asyncio.run(_rebuild(session, dsn, name, apply=apply)) for name in dict.fromkeys(section)}
    if json:
        print_json({"applied": apply, "sections": {name: _document(name, one) for name, one in outcomes.items()}})
    else:
        for name, outcome in outcomes.items():
            _show(name, outcome, applied=apply)
    if failures := list(_failures([*outcomes.values()])):
        raise Failure("\n".join(failures))


def _failures(outcomes: "Sequence[Outcome]") -> Iterator[str]:
    """What is not done, in words."""
    busy, unreadable, refused = (
        sum(len(getattr(outcome, name)) for outcome in outcomes) for name in ("busy", "unreadable", "refused")
    )
    if unreadable:
        yield f"{unreadable} documents cannot be read by this version; their columns are left as they are."
    if refused:
        yield f"{refused} records cannot be stored; their columns are left as they are."
    if busy:
        yield f"{busy} records were being read and are not done. Run the command again."


async def _rebuild(session: Session, dsn: str, section: str, *, apply: bool) -> "Outcome":
    from orcid_sync.service.record import rebuild  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import open_database  # noqa: PLC0415 - heavy

    def report(outcome: "Outcome") -> None:
        if outcome.records // EVERY > (outcome.records - rebuild.BATCH) // EVERY:
            tell(f"{section}: {outcome.records:,} records, {outcome.differing:,} of {outcome.items:,} items differ")

    async with session.connect(dsn), open_database(dsn, workers=1) as database:
        if apply:
            return await rebuild.rebuild(database.worker, section, __version__, report)
        return await rebuild.compare(database.worker, section, report)


def _show(section: str, outcome: "Outcome", *, applied: bool) -> None:
    page = console()
    if outcome.fields:
        columns = ("column", "items", "for example", "is", "would be")
        if applied:
            columns = (*columns[:3], "was", "is")
        page.print(table(*columns, rows=_rows(outcome), title=section))
    if outcome.unreadable:
        named = ", ".join(" ".join(one).strip() for one in outcome.unreadable[:5])
        page.print(text(f"{section}: {len(outcome.unreadable)} documents cannot be read: {named}", "warn"))
    for orcid, why in outcome.refused:
        page.print(text(f"{section}: {orcid} cannot be stored: {why}", "warn"))
    counted = f"{outcome.differing:,} of {outcome.items:,} items"
    if applied:
        page.print(text(f"{section}: {counted} were rewritten.", "ok"))
    elif outcome.differing:
        page.print(text(f"{section}: {counted} would be rewritten. To do it: --apply", "warn"))
    else:
        page.print(text(f"{section}: {outcome.items:,} items agree with their documents.", "ok"))


def _rows(outcome: "Outcome") -> Iterator[tuple[Any, ...]]:
    for name, difference in sorted(outcome.fields.items()):
        for place, one in enumerate(difference.examples):
            old, new = _values(one, name)
            head = (name, f"{difference.number:,}") if place == 0 else ("", "")
            yield *head, f"{one.orcid} {one.key}".strip(), _short(old), _short(new)


def _document(section: str, outcome: "Outcome") -> dict[str, Any]:
    fields = {
        name: {"items": difference.number, "examples": [_example(one, name) for one in difference.examples]}
        for name, difference in sorted(outcome.fields.items())
    }
    counts = {
        name: getattr(outcome, name) for name in ("records", "items", "differing", "unreadable", "refused", "busy")
    }
    return {"section": section, **counts, "columns": fields}


def _example(one: "Derived", name: str) -> dict[str, Any]:
    old, new = _values(one, name)
    return {"orcid": one.orcid, "key": one.key, "old": old, "new": new}


def _values(one: "Derived", name: str) -> tuple[Any, Any]:
    """A column, or a list, as it is and as it would be."""
    attribute = name.partition(".")[0]
    if attribute in LISTS:
        old, new = ([msgspec.structs.asdict(row) for row in getattr(side, attribute)] for side in (one.old, one.new))
        return old, new
    return getattr(one.old.row, attribute, None), getattr(one.new.row, attribute, None)


def _short(value: Any) -> str:
    """A value on one line; of a list, how long it is."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return f"{len(value)} rows"
    shown = str(value)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
