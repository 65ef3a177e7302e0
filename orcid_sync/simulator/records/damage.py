"""Edits that damage a record: what the Registry cannot render, and nonsense that it serves (contract section 12a).

Each is an edit of its day: dates move and the change is announced; `announced=False` for damage that comes silently, as
when an enumeration of the Registry shrinks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orcid_sync.simulator.base.errors import ERRORS
from orcid_sync.simulator.records.defects import FORMS, Defect, Patch
from orcid_sync.simulator.records.profiles import Effect
from orcid_sync.simulator.records.writer import Writer


class Damage(Writer):
    """The edits. Every method raises UnknownRecord for an iD, and KeyError for an item, that does not exist."""

    def break_item(
        self,
        orcid: str,
        section: str,
        put_code: int,
        *,
        error: int = 9008,
        form: str = "full",
        announced: bool = True,
    ) -> None:
        """The Registry cannot render this item any more: 400/9006, 403/9005 or 500/9008.

        `form` "full": the item and every page with it are refused, `/record` still shows its summary. "summary":
        `/record` is refused, the item is readable. "both": neither is. What belongs to the person has only one form.
        """
        defect = Defect(_known(error), _form(form))
        self._replace(orcid, section, put_code, _effect(announced=announced), defect=defect)

    def mend_item(self, orcid: str, section: str, put_code: int, *, announced: bool = True) -> None:
        """The item is whole again: it renders, says what it should, and stands in its list once."""
        self._replace(orcid, section, put_code, _effect(announced=announced), defect=None, patches=(), twins=())

    def break_record(self, orcid: str, *, error: int = 9008, endpoint: str = "record", announced: bool = True) -> None:
        """The Registry cannot render this record at an endpoint; everything else of it is answered as ever.

        Endpoints have the names that faults use: `record`, `works-bulk`, `work`, `*` and others.
        """
        broken = {**self._profiles.state(orcid).broken, endpoint: _known(error)}
        self._set(orcid, _effect(announced=announced), broken=broken)

    def mend_record(self, orcid: str, *, announced: bool = True) -> None:
        """The record is whole again at every endpoint; damage to its items stays."""
        self._set(orcid, _effect(announced=announced), broken={}, patches=())

    def put_raw(self, orcid: str, place: Sequence[str | int], value: Any, *, announced: bool = True) -> None:
        """Any JSON value at a place of `/record`: null in a list, a text for a section, another member."""
        self._patch_record(orcid, Patch(tuple(place), value), announced=announced)

    def leave_out(self, orcid: str, place: Sequence[str | int], *, announced: bool = True) -> None:
        """A member, a section or an entry of `/record` is missing."""
        self._patch_record(orcid, Patch(tuple(place), absent=True), announced=announced)

    def put_raw_in_item(
        self,
        orcid: str,
        section: str,
        put_code: int,
        place: Sequence[str | int],
        value: Any,
        *,
        form: str = "both",
        announced: bool = True,
    ) -> None:
        """Any JSON value at a place of an item, in its summary, its full form or both; no place: the item itself."""
        patch = Patch(tuple(place), value, form=_form(form))
        self._patch_item(orcid, section, put_code, patch, announced=announced)

    def leave_out_of_item(
        self,
        orcid: str,
        section: str,
        put_code: int,
        place: Sequence[str | int],
        *,
        form: str = "both",
        announced: bool = True,
    ) -> None:
        """A member of an item is missing."""
        patch = Patch(tuple(place), absent=True, form=_form(form))
        self._patch_item(orcid, section, put_code, patch, announced=announced)

    def repeat_item(
        self,
        orcid: str,
        section: str,
        put_code: int,
        changes: Mapping[str, Any] | None = None,
        *,
        announced: bool = True,
    ) -> None:
        """The item stands in its list once more, right behind itself, with these members (in wire form) changed."""
        twins = (*self._profiles.state(orcid).of(section)[put_code].twins, dict(changes or {}))
        self._replace(orcid, section, put_code, _effect(announced=announced), twins=twins)

    def _patch_record(self, orcid: str, patch: Patch, *, announced: bool) -> None:
        patches = (*self._profiles.state(orcid).patches, patch)
        self._set(orcid, _effect(announced=announced), patches=patches)

    def _patch_item(self, orcid: str, section: str, put_code: int, patch: Patch, *, announced: bool) -> None:
        patches = (*self._profiles.state(orcid).of(section)[put_code].patches, patch)
        self._replace(orcid, section, put_code, _effect(announced=announced), patches=patches)


def _effect(*, announced: bool) -> Effect:
    return Effect.INDEXED if announced else Effect.SILENT


def _known(error: int) -> int:
    if error not in ERRORS:
        raise ValueError(f"the Registry has no error {error}")
    return error


def _form(form: str) -> str:
    if form not in FORMS:
        raise ValueError(f"no form {form!r}; there are {', '.join(FORMS)}")
    return form
