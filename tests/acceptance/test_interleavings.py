"""Any order of edits, notifications, leases, reads, commits, crashes and lies keeps every promise (hypothesis)."""

import asyncio
import json
import os
from random import Random
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from acceptance.harness.checker import EVERY_EMAIL, SPOILT
from acceptance.harness.observers import Key, taken_by
from acceptance.harness.registry_view import items_of, own_part
from acceptance.harness.stepped_installation import LOCKS, SECOND_LOOK, Installation, Job, open_installation
from acceptance.harness.workload import CHANGES_OF_STATE, STRANGER, change_state
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.simulator.base.errors import Refusal
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.sync import queue
from rig.free_ports import free_port

EXAMPLES = int(os.environ.get("ORCID_SYNC_EXAMPLES", "60"))
"""How many interleavings are tried; each has up to STEPS steps."""

STEPS = 50

PHASES = (Phase.generate, Phase.shrink) if "ORCID_SYNC_UNSHRUNK" not in os.environ else (Phase.generate,)
"""A failure is made as short as possible, unless only its existence is of interest (tests/mutants)."""

ORCIDS = [Orcid(numbered_orcid(800_000_000_000 + number)) for number in range(4)]

TROUBLES: list[tuple[str, str, dict[str, Any]]] = [
    *(("error", "record", {"status": status}) for status in (429, 500, 502, 503)),
    *((kind, "record", {}) for kind in ("stale", "stale", "truncated", "html", "wrong-shape")),
    ("wrong-record", "record", {"other": STRANGER}),
    *((kind, "*", {}) for kind in ("error", "reset", "lost-answer")),
    *((kind, "notification", {}) for kind in ("lost", "duplicate", "delayed", "lost-answer")),
]
WAITS = st.sampled_from([4, 4, 70, SECOND_LOOK.total_seconds() + 1])

NEW_LINES = """
select seq, orcid, section, key, op, reason, fields, md5(old::text) as before, md5(new::text) as after
  from orcid.change_feed where seq > $1 order by seq
"""
OWED = """
select orcid, extract(epoch from due_at - now())::float8 as due_in
  from orcid_sync.queue where gen > done_gen or second_look_at is not null
"""


