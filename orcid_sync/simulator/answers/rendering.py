"""Records as a reader gets them: the JSON of contract sections 3.6 and 3.7, member for member.

Pure: a state, a viewer and the names of clients and people in, plain dictionaries out. Nulls are written. What holds an
item that cannot be rendered is refused as a whole (contract section 12a).
"""

from collections.abc import Callable
from typing import Any

from orcid_sync.simulator.base.errors import Refusal
from orcid_sync.simulator.records import dates, grouping
from orcid_sync.simulator.records.defects import affects, patched
from orcid_sync.simulator.records.profiles import Item, RecordState, Source
from orcid_sync.simulator.records.sections import ACTIVITY_ORDER, AFFILIATIONS, PERSON_LISTS, RENAMED, SECTIONS, Section
from orcid_sync.simulator.records.visibility import PUBLIC, Viewer, visible_items

Json = dict[str, Any]


class Renderer:
    """Turns states into answers. `host` stands in every address; the two lookups give the names shown beside ids."""

    def __init__(
        self, host: str, *, client_name: Callable[[str], str | None], person_state: Callable[[str], RecordState | None]
    ) -> None:
        self._host = host
        self._client_name = client_name
        self._person_state = person_state

    def record(self, state: RecordState, viewer: Viewer) -> Json:
        """`GET /{orcid}/record`."""
        return {
            "orcid-identifier": self.orcid_id(state.orcid),
            "preferences": {"locale": state.locale},
            "history": {
                "creation-method": state.creation_method,
                "completion-date": dates.stamp(state.completed_ms),
                "submission-date": dates.stamp(state.submitted_ms),
                "last-modified-date": dates.stamp(state.modified_ms),
                "claimed": state.claimed,
                "source": self._source(Source(client_id=state.creator), state) if state.creator else None,
                "deactivation-date": dates.stamp(state.deactivated_ms),
                "verified-email": state.verified_email,
                "verified-primary-email": state.verified_email,
            },
            "person": self.person(state, viewer),
            "activities-summary": self.activities(state, viewer),
            "path": f"/{state.orcid}",
        }

    def person(self, state: RecordState, viewer: Viewer) -> Json:
        """`GET /{orcid}/person`; its date ignores name and biography (contract section 3.9)."""
        lists = {SECTIONS[name].key: self.person_list(state, viewer, SECTIONS[name]) for name in PERSON_LISTS}
        return {
            "last-modified-date": dates.newest(lists.values()),
            "name": self.single(state, viewer, "name"),
            "other-names": lists.pop("other-names"),
            "biography": self.single(state, viewer, "biography"),
            **lists,
            "path": f"/{state.orcid}/person",
        }

    def personal_details(self, state: RecordState, viewer: Viewer) -> Json:
        """`GET /{orcid}/personal-details`."""
        other_names = self.person_list(state, viewer, SECTIONS["other-name"])
        return {
            "last-modified-date": other_names["last-modified-date"],
            "name": self.single(state, viewer, "name"),
            "other-names": other_names,
            "biography": self.single(state, viewer, "biography"),
            "path": f"/{state.orcid}/personal-details",
        }

    def single(self, state: RecordState, viewer: Viewer, section: str) -> Json | None:
        """Name or biography, null if this viewer sees none."""
        items = visible_items(viewer, state, section)
        return self.item(state, items[0]) if items else None

    def person_list(self, state: RecordState, viewer: Viewer, section: Section) -> Json:
        """A list of the person, the highest display index first."""
        items = visible_items(viewer, state, section.name)
        items.sort(key=lambda item: (-item.display_index, item.put_code))
        return {
            "last-modified-date": dates.latest(items),
            section.member: [shown for item in items for shown in _repeated(item, self.item(state, item))],
            "path": f"/{state.orcid}/{section.list_path}",
        }

    def activities(self, state: RecordState, viewer: Viewer) -> Json:
        """`GET /{orcid}/activities`: summaries of everything."""
        lists = {SECTIONS[name].key: self.activity_list(state, viewer, SECTIONS[name]) for name in ACTIVITY_ORDER}
        return {"last-modified-date": dates.newest(lists.values()), **lists, "path": f"/{state.orcid}/activities"}

    def activity_list(self, state: RecordState, viewer: Viewer, section: Section) -> Json:
        """`GET /{orcid}/works` and the like: groups of summaries."""
        items = visible_items(viewer, state, section.name)
        if section.name == "peer-review":
            groups = self._review_groups(state, items)
        else:
            order = dates.by_publication if section.name == "work" else dates.by_end
            ordered = sorted(grouping.grouped(items), key=lambda group: order(group[0]))
            groups = [self._group(state, section, group) for group in ordered]
        return {
            "last-modified-date": dates.latest(items),
            "affiliation-group" if section.name in AFFILIATIONS else "group": groups,
            "path": f"/{state.orcid}/{section.list_path}",
        }

    def _group(self, state: RecordState, section: Section, group: list[Item]) -> Json:
        summaries = [shown for item in group for shown in _repeated(item, self.summary(state, item))]
        affiliated = section.name in AFFILIATIONS
        return {
            "last-modified-date": dates.latest(group),
            "external-ids": grouping.shared_identifiers(group),
            "summaries" if affiliated else section.member: (
                [{section.member: summary} for summary in summaries] if affiliated else summaries
            ),
        }

    def _review_groups(self, state: RecordState, items: list[Item]) -> list[Json]:
        """Two levels: by review group id, then by the reviews' own identifiers."""
        by_group: dict[str, list[Item]] = {}
        for item in items:
            by_group.setdefault(item.content["review-group-id"], []).append(item)
        return [
            {
                "last-modified-date": dates.latest(group),
                "external-ids": {"external-id": [_review_group_identifier(group_id)]},
                "peer-review-group": [
                    self._group(state, SECTIONS["peer-review"], inner) for inner in grouping.grouped(group)
                ],
            }
            for group_id, group in sorted(by_group.items())
        ]

    def summary(self, state: RecordState, item: Item) -> Json:
        """An item as lists show it; a work without its subtitle (contract section 3.6). Raises Refusal."""
        return self._form(state, item, "summary")

    def item(self, state: RecordState, item: Item) -> Json:
        """An item in full. Raises Refusal."""
        return self._form(state, item, "full")

    def _form(self, state: RecordState, item: Item, form: str) -> Json:
        section = SECTIONS[item.section]
        if item.defect and affects(item.defect.form, form, only_form=section.personal):
            raise Refusal(item.defect.error)
        shown = self._laid_out(state, item, section.summary if form == "summary" else section.full)
        for patch in item.patches:
            if affects(patch.form, form, only_form=section.personal):
                shown = patched(shown, patch)
        return shown

    def _laid_out(self, state: RecordState, item: Item, layout: tuple[str, ...]) -> Json:
        section, content = SECTIONS[item.section], item.content
        own = self._own_members(state, item, section)
        answer: Json = {}
        for key in layout:
            if key in own:
                answer[key] = own[key]
            else:
                answer[key] = content[key] if key in content else content[RENAMED[key]]
        if section.name == "work" and layout is section.summary and answer["title"]:
            answer["title"] = {**answer["title"], "subtitle": None}
        if section.name == "funding" and answer.get("contributors"):
            answer["contributors"] = self._funding_contributors(answer["contributors"])
        return answer

    def _own_members(self, state: RecordState, item: Item, section: Section) -> Json:
        """The members that the Registry adds to an item's content."""
        path: str | None = f"/{state.orcid}/{section.item_path}/{item.put_code}"
        put_code: int | None = item.put_code
        display_index: int | str = item.display_index if section.personal else str(item.display_index)
        source: Json | None = self._source(item.source, state)
        if section.name == "email":
            path = put_code = None
        elif section.name == "name":
            path, source = state.orcid, None  # no leading slash, unlike every other path
        elif section.name == "biography":
            path = f"/{state.orcid}/biography"
        return {
            "created-date": dates.stamp(item.created_ms),
            "last-modified-date": dates.stamp(item.modified_ms),
            "source": source,
            "visibility": item.visibility,
            "path": path,
            "put-code": put_code,
            "display-index": display_index,
        }

    def _source(self, source: Source, state: RecordState) -> Json:
        person, origin = source.orcid, source.origin_orcid
        name = self._client_name(source.client_id) if source.client_id else self._name_of(person, state)
        origin_client = source.origin_client_id
        origin_name = self._client_name(origin_client) if origin_client else self._name_of(origin, state)
        return {
            "source-orcid": self.orcid_id(person) if person else None,
            "source-client-id": self._client_id(source.client_id) if source.client_id else None,
            "source-name": {"value": name} if name else None,
            "assertion-origin-orcid": self.orcid_id(origin) if origin else None,
            "assertion-origin-client-id": self._client_id(origin_client) if origin_client else None,
            "assertion-origin-name": {"value": origin_name} if origin_name else None,
        }

    def _name_of(self, orcid: str | None, state: RecordState) -> str | None:
        """The name shown beside an iD: an old client's, the owner's, or another person's, if it is public."""
        if orcid is None:
            return None
        if client := self._client_name(orcid):
            return client
        found = state if orcid == state.orcid else self._person_state(orcid)
        return displayed_name(found) if found else None

    def _funding_contributors(self, contributors: Json) -> Json:
        """E-mails go; names of contributors with an iD are recomputed from their records (contract section 3.7)."""
        listed = []
        for contributor in contributors["contributor"]:
            shown = {**contributor, "contributor-email": None}
            if path := (contributor["contributor-orcid"] or {}).get("path"):
                found = self._person_state(path)
                shown["credit-name"] = {"value": (found and displayed_name(found)) or ""}
            listed.append(shown)
        return {"contributor": listed}

    def orcid_id(self, orcid: str) -> Json:
        """An iD in wire form."""
        return {"uri": f"https://{self._host}/{orcid}", "path": orcid, "host": self._host}

    def _client_id(self, client_id: str) -> Json:
        return {"uri": f"https://{self._host}/client/{client_id}", "path": client_id, "host": self._host}


def _repeated(item: Item, shown: Json) -> list[Json]:
    """The item as it is listed: once, and once more for each twin."""
    return [shown, *({**(shown or {}), **twin} for twin in item.twins)]


def displayed_name(state: RecordState) -> str | None:
    """The credit name, else given and family names; None if the name is not public, whoever reads (contract §12a)."""
    items = visible_items(PUBLIC, state, "name")
    if not items:
        return None
    parts = {key: (items[0].content[key] or {}).get("value") for key in ("credit-name", "given-names", "family-name")}
    return parts["credit-name"] or " ".join(part for part in (parts["given-names"], parts["family-name"]) if part)


def _review_group_identifier(group_id: str) -> Json:
    return {
        "external-id-type": "peer-review",
        "external-id-value": group_id,
        "external-id-normalized": None,
        "external-id-normalized-error": None,
        "external-id-url": None,
        "external-id-relationship": None,
    }
