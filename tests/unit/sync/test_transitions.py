"""What becomes of a record and of our access: every pair of both tables, and that states.md draws them."""

from datetime import timedelta
from pathlib import Path

import pytest

from orcid_sync.model.sync.record_states import (
    ACCESS_TRANSITIONS,
    EMPTIED,
    TRANSITIONS,
    AccessState,
    Fate,
    Heard,
    Outcome,
    State,
    Withhold,
    access_drawing,
    record_drawing,
    withheld,
)
from orcid_sync.registry.errors import RegistryError
from orcid_sync.service.record.record_states import OUTCOMES

STATES = (Path(__file__).parents[3] / "deploy" / "docs" / "states.md").read_text("utf-8")
DAY = timedelta(days=1)

TARGETS: dict[Outcome, tuple[State, Withhold, str | None, timedelta | None]] = {
    Outcome.RECORD: (State.ACTIVE, Withhold.NOTHING, None, None),
    Outcome.LOCKED: (State.LOCKED, Withhold.AS_SET, None, DAY),
    Outcome.UNCLAIMED: (State.UNCLAIMED, Withhold.ALL, None, DAY),
    Outcome.DEACTIVATED: (State.DEACTIVATED, Withhold.NOTHING, "record-deactivated", 7 * DAY),
    Outcome.DEPRECATED: (State.DEPRECATED, Withhold.NOTHING, "record-deprecated", 30 * DAY),
    Outcome.NOT_FOUND: (State.NOT_FOUND, Withhold.ALL, None, 7 * DAY),
}

TWICE = {Outcome.DEACTIVATED, Outcome.DEPRECATED, Outcome.NOT_FOUND}

PAIRS = [(state, outcome) for state in State for outcome in Outcome]


def fate_of(pair: tuple[State, Outcome]) -> Fate:
    return TRANSITIONS[pair]


def test_the_table_has_every_pair() -> None:
    assert list(TRANSITIONS) == PAIRS
    assert len(PAIRS) == 6 * 8


@pytest.mark.fault("F62", "F63")
@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair[1] in TARGETS], ids="-".join)
def test_an_answer_leads_to_the_same_state_from_everywhere(pair: tuple[State, Outcome]) -> None:
    """Which is why the drawing may leave out most arrows."""
    (before, outcome), fate = pair, fate_of(pair)
    assert (fate.state, fate.withholds, fate.removes, fate.again_in) == TARGETS[outcome]
    assert fate.confirm == (outcome in TWICE and before is not fate.state)
    assert fate.first_load == (outcome is Outcome.RECORD and before in {State.DEACTIVATED, State.DEPRECATED})


@pytest.mark.invariant("S10")
@pytest.mark.parametrize("state", State)
def test_what_tells_nothing_changes_nothing(state: State) -> None:
    fate = fate_of((state, Outcome.NOTHING))
    assert fate == Fate(state=state, withholds=Withhold.AS_BEFORE)
    for before in (None, "limited", "all"):
        assert withheld(fate.withholds, before=before) == before


@pytest.mark.fault("F56")
@pytest.mark.parametrize("state", State)
def test_a_refused_token_hides_what_is_limited_and_removes_nothing(state: State) -> None:
    fate = fate_of((state, Outcome.REFUSED))
    assert fate == Fate(state=state, withholds=Withhold.LIMITED)


@pytest.mark.invariant("S8")
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_nothing_goes_that_was_not_said_twice(pair: tuple[State, Outcome]) -> None:
    fate = fate_of(pair)
    if fate.removes:
        assert fate.confirm or pair[0] is fate.state  # where nothing is left
        assert fate.state in EMPTIED


def test_every_answer_about_a_state_has_its_outcome() -> None:
    assert set(OUTCOMES.values()) == set(TARGETS) - {Outcome.RECORD}
    assert all(issubclass(error, RegistryError) for error in OUTCOMES)
    assert [outcome.value for outcome in TARGETS] == [state.value for state in State]


@pytest.mark.parametrize(
    ("withhold", "before", "hide_locked", "after"),
    [
        (Withhold.NOTHING, "all", False, None),
        (Withhold.LIMITED, None, False, "limited"),
        (Withhold.LIMITED, "limited", False, "limited"),
        (Withhold.LIMITED, "all", False, "all"),  # what was hidden stays hidden
        (Withhold.ALL, None, False, "all"),
        (Withhold.ALL, "limited", False, "all"),
        (Withhold.AS_SET, None, False, None),
        (Withhold.AS_SET, None, True, "all"),
        (Withhold.AS_SET, "all", False, None),
        (Withhold.AS_BEFORE, "limited", True, "limited"),
    ],
)
def test_what_readers_are_not_shown(
    withhold: Withhold, before: str | None, after: str | None, *, hide_locked: bool
) -> None:
    assert withheld(withhold, before=before, hide_locked=hide_locked) == after


G, S, R, E, P = AccessState
ACCESS: dict[Heard, dict[AccessState, AccessState]] = {
    Heard.ANSWERED: {G: G, S: G, R: R, E: E, P: P},
    Heard.REFUSED: {G: S, S: S, R: R, E: E, P: P},
    Heard.FOREIGN: {G: S, S: S, R: R, E: E, P: P},
    Heard.REFUSED_FOR_LONG: {G: R, S: R, R: R, E: E, P: P},
    Heard.EXPIRED: {G: E, S: E, R: R, E: E, P: P},
    Heard.NARROWED: {G: G, S: S, R: R, E: E, P: P},
    Heard.CLOSED: {G: R, S: R, R: R, E: E, P: P},
}
ENDS = {Heard.REFUSED_FOR_LONG: "revoked", Heard.EXPIRED: "expired", Heard.CLOSED: "revoked"}
HIDES = {Heard.REFUSED, Heard.FOREIGN, Heard.REFUSED_FOR_LONG, Heard.EXPIRED}


@pytest.mark.fault("F56", "F58", "F59")
@pytest.mark.parametrize(
    ("before", "heard"), [(before, heard) for before in AccessState for heard in Heard], ids=lambda value: value.value
)
def test_what_becomes_of_our_access(before: AccessState, heard: Heard) -> None:
    fate = ACCESS_TRANSITIONS[before, heard]
    assert fate.standing is ACCESS[heard][before]
    assert (fate.entry.event if fate.entry else None) == (ENDS.get(heard) if before in {G, S} else None)
    hides = heard is Heard.NARROWED or (heard in HIDES and before in {G, S})
    assert (fate.withholds is Withhold.LIMITED) == hides


def test_the_access_table_has_every_pair() -> None:
    assert len(ACCESS_TRANSITIONS) == len(AccessState) * len(Heard) == sum(map(len, ACCESS.values()))


@pytest.mark.parametrize("drawing", [record_drawing(), access_drawing()], ids=["records", "access"])
def test_the_document_draws_the_tables(drawing: str) -> None:
    """After a change of the tables: print(record_drawing()), print(access_drawing())."""
    assert f"```mermaid\n{drawing}\n```\n" in STATES


def test_the_drawing_of_records_shows_every_state() -> None:
    drawing = record_drawing()
    for state in State:
        assert f"--> {state.value.replace('-', '_')}:" in drawing
    assert drawing.count("twice") == len(TWICE)
    assert drawing.count("first load") == len(EMPTIED)


def test_the_drawing_of_access_shows_every_change() -> None:
    drawing = access_drawing()
    assert "granted --> suspect: refused, limited items hidden" in drawing
    assert "suspect --> revoked: refused for long, limited items hidden" in drawing
    assert "suspect --> granted: answered" in drawing
    assert "granted --> revoked: refused for long" not in drawing
