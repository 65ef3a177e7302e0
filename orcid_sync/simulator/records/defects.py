"""Damaged data: what the Registry's own code does not understand and therefore refuses, and nonsense that it serves.

Contract section 12a: a language code or a country that its enums do not know leaves `/record` whole and spoils the item
and every page of works that holds it; a work type that they do not know spoils `/record` as well.
"""

from typing import Any

import msgspec

Place = tuple[str | int, ...]
"""Where something stands in a document: member names and list positions, from the outside in."""

FORMS = ("summary", "full", "both")


class Defect(msgspec.Struct, frozen=True):
    """The Registry cannot render this form of an item: whatever document holds it is refused as a whole."""

    error: int
    form: str = "full"


class Patch(msgspec.Struct, frozen=True):
    """A raw JSON value in the place of what belongs there."""

    place: Place
    value: Any = None
    absent: bool = False
    """True: the member is missing altogether."""
    form: str = "both"


def affects(form: str, rendered: str, *, only_form: bool = False) -> bool:
    """True if what was said about `form` concerns the form that is rendered; items of a person have only one."""
    return only_form or form in ("both", rendered)


def patched(document: Any, patch: Patch) -> Any:
    """The document with the patch's value at its place; the original stays as it is.

    A place that this document does not have is left alone: another reader may see less. A position at the end of a list
    adds to it.
    """
    return _put(document, patch.place, patch)


def _put(document: Any, place: Place, patch: Patch) -> Any:
    if not place:
        return patch.value
    step, rest = place[0], place[1:]
    if isinstance(document, dict):
        return _put_member(document, step, rest, patch)
    if isinstance(document, list) and isinstance(step, int) and step <= len(document) - bool(rest or patch.absent):
        before, here, after = document[:step], document[step : step + 1], document[step + 1 :]
        if patch.absent and not rest:
            return [*before, *after]
        return [*before, _put(here[0] if here else None, rest, patch), *after]
    return document


def _put_member(document: dict[Any, Any], step: str | int, rest: Place, patch: Patch) -> dict[Any, Any]:
    if not rest:
        others = {key: value for key, value in document.items() if key != step}
        return others if patch.absent else {**document, step: patch.value}
    return {**document, step: _put(document[step], rest, patch)} if step in document else document
