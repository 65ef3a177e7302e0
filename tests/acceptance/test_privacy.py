"""Any life of records and of their holders' permission, in any order: nobody sees what they must not (hypothesis).

Every text of the records is planted, so that whatever comes out of the database says whose it is and who may see it.
What the holders, ORCID and chance do is drawn; the service's reads and commits are steps among it, and may be
interrupted. Some promises are looked at after every step of ours, the rest when nothing is left to do.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
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

from acceptance.harness.planted_texts import Found, Plantation, Search, make_search, told
from acceptance.harness.stepped_installation import LOCKS, SECOND_LOOK, Installation, Job, open_installation
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.simulator.base.errors import Refusal, Unauthenticated
from orcid_sync.simulator.oauth import access as admission
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.records.profiles import Effect
from orcid_sync.simulator.records.visibility import viewer_of
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent import connections, consent_ledger, erasure, erasure_certificates
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import connect
from orcid_sync.store.sync import queue
from rig.free_ports import free_port
from rig.reader_sessions import logins

EXAMPLES = int(os.environ.get("ORCID_SYNC_EXAMPLES", "25"))
"""How many lives are tried; each has up to STEPS steps. Always the same ones, unless their number is given."""

STEPS = 40

PHASES = (Phase.generate, Phase.shrink) if "ORCID_SYNC_UNSHRUNK" not in os.environ else (Phase.generate,)

ORCIDS = [Orcid(numbered_orcid(810_000_000_000 + number)) for number in range(3)]

SCOPES = {
    "all": ("/read-limited",),
    "activities": ("/activities/read-limited",),
    "person": ("/person/read-limited",),
    "nothing": ("/authenticate",),
}
SECTIONS = ("keyword", "work", "email")
VISIBILITIES = ("public", "limited", "private")
TROUBLES: list[tuple[str, dict[str, Any]]] = [
    ("error", {"status": 503}),
    ("truncated", {}),
    ("html", {}),
    ("reset", {}),
    ("wrong-record", {"other": ORCIDS[2]}),
]
WAITS = (1.0, 70.0, SECOND_LOOK.total_seconds() + 1, 13 * 3600.0, 13 * 3600.0)

ItemKey = tuple[str, str]

NEWS = """
select seq, orcid, section, key, op, reason from orcid.changes where seq > $1 order by seq
"""
STANDING = """
select c.orcid, c.state, c.access_state, c.erased_at is not null as erased, t.access_token, r.state as record,
       r.withheld
  from orcid_sync.connections c left join orcid_sync.tokens t using (orcid) left join orcid.records r using (orcid)
"""
OWED = """
select orcid, extract(epoch from due_at - now())::float8 as due_in
  from orcid_sync.queue where gen > done_gen or second_look_at is not null
