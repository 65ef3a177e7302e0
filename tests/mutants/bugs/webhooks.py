"""Seeded bugs: taking notifications, and knowing whether webhooks live."""

from mutant import mutant

DURABILITY = "tests/acceptance/test_durability.py"

BUGS = [
    mutant(
        "ack-before-commit",
        "204 is sent while the mark is still on its way to the database",
        DURABILITY,
        ("orcid_sync/service/webhooks/group_commit.py", "        return await acknowledged\n", "        return True\n"),
    ),
    mutant(
        "ack-on-failure",
        "204 is sent although PostgreSQL could not take the mark",
        f"{DURABILITY} -k postgresql",
        (
            "orcid_sync/service/webhooks/intake.py",
            "            answer = UNAVAILABLE\n",
            "            answer = ACKNOWLEDGED\n",
        ),
    ),
    mutant(
        "outage-survived",
        "webhooks that died while nobody could answer ORCID stay dead until a change of each is missed",
        "tests/integration/webhooks/test_silent_webhooks.py -k three_days",
        (
            "orcid_sync/service/webhooks/health.py",
            "    if health.alive_since and health.outage is None",
            "    if False",
        ),
    ),
    mutant(
        "gap-bridged",
        "a process that was away for hours says afterwards that it was there",
        "tests/integration/webhooks/test_evidence.py -k goes_on",
        (
            "orcid_sync/store/webhooks/evidence.sql",
            "select last.* from last where last.alive_until >= now() - :tolerance::interval",
            "select last.* from last where :tolerance::interval > '0'",
        ),
    ),
    mutant(
        "found-early-forgotten",
        "what a net finds before its notification is never missed: nets hide dead webhooks",
        "tests/integration/webhooks/test_evidence.py -k decided_later",
        (
            "orcid_sync/store/webhooks/evidence.py",
            "        await queries.await_notification(connection, orcid=orcid, changed_at=changed_at)\n",
            "",
        ),
    ),
    mutant(
        "old-webhooks-too-early",
        "while a secret is replaced, older webhooks go before a new one was seen working",
        "tests/integration/webhooks/test_rotation.py -k old_ones",
        (
            "orcid_sync/model/webhooks/registration.py",
            "    return stands and (present.generation.works or old.generation.given_up_at is not None)",
            "    return stands",
        ),
    ),
    mutant(
        "webhook-stops-read",
        "a webhook that ORCID does not take keeps its record from being read",
        "tests/integration/reconcile/test_side_steps.py -k registration-500",
        (
            "orcid_sync/service/record/side_steps.py",
            "        if isinstance(error, Paused) and not isinstance(error, UsedUp):\n            raise\n",
            "        if isinstance(error, RegistryError):\n            raise\n",
        ),
    ),
    mutant(
        "side-step-forgotten",
        "a webhook that failed is tried again only with the next routine read, in a week",
        "tests/integration/webhooks/test_registration.py -k cut_off",
        (
            "orcid_sync/service/sync/reconcile.py",
            "settlement=no_later(finding.settlement, job.again_in))",
            "settlement=finding.settlement)",
        ),
    ),
    mutant(
        "back-off-not-kept",
        "each notification tries a webhook again that ORCID has just refused",
        "tests/integration/reconcile/test_side_steps.py -k shorten",
        (
            "orcid_sync/service/webhooks/registration.py",
            "        if is_waiting(step.again_in) and not effort.at_once:\n            return step.again_in\n",
            "",
        ),
    ),
    mutant(
        "evidence-undoes-commit",
        "what cannot be noted about a webhook undoes the reconciliation that it is about",
        "tests/integration/reconcile/test_side_steps.py -k evidence",
        (
            "orcid_sync/service/webhooks/evidence.py",
            "        async with connection.transaction():\n",
            "        if True:\n",
        ),
    ),
]
