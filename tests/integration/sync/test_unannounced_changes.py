"""Without any notification every change appears at its check: webhooks only make it sooner (design section 2)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orcid_sync.store.sync import sweeps
from rig.service.reconciler import Bench, O

FIVE_DAYS = timedelta(days=5)


def _some(bench: Bench, section: str) -> int:
    """Put-code of an item of the record's holder."""
    items = bench.registry.profiles.state(O).of(section).values()
    return next(item.put_code for item in items if item.visibility == "public" and item.source.orcid == O)


EDITS: dict[str, Callable[[Bench], Any]] = {
    "added": lambda bench: bench.registry.edit.add_item(O, "work", {"title": "Unheard of", "type": "other"}),
    "updated": lambda bench: bench.registry.edit.edit_item(O, "funding", _some(bench, "funding"), {"title": "Mended"}),
    "removed": lambda bench: bench.registry.edit.remove_item(O, "employment", _some(bench, "employment")),
    "hidden": lambda bench: bench.registry.edit.set_visibility(O, "keyword", _some(bench, "keyword"), "private"),
    "moved": lambda bench: bench.registry.edit.set_display_index(O, "work", _some(bench, "work"), 99),
}


@pytest.mark.invariant("L3")
@pytest.mark.parametrize("webhooks", [True, False], ids=["webhooks silent", "no webhooks"])
@pytest.mark.parametrize("edit", EDITS)
async def test_every_change_appears_at_the_next_check(bench: Bench, edit: str, *, webhooks: bool) -> None:
    if not webhooks:
        bench.reconciler = replace(bench.reconciler, subscription=None)
    await bench.connect()
    await bench.turn()
    head = await bench.head()
    EDITS[edit](bench)

    assert await bench.due_in() <= timedelta(hours=bench.settings.check_interval_hours)
    assert await bench.when_due() == "changed"

    await bench.assert_mirrored()
    assert {change["cause"] for change in await bench.changes(head)} == {"check"}
    assert (await bench.webhook_rows() != []) == webhooks


@pytest.mark.invariant("L3")
async def test_an_interval_that_was_shortened_holds_for_checks_that_were_planned_before(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    assert await bench.due_in() > FIVE_DAYS

    assert await sweeps.bring_checks_nearer(bench.connection, interval=FIVE_DAYS) == 1

    assert await bench.due_in() <= FIVE_DAYS
