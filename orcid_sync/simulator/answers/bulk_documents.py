"""The documents of the bulk files: public data of one record as XML (contract sections 7.1, 7.2)."""

import contextlib
from collections.abc import Iterator

from orcid_sync.simulator.answers.rendering import Renderer
from orcid_sync.simulator.answers.xml import to_xml
from orcid_sync.simulator.base.errors import Refusal, error_body
from orcid_sync.simulator.records.profiles import RecordState
from orcid_sync.simulator.records.sections import ACTIVITY_ORDER, SECTIONS
from orcid_sync.simulator.records.visibility import PUBLIC, visible_items


class BulkDocuments:
    """Makes them.

    A record that is locked or merged has an error document in the place of its summary. One that is deactivated has one
    too (409/9044, as a read is answered) or, `emptied`, the record without content and with the names of the years
    before 2024. Unclaimed records are not exported, nor what cannot be rendered.
    """

    def __init__(self, renderer: Renderer, *, emptied: bool = False) -> None:
        self._renderer = renderer
        self._emptied = emptied

    def summary(self, state: RecordState) -> bytes | None:
        """The document under `[last 3]/[iD].xml`, None if there is none."""
        if not state.claimed:
            return None
        if (refusal := self._refusal(state)) is not None:
            return to_xml("error", refusal, indented=True)
        try:
            record = self._renderer.record(state.without_nonsense(), PUBLIC)
        except Refusal:
            return None
        if state.deactivated_ms is not None:
            record["person"]["name"] = _deactivated_name(state)
        return to_xml("record", record, indented=True)

    def activities(self, state: RecordState) -> Iterator[tuple[str, bytes]]:
        """Every activity in full, with its path `[last 3]/[iD]/[type]/[iD]_[type]_[put-code].xml`."""
        orcid, state = state.orcid, state.without_nonsense()
        if not state.claimed or self._refusal(state) is not None:
            return
        for name in ACTIVITY_ORDER:
            kind = SECTIONS[name].list_path
            for item in visible_items(PUBLIC, state, name):
                path = f"{orcid[-3:]}/{orcid}/{kind}/{orcid}_{kind}_{item.put_code}.xml"
                with contextlib.suppress(Refusal):
                    yield path, to_xml(name, self._renderer.item(state, item), indented=True)

    def _refusal(self, state: RecordState) -> dict[str, object] | None:
        own, primary = f"ORCID https://orcid.org/{state.orcid}", state.primary_orcid
        if primary is not None:
            return error_body(9007, f"https://orcid.org/{primary}", suffix=own)
        if state.locked:
            return error_body(9018, suffix=own)
        if state.deactivated_ms is not None and not self._emptied:
            return error_body(9044, suffix=own)
        return None


def _deactivated_name(state: RecordState) -> dict[str, object]:
    stamp = {"value": state.deactivated_ms}
    names = {"given-names": "Given Names Deactivated", "family-name": "Family Name Deactivated"}
    return {
        "created-date": stamp,
        "last-modified-date": stamp,
        **{member: {"value": text} for member, text in names.items()},
        "visibility": "public",
        "path": state.orcid,
    }
