"""The cursor of a reader: what is one of ours, what it means, and when only starting again helps."""

import pytest

from orcid_sync.model.feed.cursor import Cursor, Place, Resync, before_seq, parse_cursor, resync_needed
from orcid_sync.model.scopes import View

EPOCH = "0f6c6a2e-7a53-4b6e-9d1e-3a3f5a1c9b11"
ANOTHER = "0f6c6a2e-7a53-4b6e-9d1e-3a3f5a1c9b12"
HERE = Cursor(Place(EPOCH, 7), View.PUBLIC)


@pytest.mark.parametrize("view", View)
@pytest.mark.parametrize("seq", [0, 1, 10**18 - 1])
def test_what_is_given_out_is_understood_when_it_comes_back(view: View, seq: int) -> None:
    cursor = Cursor(Place(EPOCH, seq), view)
    assert parse_cursor(str(cursor)) == cursor
    assert str(cursor) == f"{before_seq(EPOCH, view)}{seq}"


def test_cursors_of_different_views_and_histories_differ() -> None:
    cursors = {str(Cursor(Place(epoch, 7), view)) for epoch in (EPOCH, ANOTHER) for view in View}
    assert len(cursors) == 2 * len(View)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        f"{HERE}a",  # something behind it
        f" {HERE}",
        f"{HERE}\n",
        str(HERE)[1:],  # an epoch too short
        f"A{HERE}",  # too long
        str(HERE).replace(".p.", ".x."),  # a view that is none
        f"{before_seq(EPOCH, View.PUBLIC)}-1",
        f"{before_seq(EPOCH, View.PUBLIC)}",
        f"{before_seq(EPOCH, View.PUBLIC)}{10**18}",  # more than a position can be
        f"{before_seq(EPOCH, View.PUBLIC)}٧",  # a digit, but none of ours
    ],
)
def test_what_was_never_one_of_ours_is_none(text: str) -> None:
    assert parse_cursor(text) is None


@pytest.mark.invariant("S20")
@pytest.mark.parametrize(
    ("head", "view", "needed"),
    [
        (Place(EPOCH, 7), View.PUBLIC, None),  # who has read everything waits for more
        (Place(EPOCH, 8), View.PUBLIC, None),
        (Place(EPOCH, 6), View.PUBLIC, Resync.AHEAD),
        (Place(ANOTHER, 7), View.PUBLIC, Resync.EPOCH),
        (Place(ANOTHER, 6), View.LIMITED, Resync.EPOCH),  # the first reason is the one that is told
        (Place(EPOCH, 7), View.LIMITED, Resync.VIEW),
    ],
)
def test_who_has_to_start_again(head: Place, view: View, needed: Resync | None) -> None:
    assert resync_needed(HERE, head, view) is needed
