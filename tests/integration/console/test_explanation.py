"""Why is it so? The usual complaints, each as it comes about at a simulated Registry, and the sentence that answers."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from orcid_sync.model.explain.explanation import Explanation
from orcid_sync.model.ids import Orcid
from orcid_sync.model.scopes import View
from orcid_sync.model.sync.registry_health import DOUBTFUL_FAILURES, Heard
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.model.webhooks.health import Rules
from orcid_sync.service.explain.explain import Question, explain_one
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent.erasure import erase
from orcid_sync.store.database.pools import Database
from orcid_sync.store.sync import pace_and_circuit
from orcid_sync.store.sync import read_journal as reads
from orcid_sync.store.sync.pace_and_circuit import Terms
from orcid_sync.store.sync.queue import Lease
from rig.records import planted_mirror
from rig.service.reconciler import LIMITED, OTHER, SECOND_LOOK, Bench, O

DAY = timedelta(days=1)
DOI = "10.5555/explained.1"


async def explained(bench: Bench, orcid: Orcid, *, item: str | None = None, view: View | None = None) -> Explanation:
    """The explanation, as every reader of it gets it."""
    question = Question(view=view, rules=Rules(), client_id=CLIENT_ID, item=item)
    return await explain_one(bench.connection, orcid, question)


def work(bench: Bench, orcid: Orcid, title: str, *dois: str, visibility: str = "public") -> int:
    """Somebody adds a work at ORCID; its put-code."""
    content = {"title": title, "external-ids": [("doi", doi, "self", None) for doi in dois]}
    return bench.registry.edit.add_item(orcid, "work", content, visibility=visibility)


async def mirrored(bench: Bench, orcid: Orcid, *, limited: bool = False) -> None:
    """Connected and read."""
    await bench.connect(orcid, scopes=LIMITED if limited else ())
    await bench.turn(orcid)


async def due(bench: Bench, orcid: Orcid) -> Lease:
    """The routine read has come."""
    await bench.connection.execute("update orcid_sync.queue set due_at = now() where orcid = $1", orcid)
    return await bench.lease(orcid)


async def never_connected(bench: Bench, orcid: Orcid) -> None:
    """Nobody has asked for it."""


async def token_revoked(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid, limited=True)
    bench.registry.token_service.disable(orcid, "USER_REVOKED")
    await bench.check(orcid)
    while await bench.access_state(orcid) == "suspect":
        await bench.when_due(orcid)
    await bench.turn(orcid)


async def limited_only(bench: Bench, orcid: Orcid) -> None:
    work(bench, orcid, "Confidential", DOI, visibility="limited")
    await mirrored(bench, orcid)


async def item_private(bench: Bench, orcid: Orcid) -> None:
    work(bench, orcid, "Confidential", DOI, visibility="private")
    await mirrored(bench, orcid, limited=True)


async def item_restricted(bench: Bench, orcid: Orcid) -> None:
    work(bench, orcid, "Confidential", DOI, visibility="limited")
    await mirrored(bench, orcid, limited=True)


async def item_removed(bench: Bench, orcid: Orcid) -> None:
    code = work(bench, orcid, "A work that was there", DOI)
    await mirrored(bench, orcid)
    bench.registry.edit.remove_item(orcid, "work", code)
    await bench.notified(orcid)


async def item_hidden(bench: Bench, orcid: Orcid) -> None:
    code = work(bench, orcid, "A work that was there", DOI)
    await mirrored(bench, orcid)
    bench.registry.edit.set_visibility(orcid, "work", code, "private")
    await bench.notified(orcid)


async def merged_into_a_group(bench: Bench, orcid: Orcid) -> None:
    work(bench, orcid, "As the publisher has it", DOI)
    work(bench, orcid, "As the repository has it", DOI)
    await mirrored(bench, orcid)


async def stale_cache(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid)
    await bench.notified(orcid)  # of a change that ORCID's caches do not show yet


async def older_version(bench: Bench, orcid: Orcid) -> None:
    old = bench.view(orcid)
    work(bench, orcid, "A new work")
    await mirrored(bench, orcid)
    bench.registry.faults.add("wrong-shape", "record", body=msgspec.json.decode(old))
    await bench.check(orcid)
    bench.registry.faults.clear()


async def webhook_dead(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid)
    long_ago = "registered_at = registered_at - interval '2 days'"
    await bench.connection.execute(f"update orcid_sync.webhooks set {long_ago} where orcid = $1", orcid)
    await bench.pass_time(DAY, orcid)
    await bench.connection.execute("update orcid_sync.queue set notified_at = null where orcid = $1", orcid)
    work(bench, orcid, "Never announced")
    policy = msgspec.structs.replace(bench.reconciler.policy, delivery_grace=timedelta(0))
    await replace(bench.reconciler, policy=policy).reconcile(await due(bench, orcid))


async def record_locked(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid)
    bench.registry.edit.lock(orcid)
    await bench.notified(orcid)


async def deprecated(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid)
    bench.registry.edit.deprecate(orcid, O)
    await bench.notified(orcid)
    await bench.pass_time(SECOND_LOOK, orcid)
    await bench.turn(orcid)


async def said_once(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid)
    bench.registry.edit.deactivate(orcid)
    await bench.notified(orcid)


async def our_quota(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid)
    await bench.notify(orcid)
    await pace_and_circuit.report_used_up(bench.connection, CLIENT_ID)


async def our_budget(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid)
    await bench.notify(orcid)
    await pace_and_circuit.reserve(bench.connection, CLIENT_ID, Terms(1000, 100, daily=500), lane=Lane.CHECK)
    await bench.connection.execute("update orcid_sync.pace set used = 500")


async def registry_away(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid)
    await bench.notify(orcid)
    for probe in (False, True):
        unheard = Heard(failures=DOUBTFUL_FAILURES, probe=probe)
        await pace_and_circuit.report(bench.connection, CLIENT_ID, unheard, rate=20)


async def failing(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid)
    bench.registry.faults.add("error", "record", status=500)
    await bench.check(orcid)
    await bench.when_due(orcid)
    bench.registry.faults.clear()


async def held(bench: Bench, orcid: Orcid) -> None:
    codes = [work(bench, orcid, f"Work {n}") for n in range(8)]
    await mirrored(bench, orcid)
    for code in codes:
        bench.registry.edit.remove_item(orcid, "work", code)
    await bench.notified(orcid)


async def not_read_yet(bench: Bench, orcid: Orcid) -> None:
    await bench.connect(orcid)


async def disconnected(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid)
    await bench.disconnect(orcid)


async def all_is_well(bench: Bench, orcid: Orcid) -> None:
    await mirrored(bench, orcid, limited=True)


Happen = Callable[[Bench, Orcid], Awaitable[None]]
Case = tuple[Happen, str | None, str, str]
"""What happens, the item that is asked about, what is the matter, and words of the sentence."""

OF_ONE: dict[str, Case] = {
    "never connected": (never_connected, None, "never-connected", "was never connected: the service has never read it"),
    "disconnected": (disconnected, None, "disconnected", "the mirror keeps what was public then"),
    "token revoked": (token_revoked, None, "permission-revoked", "The holder's permission was revoked on "),
    "limited only": (limited_only, DOI, "limited-only", "at ORCID it is limited or private, or it does not exist"),
    "limited, of all": (limited_only, None, "limited-only", "the service has no permission to read"),
    "item private": (
        item_private,
        DOI,
        "item-private",
        "at ORCID it is private or does not exist; ORCID does not tell",
    ),
    "item limited": (item_restricted, DOI, "item-restricted", "its holder shows it only to trusted organisations"),
    "item removed": (
        item_removed,
        f"https://doi.org/{DOI}",
        "item-removed",
        f'"A work that was there" (doi {DOI}) was',
    ),
    "item hidden": (item_hidden, "that was", "item-removed", "was removed by its owner or hidden on "),
    "lately removed": (item_removed, None, "lately-removed", "ORCID does not tell which."),
    "merged, shown": (merged_into_a_group, DOI, "item-merged", "2 versions that ORCID counts as the same work"),
    "merged, not shown": (
        merged_into_a_group,
        "repository",
        "item-merged",
        "lists show the preferred one instead, the work",
    ),
    "stale cache": (stale_cache, None, "stale-cache", "ORCID's caches can serve old content"),
    "older version": (older_version, None, "stale-cache", "an older version than the mirror holds (1 time in a row)"),
    "webhook dead": (webhook_dead, None, "webhook-dead", "it did not announce 1 change that regular reads found"),
    "record locked": (record_locked, None, "record-locked", "readers see it as it was, and the service tries it every"),
    "iD deprecated": (deprecated, None, "record-deprecated", f" into {O}"),
    "said once": (said_once, None, "unconfirmed", "that the record is deactivated: readers do not see it until"),
    "failing": (failing, None, "failing", "2 reads in a row failed, the first on"),
    "held": (held, None, "held", "would remove 8 works. This is held until a second read says the same, in 15 minutes"),
    "not read yet": (not_read_yet, None, "pending", "is connected but not read yet"),
    "well": (all_is_well, None, "well", "Nothing is wrong: the mirror is up to date"),
}
"""What can be the matter with one iD."""

OF_ALL: dict[str, Case] = {
    "our quota": (our_quota, None, "quota", "ORCID says that your daily quota of requests is used up"),
    "our budget": (our_budget, None, "quota", "for reads of this kind is used up (500 of 500 requests)"),
    "ORCID is away": (registry_away, None, "registry-away", "ORCID has given no usable answer since"),
}
"""What concerns all of them, and so this one."""


async def sentence_for(bench: Bench, number: int, case: Case) -> str | None:
    """Have it happen to an iD of its own; None if the answer is right, else the answer."""
    happen, item, complaint, words = case
    orcid = Orcid(numbered_orcid(5_100_000 + number))
    bench.registry.add_record(orcid, works=1)
    await happen(bench, orcid)
    answer = await explained(bench, orcid, item=item)
    said = msgspec.json.encode(answer).decode()
    right = answer.diagnosis.complaint == complaint and words in answer.diagnosis.sentence and "None" not in said
    return None if right and answer.diagnosis.sentence.endswith(".") else said


async def test_what_is_the_matter_with_one_of_them(bench: Bench) -> None:
    answers = {name: await sentence_for(bench, number, case) for number, (name, case) in enumerate(OF_ONE.items())}

    assert {name: answer for name, answer in answers.items() if answer} == {}


async def test_what_is_the_matter_with_all_of_them(bench: Bench) -> None:
    wrong = {}
    for number, (name, case) in enumerate(OF_ALL.items()):
        await bench.connection.execute("delete from orcid_sync.pace")
        if answer := await sentence_for(bench, number, case):
            wrong[name] = answer

    assert wrong == {}


async def test_a_time_line_tells_what_followed_from_what(bench: Bench) -> None:
    await mirrored(bench, OTHER, limited=True)
    code = work(bench, OTHER, "Soon gone", DOI)
    await bench.notified(OTHER)
    bench.registry.edit.remove_item(OTHER, "work", code)
    await bench.check(OTHER)

    answer = await explained(bench, OTHER)

    events = [(event.kind.value, event.sentence) for event in answer.timeline]
    assert [event.at for event in answer.timeline] == sorted(event.at for event in answer.timeline)
    first, last = events.index(("webhook", "webhook registered")), events.index(("to come", "the record is read next"))
    assert ("connection", "connected") in events[:first]
    assert events[last - 1] == ("change", 'mirror changed: removed 1 work ("Soon gone")')
    assert ("read", "read (notification): changed, 1 added") in events
    assert ("notification", "notification from ORCID; answered 204, marked the record to be read") in events
    assert {fact.name for fact in answer.facts} >= {"connection", "access", "record", "items", "webhook", "next read"}
    assert [fact.name for fact in answer.facts if fact.doubtful] == []


async def test_reads_that_find_nothing_new_are_not_in_the_journal_and_repeats_are_one_row(bench: Bench) -> None:
    journal = "select outcome, times, cause, error, changes from orcid_sync.reads order by lease_no"
    await mirrored(bench, OTHER)
    before = await bench.connection.fetch(journal)
    assert [(row["outcome"], row["times"], row["cause"], row["error"]) for row in before] == [
        ("changed", 1, "first-load", None)
    ]

    for _ in range(3):
        assert await bench.check(OTHER) == "unchanged"
    assert await bench.connection.fetch(journal) == before

    bench.registry.faults.add("error", "record", status=500)
    for _ in range(3):
        await bench.check(OTHER)
    assert [(row["outcome"], row["times"]) for row in await bench.connection.fetch(journal)] == [
        ("changed", 1),
        ("failed", 3),
    ]


async def test_the_journal_is_short_and_goes_with_the_person(bench: Bench) -> None:
    await mirrored(bench, OTHER)
    for number in range(reads.KEPT + 5):
        said = {"cause": "check", "outcome": "failed", "error": f"error {number}"}
        await bench.connection.execute("update orcid_sync.queue set lease_no = lease_no + 1 where orcid = $1", OTHER)
        await reads.note(bench.connection, OTHER, (await bench.row(OTHER))["lease_no"], **said, changes={})
    await reads.note(bench.connection, OTHER, 1, cause="check", outcome="failed", error="of a lost lease", changes={})

    kept = await reads.load(bench.connection, OTHER)

    assert [read.error for read in kept] == [f"error {number}" for number in reversed(range(5, reads.KEPT + 5))]
    certificate = await erase(bench.connection, OTHER, by="operator", learnt="command")
    assert certificate.deleted["orcid_sync.reads"] == reads.KEPT
    await bench.turn(OTHER)
    assert await reads.load(bench.connection, OTHER) == []
    assert (await explained(bench, OTHER)).diagnosis.sentence.startswith(f"Everything about {OTHER} was erased on ")


@pytest.mark.invariant("S13")
async def test_no_view_is_told_more_than_its_readers_see(
    database: Database, connection: asyncpg.Connection, sample_orcids: Callable[[int], list[Orcid]]
) -> None:
    world = await planted_mirror.build(database, sample_orcids(len(planted_mirror.LIVES)))
    audiences = {View.PUBLIC: ["public"], View.LIMITED: ["public", "limited"], None: ["public", "limited", "nobody"]}
    told: dict[View | None, set[str]] = {}
    for view in audiences:
        for orcid in world.orcids.values():
            question = Question(view=view, rules=Rules(), item="planted-")
            answer = msgspec.json.encode(await explain_one(connection, orcid, question)).decode()
            told.setdefault(view, set()).update(planted_mirror.PLANTED.findall(answer))

    for view, audience in audiences.items():
        assert told[view] <= world.planted(*audience)
        assert told[view] - told[View.PUBLIC] or view is View.PUBLIC, "who may see more is told more"
    assert await connection.fetchval("select current_user") != "orcid_reader"
