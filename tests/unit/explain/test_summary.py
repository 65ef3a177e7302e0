"""The facts below a diagnosis: each by its name, and marked where it is not as it should be."""

from typing import Any

import msgspec
import pytest

from orcid_sync.model.analysis.audit import Finding, Verdict
from orcid_sync.model.explain.facts import Facts, Limits, WebhookHealth
from orcid_sync.model.explain.summary import standing
from orcid_sync.model.sync.schedule import Lane
from unit.console.test_reasons import HOUR, NOW, WEBHOOK, WELL, but

Told = dict[str, tuple[str, bool]]


def told(facts: Facts) -> Told:
    return {fact.name: (fact.value, fact.doubtful) for fact in standing(facts)}


def test_when_all_is_well_nothing_is_doubtful() -> None:
    assert told(msgspec.structs.replace(WELL, items={"public": 5, "limited": 2})) == {
        "connection": ("connected since 8 May 2026, 04:15 UTC", False),
        "access": ("the holder's token (/read-limited)", False),
        "record": ("active", False),
        "changed at ORCID": ("10 May 2026, 06:15 UTC", False),
        "changed here": ("10 May 2026, 06:15 UTC", False),
        "items": ("5 public and 2 limited", False),
        "webhook": ("active, registered 8 May 2026, 04:15 UTC, last called 10 May 2026, 06:15 UTC", False),
        "last notification": ("10 May 2026, 06:15 UTC", False),
        "last verified": ("12 May 2026, 06:15 UTC (read-limited, activities-summary, person)", False),
        "next read": ("16 May 2026, 12:15 UTC (in 4 days; lane check)", False),
    }


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (but(connection=None), {"connection": ("none", True)}),
        (
            but(connection={"state": "disconnected", "disconnected_at": NOW - HOUR}),
            {"connection": ("disconnected since 12 May 2026, 07:15 UTC", True)},
        ),
        (
            but(connection={"access_state": "public", "scopes": []}),
            {"access": ("the client's own token: public items only", False)},
        ),
        (
            but(connection={"access_state": "suspect", "refusals": 2}),
            {"access": ("the holder's token (/read-limited), refused 2 times", True)},
        ),
        (
            but(connection={"access_state": "revoked"}),
            {"access": ("the client's own token; the holder's was revoked", True)},
        ),
        (
            but(connection={"scopes": [], "expires_at": NOW + HOUR}),
            {"access": ("the holder's token (no scopes came with it), until 12 May 2026, 09:15 UTC", False)},
        ),
        (
            but(connection={"scopes": [], "shown": ["person"]}),
            {
                "access": (
                    "the holder's token (no scopes came with it; it has shown more than what is public of: person)",
                    False,
                )
            },
        ),
        (but(record=None), {"record": ("not read yet", True)}),
        (
            but(record={"state": "deprecated", "primary_orcid": "0000-0002-1825-0098", "withheld": "all"}),
            {
                "record": ("deprecated, now 0000-0002-1825-0098", True),
                "hidden from readers": ("everything", True),
            },
        ),
        (but(record={"withheld": "limited"}), {"hidden from readers": ("all items that are not public", True)}),
        (but(webhooks=[], hearing=WebhookHealth(wanted=False)), {"webhook": ("switched off", False)}),
        (
            but(webhooks=[msgspec.structs.replace(WEBHOOK, suspect_since=NOW, awaited_since=NOW - HOUR)]),
            {
                "webhook": (
                    (
                        "active, registered 8 May 2026, 04:15 UTC, last called 10 May 2026, 06:15 UTC, suspect since "
                        "12 May 2026, 08:15 UTC, waiting for a call about the change of 12 May 2026, 07:15 UTC"
                    ),
                    True,
                )
            },
        ),
        (
            but(
                webhooks=[
                    msgspec.structs.replace(
                        WEBHOOK, state="removing", present=False, registered_at=None, last_called_at=None
                    )
                ]
            ),
            {"webhook": ("removing, at an earlier address, never confirmed, has never called", True)},
        ),
        (but(queue={"notified_at": None}), {"last notification": ("none", False)}),
        (but(queue={"verified_at": None}), {"last verified": ("never", True)}),
        (but(queue={"read_with": None}), {"last verified": ("12 May 2026, 06:15 UTC (?)", False)}),
        (
            but(queue={"attempts": 2, "last_error": "busy: 503"}),
            {"failing": ("2 times in a row: busy: 503", True)},
        ),
        (
            but(queue={"unconfirmed": "not-found", "unconfirmed_at": NOW - HOUR}),
            {"not confirmed yet": ("not-found, on 12 May 2026, 07:15 UTC", True)},
        ),
        (but(queue={"leased": True}), {"next read": ("running now", False)}),
        (
            but(queue={"due_at": NOW, "lane": Lane.FIRST_LOAD}),
            {"next read": ("12 May 2026, 08:15 UTC (due for 0 seconds; lane first load)", False)},
        ),
        (but(queue={"second_look_at": NOW + HOUR}), {"second look": ("12 May 2026, 09:15 UTC", False)}),
        (but(limits=Limits(used=7, daily_requests=10)), {"requests today": ("7 of 10", False)}),
        (but(limits=Limits(used=7, daily_requests=10, shed=True)), {"requests today": ("7 of 10, used up", True)}),
        (but(limits=Limits(used=7, used_up_seconds=5.0)), {"requests today": ("7, used up", True)}),
        (
            but(limits=Limits(failing_since=NOW - HOUR)),
            {"ORCID": ("no usable answer since 12 May 2026, 07:15 UTC", True)},
        ),
        (
            but(now=Finding(orcid=WELL.orcid, verdict=Verdict.IDENTICAL)),
            {"ORCID now": ("the same as the mirror", False)},
        ),
        (
            but(now=Finding(orcid=WELL.orcid, verdict=Verdict.NEWER, differences={"work missing": 2})),
            {"ORCID now": ("2 work missing", True)},
        ),
    ],
)
def test_what_is_said_of_what(facts: Facts, expected: Told) -> None:
    found = told(facts)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (but(record={"registry_modified_at": None}), "changed at ORCID"),
        (but(queue=None), "next read"),
        (but(queue=None), "last verified"),
        (but(connection=None), "next read"),
        (but(connection={"state": "disconnected"}), "next read"),
        (but(queue={"second_look_at": NOW}), "second look"),
        (but(queue={"unconfirmed": "not-found"}), "not confirmed yet"),
        (but(webhooks=[]), "webhook"),
        (WELL, "failing"),
        (WELL, "items"),
        (WELL, "ORCID"),
        (WELL, "ORCID now"),
        (WELL, "requests today"),
        (WELL, "hidden from readers"),
    ],
)
def test_what_is_not_known_or_not_so_is_left_out(facts: Facts, name: str) -> None:
    assert name not in told(facts)


@pytest.mark.parametrize(
    "change", [{"state": "registering"}, {"state": "reviving"}, {"state": "active", "suspect_since": NOW}]
)
def test_a_webhook_that_is_not_sound_is_marked(change: dict[str, Any]) -> None:
    assert told(but(webhooks=[msgspec.structs.replace(WEBHOOK, **change)]))["webhook"][1]
    assert not told(but(webhooks=[msgspec.structs.replace(WEBHOOK, state="verifying")]))["webhook"][1]
