"""What a field lost and gained, in words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orcid_sync.model.feed.field_changes import come, gone
from orcid_sync.model.record.past import FieldChange
from orcid_sync.model.text.wording import moment

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "after", "lost", "gained"),
    [
        ("tides", "moon", ["tides"], ["moon"]),
        (None, "moon", [], ["moon"]),
        ("tides", None, ["tides"], []),
        ("", "moon", [""], ["moon"]),  # an empty text was there
        (0, 1, ["0"], ["1"]),
        (["a", "b"], ["b", "c"], ["a"], ["c"]),  # of a list only what differs
        (["a"], [], ["a"], []),
        (None, ["a", "b"], [], ['["a","b"]']),
        ([{"type": "doi", "value": 1}], [], ["type doi, value 1"], []),
        (True, AT, ["true"], [moment(AT)]),
    ],
)
def test_what_is_gone_and_what_has_come(before: Any, after: Any, lost: list[str], gained: list[str]) -> None:
    change = FieldChange("name", before, after)
    assert (gone(change), come(change)) == (lost, gained)
