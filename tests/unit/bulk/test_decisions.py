"""Whether a record from a file may be written."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from orcid_sync.bulk.precedence import Verdict, judge, judge_details
from orcid_sync.store.mirror.bulk_load import Standing

AT = datetime(2025, 10, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

FOLLOWED = Standing(
    orcid="0000-0002-1825-0097",
    connection="connected",
    erased=False,
    leased=False,
    unconfirmed=None,
    verified_at=None,
    state=None,
    access=None,
    withheld=None,
    registry_modified_at=None,
)
STRANGER = replace(FOLLOWED, connection=None)
MIRRORED = replace(FOLLOWED, state="active", access="read-public", registry_modified_at=AT)


@pytest.mark.invariant("S4")
@pytest.mark.parametrize(
    ("standing", "verdict"),
    [
        (FOLLOWED, Verdict.LOAD),
        (replace(FOLLOWED, leased=True), Verdict.BUSY),
        (replace(FOLLOWED, unconfirmed="not-found"), Verdict.LEFT),
        (replace(FOLLOWED, connection="disconnecting"), Verdict.LEFT),
        (replace(FOLLOWED, connection="disconnected"), Verdict.LEFT),
        (STRANGER, Verdict.LEFT),
        # What is mirrored is older than the file …
        (replace(MIRRORED, registry_modified_at=AT - HOUR), Verdict.UPDATE),
        (replace(MIRRORED, registry_modified_at=AT - HOUR, verified_at=AT - HOUR), Verdict.UPDATE),
        (replace(MIRRORED, registry_modified_at=None), Verdict.UPDATE),
        (replace(MIRRORED, registry_modified_at=AT - HOUR, leased=True), Verdict.BUSY),
        # … as old …
        (MIRRORED, Verdict.CURRENT),
        # … newer, or has been compared with ORCID since the file's state was made.
        (replace(MIRRORED, registry_modified_at=AT + HOUR), Verdict.CURRENT),
        (replace(MIRRORED, registry_modified_at=AT - HOUR, verified_at=AT), Verdict.CURRENT),
        # It shows more than a file may, or ORCID has said that there is nothing to show.
        (replace(MIRRORED, registry_modified_at=AT - HOUR, access="read-limited"), Verdict.LEFT),
        *(
            (replace(MIRRORED, registry_modified_at=AT - HOUR, state=state), Verdict.LEFT)
            for state in ("locked", "deactivated", "deprecated", "not-found", "unclaimed")
        ),
        (replace(MIRRORED, registry_modified_at=AT - HOUR, withheld="all"), Verdict.LEFT),
        (replace(MIRRORED, registry_modified_at=AT - HOUR, withheld="limited"), Verdict.LEFT),
        (replace(MIRRORED, registry_modified_at=AT - HOUR, unconfirmed="deactivated"), Verdict.LEFT),
    ],
)
def test_only_what_is_older_is_overwritten(standing: Standing, verdict: Verdict) -> None:
    assert judge(standing, AT, everything=False) is verdict
    if standing.connection is not None:
        assert judge(standing, AT, everything=True) is verdict, (
            "--all changes nothing for those who are or were followed"
        )


@pytest.mark.parametrize(
    ("standing", "verdict"),
    [
        (STRANGER, Verdict.LOAD),
        (replace(MIRRORED, connection=None), Verdict.CURRENT),
        (replace(MIRRORED, connection=None, registry_modified_at=AT - HOUR), Verdict.UPDATE),
        (replace(STRANGER, erased=True), Verdict.LEFT),
    ],
)
def test_strangers_are_mirrored_if_everything_is_but_never_those_who_were_erased(
    standing: Standing, verdict: Verdict
) -> None:
    assert judge(standing, AT, everything=True) is verdict
    assert judge(standing, AT, everything=False) is Verdict.LEFT


def test_a_record_without_a_date_is_loaded_but_overwrites_nothing() -> None:
    assert judge(FOLLOWED, None, everything=False) is Verdict.LOAD
    assert judge(replace(MIRRORED, registry_modified_at=None), None, everything=False) is Verdict.CURRENT


@pytest.mark.parametrize(
    ("standing", "verdict"),
    [
        (MIRRORED, Verdict.UPDATE),
        (replace(MIRRORED, access="read-limited", verified_at=AT + HOUR), Verdict.UPDATE),
        (replace(MIRRORED, leased=True), Verdict.BUSY),
        (FOLLOWED, Verdict.LEFT),
        (replace(MIRRORED, state="locked"), Verdict.LEFT),
        (replace(MIRRORED, withheld="limited"), Verdict.LEFT),
        (replace(MIRRORED, unconfirmed="not-found"), Verdict.LEFT),
        (replace(MIRRORED, connection="disconnected"), Verdict.LEFT),
    ],
)
def test_full_forms_are_given_to_what_is_mirrored_and_open(standing: Standing, verdict: Verdict) -> None:
    assert judge_details(standing, everything=False) is verdict
