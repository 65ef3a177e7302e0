"""A made-up record in which every section says something, and its full forms: data/."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from orcid_sync.model.record.sections import ItemKey

DATA = Path(__file__).with_name("data")
ORCID = "0009-9990-0000-0013"


def rich_record() -> dict[str, Any]:
    """A new copy of the record, to be varied."""
    return msgspec.json.decode((DATA / "record.json").read_bytes())


def full_forms() -> dict[ItemKey, bytes]:
    """The full form of each of its works, fundings, peer reviews and research resources."""
    forms = msgspec.json.decode((DATA / "full_forms.json").read_bytes())
    return {tuple(name.split("/")): encode(form) for name, form in forms.items()}


def encode(value: Any) -> bytes:
    """As ORCID sends it: compact."""
    return msgspec.json.encode(value)


def keyword(put_code: int, content: str = "sampling", **more: Any) -> dict[str, Any]:
    """The simplest item that there is."""
    at = {"value": 1700000000000 + put_code}
    common = {"put-code": put_code, "visibility": "public", "display-index": 0, "last-modified-date": at}
    return {**common, "content": content, **more}


def with_keywords(record: dict[str, Any], *keywords: dict[str, Any]) -> dict[str, Any]:
    """The record with these keywords only."""
    record["person"]["keywords"]["keyword"] = list(keywords)
    return record


def works_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The groups of works."""
    return record["activities-summary"]["works"]["group"]


def set_in(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one node."""

    def change(record: dict[str, Any]) -> None:
        node = record
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = to

    return change
