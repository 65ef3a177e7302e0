"""Items that a researcher might have, composed by chance in the brief form that `forms.complete` takes."""

from random import Random
from typing import Any

from orcid_sync.simulator.records import vocabulary as words
from orcid_sync.simulator.records.identifiers import numbered_orcid

Json = dict[str, Any]

THIS_YEAR = 2026


def date(rng: Random, year: int) -> str:
    """Mostly the year alone, as in real data (corpus section 4)."""
    month, day = rng.randint(1, 12), rng.randint(1, 28)
    return rng.choices((f"{year}", f"{year}-{month:02d}", f"{year}-{month:02d}-{day:02d}"), (70, 15, 15))[0]


def title(rng: Random) -> str:
    """A title of a paper."""
    return f"{rng.choice(words.METHODS)} {rng.choice(words.SUBJECTS)} {rng.choice(words.SETTINGS)}"


def doi(rng: Random) -> str:
    """A DOI under the prefix that is reserved for tests."""
    return f"10.5555/sim.{rng.getrandbits(40):010x}"


def work(rng: Random) -> Json:
    """A work with everything that its full form may have."""
    kind, year = rng.choice(words.WORK_TYPES), rng.randint(1985, THIS_YEAR)
    identifier, detailed = doi(rng), rng.random() < 0.3
    ids: list[tuple[str, str, str, str | None]] = [("doi", identifier, "self", f"https://doi.org/{identifier}")]
    if rng.random() < 0.4:
        ids.append(("eid", f"2-s2.0-{rng.randint(10**10, 10**11)}", "self", None))
    if kind == "book-chapter":
        ids.append(("isbn", f"978{rng.randint(10**9, 10**10 - 1)}", "part-of", None))
    return {
        "title": {
            "title": title(rng),
            "subtitle": "with an appendix" if rng.random() < 0.1 else None,
            "translated-title": {"value": title(rng), "language-code": "de"} if rng.random() < 0.05 else None,
        },
        "journal-title": rng.choice(words.JOURNALS) if kind in ("journal-article", "review") else None,
        "type": kind,
        "publication-date": date(rng, year) if rng.random() < 0.98 else None,
        "external-ids": ids if rng.random() < 0.9 else [],
        "url": f"https://example.org/works/{identifier}" if rng.random() < 0.6 else None,
        "short-description": f"We study {rng.choice(words.SUBJECTS)}.\nIt is <i>all</i> invented."
        if detailed
        else None,
        "citation": {"citation-type": "bibtex", "citation-value": f"@misc{{sim, doi = {{{identifier}}}}}"}
        if detailed
        else None,
        "contributors": [contributor(rng) for _ in range(rng.randint(1, 6))] if detailed else [],
        "language-code": rng.choice(words.LANGUAGES),
        "country": {"value": rng.choice(words.COUNTRIES)} if rng.random() < 0.1 else None,
    }


def contributor(rng: Random) -> Json:
    """An author; one in ten has an iD."""
    given, family = rng.choice(words.PEOPLE)
    return {
        "contributor-orcid": numbered_orcid(3_000_000 + rng.randrange(1000)) if rng.random() < 0.1 else None,
        "credit-name": f"{family}, {given}" if family else given,
        "contributor-attributes": {
            "contributor-sequence": rng.choice(("first", "additional", None)),
            "contributor-role": rng.choice(
                ("author", "editor", None, "http://credit.niso.org/contributor-roles/software/")
            ),
        },
    }


def affiliation(rng: Random, kind: str) -> Json:
    """An affiliation of one of the seven kinds; a job may still go on."""
    start = rng.randint(1980, THIS_YEAR - 1)
    end = min(THIS_YEAR, start + rng.randint(1, 10))
    roles = {"education": words.DEGREES, "qualification": words.DEGREES, "distinction": words.DISTINCTIONS}
    return {
        "department-name": rng.choice((*words.DEPARTMENTS, None)),
        "role-title": rng.choice(roles.get(kind, words.ROLES)),
        "start-date": date(rng, start),
        "end-date": None if kind == "employment" and rng.random() < 0.4 else date(rng, end),
        "organization": rng.choice(words.ORGANIZATIONS),
        "url": "https://example.org/people" if rng.random() < 0.1 else None,
        "external-ids": [("other-id", f"staff-{rng.randrange(10**6)}")] if rng.random() < 0.1 else None,
    }


def full_affiliation(rng: Random, kind: str) -> Json:
    """An affiliation of which every member says something."""
    identifier = f"staff-{rng.randrange(10**6)}"
    return {
        **affiliation(rng, kind),
        "department-name": rng.choice(words.DEPARTMENTS),
        "start-date": "2001-02-03",
        "end-date": "2004-05-06",
        "organization": words.ORGANIZATIONS[0],
        "url": "https://example.org/people",
        "external-ids": [("other-id", identifier, "self", f"https://example.org/people/{identifier}")],
    }


