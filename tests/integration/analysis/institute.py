"""A small institute, mirrored from a simulated Registry: seven people about whom every question has an answer.

Ada, Bob and Cy have written together; Bob dates the paper otherwise. Bob works where Ada does, but names it by GRID. Cy
has left. Dot's record is empty, Eve hides her name, Fay's record is locked, Gus was not read yet.
"""

from datetime import date

import asyncpg
import msgspec

from orcid_sync.model.analysis.ror import parse_organisation
from orcid_sync.simulator.base.tokens import Client
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.analysis import organisations
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.pools import connect, open_database
from rig.records.mirror import apply_record

ADA, BOB, CY, DOT, EVE, FAY, GUS = (numbered_orcid(4_100_000 + number) for number in range(1, 8))
NAMES = {ADA: ("Ada", "Sample"), BOB: ("Bob", "Muster"), CY: ("Cy", None), DOT: ("Dot", "Leer"), FAY: ("Fay", "Zu")}
YEAR = date.today().year  # noqa: DTZ011 - the questions ask the server's clock

HR, INDEX, FUNDER, REVIEWS = (
    "APP-HR00000000000001",
    "APP-INDEX00000000001",
    "APP-FUNDER0000000001",
    "APP-REVIEWS000000001",
)
SOURCES = {HR: "HR System", INDEX: "Index", FUNDER: "Funder Portal", REVIEWS: "Review Service"}

UNIVERSITY = ("University of Nowhere", "Nowhere", None, "NZ", "https://ror.org/00sim0001", "ROR")
THE_SAME = ("Univ. Nowhere", "Nowhere", None, "NZ", "grid.990001.1", "GRID")
ABROAD = ("Universität Musterstadt", "Musterstadt", None, "DE", "990003", "RINGGOLD")
UNKNOWN = ("Laboratory", None, None, "FR", None, None)
COUNCIL = ("Research Council", "Musterstadt", None, "DE", "http://dx.doi.org/10.13039/990000001", "FUNDREF")
TRUST = ("Placeholder Trust", "London", None, "GB", None, None)

FIRST_SEEN = {
    ADA: "2026-01-10",
    BOB: "2026-01-31",
    CY: "2026-02-01",
    DOT: "2026-04-01",
    EVE: "2026-04-02",
    FAY: "2026-04-03",
}


async def found(dsn: str) -> None:
    """Make the institute and mirror it; one change is new, everything else is old."""
    sim = SimulatedRegistry(start_ms=1_767_225_600_000)
    for client, name in SOURCES.items():
        sim.token_service.clients[client] = Client(client, "not-for-use", name)
    _people(sim)
    _works(sim)
    _other_activities(sim)
    token = sim.token_service.issue(CLIENT_ID, ["/read-public"]).text
    async with open_database(dsn, workers=1) as database:
        for orcid in FIRST_SEEN:
            await apply_record(database.worker, msgspec.json.encode(sim.view(orcid, token)), cause="first-load")
        async with database.worker.acquire() as connection:
            await connection.execute("update orcid.changes set at = at - interval '60 days'")
        sim.edit.add_item(ADA, "keyword", {"content": "currents"})
        sim.edit.add_item(ADA, "work", _work("Late results", ("doi", "10.5555/LATE"), str(YEAR), "Acta"))
        await apply_record(database.worker, msgspec.json.encode(sim.view(ADA, token)), cause="notification")
    async with connect(dsn) as connection:
        await _arrange(connection)


async def _arrange(connection: asyncpg.Connection) -> None:
    """What does not come from records."""
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in (*FIRST_SEEN, GUS)])
    await connection.execute(
        "update orcid_sync.queue set verified_at = now() - case orcid when $1 then interval '3 days' else '1 hour' end"
        " where orcid <> $2",
        BOB,
        GUS,
    )
    await connection.execute("update orcid_sync.queue set attempts = 2, last_error = 'busy' where orcid = $1", BOB)
    await connection.execute("update orcid.records set state = 'locked' where orcid = $1", FAY)
    await connection.execute("update orcid.records set access = 'read-limited' where orcid = $1", ADA)
    for orcid, day in FIRST_SEEN.items():
        await connection.execute(
            "update orcid.records set first_seen_at = $2 where orcid = $1", orcid, date.fromisoformat(day)
        )
    dump = [
        {
            "id": "https://ror.org/00sim0001",
            "names": [{"value": "University of Nowhere", "types": ["ror_display"]}],
            "status": "active",
            "external_ids": [{"type": "grid", "all": ["grid.990001.1"], "preferred": None}],
            "locations": [{"geonames_details": {"name": "Nowhere", "country_code": "NZ"}}],
        },
        {
            "id": "https://ror.org/00sim0009",
            "names": [{"value": "The Research Council", "types": ["ror_display"]}],
            "status": "active",
            "external_ids": [{"type": "fundref", "all": ["990000001"], "preferred": None}],
        },
    ]
    await organisations.replace(connection, [parse_organisation(one) for one in dump])


