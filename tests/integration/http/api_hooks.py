"""What schemathesis must know of us beyond the OpenAPI document: what an iD is, and that nobody wants to wait."""

from typing import Any

import schemathesis
from hypothesis import strategies

from orcid_sync.model.ids import check_character, hyphenated

KNOWN = "0009-9990-0000-0013"

OTHERS = strategies.integers(0, 99_999).map(lambda number: f"000999{number:09d}")

schemathesis.openapi.format(
    "orcid", strategies.just(KNOWN) | OTHERS.map(lambda base: hyphenated(base + check_character(base)))
)


@schemathesis.hook
def map_query(_context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Do not wait for changes."""
    if query and isinstance(query.get("wait"), int):
        query["wait"] = 0
    return query