"""


class Lives(RuleBasedStateMachine):
    """Three people: the first one lives through most of it."""

    rounds = 120
    """Reconciliations after which all must be settled."""
    installation: Installation
    runner: asyncio.Runner
    commands: asyncpg.Connection
    tables: dict[str, Search]
    """What each login reads of the tables: owner, insider, anybody."""
    everything: dict[str, Search]
    """The same with the views, and with the past."""
    under_way = Bundle("under way")
    some = st.sampled_from([ORCIDS[0], ORCIDS[0], *ORCIDS])
    number = st.integers(0, 1000)

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize(grants=st.tuples(*[st.sampled_from(["all", "all", "activities", None])] * 3))
    def start(self, grants: tuple[str | None, ...]) -> None:
        """Everybody is connected, most with a token, and was read once."""
        self.sim = SimulatedRegistry(seed=1)
        self.sim.settings.indexing_delay = 0
        self.plantation = Plantation(self.sim)
        self.vanished: dict[Orcid, Any] = {}
        self.known_to_vanish = set[Orcid]()
        self.head, self.touched = 0, True
        self.run(self.installation.begin(self.sim, []))
        for reconciler in self.installation.reconcilers:
            _lessen(reconciler)
        self.vault = Vault(self.installation.settings.key_ring)
        self.own = self.sim.token_service.issue(CLIENT_ID, ["/read-public"]).text
        for orcid, scopes in zip(ORCIDS, grants, strict=True):
            self.sim.edit.create_record(orcid, given_names=self.plantation.new())
            for section in SECTIONS:
                for visibility in VISIBILITIES:
                    self._add(orcid, section, visibility, ours=False)
                self._add(orcid, section, "limited", ours=True)
            self.grant(orcid, scopes) if scopes else self.connect(orcid)
        self.work_off()

    # What the holders do

    @rule(
        orcid=some,
        section=st.sampled_from(SECTIONS),
        visibility=st.sampled_from(VISIBILITIES),
        ours=st.sampled_from([False, False, True]),
    )
    def add(self, orcid: Orcid, section: str, visibility: str, ours: bool) -> None:  # noqa: FBT001 - drawn
        if self.is_open(orcid):
            self._add(orcid, section, visibility, ours=ours)

    def _add(self, orcid: Orcid, section: str, visibility: str, *, ours: bool) -> None:
        source = CLIENT_ID if ours else None
        self.sim.edit.add_item(orcid, section, self._content(section), source=source, visibility=visibility)
        self.plantation.look()

    def _content(self, section: str) -> dict[str, str]:
        text = self.plantation.new()
        return {
            "keyword": {"content": text},
            "work": {"title": text},
            "email": {"email": f"{text}@example.org"},
        }[section]

    @rule(orcid=some, section=st.sampled_from(SECTIONS), which=number)
    def reword(self, orcid: Orcid, section: str, which: int) -> None:
        def deed(code: int) -> None:
            if section != "email":  # another address is another e-mail
                self.sim.edit.edit_item(orcid, section, code, self._content(section))

        self._to_one(orcid, section, which, deed)

    @rule(orcid=some, section=st.sampled_from(SECTIONS), which=number, visibility=st.sampled_from(VISIBILITIES))
    def show(self, orcid: Orcid, section: str, which: int, visibility: str) -> None:
        """Show an item to more people, or to fewer."""
        self._to_one(orcid, section, which, lambda code: self.sim.edit.set_visibility(orcid, section, code, visibility))

    @rule(orcid=some, section=st.sampled_from(SECTIONS), which=number)
    def remove(self, orcid: Orcid, section: str, which: int) -> None:
        self._to_one(orcid, section, which, lambda code: self.sim.edit.remove_item(orcid, section, code))

    def _to_one(self, orcid: Orcid, section: str, which: int, deed: Callable[[int], None]) -> None:
        codes = list(self.sim.profiles.state(orcid).of(section)) if self.is_open(orcid) else []
        if codes:
            deed(codes[which % len(codes)])
            self.plantation.look()

    @rule(orcid=some)
    def remove_all(self, orcid: Orcid) -> None:
        """So much at once that it is not believed at once."""
        for code in list(self.sim.profiles.state(orcid).of("keyword")) if self.is_open(orcid) else []:
            self.sim.edit.remove_item(orcid, "keyword", code)
        self.plantation.look()

    @rule(orcid=some, scopes=st.sampled_from([*SCOPES, "all"]), hours=st.sampled_from([None, None, None, 1]))
    def grant(self, orcid: Orcid, scopes: str, hours: int | None = None) -> None:
        """Grant, wider or narrower than before, to the end of time or for an hour."""
        if orcid in self.vanished or not self.may_sign_in(orcid):
            return
        lasts = {"seconds": hours * 3600} if hours else {}
        token = self.sim.token_service.issue(CLIENT_ID, SCOPES[scopes], orcid=orcid, **lasts).text
        sealed = self.vault.seal(token, orcid=orcid, column="access_token")
        expires = datetime.now(UTC) + timedelta(hours=hours) if hours else None
        self.connect(orcid, access_token=sealed, scopes=SCOPES[scopes], expires_at=expires)

    @rule(orcid=some)
    def revoke(self, orcid: Orcid) -> None:
        """In the list of trusted organisations; nobody is told."""
        self.sim.token_service.disable(orcid, "USER_REVOKED")

    @rule(orcid=some, deed=st.sampled_from(["lock", "deactivate", "deactivate", "merge", "unclaim", "vanish"]))
    def close(self, orcid: Orcid, deed: str) -> None:
        if not self.is_open(orcid):
            return
        edit, other = self.sim.edit, ORCIDS[ORCIDS.index(orcid) - 1]
        if deed == "merge":
            if self.is_open(other):
                edit.deprecate(orcid, other)
        elif deed == "unclaim":
            edit.unclaim(orcid)
        elif deed == "vanish":
            self.vanished[orcid] = self.sim.profiles._profiles.pop(orcid)
            self.known_to_vanish.add(orcid)
        else:
            getattr(edit, deed)(orcid)
        self.plantation.look()

    @rule(orcid=some)
    def reopen(self, orcid: Orcid) -> None:
        """Whatever closed the record is undone; what was lost by it stays lost."""
        if orcid in self.vanished:
            self.sim.profiles._profiles[orcid] = self.vanished.pop(orcid)
        state, edit = self.sim.profiles.state(orcid), self.sim.edit
        if state.locked:
            edit.unlock(orcid)
        if state.deactivated_ms is not None:
            edit.reactivate(orcid)
        if state.primary_orcid is not None:
            edit._set(orcid, Effect.INDEXED, primary_orcid=None)
        if not state.claimed:
            edit.claim(orcid)
        self.plantation.look()

    # What ORCID and chance do

    @rule()
    def break_down(self) -> None:
        """Every token is refused, or answered again."""
        self.sim.token_service.introspection_down = not self.sim.token_service.introspection_down

    @rule(trouble=st.sampled_from(TROUBLES), count=st.integers(1, 2))
    def trouble(self, trouble: tuple[str, dict[str, Any]], count: int) -> None:
        kind, options = trouble
        self.sim.faults.add(kind, "record", count=count, **options)

    @rule(seconds=st.sampled_from(WAITS))
    def deliver(self, seconds: float) -> None:
        """Time passes; then the Registry calls whomever it owes a call."""
        self.pass_time(seconds)
        self.run(self.sim.run_delivery())

    # What the institution does

    @rule(orcid=some)
    def connect(self, orcid: Orcid, **given: Any) -> None:
        """Without a token, if none is given: then those who are connected stay as they are."""
        self.command(connections.connect_orcids(self.commands, [Entry(orcid=orcid, **given)]))

    @rule(orcid=some)
    def disconnect(self, orcid: Orcid) -> None:
        self.command(connections.disconnect_orcids(self.commands, [orcid]))

    @rule(orcid=some)
    def erase(self, orcid: Orcid) -> None:
        self.command(erasure.erase(self.commands, orcid, by="holder", learnt="disconnect-page"))

    def command(self, work: Any) -> None:
        """What it writes into the feed is no reader's finding."""
        self.touched = True
        self.run(work)
        self.news()

    def news(self) -> list[Any]:
        """The lines of the feed since the last look."""
        found: list[Any] = self.run(self.commands.fetch(NEWS, self.head))
        self.head = found[-1]["seq"] if found else self.head
        return found

    # What the service does

    @rule(seconds=st.sampled_from(WAITS), announced=st.booleans())
    def live(self, seconds: float, announced: bool) -> None:  # noqa: FBT001 - drawn
        """An ordinary while: what is due is reconciled."""
        self.deliver(seconds) if announced else self.pass_time(seconds)
        self.check(ORCIDS[:1])
        self.finish(self.lease(0.0, reading=True))

    @rule(orcids=st.lists(some, min_size=1, max_size=3, unique=True))
    def check(self, orcids: list[Orcid]) -> None:
        self.run(queue.mark_due(self.commands, orcids, lane=Lane.CHECK))

    @rule(target=under_way, seconds=st.sampled_from(WAITS), reading=st.booleans())
    def lease(self, seconds: float, reading: bool) -> list[Job]:  # noqa: FBT001 - drawn
        self.pass_time(seconds)
        jobs: list[Job] = self.run(self.installation.lease(0, len(ORCIDS)))
        for job in jobs if reading else []:
            self.read(job)
        return jobs

    @rule(jobs=consumes(under_way))
    def finish(self, jobs: list[Job]) -> None:
        """Commit what was read, some time ago perhaps."""
        for job in jobs:
            self.read(job)
            self.run(self.installation.commit(job))
            self.judge(job)

    @rule(jobs=consumes(under_way), lock=st.sampled_from(sorted(LOCKS)))
    def die_in_commit(self, jobs: list[Job], lock: str) -> None:
        for job in jobs:
            self.read(job)
            self.run(self.installation.die_in_commit(job, LOCKS[lock]))
            self.judge(job)

    @rule(jobs=consumes(under_way))
    def crash(self, jobs: list[Job]) -> None:
        for job in jobs:
            self.run(self.installation.abandon(job))
            self.judge(job)

    def read(self, job: Job) -> None:
        if job.task is None:
            self.touched = True
            job.shown = (*self.shown(job.lease.orcid), self.run(self._keys_of(job.lease.orcid, "public")))
            self.run(self.installation.read(job))

    def pass_time(self, seconds: float) -> None:
        lapse = timedelta(seconds=seconds)
        self.run(self.installation.pass_time(seconds))
        self.run(
            self.commands.execute(
                "update orcid_sync.connections set suspect_since = suspect_since - $1::interval", lapse
            )
        )
        self.run(self.commands.execute("update orcid_sync.tokens set expires_at = expires_at - $1::interval", lapse))

    # What must be true at any time

    def judge(self, job: Job) -> None:
        """S8: nothing is said to be gone that the Registry showed us when we read.

        Nor that its holder removed what only we do not see any more; unless it was public, for then its holder hid it.
        """
        mine = [line for line in self.news() if line["orcid"] == job.lease.orcid and line["key"]]
        if job.shown is None or self.standing()[job.lease.orcid]["state"] != "connected":
            return
        there, shown, public = job.shown
        back = _keys(mine, "added")
        assert _keys(mine, "removed", "removed") - back & there - public == set(), "what is there is said to be removed"
        assert (_keys(mine, "removed") | _keys(mine, "withdrawn")) - back & shown == set(), "what is shown is gone"

    @invariant()
    def nobody_sees_what_they_must_not(self) -> None:
        """S9, S11, S13: looked at whenever we may have written."""
        if not self.touched:
            return
        self.touched = False
        standing, known = self.standing(), self.plantation.known
        for one in self.found(self.tables["owner"]):
            assert one.orcid in known[one.text].orcids, f"another person's text: {one}"
            assert known[one.text].ours or known[one.text].visibilities != {"private"}, f"never shown to us: {one}"
            assert not _is_over(standing[one.orcid]), f"nothing was to be left: {one}"
        for one in self.found(self.tables["anybody"]):
            assert "public" in known[one.text].visibilities, f"never public: {one}"
            assert standing[one.orcid]["withheld"] != "all", f"hidden: {one}"
        for one in self.found(self.tables["insider"]):
            self._judge_insider(one, standing)

    def _judge_insider(self, one: Found, standing: dict[str, Any]) -> None:
        known, stands = self.plantation.known[one.text], standing[one.orcid]
        assert stands["withheld"] != "all", f"hidden: {one}"
        assert known.visibilities != {"private"}, f"never for others: {one}"
        granted = (stands["state"], stands["access_state"]) == ("connected", "granted")
        ours = known.ours and stands["state"] == "connected"
        assert granted or ours or "public" in known.visibilities, f"our access is over: {one}"

    # What must be true when nothing is left to do

    @rule()
    def calm_down(self) -> None:
        """All troubles end, everything is reconciled."""
        self.sim.faults.clear()
        self.sim.token_service.introspection_down = False
        self.pass_time(70)  # every lease has lapsed
        self.work_off()
        self.check([orcid for orcid in ORCIDS if self.standing()[orcid]["state"] == "connected"])
        self.work_off()
        self.touched = True
        self.nobody_sees_what_they_must_not()
        self.judge_the_calm()

    def judge_the_calm(self) -> None:
        standing = self.standing()
        for orcid in ORCIDS:
            self._judge_tokens(orcid, standing[orcid])
            self._judge_mirror(orcid, standing[orcid])
        self._judge_readers(standing)
        self.run(consent_ledger.verify(self.commands))
        self.run(erasure_certificates.verify(self.commands))
        lines = self.run(self.commands.fetch("select * from orcid.change_feed order by seq"))
        assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
        feed, mirror = told(lines), self.run(self._mirror())
        assert feed == mirror, [key for key in feed.keys() | mirror.keys() if feed.get(key) != mirror.get(key)]

    def _judge_tokens(self, orcid: Orcid, stands: Any) -> None:
        """Every token but the one in use is revoked at the Registry; who left has none, and no webhook."""
        used = self.token_in_use(orcid, stands)
        left = [token for token in self.sim.token_service.active(orcid, CLIENT_ID) if token.text != used]
        assert left == [], f"{orcid}: tokens work on that nobody uses"
        if stands["state"] != "connected":
            assert stands["state"] == "disconnected"
            assert used is None
            # That of an iD which the Registry does not know for a while may survive that; its next call gives it away.
            assert orcid in self.known_to_vanish or not self.sim.webhooks.of(orcid), "a webhook was left behind"

    def _judge_mirror(self, orcid: Orcid, stands: Any) -> None:
        """L1: the mirror is what the Registry shows for our access; of who left nothing but what is public is here."""
        texts = {one.text for one in self.found(self.everything["owner"]) if one.orcid == orcid}
        if stands["state"] != "connected":
            assert all("public" in self.plantation.known[text].visibilities for text in texts)
            return
        state = self.registry_state(orcid)
        assert stands["record"] == state
        if state != "active":
            assert state not in ("deactivated", "deprecated") or not texts
            return
        assert stands["withheld"] is None
        _, shown = self.shown(orcid)
        assert self.run(self._keys_of(orcid)) == shown

    def _judge_readers(self, standing: dict[str, Any]) -> None:
        """F61: nobody reads of the past what is not public now."""
        for one in self.found(self.everything["anybody"]):
            places = self.plantation.known[one.text].places
            if standing[one.orcid]["state"] == "connected" and standing[one.orcid]["record"] == "active":
                assert places & self.plantation.public, f"not public any more: {one}"
        for one in self.found(self.everything["insider"]):
            self._judge_insider(one, standing)

    def teardown(self) -> None:
        try:
            if hasattr(self, "vault"):
                self.calm_down()
        finally:
            self.run(self.installation.end())

    def work_off(self) -> None:
        """Reconcile until nothing is owed; the waits between pass at once."""
        for _ in range(self.rounds):
            owed = self.run(self.commands.fetch(OWED))
            if not owed:
                return
            wait = max(0.0, min(row["due_in"] for row in owed)) + 0.1
            self.finish(self.lease(wait, reading=True))
        raise AssertionError(f"not settled: {owed}")

    # The two sides

    def is_open(self, orcid: Orcid) -> bool:
        return orcid not in self.vanished and self.registry_state(orcid) == "active"

    def may_sign_in(self, orcid: Orcid) -> bool:
        """Whoever has a record that ORCID has not closed for good."""
        return self.registry_state(orcid) in ("active", "locked", "unclaimed")

    def registry_state(self, orcid: Orcid) -> str:
        """What our own token is told of the record."""
        try:
            self._viewed(orcid, self.own)
        except Refusal as refusal:
            return STATES[refusal.code]
        return "active"

    def _viewed(self, orcid: Orcid, token: str) -> set[ItemKey]:
        """The items that this token is shown, whatever the token service does. Raises Refusal, Unauthenticated."""
        world, down = self.sim.world, self.sim.token_service.introspection_down
        self.sim.token_service.introspection_down = False
        try:
            viewer = admission.reader(world.token_service, token, on_public_host=False)
            state = world.profiles.state(orcid) if orcid in world.profiles else None
            checked = admission.check_record(state, orcid, viewer, now_ms=world.clock.now_ms(), address="")
        finally:
            self.sim.token_service.introspection_down = down
        return _items(world.renderer.record(checked, viewer.viewer))

    def shown(self, orcid: Orcid) -> tuple[set[ItemKey], set[ItemKey]]:
        """What the record holds for whoever has every permission, and what it shows with the access that we have."""
        token = self.token_in_use(orcid, self.standing().get(orcid))
        try:
            shown = self._viewed(orcid, token or self.own)
        except Unauthenticated:
            shown = self._viewed_or_nothing(orcid)
        except Refusal:
            return set(), set()
        state = self.sim.profiles.state(orcid) if orcid in self.sim.profiles else None
        full = viewer_of(CLIENT_ID, frozenset(SCOPES["all"]), personal=True)
        return (_items(self.sim.world.renderer.record(state, full)) if state else set()), shown

    def _viewed_or_nothing(self, orcid: Orcid) -> set[ItemKey]:
        try:
            return self._viewed(orcid, self.own)
        except Refusal:
            return set()

    def token_in_use(self, orcid: Orcid, stands: Any) -> str | None:
        if stands is None or stands["access_token"] is None:
            return None
        return self.vault.open(stands["access_token"], orcid=orcid, column="access_token")

    def standing(self) -> dict[str, Any]:
        """How each iD stands with us."""
        return {row["orcid"]: row for row in self.run(self.commands.fetch(STANDING))}

    def found(self, search: Search) -> list[Found]:
        """What comes out of a search; of publications, which are of no single iD, with one of those whose they are."""
        rows = self.run(search.find())
        return [one if one.orcid else replace(one, orcid=min(self.plantation.known[one.text].orcids)) for one in rows]

    async def _keys_of(self, orcid: Orcid, *visibilities: str) -> set[ItemKey]:
        """The items that the mirror holds, of these visibilities or of all."""
        query = "select section, key from orcid.items where orcid = $1 and ($2::text[] = '{}' or visibility = any($2))"
        rows = await self.commands.fetch(query, orcid, visibilities)
        return {(row["section"], row["key"]) for row in rows}

    async def _mirror(self) -> dict[Any, Any]:
        """What the mirror holds, in the form in which the feed tells it."""
        return {(row["orcid"], row["section"], row["key"]): row["said"] for row in await self.commands.fetch(MIRROR)}