def _people(sim: SimulatedRegistry) -> None:
    for orcid in FIRST_SEEN:
        given, family = NAMES.get(orcid, ("Eve", "Hidden"))
        sim.edit.create_record(orcid, given_names=given, family_name=family)
    sim.edit.set_name(EVE, given_names="Eve", family_name="Hidden", visibility="private")
    sim.edit.set_biography(ADA, "Studies tides.")
    sim.edit.add_item(ADA, "keyword", {"content": "tides"})
    sim.edit.add_item(ADA, "external-identifier", _identifier("Scopus Author ID", "55"), source=INDEX)
    jobs = (
        (ADA, UNIVERSITY, "Professor", "2015", None, HR),
        (BOB, THE_SAME, "Postdoc", "2018", None, None),
        (CY, UNIVERSITY, "Postdoc", "2001", "2010", HR),
        (EVE, UNKNOWN, "Engineer", "2020-02", str(YEAR + 1), None),
    )
    for orcid, organization, role, start, end, source in jobs:
        sim.edit.add_item(orcid, "employment", _affiliation(organization, role, start, end), source=source)
    for orcid, organization in ((ADA, ABROAD), (CY, UNIVERSITY)):
        sim.edit.add_item(orcid, "education", _affiliation(organization, "PhD", "1995", "1999"))


def _works(sim: SimulatedRegistry) -> None:
    paper, preprint = ("doi", "10.5555/PAPER"), ("arxiv", "arXiv:2601.00001v2")
    works = (
        (ADA, _work("On tides", paper, "2020", "Journal of Tides"), INDEX),
        (BOB, _work("On tides", ("doi", "https://doi.org/10.5555/paper"), "2021", "journal of tides"), None),
        (CY, _work("On <i>Tides</i>", paper, "2020", "Journal of Tides"), None),
        (ADA, _work("Waves", preprint, str(YEAR), None, kind="preprint"), INDEX),
        (BOB, _work("Waves", ("arxiv", "2601.00001"), str(YEAR), None, kind="preprint"), None),
        (BOB, _work("Tides for all", ("isbn", "0-306-40615-2"), "2019", None, kind="book"), None),
        (CY, _work("A talk", None, "2001", None, kind="lecture-speech"), None),
        (CY, _work("A note", ("doi", "note1"), "2020", "Acta"), None),
        (EVE, _work("Buoys", ("pmid", "0077"), "2020", "Acta"), None),
        (FAY, _work("Locked in", ("doi", "10.5555/fay"), "2020", None), None),
    )
    for orcid, content, source in works:
        sim.edit.add_item(orcid, "work", content, source=source)


def _other_activities(sim: SimulatedRegistry) -> None:
    fundings = (
        (ADA, COUNCIL, "Tides", str(YEAR - 1), str(YEAR + 1), [("grant_number", "T-1")], FUNDER),
        (BOB, COUNCIL, "More tides", "2012", "2014", [("grant_number", "T-0")], None),
        (BOB, TRUST, "A boat", "2013", "2013-06", None, None),
    )
    for orcid, funder, title, start, end, ids, source in fundings:
        content = {"type": "grant", "title": title, "organization": funder, "external-ids": ids}
        sim.edit.add_item(orcid, "funding", {**content, "start-date": start, "end-date": end}, source=source)
    for orcid, year in ((ADA, YEAR - 1), (ADA, YEAR - 1), (ADA, YEAR), (BOB, YEAR)):
        review = {
            "reviewer-role": "reviewer",
            "review-type": "review",
            "review-group-id": "issn:1234-5679",
            "review-completion-date": str(year),
            "convening-organization": UNIVERSITY,
        }
        sim.edit.add_item(orcid, "peer-review", review, source=REVIEWS)


def _affiliation(organization: tuple[str | None, ...], role: str, start: str, end: str | None) -> dict[str, object]:
    return {"organization": organization, "role-title": role, "start-date": start, "end-date": end}


def _identifier(kind: str, value: str) -> dict[str, object]:
    return {"external-id-type": kind, "external-id-value": value, "external-id-url": None}


def _work(
    title: str,
    identifier: tuple[str, str] | None,
    published: str,
    journal: str | None,
    *,
    kind: str = "journal-article",
) -> dict[str, object]:
    ids = [(*identifier, "self", None)] if identifier else None
    return {
        "title": title,
        "type": kind,
        "publication-date": published,
        "journal-title": journal,
        "external-ids": ids,
    }
