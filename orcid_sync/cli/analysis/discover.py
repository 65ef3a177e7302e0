"""discover: record holders at the institution whom nobody has connected yet, with the evidence."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from orcid_sync.cli.base.institution import institution_of
from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, line, print_json, print_json_line, table, text
from orcid_sync.cli.base.session import Session, tell
from orcid_sync.cli.base.spreadsheet import print_csv
from orcid_sync.cli.people.connect import several

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.model.analysis.discovery import Affiliation, Evidence
    from orcid_sync.model.analysis.institution import Institution
    from orcid_sync.service.analysis.discover import Discovered
    from orcid_sync.store.analysis.discoveries import Discovery
    from orcid_sync.store.database.pools import Database

FORMATS = ("table", "csv", "ndjson")
COLUMNS = ("orcid", "name", "new", "current", "affiliations", "domains", "works_mirrored", "dois", "first_seen")
EVERY = 1_000
"""Found iDs, or records read, between two words about how far it is."""


@command
def discover(
    session: Session,
    *,
    stored: Annotated[
        bool, typer.Option("--stored", help="List what earlier runs found, without a request to ORCID.")
    ] = False,
    new: Annotated[bool, typer.Option("--new", help="List only people who were never listed before.")] = False,
    current: Annotated[
        bool, typer.Option("--current", help="List only people who seem to work or study here now.")
    ] = False,
    by_name: Annotated[
        bool,
        typer.Option("--by-name", help="Also search by the institution's name, for records without its identifier."),
    ] = False,
    read: Annotated[
        int, typer.Option("--read", min=0, help="Number of records to read for evidence. The next run reads the rest.")
    ] = 1_000,
    dismiss: Annotated[
        list[str] | None, typer.Option("--dismiss", metavar="iD", help="Never suggest this iD again. May be repeated.")
    ] = None,
    form: Annotated[str, typer.Option("--format", "-f", help=f"{', '.join(FORMATS)}.")] = "table",
    json: Json = False,
) -> None:
    """Find record holders at your institution who are not connected, so that you can invite them.

    It searches public data only. It never lists people who are connected, invited, disconnected or erased, or who
    have denied access.
    """
    if form not in FORMATS:
        raise typer.BadParameter(f"--format must be one of {', '.join(FORMATS)}")
    if dismiss:
        _dismiss(session, dismiss, json=json)
        return
    institution = None if stored else institution_of(session.settings, by_name=by_name)
    if institution:
        session.settings.require("client_id", "client_secret", "encryption_key")
    with session.database() as dsn:
        result, listed = asyncio.run(_run(session, dsn, institution, read, lambda one: _wanted(one, new, current)))
    if json:
        print_json({"run": None if stored else _counts(result), "people": [_document(one) for one in listed]})
        return
    _print(listed, form)
    for sentence in _summary(result, listed, stored=stored):
        tell(sentence)


def _wanted(one: "Discovery", new: bool, current: bool) -> bool:  # noqa: FBT001 - what the options say
    return (one.told_at is None or not new) and (one.evidence.current or not current)


async def _run(
    session: Session, dsn: str, institution: "Institution | None", most: int, wanted: Any
) -> "tuple[Discovered, list[Discovery]]":
    from orcid_sync.service.analysis import discover  # noqa: PLC0415 - heavy
    from orcid_sync.store.analysis import discoveries  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import open_database, statements  # noqa: PLC0415 - heavy

    async def tell_of(database: "Database", result: "Discovered") -> "tuple[Discovered, list[Discovery]]":
        """Whatever is listed is news no longer."""
        listed = [one for one in result.people if wanted(one)]
        async with statements(database.worker) as connection:
            await discoveries.tell(connection, [one.orcid for one in listed])
        return result, listed

    if institution is None:
        async with session.connect(dsn), open_database(dsn, workers=1) as database:
            return await tell_of(database, discover.Discovered(people=await discover.listed(database)))
    from orcid_sync.cli.base.registry_access import asking  # noqa: PLC0415 - heavy
    from orcid_sync.model.sync.schedule import Lane  # noqa: PLC0415 - heavy
    from orcid_sync.registry.lanes import in_lane  # noqa: PLC0415 - heavy

    workers = session.settings.workers
    async with asking(session, dsn, workers=workers) as means:
        discoverer = discover.Discoverer(
            database=means.database,
            registry=means.registry,
            institution=institution,
            at_once=workers,
            step=_Steps(),
        )
        with in_lane(Lane.CHECK):
            result = await discoverer.run(datetime.now(UTC), most=most)
        return await tell_of(means.database, result)


class _Steps:
    """Says now and then how far it is."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __call__(self, what: str, number: int) -> None:
        before = self._numbers.get(what, 0)
        self._numbers[what] = before + number
        if before // EVERY < (before + number) // EVERY:
            tell(f"{before + number:,} {what}")


