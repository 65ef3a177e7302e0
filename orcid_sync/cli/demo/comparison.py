"""Comparing mirror and Registry, item by item: what the daemon stored against what the simulated Registry holds.

Items are found in the Registry's JSON by a walk of its own, not by the daemon's parser: it would forget the same items.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from orcid_sync.cli.demo.setup import Stage
from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.base.errors import Refusal
from orcid_sync.store.console import overview
from orcid_sync.store.database.pools import AnyConnection


class Comparison(Struct):
    """How mirror and Registry compare."""

    records: int = 0
    items: int = 0
    differences: list[str] = field(default_factory=list)
    """One line for each item that is not the same on both sides."""


async def compare(stage: Stage, connection: AnyConnection) -> Comparison:
    """Compare every record as the daemon's token may read it."""
    comparison = Comparison()
    for name in stage.sim.profiles:
        orcid = Orcid(name)
        theirs = dict(_items(_at_registry(stage, orcid)))
        mirrored = await overview.items(connection, orcid)
        ours = dict(pair for item in mirrored for pair in _items(msgspec.json.decode(item.doc)))
        comparison.records += 1
        comparison.items += len(theirs)
        for key in sorted(theirs.keys() | ours.keys()):
            if theirs.get(key) != ours.get(key):
                where = (
                    "differs" if key in theirs and key in ours else "is missing" if key in theirs else "is left over"
                )
                comparison.differences.append(f"{orcid}: {key} {where} in the mirror")
    return comparison


def _at_registry(stage: Stage, orcid: Orcid) -> Any:
    try:
        return stage.sim.view(orcid, stage.view_token(orcid))
    except Refusal:
        return None


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """Every item inside a JSON value, with a name that is unique in its record (contract section 3.6)."""
    if isinstance(value, list):
        for one in value:
            yield from _items(one)
    elif isinstance(value, dict):
        if (name := _name(value)) is not None:
            yield name, value
        else:
            yield from _items(list(value.values()))


def _name(value: dict[str, Any]) -> str | None:
    path = value.get("path")
    if "given-names" in value:
        return "name"
    if value.get("put-code") is not None or ("content" in value and str(path).endswith("/biography")):
        return str(path)
    return f"e-mail {value['email']}" if isinstance(value.get("email"), str) else None
