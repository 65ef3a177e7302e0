"""What is concluded from answers: when the Registry may be away, when it has a limit, when neither."""

from collections.abc import Iterable
from random import Random

import msgspec
import pytest

from orcid_sync.model.sync.registry_health import (
    BRAKE_FLOOR,
    BRAKE_SECONDS,
    BRAKE_STEP,
    DOUBTFUL_FAILURES,
    DOUBTFUL_IDS,
    WINDOW_REQUESTS,
    WINDOW_SECONDS,
    Health,
    Heard,
    Judgement,
    Sign,
    Window,
    judge,
)

CALM = Health(rate=20.0, ceiling=20.0)
ANSWERED, UNSHOWN, CROWDED, LIMITED, AWAY = Sign
FAILURES = [UNSHOWN, CROWDED, AWAY]


def heard(*answers: tuple[Sign, int], probe: bool = False) -> Heard:
    all_of_it = Heard(probe=probe)
    for sign, who in answers:
        all_of_it = all_of_it.plus(sign, who)
    return all_of_it


def later(health: Health, seconds: float, sent: float = 0) -> Health:
    """The same after so much time and so many requests."""
    moved = {
        name: None if (before := getattr(health, name)) is None else before + seconds
        for name in ("failing_seconds", "slowed_seconds")
    }
    window = msgspec.structs.replace(
        health.window, seconds=health.window.seconds + seconds, sent=health.window.sent + sent
    )
    return msgspec.structs.replace(health, window=window, **moved)


def one_by_one(answers: Iterable[tuple[Sign, int]], health: Health = CALM, every: float = 0.5) -> Judgement:
    judgement = Judgement(health)
    for answer in answers:
        judgement = judge(later(judgement.health, every, sent=1), heard(answer))
    return judgement


@pytest.mark.fault("F33")
@pytest.mark.parametrize("sign", FAILURES)
@pytest.mark.parametrize(
    ("ids", "times", "doubted"),
    [
        (1, DOUBTFUL_IDS, False),
        (1, DOUBTFUL_FAILURES - 1, False),
        (1, DOUBTFUL_FAILURES, True),
        (DOUBTFUL_IDS - 1, DOUBTFUL_FAILURES - 1, False),
        (DOUBTFUL_IDS, DOUBTFUL_IDS, True),
        (DOUBTFUL_IDS, DOUBTFUL_IDS - 1, False),
    ],
)
def test_failures_in_a_row_are_counted_by_whom_they_concern(sign: Sign, ids: int, times: int, doubted: bool) -> None:  # noqa: FBT001 - a row
    health = one_by_one((sign, number % ids) for number in range(times)).health
    assert (health.doubted, health.away, health.rate) == (doubted, False, CALM.rate)


@pytest.mark.parametrize("sign", FAILURES)
def test_an_answer_starts_the_count_anew(sign: Sign) -> None:
    row = [(sign, number) for number in range(DOUBTFUL_IDS - 1)]
    health = one_by_one([*row, (ANSWERED, 0), *row]).health
    assert (health.doubted, health.failures) == (False, DOUBTFUL_IDS - 1)
    assert not judge(CALM, heard(*row, (ANSWERED, 0), *row)).health.doubted, "told in one go, too"


def test_one_answer_that_was_not_given_tells_of_no_outage() -> None:
    """And neither do 503 that come at once: a limit refuses several, while others are answered."""
    burst = [(CROWDED, number) for number in range(20)]
    assert not judge(CALM, heard(*burst)).health.doubted
    doubted = judge(later(judge(CALM, heard(*burst)).health, 1.1), heard((CROWDED, 1)))
    assert doubted.health.doubted


def doubtful() -> Health:
    return one_by_one([(AWAY, number) for number in range(DOUBTFUL_IDS)]).health


@pytest.mark.fault("F33", "F42")
@pytest.mark.parametrize("sign", FAILURES)
def test_only_the_fixed_question_tells_that_the_registry_is_away(sign: Sign) -> None:
    on_its_way = judge(doubtful(), heard((AWAY, 9), (UNSHOWN, 10)))
    assert (on_its_way.health, on_its_way.went) == (doubtful(), False)
    first = judge(later(doubtful(), 3), heard((sign, 0), probe=True))
    assert (first.health.away, first.went) == (True, True)
    second = judge(later(first.health, 5), heard((sign, 0), probe=True))
    assert (second.health.away, second.went) == (True, False), "which is said once"
    back = judge(later(second.health, 10), heard((ANSWERED, 0), probe=True))
    assert back.returned_after == pytest.approx(18, abs=3)
    assert (back.health.doubted, back.health.away, back.health.failures) == (False, False, 0)
    assert back.health.rate == CALM.rate, "the rate is what it was"


