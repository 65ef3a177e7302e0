"""A few dozen lifelike fictitious records, every oddity of real data among them (corpus sections 1 and 4)."""

from collections.abc import Callable
from random import Random

from orcid_sync.simulator.base.tokens import Client
from orcid_sync.simulator.records import vocabulary as words
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.records.profiles import Source
from orcid_sync.simulator.records.sections import AFFILIATIONS, PERSON_LISTS
from orcid_sync.simulator.samples import random_items
from orcid_sync.simulator.samples.record_builder import RecordBuilder, another_version
from orcid_sync.simulator.world import CLIENT_ID, World

FIRST_NUMBER = 1_000_000
"""Base number of the first sample; below every block that ORCID hands out (contract section 8)."""
LEGACY_CLIENT = numbered_orcid(2_000_001)
"""An old client, whose id has the form of an iD (corpus finding 13)."""


def sample_orcid(index: int) -> str:
    """The iD of the n-th sample record, from 0."""
    return numbered_orcid(FIRST_NUMBER + index)


def add_samples(world: World, count: int = 40, *, seed: int = 7) -> list[str]:
    """Put sample records into the Registry; their iDs. The same seed and count give the same records."""
    register_sources(world)
    orcids = [sample_orcid(index) for index in range(count)]
    for index, orcid in enumerate(orcids):
        rng = Random(f"{seed}/{index}")
        builder = RecordBuilder(world.profiles, orcid, rng)
        portrait = PORTRAITS[index] if index < len(PORTRAITS) else ordinary
        portrait(builder)
        builder.build()
    return orcids


def register_sources(world: World) -> None:
    """The clients that assert items in the samples."""
    for client_id, name in {**words.SOURCES, LEGACY_CLIENT: "Simulated Legacy Importer"}.items():
        world.token_service.clients.setdefault(client_id, Client(client_id, "not-for-use", name))


def ordinary(builder: RecordBuilder) -> None:
    """A record as most are: a third of them nearly empty, the others with a handful of things."""
    rng = builder.rng
    named(builder)
    if rng.random() < 0.3:
        return
    builder.works(rng.choice((0, 1, 2, 3, 5, 7, 8, 12, 15, 23, 30)))
    for kind, most in (("employment", 3), ("education", 3), ("membership", 1), ("service", 1)):
        for _ in range(rng.randint(0, most)):
            builder.add(kind, random_items.affiliation(rng, kind), source=rng.choice((None, CLIENT_ID)))
    for section in PERSON_LISTS:
        for position in range(rng.choice((0, 0, 1, 2))):
            builder.add(section, random_items.personal(rng, section), display_index=position)
    if rng.random() < 0.3:
        builder.add("funding", random_items.funding(rng), source=rng.choice((None, words.FUNDER_PORTAL)))
    for _ in range(rng.choice((0, 0, 0, 1, 4))):
        builder.add("peer-review", random_items.peer_review(rng), source=words.REVIEW_SERVICE)


def named(builder: RecordBuilder) -> None:
    """Give the record a name, now and then a credit name and a biography."""
    rng = builder.rng
    given, family = rng.choice(words.PEOPLE)
    builder.name(given, family, credit=f"{given} {family}" if rng.random() < 0.1 else None)
    if rng.random() < 0.2:
        builder.add(
            "biography", {"content": f"{given} studies {rng.choice(words.SUBJECTS)}.\r\n\r\n🇳🇿 Nobody else does."}
        )


def complete_career(builder: RecordBuilder) -> None:
    """Something in every section, for every reader something hidden."""
    rng = builder.rng
    builder.name("Max", "Mustermann", credit="Max M. Mustermann")
    builder.add("biography", {"content": "Born in 1970.\nDoes not exist."})
    on_behalf = Source(client_id=CLIENT_ID, origin_orcid=builder.orcid)
    for kind in AFFILIATIONS:
        builder.add(kind, random_items.affiliation(rng, kind))
        builder.add(kind, random_items.affiliation(rng, kind), source=CLIENT_ID)
        builder.add(kind, random_items.full_affiliation(rng, kind), source=on_behalf)
    for section in PERSON_LISTS:
        builder.add(section, random_items.personal(rng, section), source=on_behalf, display_index=5)
        for position, visibility in enumerate(("public", "limited", "private", "public")):
            builder.add(section, random_items.personal(rng, section), visibility=visibility, display_index=position)
    builder.works(30)
    for visibility in ("limited", "private"):
        for source in (None, CLIENT_ID, words.DOI_REGISTRY):
            builder.add("work", random_items.work(rng), source=source, visibility=visibility)
    for number in range(8):
        builder.add("peer-review", random_items.peer_review(rng, group=number % 3), source=words.REVIEW_SERVICE)
    builder.add("peer-review", random_items.peer_review(rng), source=on_behalf)
    for asserted_by in (words.FUNDER_PORTAL, words.FUNDER_PORTAL, None, on_behalf):
        builder.add("funding", random_items.funding(rng), source=asserted_by)
        builder.add("research-resource", random_items.research_resource(rng), source=asserted_by or CLIENT_ID)
    nobody = {"contributor-orcid": {"uri": None, "path": None, "host": None}, "credit-name": None}
    builder.add("work", {**random_items.work(rng), "contributors": [nobody, "A. Placeholder"]}, source=on_behalf)


