"""Records with a past: built whole, with dates of their own, without anybody being told."""

from collections.abc import Mapping
from random import Random
from typing import Any

from orcid_sync.simulator.records import vocabulary as words
from orcid_sync.simulator.records.forms import complete
from orcid_sync.simulator.records.profiles import Item, Items, Profiles, RecordState, Source
from orcid_sync.simulator.records.sections import SECTIONS
from orcid_sync.simulator.samples import random_items

DAY_MS = 24 * 3600 * 1000


class RecordBuilder:
    """Collects the items of one record."""

    def __init__(self, profiles: Profiles, orcid: str, rng: Random) -> None:
        self.orcid = orcid
        self.rng = rng
        self._profiles = profiles
        self._end_ms = profiles.clock.now_ms() - DAY_MS
        self._begin_ms = self._end_ms - rng.randint(100, 4_000) * DAY_MS
        self._items: dict[str, Items] = {}

    def add(
        self,
        section: str,
        content: Mapping[str, Any],
        *,
        source: Source | str | None = None,
        visibility: str = "public",
        display_index: int = 0,
    ) -> int:
        """Add an item somewhere in the record's past; its put-code."""
        shape, items = SECTIONS[section], self._items.setdefault(section, {})
        put_code = 0 if section in ("name", "biography") else self._profiles.next_put_code(shape.family)
        created = self.rng.randint(self._begin_ms, self._end_ms)
        modified = created if self.rng.random() < 0.6 else self.rng.randint(created, self._end_ms)
        given = {"verified": True, "primary": False, **content} if section == "email" else dict(content)
        whole = complete(shape, given)
        items[put_code] = Item(
            section, put_code, whole, self._source(source), visibility, display_index, created, modified
        )
        return put_code

    def name(
        self, given: str | None, family: str | None, *, credit: str | None = None, visibility: str = "public"
    ) -> None:
        """Set the name."""
        content = {"given-names": given, "family-name": family, "credit-name": credit}
        self.add("name", content, visibility=visibility)

    def works(self, count: int) -> None:
        """Works, a few of them in two to four versions from several sources."""
        while count > 0:
            content, versions = random_items.work(self.rng), min(count, self._versions())
            for version in range(versions):
                source = self.rng.choice((None, words.DOI_REGISTRY, words.CITATION_INDEX))
                self.add("work", content, source=source, display_index=versions - version - 1)
                content = another_version(content, self.rng)
            count -= versions

    def build(self) -> RecordState:
        """The record, put into the Registry."""
        newest = max((item.modified_ms for items in self._items.values() for item in items.values()), default=0)
        state = RecordState(
            orcid=self.orcid,
            submitted_ms=self._begin_ms,
            completed_ms=self._begin_ms,
            modified_ms=max(newest, self._begin_ms),
            creation_method=self.rng.choice(("DIRECT", "DIRECT", "MEMBER_REFERRED", "WEBSITE", "API", None)),
            locale=self.rng.choice(words.LOCALES),
            items=self._items,
        )
        self._profiles.create(state)
        return state

    def _versions(self) -> int:
        return self.rng.choices((1, 2, 3, 4), (88, 9, 2, 1))[0]

    def _source(self, given: Source | str | None) -> Source:
        if isinstance(given, Source):
            return given
        return Source(orcid=self.orcid) if given is None else Source(client_id=given)


def another_version(content: Mapping[str, Any], rng: Random) -> dict[str, Any]:
    """The same work as another source tells it: same DOI in other letters, title in other capitals, no journal."""
    ids = [
        (kind, value.upper() if kind == "doi" else value, relationship, url)
        for kind, value, relationship, url in content["external-ids"] or [("doi", random_items.doi(rng), "self", None)]
    ]
    title = {**content["title"], "title": str(content["title"]["title"]).upper(), "subtitle": None}
    return {**content, "title": title, "external-ids": ids, "journal-title": None, "contributors": []}


def make_record(
    profiles: Profiles, orcid: str, *, works: int = 50, employments: int = 2, fundings: int = 1, seed: int = 0
) -> RecordState:
    """A plain record of a given size, for benchmarks and tests."""
    rng = Random(f"{seed}/{orcid}")
    builder = RecordBuilder(profiles, orcid, rng)
    builder.name(*rng.choice(words.PEOPLE))
    for _ in range(employments):
        builder.add("employment", random_items.affiliation(rng, "employment"))
    for _ in range(fundings):
        builder.add("funding", random_items.funding(rng), source=words.FUNDER_PORTAL)
    builder.add("keyword", random_items.personal(rng, "keyword"), display_index=1)
    builder.works(works)
    return builder.build()


def big_record(profiles: Profiles, orcid: str, *, works: int = 10_000, seed: int = 0) -> RecordState:
    """A record at the limit of what the Registry allows (contract section 3.9)."""
    return make_record(profiles, orcid, works=works, employments=12, fundings=30, seed=seed)