MIRROR = """
select i.orcid, i.section, i.key, jsonb_build_object('doc', i.doc, 'detail', i.detail, 'group_put_code',
       i.group_put_code, 'group_position', i.group_position) as said from orcid.items i
union all
select r.orcid, 'record', '',
       jsonb_build_object('state', r.state, 'access', r.access, 'primary_orcid', r.primary_orcid, 'doc', r.doc)
       || case when r.withheld is null then '{}' else jsonb_build_object('withheld', r.withheld) end
  from orcid.records r
"""

STATES = {9018: "locked", 9036: "unclaimed", 9044: "deactivated", 9007: "deprecated", 9016: "not-found"}


def _keys(lines: Iterable[Any], op: str, reason: str | None = None) -> set[ItemKey]:
    return {(one["section"], one["key"]) for one in lines if one["op"] == op and reason in (None, one["reason"])}


def _items(record: Any) -> set[ItemKey]:
    return {item.id for item in parse_record(msgspec.json.encode(record)).items()}


def _is_over(stands: Any) -> bool:
    """Whether nothing of the person may be here."""
    return bool(stands["erased"]) or stands["record"] in ("deactivated", "deprecated")


def _lessen(reconciler: Any) -> None:
    """Believe in a revocation after three days of refusals even if everybody's tokens are refused: there are few."""
    object.__setattr__(
        reconciler, "policy", msgspec.structs.replace(reconciler.policy, believed_after=timedelta(days=3))
    )