def prolific(builder: RecordBuilder) -> None:
    """450 works: five bulk calls."""
    named(builder)
    builder.works(450)


def single_name(builder: RecordBuilder) -> None:
    """No family name."""
    builder.name(words.SINGLE_NAMES[0], None)
    builder.works(3)


def hidden_name(builder: RecordBuilder) -> None:
    """The name is private: `name` is null, and so is every source name of the researcher's own items."""
    builder.name("Erika", "Musterfrau", visibility="private")
    builder.works(4)
    builder.add("keyword", {"content": ""})


def odd_dates(builder: RecordBuilder) -> None:
    """Dates that no calendar has."""
    builder.name("Жанна", "Датова")
    for start, end in (("2001-00", None), ("2017-06", "2017-06-31"), ("1999", "2031"), ("1930-02-29", "1930-12")):
        content = random_items.affiliation(builder.rng, "employment")
        builder.add("employment", {**content, "start-date": start, "end-date": end})
    for published in ("0", "2018-11-31", "1929-02-29", None):
        builder.add("work", {**random_items.work(builder.rng), "publication-date": published})


def odd_texts(builder: RecordBuilder) -> None:
    """Markup, line breaks, blanks, direction marks and missing titles."""
    builder.name(" Test ", "Zero\u200bWidth", credit="")
    titles = (
        *("H<sub>2</sub>O and <i>E. coli</i><br/>revisited", "Line\nbreak\tand tab ", "&amp;#x03C5; double escaped"),
        *("\u200fعنوان\u200e with marks", "e\u0301 not composed \ufffd", "𝔘nicode 🧪", "  "),  # noqa: RUF001 - on purpose
    )
    for text in titles:
        builder.add("work", {**random_items.work(builder.rng), "title": text})
    builder.add("work", {**random_items.work(builder.rng), "title": None})
    builder.add("keyword", {"content": "one, two, three; a list in one keyword"})
    builder.add("researcher-url", {"url-name": "No scheme", "url": "http://http://example.org/a b"})


def odd_identifiers(builder: RecordBuilder) -> None:
    """Identifiers that do not normalise, repeat, or carry empty addresses."""
    rng = builder.rng
    builder.name("Иван", "Примеров")
    shared = random_items.doi(rng)
    for ids in (
        [("isbn", "not-a-number", "self", None), ("doi", "book1", "self", "")],
        [("doi", f" https://dx.doi.org/{shared.upper()} ", "self", ""), ("doi", shared, "self", "null")],
        [("doi", shared, "version-of", f"https://doi.org/{shared}"), ("arxiv", "2601.00001\n", None, None)],
        [("issn", "1234-567", "part-of", "file:///C:/Users/sim"), ("grant_number", "SIM-1", "funded-by", None)],
    ):
        builder.add("work", {**random_items.work(rng), "external-ids": ids}, display_index=-1)
    builder.add("external-identifier", random_items.personal(rng, "external-identifier"), display_index=-1)


def odd_sources(builder: RecordBuilder) -> None:
    """Old clients that look like people, assertions on behalf of others, and no source at all."""
    rng, owner = builder.rng, builder.orcid
    builder.name("Jane", "Sampleton")
    for source in (
        Source(orcid=LEGACY_CLIENT),
        Source(client_id=words.CITATION_INDEX, origin_orcid=owner),
        Source(client_id=words.FUNDER_PORTAL, origin_client_id=CLIENT_ID),
        Source(),
    ):
        builder.add("work", random_items.work(rng), source=source)
        builder.add("employment", random_items.affiliation(rng, "employment"), source=source)
    builder.add("work", random_items.work(rng), source=Source(words.DOI_REGISTRY, CLIENT_ID), visibility="private")
    builder.add("email", {"email": "nobody@example.org", "primary": True}, source=Source())
    builder.add("email", {"email": "unverified@example.org", "verified": False})


def odd_organizations(builder: RecordBuilder) -> None:
    """Organisations of every scheme, without an address, and none at all (rule of 2025)."""
    rng = builder.rng
    builder.name("四", "李")
    for organization in (*words.ORGANIZATIONS, *words.FUNDERS):
        content = {**random_items.affiliation(rng, "employment"), "organization": organization}
        builder.add("employment", content, source=CLIENT_ID)
    for kind in ("distinction", "invited-position", "membership", "service"):
        builder.add(kind, {**random_items.affiliation(rng, kind), "organization": None})


def many_versions(builder: RecordBuilder) -> None:
    """One work as four sources tell it, two of them equally preferred."""
    rng = builder.rng
    builder.name("太郎", "見本")
    content = {**random_items.work(rng), "external-ids": [("doi", random_items.doi(rng), "self", None)]}
    for source, index in ((None, 1), (words.DOI_REGISTRY, 3), (words.CITATION_INDEX, 3), (CLIENT_ID, 0)):
        builder.add("work", content, source=source, display_index=index)
        content = another_version(content, rng)


def bare(_builder: RecordBuilder) -> None:
    """Nothing at all, not even a name."""


PORTRAITS: tuple[Callable[[RecordBuilder], None], ...] = (
    *(complete_career, prolific, single_name, hidden_name, odd_dates, odd_texts, odd_identifiers, odd_sources),
    *(odd_organizations, many_versions, bare),
)
