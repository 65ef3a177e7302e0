"""What of an answer counts at once, and what a second, independent read must say again."""

from datetime import UTC, datetime, timedelta

import pytest

from orcid_sync.model.record.agreement import Question, agree, moved_on
from orcid_sync.model.record.diff import Comparison, Known
from orcid_sync.model.record.doubts import Doubt, Kind, Moment, by_id
from orcid_sync.model.record.removals import ACCESS_LOST, REMOVED
from orcid_sync.model.record.sections import Content, Item, ItemKey

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WAIT = timedelta(minutes=15)
DAY_MS = 86_400_000
EDITED_MS = round(NOW.timestamp() * 1000) - 30 * DAY_MS
EDITED = NOW - timedelta(days=30)


def key(number: int, section: str = "work") -> ItemKey:
    return section, str(number)


def known(visibility: str = "public") -> Known:
    return Known(b"digest", visibility, None, EDITED)


def item(number: int, visibility: str = "public", *, days: int = 0) -> Item:
    """An item whose edit is so many days younger than that which is known."""
    return Item("work", str(number), number, EDITED_MS + days * DAY_MS, visibility, Content(b"{}"), b"another")


def asked(
    held: list[Known],
    *,
    gone: int = 0,
    shown: tuple[Item, ...] = (),
    added: tuple[Item, ...] = (),
    moved: bool = True,
    reason: str = REMOVED,
    removed: tuple[ItemKey, ...] = (),
    before: tuple[Doubt, ...] = (),
) -> tuple[Comparison, list[Doubt]]:
    """Agreement about works 0, 1, …, of which the first ones are gone."""
    items = {key(number): one for number, one in enumerate(held)}
    lost = [key(number) for number in range(gone)]
    comparison = Comparison(list(added), list(shown), lost)
    question = Question(
        comparison=comparison, known=items, reasons=dict.fromkeys(lost, reason), moved=moved, removed=removed
    )
    return agree(question, Moment(now=NOW, wait=WAIT, chance=0.0, before=by_id(before)))


def met(kind: Kind, number: int, ago: timedelta, *, released: bool = False) -> Doubt:
    return Doubt(kind=kind, section="work", key=str(number), reason="so", since=NOW - ago, released=released)


@pytest.mark.invariant("S8")
@pytest.mark.fault("F54")
@pytest.mark.parametrize(
    ("size", "gone", "waiting"),
    [(10, 5, 0), (10, 6, 6), (12, 6, 0), (13, 7, 7), (6, 6, 6), (5, 5, 0), (60, 30, 0), (60, 31, 31)],
)
def test_removals_wait_if_more_than_half_and_more_than_five_would_go(size: int, gone: int, waiting: int) -> None:
    agreed, doubts = asked([known()] * size, gone=gone)

    assert (len(agreed.gone), len(doubts)) == (gone - waiting, waiting)
    assert all((one.kind, one.since, one.due_at) == (Kind.REMOVAL, NOW, NOW + WAIT) for one in doubts)


@pytest.mark.invariant("S8")
@pytest.mark.parametrize(
    ("before", "goes"),
    [
        (met(Kind.REMOVAL, 0, WAIT), True),
        (met(Kind.REMOVAL, 0, WAIT - timedelta(seconds=1)), False),
        (met(Kind.REMOVAL, 0, timedelta(0), released=True), True),
        (met(Kind.REMOVAL, 9, 9 * WAIT), False),  # of another item
        (met(Kind.SHOWN, 0, 9 * WAIT), False),  # about something else
    ],
)
def test_agreed_is_what_was_said_long_enough_ago_about_this_very_item(before: Doubt, goes: bool) -> None:  # noqa: FBT001
    agreed, _ = asked([known()] * 6, gone=6, before=(before,))

    assert (key(0) in agreed.gone) is goes
    assert not {key(number) for number in range(1, 6)} & set(agreed.gone)


@pytest.mark.invariant("S4", "S8", "S11")
@pytest.mark.fault("F37")
@pytest.mark.parametrize(
    ("before", "answer", "doubt"),
    [
        ("public", item(0), None),
        ("public", item(0, days=1), None),
        ("public", item(0, days=-1), Kind.OLDER),
        ("public", item(0, "limited"), None),  # shown to fewer people: at once
        ("limited", item(0, "public"), Kind.SHOWN),
        ("limited", item(0, "public", days=-1), Kind.SHOWN),
        ("private", item(0, "limited"), Kind.SHOWN),
        ("registered-only", item(0, "limited"), Kind.SHOWN),  # what we do not know counts as private
    ],
)
def test_under_an_unmoved_date_nothing_is_shown_to_more_people_or_taken_back(
    before: str, answer: Item, doubt: Kind | None
) -> None:
    agreed, doubts = asked([known(before)], shown=(answer,), moved=False)

    assert [one.kind for one in doubts] == ([doubt] if doubt else [])
    assert len(agreed.moved) == (doubt is None)
    assert asked([known(before)], shown=(answer,))[1] == []  # under a moved date it counts


@pytest.mark.invariant("S4", "S8")
@pytest.mark.fault("F37", "F59")
def test_under_an_unmoved_date_every_removal_waits_but_not_a_loss_of_access() -> None:
    assert [one.kind for one in asked([known()] * 20, gone=1, moved=False)[1]] == [Kind.REMOVAL]
    assert asked([known("limited")] * 20, gone=20, moved=False, reason=ACCESS_LOST)[1] == []
    assert asked([known("limited")] * 20, gone=20, reason=ACCESS_LOST)[1] == []


@pytest.mark.invariant("S4", "S11")
@pytest.mark.fault("F37")
def test_what_an_answer_of_this_date_removed_does_not_come_back_by_another() -> None:
    _, doubts = asked([], added=(item(7), item(8)), moved=False, removed=(key(7),))

    assert [(one.kind, one.key) for one in doubts] == [(Kind.SHOWN, "7")]


@pytest.mark.parametrize(
    ("before", "now", "moved"), [(None, 5, True), (5, 6, True), (5, 5, False), (5, None, False), (None, None, False)]
)
def test_whether_the_date_moved(before: int | None, now: int | None, moved: bool) -> None:  # noqa: FBT001
    assert moved_on(before, now) is moved
