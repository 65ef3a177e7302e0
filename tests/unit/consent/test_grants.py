"""What a grant means beside the one before."""

import pytest

from orcid_sync.model.consent.grants import event_of_grant


@pytest.mark.fault("F59")
@pytest.mark.parametrize(
    ("before", "after", "event"),
    [
        (None, ["/read-limited"], "granted"),
        (None, [], "granted"),
        (["/read-limited"], ["/read-limited"], "granted"),
        (["openid", "/read-limited"], ["/read-limited", "openid"], "granted"),
        (["/read-limited", "openid"], ["/read-limited"], "narrowed"),
        (["/read-limited"], [], "narrowed"),
        (["/read-limited"], ["/read-limited", "openid"], "widened"),
        (["/authenticate"], ["openid"], "granted"),
        (["/read-limited"], ["/authenticate", "openid"], "narrowed"),
        (["/authenticate", "openid"], ["/read-limited"], "widened"),
        (["/person/read-limited"], ["/read-limited"], "granted"),
    ],
)
def test_what_can_be_read_counts_first(before: list[str] | None, after: list[str], event: str) -> None:
    assert event_of_grant(before, after) == event
