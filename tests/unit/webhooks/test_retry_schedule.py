"""How often ORCID's sender may have failed, from the times in which nobody could answer it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.webhooks.dead_webhooks import Outage, Sender, failed_tries, lost_before

START = datetime(2026, 3, 1, tzinfo=UTC)
SENDER = Sender()


def outage(began_minutes: float, minutes: float) -> Outage:
    began = START + timedelta(minutes=began_minutes)
    return Outage(began, began + timedelta(minutes=minutes))


@pytest.mark.fault("F13")
@pytest.mark.parametrize(
    ("minutes", "failures", "dead"),
    [
        pytest.param(1, 1, False, id="a restart"),
        pytest.param(10, 1, False, id="the second try comes after ten minutes"),
        pytest.param(11, 2, False, id="a little longer"),
        pytest.param(60, 3, False, id="tries at 0, 10, 30 and 60 minutes"),
        pytest.param(61, 4, False, id="an hour"),
        pytest.param(35 * 60, 20, False, id="four fifths of the tries"),
        pytest.param(50 * 60, 24, False, id="fifty hours, the last try is still to come"),
        pytest.param(50 * 60 + 1, 25, True, id="fifty hours are over"),
        pytest.param(3 * 24 * 60, 25, True, id="three days"),
    ],
)
def test_one_outage(minutes: float, failures: int, *, dead: bool) -> None:
    [strain] = failed_tries([outage(0, minutes)], SENDER)
    assert (strain.failures, strain.dead_at is not None) == (failures, dead)


def test_a_webhook_dies_after_fifty_hours() -> None:
    [strain] = failed_tries([outage(0, 5_000)], SENDER)
    assert strain.dead_at == START + timedelta(hours=50)


@pytest.mark.parametrize(
    ("second_began", "failures"),
    [
        pytest.param(101, 4 + 1, id="the fifth try may meet the second outage"),
        pytest.param(102, 4, id="the fifth try was answered between the outages"),
    ],
)
def test_outages_in_a_row_add_up_unless_a_try_gets_through(second_began: float, failures: int) -> None:
    first, *_ = failed_tries([outage(0, 61), outage(second_began, 10)], SENDER)
    assert first.failures == failures


@pytest.mark.parametrize(
    ("outages", "share", "lost"),
    [
        pytest.param([], 0.8, None, id="no outage"),
        pytest.param([outage(0, 31 * 60)], 0.8, None, id="not yet near"),
        pytest.param([outage(0, 32 * 60)], 0.8, 20, id="near, if edited in its first twenty minutes"),
        pytest.param([outage(0, 32 * 60)], 1, None, id="near is not dead"),
        pytest.param([outage(0, 51 * 60)], 1, 60, id="dead, if edited in its first hour"),
        pytest.param([outage(0, 51 * 60), outage(9_000, 5)], 1, 60, id="a short one later changes nothing"),
        pytest.param([outage(0, 51 * 60), outage(9_000, 52 * 60)], 1, 9_000 + 120, id="the later of two"),
        pytest.param([outage(0, 10 * 24 * 60)], 1, (10 * 24 - 50) * 60, id="so are those made in a long one"),
    ],
)
def test_which_webhooks_may_be_lost(outages: list[Outage], share: float, lost: float | None) -> None:
    """Those without a sign of life since a moment, here in minutes."""
    moment = lost_before(outages, SENDER, share=share)

    if lost is None:
        assert moment is None
    else:
        assert moment == pytest.approx(START + timedelta(minutes=lost), abs=timedelta(seconds=2))


@given(st.lists(st.tuples(st.integers(1, 3_000), st.integers(1, 3_000)), max_size=6))
def test_a_longer_outage_is_never_milder(spans: list[tuple[int, int]]) -> None:
    outages, at = [], 0
    for pause, length in spans:
        outages.append(outage(at + pause, length))
        at += pause + length
    longer = [Outage(one.began, one.ended + timedelta(minutes=1)) for one in outages]
    pairs = zip(failed_tries(outages, SENDER), failed_tries(longer, SENDER), strict=True)
    assert all(mild.failures <= hard.failures for mild, hard in pairs)
