"""Judging by a sample: verdicts, and a share that says how sure it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.analysis.audit import Finding, Verdict, count, identical_share, judge, share_of
from orcid_sync.model.ids import Orcid


@pytest.mark.parametrize(
    ("hits", "number", "low", "high"),
    [
        pytest.param(0, 10, 0.0, 0.2775, id="none of ten"),
        pytest.param(5, 10, 0.2366, 0.7634, id="half of ten"),
        pytest.param(10, 10, 0.7225, 1.0, id="all of ten"),
        pytest.param(81, 263, 0.2553, 0.3662, id="Newcombe's example (1998)"),
        pytest.param(1_000, 1_000, 0.9962, 1.0, id="all of a thousand"),
    ],
)
def test_wilson_interval(hits: int, number: int, low: float, high: float) -> None:
    share = share_of(hits, number)
    assert share is not None
    assert (share.low, share.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(1, 10_000).flatmap(lambda number: st.tuples(st.integers(0, number), st.just(number))))
def test_the_share_lies_in_its_interval(case: tuple[int, int]) -> None:
    share = share_of(*case)
    assert share is not None
    assert 0 <= share.low <= share.share + 1e-12
    assert share.share - 1e-12 <= share.high <= 1


@pytest.mark.parametrize(
    ("differs", "due", "known", "answered", "verdict"),
    [
        (False, True, 1, 2, Verdict.IDENTICAL),
        (True, True, 1, 2, Verdict.PENDING),
        (True, False, 1, 2, Verdict.NEWER),
        (True, False, None, 2, Verdict.NEWER),
        (True, False, 2, 2, Verdict.DRIFTED),
        (True, False, 2, 1, Verdict.DRIFTED),
        (True, False, 2, None, Verdict.DRIFTED),
    ],
)
def test_verdicts(differs: bool, due: bool, known: int | None, answered: int | None, verdict: Verdict) -> None:  # noqa: FBT001 - rows of a table
    assert judge(differs=differs, due=due, known_ms=known, answered_ms=answered) is verdict


def test_what_could_not_be_read_says_nothing_about_the_mirror() -> None:
    someone = Orcid("0009-9990-0000-0005")
    verdicts = [Verdict.IDENTICAL] * 3 + [Verdict.NEWER] + [Verdict.UNREADABLE] * 5

    share = identical_share(count(Finding(orcid=someone, verdict=verdict) for verdict in verdicts))

    assert share is not None
    assert share.share == 0.75


def test_of_nothing_there_is_no_share() -> None:
    assert identical_share({Verdict.UNREADABLE: 4}) is None
