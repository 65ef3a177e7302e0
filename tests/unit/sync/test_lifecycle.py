"""What becomes of an iD after each outcome, and when it is looked at again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.sync import schedule
from orcid_sync.model.sync.record_states import TRANSITIONS, Outcome, State
from orcid_sync.model.sync.schedule import BACKOFFS, READ_LIMITED, READ_PUBLIC, Applied, Cause, Lane, Turn
from orcid_sync.registry import errors
from orcid_sync.service.record.record_states import OUTCOMES
from orcid_sync.service.sync.reconcile import FAILURES

CHANCE = st.floats(0, 1)
POLICY = schedule.Policy()
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
APPLIED = Applied(b"digest", READ_PUBLIC, 1700000000000)


def turn_of(cause: Cause, *, attempts: int = 0, owed: timedelta | None = None) -> Turn:
    lane = {Cause.NOTIFICATION: Lane.NOTIFICATION, Cause.OPERATOR: Lane.OPERATOR}.get(cause, Lane.CHECK)
    return Turn(cause, lane, attempts, owed)


@pytest.mark.parametrize(
    ("lane", "second_look_in", "verified", "cause", "owed_in"),
    [
        (Lane.NOTIFICATION, None, True, Cause.NOTIFICATION, None),
        (Lane.NOTIFICATION, None, False, Cause.NOTIFICATION, None),
        (Lane.NOTIFICATION, 5 * MINUTE, True, Cause.NOTIFICATION, 5 * MINUTE),
        (Lane.NOTIFICATION, -MINUTE, True, Cause.NOTIFICATION, None),  # looked at now, for another reason
        (Lane.OPERATOR, None, True, Cause.OPERATOR, None),
        (Lane.OPERATOR, 5 * MINUTE, True, Cause.OPERATOR, 5 * MINUTE),
        (Lane.FIRST_LOAD, None, False, Cause.FIRST_LOAD, None),
        (Lane.CHECK, None, False, Cause.FIRST_LOAD, None),  # a first load that failed before
        (Lane.CHECK, None, True, Cause.CHECK, None),
        (Lane.CHECK, timedelta(), True, Cause.SECOND_LOOK, None),
        (Lane.CHECK, -DAY, True, Cause.SECOND_LOOK, None),
        (Lane.CHECK, MINUTE, True, Cause.CHECK, MINUTE),
        (Lane.SWEEP, None, True, Cause.CHECK, None),
    ],
)
def test_why_a_turn_has_come(
    lane: Lane, second_look_in: timedelta | None, cause: Cause, owed_in: timedelta | None, *, verified: bool
) -> None:
    turn = schedule.turn(
        lane,
        attempts=3,
        leased_at=NOW,
        second_look_at=None if second_look_in is None else NOW + second_look_in,
        verified_at=NOW - DAY if verified else None,
    )
    assert turn == Turn(cause, lane, 3, owed_in)


@pytest.mark.parametrize(
    ("cause", "applied", "owed", "second_look_in"),
    [
        (Cause.NOTIFICATION, APPLIED, None, 15 * MINUTE),
        (Cause.NOTIFICATION, APPLIED, 2 * MINUTE, 15 * MINUTE),  # begins anew: ORCID's caches do as well
        (Cause.CHECK, APPLIED, None, None),
        (Cause.CHECK, APPLIED, 2 * MINUTE, 2 * MINUTE),  # a check must not swallow what a notification owes
        (Cause.OPERATOR, APPLIED, None, None),
        (Cause.FIRST_LOAD, APPLIED, None, None),
        (Cause.SECOND_LOOK, APPLIED, None, None),
    ],
)
def test_the_second_look(
    cause: Cause, applied: Applied, owed: timedelta | None, second_look_in: timedelta | None
) -> None:
    settlement = schedule.settle_read(turn_of(cause, attempts=4, owed=owed), POLICY, applied, WEEK)
    assert settlement.second_look_in == second_look_in
    assert (settlement.done, settlement.verified, settlement.attempts) == (True, True, 0)
    assert (settlement.applied, settlement.error, settlement.lane) == (applied, None, Lane.CHECK)


@pytest.mark.parametrize(
    ("sooner", "due_in"),
    [(None, WEEK), (DAY, DAY), (400 * DAY, WEEK), (MINUTE, MINUTE)],
)
def test_what_comes_earlier_brings_the_next_read_nearer(sooner: timedelta | None, due_in: timedelta) -> None:
    """A token that expires, something in doubt: whatever is first."""
    settlement = schedule.settle_read(turn_of(Cause.CHECK), POLICY, APPLIED, WEEK, sooner=(None, sooner, 30 * DAY))
    assert settlement.due_in == due_in


def test_what_is_unconfirmed_keeps_the_work_open() -> None:
    settlement = schedule.settle_read(turn_of(Cause.CHECK), POLICY, APPLIED, WEEK, unconfirmed="held: one item")
    assert (settlement.done, settlement.verified, settlement.error) == (False, False, "held: one item")
    assert (settlement.applied, settlement.attempts) == (APPLIED, 0)


@pytest.mark.parametrize(("ahead", "kept"), [(-400 * DAY, 1), (0 * DAY, 1), (300 * DAY, 1), (400 * DAY, 0)])
def test_a_date_far_ahead_is_not_believed(ahead: timedelta, kept: int) -> None:
    """Or every later answer would count as older than it."""
    date = round((NOW + ahead).timestamp() * 1000)
    assert schedule.believable(date, NOW) == (date if kept else None)
    assert schedule.believable(None, NOW) is None


@pytest.mark.parametrize("outcome", OUTCOMES.values())
def test_after_an_answer_about_the_state(outcome: Outcome) -> None:
    fate = TRANSITIONS[State.ACTIVE, outcome]
    settlement = schedule.settle_state(turn_of(Cause.CHECK, owed=MINUTE), POLICY, fate, READ_LIMITED)
    assert (settlement.due_in, settlement.unconfirmed) == (fate.again_in, None)
    assert (settlement.done, settlement.verified, settlement.second_look_in) == (True, True, MINUTE)
    # No digest and no date: whatever comes back is compared, however old it says that it is.
    assert settlement.applied == Applied(None, READ_LIMITED, None)


@pytest.mark.parametrize("outcome", OUTCOMES.values())
def test_a_notification_owes_a_second_look_whatever_it_found(outcome: Outcome) -> None:
    fate = TRANSITIONS[State.ACTIVE, outcome]
    settlement = schedule.settle_state(turn_of(Cause.NOTIFICATION), POLICY, fate, READ_PUBLIC)
    assert settlement.second_look_in == POLICY.second_look


KINDS = st.sampled_from([*BACKOFFS, "a kind that nobody thought of"])


@given(KINDS, st.integers(1, 10_000), CHANCE)
def test_back_offs_keep_to_their_bounds(kind: str, attempts: int, chance: float) -> None:
    spacing = BACKOFFS.get(kind, BACKOFFS["malformed"])
    assert spacing.base <= schedule.backoff(kind, attempts, chance) <= spacing.cap
    assert schedule.backoff(kind, 1, chance) == spacing.base
    assert schedule.backoff(kind, attempts, 1.0) <= schedule.backoff(kind, attempts + 1, 1.0)
    assert schedule.backoff(kind, 40, 1.0) == spacing.cap


@pytest.mark.parametrize(
    ("kind", "longest"),
    [
        ("busy", [5, 10, 20, 40, 80]),
        ("unavailable", [5, 10, 20, 40, 80]),
        ("stale", [300, 600, 1200, 2400, 3600]),
        ("unauthorized", [3600, 7200, 14_400, 28_800, 57_600, 86_400]),
        ("malformed", [900, 1800, 3600, 7200]),
    ],
)
def test_back_offs_double(kind: str, longest: list[int]) -> None:
    assert [schedule.backoff(kind, n, 1.0).total_seconds() for n in range(1, len(longest) + 1)] == longest


def test_a_401_is_tried_for_a_day_at_least() -> None:
    """Three more tries over 24 hours (contract section 2.6); here with the worst luck."""
    waits = [schedule.backoff("unauthorized", n, 0.0) for n in range(1, 25)]
    assert waits[0] >= HOUR
    assert sum(waits, timedelta()) >= DAY


@given(KINDS, st.sampled_from(Cause), st.integers(0, 100), CHANCE)
def test_a_failure_changes_nothing_but_the_time_of_the_next_try(
    kind: str, cause: Cause, attempts: int, chance: float
) -> None:
    """The mirror is left alone (S10), and the iD keeps its place in the queue."""
    turn = turn_of(cause, attempts=attempts, owed=MINUTE)
    settlement = schedule.settle_failure(turn, kind, chance, "busy: 503")
    assert (settlement.done, settlement.applied, settlement.verified) == (False, None, False)
    assert (settlement.lane, settlement.attempts, settlement.error) == (turn.lane, attempts + 1, "busy: 503")
    assert settlement.due_in > timedelta()


def every_kind() -> set[str]:
    """The kinds of all errors of the Registry that are no state, and of our own."""
    found: set[str] = set()
    todo = [errors.RegistryError]
    while todo:
        error = todo.pop()
        todo += error.__subclasses__()
        if error is not errors.RegistryError and error not in OUTCOMES:
            found.add(error.kind)
    return found | set(FAILURES.values())


@pytest.mark.parametrize("kind", sorted(every_kind()))
def test_every_kind_of_failure_waits_a_sensible_time(kind: str) -> None:
    assert timedelta(seconds=5) <= schedule.backoff(kind, 1, 0.5) <= HOUR
    assert schedule.backoff(kind, 1000, 0.5) <= DAY


def test_every_back_off_belongs_to_a_failure() -> None:
    parts = {"full_form", "full_form_of_another_edit", "full_form_refused", "full_form_not_asked", "section_unspoken"}
    assert set(BACKOFFS) <= every_kind() | {"scope_not_granted", "webhook_refused"} | parts


@pytest.mark.parametrize("outcome", [Outcome.DEACTIVATED, Outcome.DEPRECATED, Outcome.NOT_FOUND])
def test_what_closes_a_record_waits_for_a_second_answer(outcome: Outcome) -> None:
    settlement = schedule.settle_unconfirmed(POLICY, TRANSITIONS[State.ACTIVE, outcome])
    assert (settlement.done, settlement.applied, settlement.unconfirmed) == (False, None, outcome.value)
    assert settlement.due_in == POLICY.second_look


def test_a_step_is_followed_by_its_read_at_once_and_in_its_lane() -> None:
    settlement = schedule.settle_step(turn_of(Cause.NOTIFICATION))
    assert (settlement.done, settlement.due_in, settlement.lane) == (False, timedelta(), Lane.NOTIFICATION)


@pytest.mark.fault("F56")
@pytest.mark.parametrize(
    ("refusals", "since", "long"),
    [
        (1, None, False),
        (3, None, False),
        (2, 2 * DAY, False),
        (3, DAY - MINUTE, False),
        (3, DAY, True),
        (2, 40 * DAY, False),
        (9, 40 * DAY, True),
        (9, -DAY, False),  # a clock that was set back proves nothing
    ],
)
def test_a_token_is_taken_for_revoked_after_three_refusals_over_a_day(
    refusals: int, since: timedelta | None, *, long: bool
) -> None:
    moment = None if since is None else NOW - since
    assert schedule.refused_for_long(POLICY, refusals, moment, NOW) == long


@pytest.mark.fault("F57")
@pytest.mark.parametrize(
    ("refused", "answered", "outage"),
    [
        (1, 0, False),  # one who leaves an institution of one
        (2, 0, False),
        (3, 0, True),
        (3, 57, False),  # exactly one in twenty
        (3, 56, True),
        (50, 950, False),
        (51, 949, True),
        (1000, 0, True),
    ],
)
def test_many_refused_tokens_are_an_outage(refused: int, answered: int, *, outage: bool) -> None:
    assert schedule.outage(POLICY, refused, answered, NOW - 2 * DAY, NOW) == outage
    assert schedule.outage(POLICY, refused, answered, NOW - 29 * DAY, NOW) == outage
    assert not schedule.outage(POLICY, refused, answered, NOW - 30 * DAY, NOW)  # none lasts so long


@pytest.mark.parametrize(
    ("since", "confirmed"),
    [(None, False), (timedelta(), False), (14 * MINUTE, False), (15 * MINUTE, True), (DAY, True), (-DAY, False)],
)
def test_a_second_answer_confirms_after_fifteen_minutes(since: timedelta | None, *, confirmed: bool) -> None:
    """ORCID's caches hold for so long (contract section 3.9)."""
    assert schedule.confirmed(POLICY, None if since is None else NOW - since, NOW) == confirmed
