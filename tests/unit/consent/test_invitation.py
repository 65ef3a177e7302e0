"""Whether an iD may be connected by an invitation."""

from typing import Any

import pytest

from orcid_sync.model.consent.invitation import Outcome, Standing, judge
from orcid_sync.model.ids import Orcid

COMES, OTHER = Orcid("0000-0002-1825-0097"), Orcid("0000-0002-1694-233X")
FREE: dict[str, Any] = {
    "expected": None,
    "expected_primary": None,
    "bound": None,
    "bound_connected": False,
    "bound_primary": None,
    "holder": None,
    "connected": False,
}

CASES = [
    ({}, Outcome.GRANTED),
    ({"connected": True}, Outcome.GRANTED),
    ({"expected": COMES}, Outcome.GRANTED),
    ({"expected": OTHER}, Outcome.DIFFERENT),
    ({"expected": OTHER, "expected_primary": COMES}, Outcome.GRANTED),
    ({"expected": OTHER, "expected_primary": OTHER}, Outcome.DIFFERENT),
    ({"bound": COMES, "bound_connected": True, "connected": True}, Outcome.GRANTED),
    ({"bound": OTHER, "bound_connected": True}, Outcome.USED),
    ({"bound": OTHER, "bound_connected": True, "bound_primary": COMES}, Outcome.GRANTED),
    ({"bound": OTHER, "bound_connected": False}, Outcome.GRANTED),
    ({"holder": 7, "connected": True}, Outcome.TAKEN),
    ({"holder": 7, "connected": False}, Outcome.GRANTED),
    ({"expected": OTHER, "holder": 7, "connected": True}, Outcome.DIFFERENT),
]


@pytest.mark.fault("F64")
@pytest.mark.invariant("S18")
@pytest.mark.parametrize(("standing", "outcome"), CASES)
def test_who_may_be_connected(standing: dict[str, Any], outcome: Outcome) -> None:
    assert judge(COMES, ("/read-limited",), Standing(**FREE | standing)) is outcome


@pytest.mark.parametrize(
    ("scopes", "outcome"),
    [
        ((), Outcome.INCOMPLETE),
        (("/authenticate",), Outcome.INCOMPLETE),
        (("/read-public",), Outcome.INCOMPLETE),
        (("/read-limited", "/email/read-private"), Outcome.GRANTED),
    ],
)
def test_what_must_be_granted(scopes: tuple[str, ...], outcome: Outcome) -> None:
    assert judge(COMES, scopes, Standing(**FREE)) is outcome