class Interleavings(RuleBasedStateMachine):
    """The installation beside a model of what it owes. One iD is hot, the others cold."""

    installation: Installation
    runner: asyncio.Runner
    under_way = Bundle("under way")
    some = st.sampled_from([ORCIDS[0], ORCIDS[0], *ORCIDS])
    chance = st.integers(0, 10**6)

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize(seed=chance)
    def start(self, seed: int) -> None:
        """Everything is connected and was read once."""
        self.sim = SimulatedRegistry(seed=seed)
        self.sim.settings.indexing_delay = 0
        for orcid in ORCIDS:
            self.sim.add_record(orcid, works=2, employments=1, fundings=0)
        self.sim.add_record(STRANGER, works=7)
        self.own = self.sim.token_service.issue("APP-SIMULATED0CLIENT", ["/read-public"]).text
        self.step = 0
        self.head, self.told = 0, dict[Key, str]()
        """The feed so far, and what it tells of each item."""
        self.lines: list[Any] = []
        self.acknowledged = dict.fromkeys(ORCIDS, (0, 0))
        """Step and time of the last notification that was answered 204."""
        self.done = dict.fromkeys(ORCIDS, (-1, 0))
        """Step and time of the last read that was settled as done."""
        self.newest = dict.fromkeys(ORCIDS, 0)
        self.applied = dict.fromkeys(ORCIDS, -1)
        """Step of the last read that was applied."""
        self.run(self.installation.begin(self.sim, [Entry(orcid=orcid) for orcid in ORCIDS]))
        self.work_off()

    # What happens at the Registry

    @rule(orcid=some, seed=chance, announced=st.booleans())
    def edit(self, orcid: Orcid, seed: int, announced: bool) -> None:  # noqa: FBT001 - drawn
        self.step += 1
        self.sim.random_edit(Random(seed), orcid=orcid)
        if announced:
            self.deliver(1)

    @rule(orcid=some, change=st.sampled_from(CHANGES_OF_STATE), other=some, announced=st.booleans())
    def close_or_open(self, orcid: Orcid, change: str, other: Orcid, announced: bool) -> None:  # noqa: FBT001 - drawn
        self.step += 1
        change_state(self.sim, orcid, change, other)
        if announced:
            self.deliver(1)

    @rule(kind=st.sampled_from(TROUBLES), count=st.integers(1, 3))
    def trouble(self, kind: tuple[str, str, dict[str, Any]], count: int) -> None:
        """A few requests or notifications will go wrong."""
        name, endpoint, options = kind
        self.sim.faults.add(name, endpoint, count=count, **options)

    @rule(seconds=st.sampled_from([1, 4, 70, SECOND_LOOK.total_seconds() + 1, 4000]))
    def deliver(self, seconds: float) -> None:
        """Time passes; then the Registry calls whomever it owes a call."""
        self.step += 1
        before = self.sim.journal.notification_count
        self.run(self.installation.pass_time(seconds))
        self.run(self.sim.run_delivery())
        for one in self.sim.journal.notifications:
            if one.number > before and one.status == 204:
                self.acknowledged[Orcid(one.orcid)] = (self.step, one.sent_ms)

    # What happens to us

    @rule(orcids=st.lists(some, min_size=1, max_size=3, unique=True))
    def check(self, orcids: list[Orcid]) -> None:
        self.run(queue.mark_due(self.installation.eye, orcids, lane=Lane.CHECK))

    @rule(target=under_way, replica=st.integers(0, 1), limit=st.integers(1, 2), seconds=WAITS, reading=st.booleans())
    def lease(self, replica: int, limit: int, seconds: float, reading: bool) -> list[Job]:  # noqa: FBT001 - drawn
        """After a while a replica asks for work, and perhaps goes on to read it at once."""
        self.step += 1
        self.run(self.installation.pass_time(seconds))
        jobs: list[Job] = self.run(self.installation.lease(replica, limit))
        for job in jobs:
            assert job.lease.lease_no > self.newest[job.lease.orcid]
            self.newest[job.lease.orcid] = job.lease.lease_no
            if reading:
                self.read(job)
        return jobs

    @rule(jobs=under_way)
    def read_on(self, jobs: list[Job]) -> None:
        for job in jobs:
            self.read(job)

    def read(self, job: Job) -> None:
        """Read up to the commit, if that has not been done."""
        if job.task is not None:
            return
        self.step += 1
        before = self.sim.journal.request_count
        job.read_at, job.read_ms = self.step, self.sim.clock.now_ms()
        self.run(self.installation.read(job))
        answers = [one for one in self.sim.journal.requests if one.number > before and one.endpoint == "record"]
        useful = [one for one in answers if one.status in (200, 301, 409) and not SPOILT & set(one.faults)]
        job.answered = bool(useful)
        job.shown = self.shown(job.lease.orcid) if useful and "stale" not in useful[-1].faults else None

    @rule(jobs=consumes(under_way))
    def commit(self, jobs: list[Job]) -> None:
        """At once, or after a pause that was longer than the lease."""
        for job in jobs:
            self.read(job)
            self.judge(job, self.run(self.installation.commit(job)))

    @rule(jobs=consumes(under_way), lock=st.sampled_from(sorted(LOCKS)))
    def die_in_commit(self, jobs: list[Job], lock: str) -> None:
        """The connection is cut after a part of the statements."""
        for job in jobs:
            self.read(job)
            self.judge(job, self.run(self.installation.die_in_commit(job, LOCKS[lock])))

    @rule(jobs=consumes(under_way))
    def crash(self, jobs: list[Job]) -> None:
        """The process is killed; its leases lapse when their time has come."""
        for job in jobs:
            self.run(self.installation.abandon(job))
        self.feed_continues()

    def judge(self, job: Job, committed: bool) -> None:  # noqa: FBT001 - a step's outcome
        """S3, S4, S10: who committed was entitled to, read later than all before, and wrote just what it had read."""
        head = self.head
        self.feed_continues()
        orcid, finding = job.lease.orcid, job.finding
        if not committed or finding is None:
            assert self.head == head, "something was written by a commit that failed"
            return
        assert job.lease.lease_no == self.newest[orcid], "two writers"
        if finding.settlement.done and job.answered:
            self.done[orcid] = (job.read_at, job.read_ms)
        if finding.settlement.applied is None:
            lines = [line for line in self.lines if line["seq"] > head]
            hiding = [("record", ["withheld"])] * (finding.outcome == "unconfirmed")
            said = [(line["section"], line["fields"]) for line in lines]
            assert said in ([], hiding), "something was written that was not settled as applied"
            return
        assert job.answered, "something was applied without an answer"
        assert job.read_at > self.applied[orcid], "an older read over a newer one"
        self.applied[orcid] = job.read_at
        if job.shown is not None:
            assert self.run(self.held(orcid)) == job.shown

    # What must be true at any time

    @invariant()
    def nothing_acknowledged_is_forgotten(self) -> None:
        """S2: who owes nothing has read after the last notification."""
        rows = self.run(self.installation.eye.fetch("select orcid from orcid_sync.queue where gen = done_gen"))
        idle = [row["orcid"] for row in rows]
        assert [orcid for orcid in idle if self.done[orcid][0] <= self.acknowledged[orcid][0]] == []

    def feed_continues(self) -> None:
        """S5, S6, S7: the feed has no gap, says nothing twice, and tells exactly what the mirror holds."""
        for line in self.run(self.installation.eye.fetch(NEW_LINES, self.head)):
            key = (line["orcid"], line["section"], line["key"])
            assert line["seq"] == self.head + 1, "a gap in the feed"
            self.lines.append(line)
            self.head = line["seq"]
            if line["reason"] in FORGETTING or key[1:] == EVERY_EMAIL:
                assert line["before"] is None, "something is told of what was to be forgotten"
                self.told = {one: said for one, said in self.told.items() if not taken_by(key, one)}
                continue
            forgotten = line["section"] == "record" and line["before"] is None
            assert forgotten or line["before"] == self.told.get(key), "a line does not continue its item's last one"
            assert line["after"] != self.told.get(key), "a line that says nothing"
            if line["after"] is None:
                del self.told[key]
            else:
                self.told[key] = line["after"]
        assert self.run(self.installation.mirror()) == (self.head, self.told)

    def teardown(self) -> None:
        """When the faults stop: second looks are taken, and after a check of every iD the mirror is the Registry."""
        try:
            if hasattr(self, "told"):
                self.judge_the_end()
        finally:
            self.run(self.installation.end())

    def judge_the_end(self) -> None:
        self.sim.faults.clear()
        self.run(self.installation.pass_time(70))  # every lease has lapsed
        self.work_off()
        for orcid in ORCIDS:
            looked, told = self.done[orcid][1], self.acknowledged[orcid][1]
            assert not told or looked >= told + SECOND_LOOK.total_seconds() * 1000, f"{orcid}: no second look"
        self.run(queue.mark_due(self.installation.eye, ORCIDS, lane=Lane.CHECK))
        self.work_off()
        for orcid in ORCIDS:
            assert self.run(self.held(orcid)) == self.shown(orcid)

    def work_off(self) -> None:
        """Reconcile until nothing is owed; the waits between pass at once."""
        for _ in range(30):
            owed = self.run(self.installation.eye.fetch(OWED))
            if not owed:
                return
            self.run(self.installation.pass_time(max(0.0, min(row["due_in"] for row in owed)) + 0.1))
            for job in self.lease(0, len(ORCIDS), 0, reading=True):
                self.judge(job, self.run(self.installation.commit(job)))
        raise AssertionError(f"not settled: {owed}")

    # The two sides

    def shown(self, orcid: Orcid) -> Any:
        """What the Registry shows: of a closed record its state, else items and the record's own part."""
        try:
            record = json.loads(json.dumps(self.sim.view(orcid, self.own)))
        except Refusal as refusal:
            return refusal.code
        return items_of(record), own_part(record)

    async def held(self, orcid: Orcid) -> Any:
        """What the mirror holds, in the same form."""
        eye = self.installation.eye
        record = await eye.fetchrow("select state, doc::text from orcid.records where orcid = $1", orcid)
        query = "select section, key, doc::text, group_put_code, group_position from orcid.items where orcid = $1"
        items = {
            (row["section"], row["key"]): {
                "doc": json.loads(row["doc"]),
                "group_put_code": row["group_put_code"],
                "group_position": row["group_position"],
            }
            for row in await eye.fetch(query, orcid)
        }
        if record["state"] in ("deactivated", "deprecated"):
            assert items == {}
        return CODES.get(record["state"], (items, json.loads(record["doc"])))


FORGETTING = {"record-deactivated", "record-deprecated"}


CODES = {"locked": 9018, "deactivated": 9044, "deprecated": 9007}


@pytest.mark.fault("F01", "F06", "F15", "F16", "F17", "F18", "F19", "F20", "F27", "F33", "F75")
@pytest.mark.invariant("S2", "S3", "S4", "S5", "S6", "S7", "S10", "L1")
def test_any_interleaving_keeps_every_promise(dsn: str) -> None:
    with asyncio.Runner() as runner, structlog.testing.capture_logs():
        opening = open_installation(dsn, free_port())
        Interleavings.runner, Interleavings.installation = runner, runner.run(opening.__aenter__())
        try:
            run_state_machine_as_test(
                Interleavings,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    database=None,  # a failure is repeated by what is printed, not by what lies about here
                    phases=PHASES,
                ),
            )
        finally:
            runner.run(opening.__aexit__(None, None, None))