def _dismiss(session: Session, given: list[str], *, json: bool) -> None:
    orcids = several(session, given)

    async def work(connection: "Connection") -> list[Any]:
        from orcid_sync.store.analysis import discoveries  # noqa: PLC0415 - heavy

        return list(await discoveries.dismiss(connection, orcids))

    for orcid in session.run(work):
        if json:
            print_json_line({"orcid": orcid, "outcome": "dismissed"})
        else:
            line(orcid, "dismissed")


def _print(people: "Iterable[Discovery]", form: str) -> None:
    listed = list(people)
    if form == "csv":
        print_csv(COLUMNS, map(_cells, listed))
    elif form == "ndjson":
        for one in listed:
            print_json_line(_document(one))
    elif listed:
        columns = ("", "iD", "name", "affiliation", "e-mail", "works here", "found")
        console().print(table(*columns, rows=map(_line, listed)))


def _line(one: "Discovery") -> tuple[Any, ...]:
    evidence = one.evidence
    shown = "; ".join(_said(affiliation) for affiliation in evidence.affiliations[:2])
    news = text("new", "ok") if one.told_at is None else ""
    domains = ", ".join(f"@{domain}" for domain in evidence.domains)
    return news, one.orcid, one.name, shown, domains, evidence.works or "", f"{one.first_seen_at:%Y-%m-%d}"


def _said(one: "Affiliation") -> str:
    """An affiliation in a few words: employment, Example University, since 2019."""
    years = f"since {one.since}" if one.current and one.since else "now" if one.current else f"until {one.until}"
    named = " (by its name)" if one.by == "name" else ""
    return f"{one.section}, {one.organization}, {years}{named}"


def _cells(one: "Discovery") -> tuple[Any, ...]:
    evidence: Evidence = one.evidence
    affiliations = [_said(affiliation) for affiliation in evidence.affiliations]
    return (
        *(one.orcid, one.name, "yes" if one.told_at is None else "", "yes" if evidence.current else "", affiliations),
        *(evidence.domains, evidence.works, evidence.dois, one.first_seen_at),
    )


def _document(one: "Discovery") -> dict[str, Any]:
    return {**msgspec.structs.asdict(one), "new": one.told_at is None, "current": one.evidence.current}


def _counts(result: "Discovered") -> dict[str, Any]:
    names = ("found", "missing", "examined", "left")
    return {**{name: getattr(result, name) for name in names}, "not_suggested": dict(result.barred)}


def _summary(result: "Discovered", listed: "list[Discovery]", *, stored: bool) -> Iterable[str]:
    if not stored:
        barred = ", ".join(f"{number:,} {reason}" for reason, number in sorted(result.barred.items()))
        yield f"{result.found:,} found by the search, of whom {barred or '0'} are not suggested."
    news = sum(one.told_at is None for one in listed)
    yield f"{len(listed):,} people can be invited, {news:,} of them new. Invite them: orcid-sync invite"
    if result.left:
        why = f" ({result.trouble})" if result.trouble else ""
        yield f"{result.left:,} records are still to be read for evidence{why}. Run the command again, or raise --read."
    if result.missing:
        yield (
            f"The search counts {result.missing:,} more than it lists: its index changed meanwhile. Run the "
            f"command again."
        )