@pytest.mark.parametrize("probe", [False, True])
def test_a_doubt_that_an_answer_ends_is_not_worth_a_word(probe: bool) -> None:  # noqa: FBT001 - a row
    ended = judge(doubtful(), heard((ANSWERED, 0), probe=probe))
    assert (ended.health.doubted, ended.went, ended.returned_after) == (False, False, None)


@pytest.mark.fault("F31")
@pytest.mark.parametrize(
    ("share", "brakes"), [(0.001, False), (0.015, False), (0.05, False), (0.25, True), (0.5, True), (0.9, True)]
)
def test_a_limit_is_told_from_chance_by_its_share(share: float, brakes: bool) -> None:  # noqa: FBT001 - a row
    chance, health, slowed = Random(1), CALM, 0
    for number in range(2_000):
        sign = CROWDED if chance.random() < share else ANSWERED
        judgement = judge(later(health, 1 / health.rate, sent=1), heard((sign, number)))
        health, slowed = judgement.health, slowed + judgement.slowed
    assert (slowed > 0) == brakes
    if not brakes:
        assert health.rate == CALM.rate


@pytest.mark.parametrize(("number", "brakes"), [(1, False), (2, False), (3, True)])
def test_of_few_requests_three_must_be_refused(number: int, brakes: bool) -> None:  # noqa: FBT001 - a row
    answers = [(CROWDED, who) for who in range(number)]
    assert one_by_one([*answers, (ANSWERED, 0)]).slowed == brakes


@pytest.mark.parametrize(("refused", "rate"), [(12, 12.0), (20, 11.0), (24, 10.0), (36, 10.0)])
def test_the_more_is_refused_the_longer_is_the_step(refused: int, rate: float) -> None:
    """Down to a little less than what was not refused, but by half at most."""
    window = Window(seconds=3, sent=50, refused=refused - 1)
    health = msgspec.structs.replace(CALM, window=window, failures=1, crowded=1)
    assert judge(health, heard((ANSWERED, 1))).health.rate == pytest.approx(rate, rel=0.1)


def test_503_that_no_answer_follows_are_an_outages_and_slow_nothing_down() -> None:
    health = one_by_one((CROWDED, number) for number in range(50)).health
    assert (health.doubted, health.rate) == (True, CALM.rate)
    back = judge(health, heard((ANSWERED, 0), probe=True)).health
    assert (back.rate, back.window.refused) == (CALM.rate, 0)
    assert one_by_one([(ANSWERED, 1), (CROWDED, 2), (ANSWERED, 3)], back).health.rate == CALM.rate


@pytest.mark.parametrize("age", [WINDOW_SECONDS / 2, WINDOW_SECONDS * 2.1])
def test_what_was_refused_long_ago_counts_no_more(age: float) -> None:
    before = one_by_one([(CROWDED, 1), (CROWDED, 2), (ANSWERED, 3)]).health
    judgement = one_by_one([(CROWDED, 4), (ANSWERED, 5)], later(before, age))
    assert judgement.slowed == (age < WINDOW_SECONDS)


def test_the_window_slides() -> None:
    """However long its stretches are, it shows the share of the last of them."""
    long = Window(seconds=600, sent=6_000, refused=600).renewed()
    assert (long.seconds, long.sent, long.refused) == (0, 0, 0)
    assert long.sent_before == pytest.approx(WINDOW_REQUESTS)
    assert long.refused_before == pytest.approx(WINDOW_REQUESTS / 10)
    assert Window(seconds=5, sent=30, refused=1).renewed() == Window(seconds=5, sent=30, refused=1)


@pytest.mark.fault("F31")
def test_429_and_retry_after_slow_down_at_once_by_a_step_in_some_seconds() -> None:
    health, rates = CALM, []
    for _ in range(3):
        health = judge(health, heard((LIMITED, 1))).health
        rates.append(health.rate)
    assert rates == [pytest.approx(CALM.rate * BRAKE_STEP)] * 3
    for _ in range(20):
        health = judge(later(health, BRAKE_SECONDS), heard((LIMITED, 1))).health
    assert health.rate == pytest.approx(CALM.ceiling * BRAKE_FLOOR)


def test_what_the_fixed_question_hears_slows_nothing_down() -> None:
    for sign in Sign:
        assert judge(doubtful(), heard((sign, 0), probe=True)).health.rate == CALM.rate
