"""search: ORCID's search from the command line, at the shared pace."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from orcid_sync.cli.base.institution import institution_of
from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, print_json, print_json_line, table
from orcid_sync.cli.base.session import Session, tell
from orcid_sync.cli.base.spreadsheet import print_csv
from orcid_sync.model.analysis.institution import InvalidInstitutionId, parse_domain, parse_organization_id

if TYPE_CHECKING:
    from orcid_sync.model.ids import Orcid
    from orcid_sync.registry.search import Person
    from orcid_sync.settings.settings import Settings

FORMATS = ("table", "csv", "ndjson")
COLUMNS = ("orcid", "name", "institutions", "emails", "here")

Several = list[str] | None


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was found."""

    person: "Person"
    here: str | None
    """connected, left, erased, denied or invited: how they stand with us; None: they are not known."""


Own = Annotated[
    bool, typer.Option("--own", help="Search for your own institution, as the settings institution_… describe it.")
]
Affiliation = Annotated[
    Several,
    typer.Option(
        "--affiliation",
        "-a",
        metavar="ID|NAME",
        help="Organisation of the person: a ROR, GRID, ringgold:… or fundref:… id, or a name.",
    ),
]
Domain = Annotated[
    Several,
    typer.Option(
        "--domain", "-d", metavar="DOMAIN", help="Domain of a public e-mail address. Few addresses are public."
    ),
]


@command
def search(
    session: Session,
    words: Annotated[Several, typer.Argument(metavar="QUERY…", help="A query of your own, in Solr's syntax.")] = None,
    *,
    own: Own = False,
    affiliation: Affiliation = None,
    name: Annotated[
        Several, typer.Option("--name", "-n", help="Name of the person, given name first: 'Josiah Carberry'.")
    ] = None,
    domain: Domain = None,
    doi: Annotated[Several, typer.Option("--doi", help="DOI of a work in the record.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Number of people to list. --all: no limit.")
    ] = 50,
    everything: Annotated[bool, typer.Option("--all", help="List everybody who is found.")] = False,
    form: Annotated[str, typer.Option("--format", "-f", help=f"{', '.join(FORMATS)}.")] = "table",
    json: Json = False,
) -> None:
    """Search ORCID for people who match all the options, and list them. Searches public data only.

    If you repeat an option, one of its values must match.

    Example: orcid-sync search --own --name Carberry
    """
    if form not in FORMATS:
        raise typer.BadParameter(f"--format must be one of {', '.join(FORMATS)}")
    session.settings.require("client_id", "client_secret", "encryption_key")
    query = _query(session.settings, " ".join(words or []), own, affiliation or [], name or [], domain or [], doi or [])
    with session.database() as dsn:
        total, hits = asyncio.run(_search(session, dsn, query, None if everything else limit))
    if json:
        print_json({"query": query, "found": total, "people": [_document(hit) for hit in hits]})
    elif form == "ndjson":
        for hit in hits:
            print_json_line(_document(hit))
    elif form == "csv":
        print_csv(COLUMNS, map(_cells, hits))
    elif hits:
        console().print(table("iD", "name", "institutions", "public e-mail", "here", rows=map(_line, hits)))
    if total > len(hits) or not json:
        tell(_summary(total, len(hits), limited=not everything))


def _query(
    settings: "Settings",
    words: str,
    own: bool,  # noqa: FBT001 - one of the ways to ask
    affiliations: list[str],
    names: list[str],
    domains: list[str],
    dois: list[str],
) -> str:
    """What is asked, in Solr's language. Raises BadParameter, Failure."""
    from orcid_sync.registry import solr_query  # noqa: PLC0415 - heavy

    clauses = [f"({words})"] if words.strip() else []
    if own:
        clauses.append(solr_query.any_of(solr_query.ways_to(institution_of(settings)).values()))
    ways = ((affiliations, _affiliation), (names, solr_query.named), (domains, _domain), (dois, solr_query.work))
    clauses += [solr_query.any_of(ask(one) for one in given) for given, ask in ways if given]
    if not clauses:
        raise typer.BadParameter("say whom to search for: --own, --affiliation, --name, --domain, --doi or a query.")
    return solr_query.all_of(clauses)


def _affiliation(text: str) -> str:
    from orcid_sync.registry import solr_query  # noqa: PLC0415 - heavy

    try:
        return solr_query.organization(parse_organization_id(text))
    except InvalidInstitutionId:
        return solr_query.organization_name(text)


def _domain(text: str) -> str:
    from orcid_sync.registry import solr_query  # noqa: PLC0415 - heavy

    try:
        return solr_query.email_domain(parse_domain(text))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--domain") from None


async def _search(session: Session, dsn: str, query: str, most: int | None) -> tuple[int, list[Hit]]:
    from orcid_sync.cli.base.registry_access import asking  # noqa: PLC0415 - heavy
    from orcid_sync.registry.search import people_request  # noqa: PLC0415 - heavy
    from orcid_sync.service.analysis.search import Search  # noqa: PLC0415 - heavy
    from orcid_sync.store.analysis import discoveries  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import statements  # noqa: PLC0415 - heavy

    people: dict[Orcid, Person] = {}
    total = 0
    async with asking(session, dsn) as means:
        search = Search(registry=means.registry, request=people_request, now=datetime.now(UTC))
        async for page in search.pages(query, most=most):
            total = page.total
            people |= {person.orcid: person for person in page.found}
        async with statements(means.database.worker) as connection:
            here = await discoveries.barred(connection, list(people))
    return total, [Hit(person=person, here=here.get(orcid)) for orcid, person in people.items()]


def _summary(total: int, listed: int, *, limited: bool) -> str:
    if total <= listed:
        return f"{total:,} found."
    if limited:
        return f"{total:,} found, {listed:,} listed. More: --limit N or --all"
    return f"{total:,} found, {listed:,} listed: the index changed meanwhile. Search again for the rest."


def _document(hit: Hit) -> dict[str, Any]:
    return {**msgspec.structs.asdict(hit.person), "here": hit.here}


def _cells(hit: Hit) -> Iterator[Any]:
    yield from (hit.person.orcid, hit.person.name, hit.person.institutions, hit.person.emails, hit.here)


def _line(hit: Hit) -> tuple[Any, ...]:
    person = hit.person
    return person.orcid, person.name, "; ".join(person.institutions), ", ".join(person.emails), hit.here