@asynccontextmanager
async def open_lives(dsn: str) -> AsyncIterator[None]:
    """An installation, a connection for commands, and those who read."""
    async with (
        open_installation(dsn, free_port()) as installation,
        connect(dsn) as commands,
        logins(dsn, anybody="orcid_reader", insider="orcid_reader_limited") as sessions,
    ):
        Lives.installation, Lives.commands = installation, commands
        sessions |= {"owner": installation.eye}
        Lives.tables = {who: await make_search(commands, sessions[who], views=False) for who in sessions}
        Lives.everything = {who: await make_search(commands, sessions[who], views=True) for who in sessions}
        yield


def lives(examples: int, steps: int) -> settings:
    """How many lives are lived, and how long; the same ones each time, unless their number is set."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize="ORCID_SYNC_EXAMPLES" not in os.environ,
        phases=PHASES,
    )


@pytest.mark.fault("F56", "F57", "F58", "F59", "F60", "F61", "F62", "F63", "F64", "F65")
@pytest.mark.invariant("S5", "S8", "S9", "S10", "S11", "S13", "L1", "L5")
def test_any_life_keeps_every_promise(dsn: str) -> None:
    with asyncio.Runner() as runner, structlog.testing.capture_logs():
        opening = open_lives(dsn)
        runner.run(opening.__aenter__())
        Lives.runner = runner
        try:
            run_state_machine_as_test(
                Lives,
                settings=lives(EXAMPLES, STEPS),
            )
        finally:
            runner.run(opening.__aexit__(None, None, None))