def funding(rng: Random) -> Json:
    """A grant with its amount and its people."""
    start, number = rng.randint(1995, THIS_YEAR - 1), f"SIM-{rng.randrange(10**6)}"
    return {
        "type": rng.choice(("grant", "grant", "grant", "award", "contract", "salary-award")),
        "organization-defined-type": rng.choice((None, "Individual Grant")),
        "title": {"title": title(rng), "translated-title": {"value": title(rng), "language-code": "fr"}}
        if rng.random() < 0.2
        else title(rng),
        "short-description": rng.choice((None, "A project that nobody paid for.")),
        "amount": rng.choice((None, {"value": f"{rng.randint(1, 999)}000", "currency-code": "EUR"})),
        "url": rng.choice((None, "https://example.org/grants")),
        "start-date": date(rng, start),
        "end-date": date(rng, start + rng.randint(1, 5)),
        "external-ids": [("grant_number", number, "self", f"https://example.org/grants/{number}")],
        "contributors": [{**contributor(rng), "contributor-attributes": {"contributor-role": "lead"}}]
        if rng.random() < 0.5
        else None,
        "organization": rng.choice(words.FUNDERS),
    }


def peer_review(rng: Random, *, group: int | None = None) -> Json:
    """A review for a journal or a convenor."""
    chosen = rng.randrange(6) if group is None else group
    identifier, detailed = f"{rng.getrandbits(64):016x}", rng.random() < 0.5
    return {
        "reviewer-role": rng.choice(("reviewer", "reviewer", "editor", "organizer")),
        "review-identifiers": [
            ("source-work-id", identifier, "self", f"https://example.org/{identifier}" if detailed else None)
        ],
        "review-url": f"https://example.org/reviews/{identifier}" if rng.random() < 0.5 else None,
        "review-type": rng.choice(("review", "evaluation")),
        "review-completion-date": date(rng, rng.randint(2010, THIS_YEAR)),
        "review-group-id": f"issn:9999-{chosen:04d}" if chosen < 4 else f"orcid-generated:sim{chosen}",
        "subject-external-identifier": ("doi", doi(rng)) if detailed else None,
        "subject-container-name": rng.choice(words.JOURNALS) if detailed else None,
        "subject-type": "journal-article" if detailed else None,
        "subject-name": title(rng) if detailed else None,
        "subject-url": "https://example.org/subject" if detailed else None,
        "convening-organization": rng.choice(words.ORGANIZATIONS[:4]),
    }


def research_resource(rng: Random) -> Json:
    """Time at a facility, with the resources used and their hosts."""
    start = rng.randint(2000, THIS_YEAR - 1)
    hosts = [rng.choice(words.ORGANIZATIONS[:4]) for _ in range(rng.randint(1, 2))]
    return {
        "proposal": {
            "title": f"Proposal on {rng.choice(words.SUBJECTS)}",
            "hosts": hosts,
            "external-ids": [("proposal-id", f"P-{rng.randrange(10**5)}")],
            "start-date": f"{start}-02-03",
            "end-date": f"{start + 1}-02-03",
            "url": "https://example.org/proposals",
        },
        "resource-item": [
            {
                "resource-name": name,
                "resource-type": "infrastructures",
                "hosts": hosts[:1],
                "external-ids": [("rrid", f"RRID:SIM_{rng.randrange(10**4)}")],
                "url": "https://example.org/facility" if rng.random() < 0.5 else None,
            }
            for name in rng.sample(words.RESOURCES, rng.randint(1, 3))
        ],
    }


def personal(rng: Random, section: str) -> Json:
    """An item of a list of the person."""
    number = rng.randrange(10**6)
    contents: dict[str, Json] = {
        "other-name": {"content": " ".join(part for part in rng.choice(words.PEOPLE) if part)},
        "researcher-url": {"url-name": rng.choice(("Homepage", None)), "url": f"https://example.org/~sim{number}"},
        "email": {"email": f"sim{number}@example.org", "primary": False},
        "address": {"country": rng.choice(words.COUNTRIES)},
        "keyword": {"content": rng.choice(words.SUBJECTS)},
        "external-identifier": {
            "external-id-type": rng.choice(("Scopus Author ID", "ResearcherID", "Loop profile", "中国科学家在线")),
            "external-id-value": str(number),
            "external-id-url": f"https://example.org/author/{number}",
            "external-id-relationship": "self",
        },
    }
    return contents[section]
