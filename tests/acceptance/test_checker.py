"""The judge of the storm is judged by what once misled it."""

from datetime import UTC, datetime

from acceptance.harness.checker import Line, horizons

ORCID = "0000-0002-1825-0097"


def line(seq: int, section: str, *, state: str | None = None, reason: str | None = None) -> Line:
    """A line of the feed; of the record itself it says its state, or nothing any more."""
    said = {"state": state} if state else None
    at = datetime(2026, 5, 1, second=seq, tzinfo=UTC)
    return Line(seq, (ORCID, section, ""), "updated", reason, at, said, None, None)


def test_the_past_ends_with_the_last_tombstone_also_where_no_item_went() -> None:
    feed = [
        line(1, "name", reason="record-deactivated"),
        line(2, "record"),  # the first tombstone, forgotten by the second
        line(3, "record", state="deprecated"),
        line(4, "record", state="active"),
    ]

    assert horizons(feed) == {ORCID: feed[2]}
