"""The reading part of API v3.0: addresses, and the documents behind them (contract sections 3.1, 3.5, 3.7, 3.8)."""

import fnmatch
from functools import reduce
from typing import Any

import msgspec

from orcid_sync.simulator.answers.http_answer import encode
from orcid_sync.simulator.answers.rendering import Renderer
from orcid_sync.simulator.answers.xml import to_xml
from orcid_sync.simulator.api.bulk_works import BulkWorks, is_number
from orcid_sync.simulator.base.errors import Refusal
from orcid_sync.simulator.oauth import access as doors
from orcid_sync.simulator.oauth.access import Access
from orcid_sync.simulator.records.defects import patched
from orcid_sync.simulator.records.identifiers import ORCID_SHAPE
from orcid_sync.simulator.records.profiles import Item, RecordState
from orcid_sync.simulator.records.sections import AFFILIATIONS, SECTIONS
from orcid_sync.simulator.records.visibility import Viewer, sees

Json = dict[str, Any]

BULK = "works-bulk"

_UNTESTED = frozenset(
    ("distinction", "invited-position", "membership", "qualification", "service", "research-resource", BULK)
)
"""Reads that skip the test of the record's state on the public host (contract section 3.5)."""

_DOCUMENTS = ("record", "person", "personal-details", "activities", "biography")
_LISTS = {section.list_path: name for name, section in SECTIONS.items() if section.list_path and section.member}
_ITEMS = {section.item_path: name for name, section in SECTIONS.items() if section.item_path}


class Target(msgspec.Struct, frozen=True):
    """What an address points at."""

    orcid: str
    endpoint: str
    """The name under which faults and the journal know it."""
    section: str | None = None
    codes: str | None = None
    """Put-codes as they stand in the address."""
    summary: bool = False

    @property
    def put_codes(self) -> frozenset[int]:
        """The numbers among the put-codes."""
        return frozenset(int(code) for code in (self.codes or "").split(",") if is_number(code))


def find_target(segments: list[str]) -> Target | None:
    """The target of the path after `/v3.0`, None if there is no such resource."""
    if not segments or not ORCID_SHAPE.fullmatch(segments[0]):
        return None
    orcid, found = segments[0], None
    match segments[1:] or ["record"]:
        case [name] if name in _DOCUMENTS:
            found = Target(orcid, name)
        case [name] if name in _LISTS:
            found = Target(orcid, name, _LISTS[name])
        case ["works", codes]:
            found = Target(orcid, BULK, "work", codes)
        case [name, code] if name in _ITEMS:
            found = Target(orcid, _ITEMS[name], _ITEMS[name], code)
        case [name, "summary", code] if name in _ITEMS and not SECTIONS[_ITEMS[name]].personal:
            found = Target(orcid, f"{name}-summary", name, code, summary=True)
    return found


_Key = tuple[Target, Access, bool, bool]


class Answerer:
    """Renders targets, and remembers what it rendered until the record or a name in it moves."""

    def __init__(self, renderer: Renderer, *, cache_bytes: int = 256 << 20) -> None:
        self._renderer = renderer
        self._room = cache_bytes
        self._bulk = BulkWorks(renderer)
        self._cache: dict[_Key, tuple[int, int, bytes]] = {}

    def answer(self, target: Target, state: RecordState, access: Access, *, as_json: bool, epoch: int | None) -> bytes:
        """The body for a target. `epoch` None: the state is not the present one, do not remember it. Raises Refusal."""
        cached = target.endpoint == BULK and self._bulk.holds(target.put_codes, state)
        key = (target, access, as_json, cached)
        if epoch is not None:
            known = self._cache.get(key)
            if known is not None and known[:2] == (state.version, epoch):
                return known[2]
        document = self.document(target, state if as_json else state.without_nonsense(), access)
        body = encode(document) if as_json else to_xml(_root(target), document)
        if epoch is not None:
            self._remember(key, (state.version, epoch, body))
        return body

    def _remember(self, key: _Key, entry: tuple[int, int, bytes]) -> None:
        if old := self._cache.pop(key, None):
            self._room += len(old[2])
        self._cache[key] = entry
        self._room -= len(entry[2])
        while self._room < 0:
            oldest = next(iter(self._cache))
            self._room += len(self._cache.pop(oldest)[2])

    def document(self, target: Target, state: RecordState, access: Access) -> Json:
        """The answer as a dictionary. Raises Refusal."""
        _check_renderable(target, state)
        if target.codes is None:
            return self._whole(target, state, access.viewer)
        if target.endpoint == BULK:
            return self._bulk.document(target.codes, state, access)
        item = _find(target, state, access)
        render = self._renderer.summary if target.summary else self._renderer.item
        return render(state, item)

    def _whole(self, target: Target, state: RecordState, viewer: Viewer) -> Json:
        if target.section is not None:
            section = SECTIONS[target.section]
            render = self._renderer.person_list if section.personal else self._renderer.activity_list
            return render(state, viewer, section)
        if target.endpoint == "biography":
            biography = self._renderer.single(state, viewer, "biography")
            if biography is None:
                raise Refusal(9041)
            return biography
        documents = {
            "record": self._renderer.record,
            "person": self._renderer.person,
            "personal-details": self._renderer.personal_details,
            "activities": self._renderer.activities,
        }
        document = documents[target.endpoint](state, viewer)
        return reduce(patched, state.patches, document) if target.endpoint == "record" else document


def skips_state_test(target: Target, access: Access) -> bool:
    """True for reads that answer from an emptied record instead of saying what state it is in."""
    return access.on_public_host and target.codes is not None and target.endpoint in _UNTESTED


def _check_renderable(target: Target, state: RecordState) -> None:
    """Raises Refusal where the Registry cannot render this record (contract section 12a)."""
    for endpoint, error in state.broken.items():
        if fnmatch.fnmatchcase(target.endpoint, endpoint):
            raise Refusal(error)


def _find(target: Target, state: RecordState, access: Access) -> Item:
    code, section = target.codes or "", target.section or ""
    if not is_number(code):
        raise Refusal(9001, status=404) if access.on_public_host else Refusal(9034, code)
    number = int(code)
    item = state.of(section).get(number)
    if item is None:
        elsewhere = section in AFFILIATIONS and any(number in state.of(kind) for kind in AFFILIATIONS)
        raise Refusal(9006, "affiliation of another kind") if elsewhere else Refusal(9016, code)
    if not sees(access.viewer, item):
        raise Refusal(doors.forbidden(item, access))
    return item


def _root(target: Target) -> str:
    if target.endpoint == BULK:
        return "bulk"
    if target.section is None:
        return target.endpoint
    section = SECTIONS[target.section]
    if target.codes is None:
        return section.key
    return section.member if target.summary else section.name
