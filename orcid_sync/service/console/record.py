"""One record: how it stands, and what the mirror holds of it, section by section."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from msgspec import Struct

from orcid_sync.model.explain import summary
from orcid_sync.model.explain.doubts_in_words import would
from orcid_sync.model.ids import InvalidOrcid, Orcid
from orcid_sync.model.record.doubts import UNCONFIRMED
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.model.scopes import Caller, Scope
from orcid_sync.model.text.labels import Label, label
from orcid_sync.service.http.authentication import demand
from orcid_sync.service.http.orcids import read_orcid
from orcid_sync.service.http.problems import Problem
from orcid_sync.service.rendering.page import Site
from orcid_sync.store.console import connection_list, in_doubt, overview
from orcid_sync.store.console.connection_list import Entry
from orcid_sync.store.sync import doubts
from orcid_sync.store.webhooks import inventory

FEW, PAGE = 10, 100
"""Entries of a section on the page of the record, and on its own."""

NAMES: Final[Mapping[str, str]] = {
    "name": "Name",
    "biography": "Biography",
    "other-name": "Other names",
    "address": "Countries",
    "keyword": "Keywords",
    "researcher-url": "Links",
    "email": "E-mail addresses",
    "external-identifier": "Identifiers",
    "employment": "Employments",
    "education": "Educations",
    "qualification": "Qualifications",
    "invited-position": "Invited positions",
    "distinction": "Distinctions",
    "membership": "Memberships",
    "service": "Services",
    "funding": "Fundings",
    "research-resource": "Research resources",
    "work": "Works",
    "peer-review": "Peer reviews",
}
"""Sections as people call them, in the order of ORCID's own pages."""

PERSON: Final = frozenset(list(NAMES)[:8])
"""Those about who somebody is."""

DONE: Final[Mapping[str, str]] = {
    "sync": "A read of this record is requested; it runs as soon as its lane allows.",
    "release": "What waited is approved. The record is read again now; if it still says the same, it is applied.",
    "discard": "What waited is discarded, and the record is read again now. If the answer says the same then, it "
    "waits again.",
}


class Line(Struct, frozen=True):
    """An entry with what to call it."""

    entry: Entry
    label: Label


class Section(Struct, frozen=True):
    """Some entries of one section."""

    name: str
    title: str
    total: int
    lines: list[Line]

    @property
    def activities(self) -> bool:
        """Whether it is about what the person does, not who they are."""
        return self.name not in PERSON


class Record:
    """The page."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: web.Request) -> web.Response:
        """Answer GET /records/{orcid}."""
        caller = demand(request, Scope.READ_PUBLIC)
        orcid, section, page = orcid_of(request), _section(request), _page(request)
        skip, limit = ((page - 1) * PAGE, PAGE) if section else (0, FEW)
        said = await head(self._site, caller, orcid)
        async with self._site.viewing(caller.view) as connection:
            entries = await connection_list.entries(connection, orcid, section=section, skip=skip, limit=limit)
        said |= {
            "sections": by_section(entries),
            "section": section,
            "page": page,
            "pages": -(-entries[0].total // PAGE) if section and entries else 1,
            "done": DONE.get(request.query.get("done", ""), ""),
        }
        return self._site.renderer.page(request, "record.html", **said)


async def head(site: Site, caller: Caller, orcid: Orcid) -> dict[str, Any]:
    """What stands above every page about a record. Raises Problem 404."""
    hold, hooks = None, []
    async with site.working() as connection:
        now = await overview.clock(connection)
        standing = await connection_list.standing_of(connection, orcid)
        known = await in_doubt.of_record(connection, orcid)
        if caller.may(Scope.ADMIN):
            hold, hooks = await doubts.hold_of(connection, orcid), await inventory.load(connection, orcid)
    async with site.viewing(caller.view) as connection:
        profile = await connection_list.profile(connection, orcid)
        if not caller.may(Scope.ADMIN):
            known = await in_doubt.visible(connection, orcid, known)
    if profile is None and standing is None:
        raise Problem(404, f"{orcid} is not connected. To connect it: orcid-sync connect {orcid}")
    name = profile.name if profile else None
    said = {
        "orcid": orcid,
        "names": NAMES,
        "now": now,
        "profile": profile,
        "standing": standing,
        "hold": hold,
        "would": would(doubt for doubt in known if doubt.kind in UNCONFIRMED),
        "doubtful": list(summary.in_doubt([doubt for doubt in known if not (hold and doubt.kind in UNCONFIRMED)], now)),
        "hooks": hooks,
    }
    return said | {"title": name or "Name not visible"}


def by_section(entries: list[Entry]) -> list[Section]:
    """Entries with their labels, section by section, in the order in which people look for them."""
    found: dict[str, list[Line]] = {}
    for entry in entries:
        found.setdefault(entry.section, []).append(Line(entry, label(entry.doc)))
    order = [*NAMES, *(name for name in found if name not in NAMES)]
    return [
        Section(name, NAMES.get(name, name), found[name][0].entry.total, found[name]) for name in order if name in found
    ]


def orcid_of(request: web.Request) -> Orcid:
    """The iD in the address. Raises Problem 404."""
    try:
        return read_orcid(request, request.match_info["orcid"])
    except InvalidOrcid as error:
        raise Problem(404, str(error)) from None


def _section(request: web.Request) -> str | None:
    section = request.query.get("section")
    if section is not None and section not in SECTIONS:
        raise Problem(400, f"There is no section {section!a}; there are: {', '.join(SECTIONS)}.")
    return section


def _page(request: web.Request) -> int:
    text = request.query.get("page", "1")
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) < 100_000):
        raise Problem(400, "page must be a number, 1 or more.")
    return int(text)
