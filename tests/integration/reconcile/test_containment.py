"""One sick part stops nothing else: every endpoint by every way to fail, at first load, change and hiding.

Made from the list of endpoints that the client knows: a new one has to say how a reconciliation meets it, or why none
does, and all the ways to fail follow. What the tests of one part look at closely (full forms, side steps, states,
faults) is looked at here from outside: what goes on meanwhile, for this iD and for others.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from orcid_sync.daemon.public_listener import rules_of
from orcid_sync.model.explain.diagnosis import DiagnosisKind
from orcid_sync.model.explain.explanation import Explanation
from orcid_sync.model.ids import Orcid
from orcid_sync.registry.http_exchange import Limits
from orcid_sync.registry.requests import WEBHOOK, Endpoint
from orcid_sync.service.explain.explain import Question, explain_one
from orcid_sync.service.explain.status_doubts import doubtful
from orcid_sync.service.explain.status_findings import findings
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.samples import random_items
from orcid_sync.simulator.samples.record_builder import RecordBuilder
from orcid_sync.simulator.samples.sample_records import register_sources
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.console.overview import overview
from orcid_sync.store.webhooks import inventory
from rig.service.reconciler import LIMITED, OTHER, Bench

DAY = timedelta(days=1)
NEW, CHANGED, HIDING = (Orcid(numbered_orcid(5_000_010 + number)) for number in range(3))
SICK = (NEW, CHANGED, HIDING)
CALM = {DiagnosisKind.WELL, DiagnosisKind.PENDING, DiagnosisKind.LATELY_REMOVED, DiagnosisKind.LIMITED_ONLY}
"""What `explain` may say besides: nothing of it is amiss."""

MAKERS: dict[str, Callable[[Random], dict[str, Any]]] = {
    "work": random_items.work,
    "funding": random_items.funding,
    "peer-review": random_items.peer_review,
    "research-resource": random_items.research_resource,
    "keyword": lambda rng: random_items.personal(rng, "keyword"),
}
FULL = ("work", "funding", "peer-review", "research-resource")
"""What has a full form besides."""


@dataclass(frozen=True)
class Way:
    """A way to fail."""

    kind: str
    """At the simulated Registry, with its options."""
    options: dict[str, Any]
    said: str
    """What operators must read of it, at every endpoint."""
    is_state: bool = False
    """Whether `/record`, and nothing else, would decide the record's state by it (contract section 3.5)."""


WAYS = {
    "500/9008": Way("error", {"code": 9008}, "HTTP 500, error-code 9008"),
    "400/9006": Way("error", {"code": 9006}, "HTTP 400, error-code 9006"),
    "403/9005": Way("error", {"code": 9005}, "HTTP 403, error-code 9005"),
    "401/9017": Way("error", {"code": 9017}, "HTTP 401, error-code 9017"),
    "409/9044": Way("error", {"code": 9044}, "HTTP 409, error-code 9044", is_state=True),
    "404/9016": Way("error", {"code": 9016}, "HTTP 404, error-code 9016", is_state=True),
    "301/9007": Way("error", {"code": 9007, "detail": f"https://orcid.org/{OTHER}"}, "error-code 9007", is_state=True),
    "403 page": Way("error", {"status": 403, "html": True}, "HTTP 403"),
    "504 page": Way("error", {"status": 504, "html": True}, "HTTP 504"),
    "HTML with 200": Way("html", {}, "HTTP 200"),
    "cut off": Way("truncated", {}, "JSON (HTTP 200)"),
    "byte order mark": Way("bom", {}, "JSON (HTTP 200)"),
    "a list": Way("list", {}, "(HTTP 200)"),
    "another record's": Way("wrong-record", {"other": OTHER}, "another record"),
    "another item's path": Way("foreign-path", {"other": OTHER}, "another item"),
    "another item's number": Way("wrong-put-code", {"value": 7}, "another item"),
    "silence": Way("timeout", {"seconds": 10}, "no complete answer in time"),
    "lost connection": Way("reset", {}, "the connection was lost"),
    "429": Way("error", {"status": 429}, "HTTP 429"),
    "503": Way("error", {"status": 503}, "HTTP 503"),
}
OF_A_RECORD = {"another record's"}
OF_AN_ITEM = {"another item's path", "another item's number"}
OF_A_BODY = {"cut off", "byte order mark", "a list"}


async def nothing(_: Bench, __: Orcid) -> None:
    """The sick turn meets the endpoint by itself."""


async def webhook_is_due(bench: Bench, orcid: Orcid) -> None:
    """It is registered with the first load, and revived later."""
    if await bench.webhook_rows(orcid):
        assert await inventory.revive(bench.connection, limit=1, orcids=[orcid]) == [orcid]


async def our_token_is_refused(bench: Bench, orcid: Orcid) -> None:
    """That for webhooks: a new one is asked for."""
    await webhook_is_due(bench, orcid)
    tokens = bench.registry.token_service.tokens
    for text, one in list(tokens.items()):
        if one.orcid is None and WEBHOOK in one.scopes:
            del tokens[text]


async def permission_is_renewed(bench: Bench, orcid: Orcid) -> None:
    """The token that was used until now is to be revoked."""
    await bench.connect(orcid, scopes=LIMITED)
    await bench.connect(orcid, scopes=LIMITED)


@dataclass(frozen=True)
class Part:
    """How a reconciliation meets an endpoint, and what of the iD is sick when it fails."""

    faulty: str
    """The endpoint at the simulated Registry."""
    sentence: str
    """What `status` says."""
    diagnosis: DiagnosisKind
    """What `explain` says."""
    prepare: Callable[[Bench, Orcid], Awaitable[None]] = nothing
    unread: str | None = None
    """The section whose full forms are not read."""
    whole: bool = False
    """The record itself is not read."""
    concerns: bool = True
    """Whether its questions are about one iD; else they fail for everybody."""
    besides: Collection[DiagnosisKind] = ()
    """What `explain` says of the preparations."""
    harmless: Collection[str] = ()
    """Ways in which it cannot fail, for its answer says nothing of the kind."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What operators read instead of what each way says."""


PARTS = {
    Endpoint.RECORD: Part("record", "cannot be read", DiagnosisKind.FAILING, whole=True, harmless=OF_AN_ITEM),
    Endpoint.WORKS: Part(
        "works-bulk",
        "The full form of",
        DiagnosisKind.FULL_FORM_UNREAD,
        unread="work",
        harmless=OF_A_RECORD,
        words=dict.fromkeys(OF_AN_ITEM, "left it out"),
    ),
    Endpoint.ITEM: Part(
        "funding", "The full form of", DiagnosisKind.FULL_FORM_UNREAD, unread="funding", harmless=OF_A_RECORD
    ),
    Endpoint.WEBHOOK: Part(
        "webhook-*",
        "3 webhooks could not be changed",
        DiagnosisKind.WEBHOOK_FAILING,
        webhook_is_due,
        besides={DiagnosisKind.WEBHOOK_DEAD},
        harmless=OF_A_RECORD | OF_AN_ITEM | OF_A_BODY,
    ),
    Endpoint.TOKEN: Part(
        "token",
        "3 webhooks could not be changed",
        DiagnosisKind.WEBHOOK_FAILING,
        our_token_is_refused,
        besides={DiagnosisKind.WEBHOOK_DEAD},
        concerns=False,
        harmless=OF_A_RECORD | OF_AN_ITEM,
    ),
    Endpoint.REVOKE: Part(
        "revoke",
        "3 tokens no longer used could not be revoked",
        DiagnosisKind.REVOCATION_FAILING,
        permission_is_renewed,
        concerns=False,
        harmless=OF_A_RECORD | OF_AN_ITEM | {"cut off"},
    ),
}
ELSEWHERE = {
    Endpoint.SEARCH: ("a net asks it, beside all reconciliations", "tests/integration/sync/test_safety_nets.py"),
    Endpoint.CODE: ("a person's browser brings the code, which is sent once", "tests/unit/registry/test_consent.py"),
}
"""What no reconciliation asks: why, and where its failures are looked at."""


def test_every_endpoint_that_the_client_knows_stands_in_the_matrix() -> None:
    assert PARTS.keys() | ELSEWHERE.keys() == set(Endpoint)
    assert not PARTS.keys() & ELSEWHERE.keys()
    for reason, test in ELSEWHERE.values():
        assert reason
        assert (Path(__file__).parents[3] / test).exists()


@pytest.fixture
async def registry() -> AsyncIterator[SimulatedRegistry]:
    """Records with two items of each kind that is read in a way of its own."""
    async with SimulatedRegistry(id_host="orcid.org") as simulated:
        register_sources(simulated.world)
        for number, orcid in enumerate((*SICK, OTHER)):
            builder = RecordBuilder(simulated.profiles, orcid, Random(number))
            builder.name("Max", "Mustermann")
            for section, make in MAKERS.items():
                for position in range(2):
                    builder.add(section, make(builder.rng), display_index=position)
            builder.build()
        yield simulated


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Limits:
    silent = "silence" in request.node.name
    return Limits(total_seconds=1 if silent else 2, repeat_wait_seconds=0)


def codes(bench: Bench, orcid: Orcid, section: str) -> list[int]:
    return list(bench.registry.profiles.state(orcid).of(section))


def change(bench: Bench, orcid: Orcid) -> None:
    """Something new, and a new edit of what has a full form."""
    for section, make in MAKERS.items():
        bench.registry.edit.edit_item(orcid, section, codes(bench, orcid, section)[0], make(Random("new")))
    bench.registry.edit.add_item(orcid, "work", random_items.work(Random("another")))


def hide(bench: Bench, orcid: Orcid) -> None:
    """Something of each kind is not for us any more."""
    for section in MAKERS:
        bench.registry.edit.set_visibility(orcid, section, codes(bench, orcid, section)[1], "private")


async def status(bench: Bench) -> list[str]:
    """What `orcid-sync status` says, without what is true of a bench anyway, and of a pace that slowed down."""
    seen = await overview(bench.connection)
    said = [one.sentence for one in (*findings(seen), *doubtful(seen.doubts))]
    return [one for one in said if not one.startswith(("No worker", "ORCID said at"))]


async def explained(bench: Bench, orcid: Orcid) -> Explanation:
    question = Question(view=None, rules=rules_of(bench.settings), client_id=CLIENT_ID)
    return await explain_one(bench.connection, orcid, question)


async def token(bench: Bench, orcid: Orcid) -> str | None:
    sealed = await bench.connection.fetchval("select access_token from orcid_sync.tokens where orcid = $1", orcid)
    return bench.vault.open(sealed, orcid=orcid, column="access_token") if sealed else None


async def unread(bench: Bench, orcid: Orcid) -> set[str]:
    """Sections of the items whose full form is not that of the Registry."""
    found = set()
    for row in await bench.connection.fetch("select * from orcid.items where orcid = $1", orcid):
        if row["section"] in FULL and row["detail_modified_at"] != row["modified_at"]:
            found.add(row["section"])
    return found


CELLS = [
    pytest.param(PARTS[endpoint], way, name, id=f"{endpoint}: {name}")
    for endpoint in Endpoint
    if endpoint in PARTS
    for name, way in WAYS.items()
    if name not in PARTS[endpoint].harmless
]


@pytest.mark.fault("F39", "F40", "F49", "F53", "F31", "F32", "F33", "F34", "F35")
@pytest.mark.invariant("S8", "S9", "S10", "L1")
@pytest.mark.parametrize(("part", "way", "name"), CELLS)
async def test_one_sick_part_stops_nothing_else(bench: Bench, part: Part, way: Way, name: str) -> None:
    await lived_until_now(bench, part)
    shown = {orcid: await bench.mirror(orcid) for orcid in SICK}
    for orcid in SICK if part.concerns else [None]:
        bench.registry.faults.add(way.kind, part.faulty, orcid=orcid, **way.options)

    for orcid in SICK:
        await bench.notify(orcid)
    leases = [await bench.lease(orcid) for orcid in SICK]
    outcomes = set(await asyncio.gather(*map(bench.reconciler.reconcile, leases)))

    assert bench.registry.faults.fired[way.kind] >= len(SICK)
    change(bench, OTHER)
    assert await bench.notified(OTHER) == "changed"
    await bench.assert_mirrored(OTHER)
    assert (await explained(bench, OTHER)).diagnosis.complaint in CALM
    for orcid in SICK:
        if part.whole:
            await assert_kept(bench, orcid, way)
            assert await bench.mirror(orcid) == shown[orcid] or way.is_state  # then the record is withheld
        else:
            await assert_goes_on(bench, orcid, part)
    assert outcomes == {"changed"} if not part.whole else {"unconfirmed" if way.is_state else "failed"}
    if not (part.whole and way.is_state):  # then nothing is sick: it is ORCID's word, to be said twice
        await assert_named(bench, part, part.words.get(name, way.said))

    bench.registry.faults.clear()
    for orcid in SICK:
        await bench.pass_time(8 * DAY, orcid)
        await bench.turn(orcid)
        await bench.assert_mirrored(orcid, await token(bench, orcid))
        assert not await bench.doubts(orcid=orcid)
        assert not await bench.side_steps(orcid)
    assert await status(bench) == []


async def lived_until_now(bench: Bench, part: Part) -> None:
    """One was never read, one has changed, one has hidden something; all of them meet the endpoint next."""
    for orcid in (CHANGED, HIDING, OTHER):
        await bench.connect(orcid)
        await bench.turn(orcid)
    await bench.connect(NEW)
    for orcid in SICK:
        await part.prepare(bench, orcid)
    for orcid in (CHANGED, HIDING):
        change(bench, orcid)
    hide(bench, HIDING)


async def assert_kept(bench: Bench, orcid: Orcid, way: Way) -> None:
    """Nothing was heard of the record: no item goes, and it is tried again by its own back-off."""
    assert await bench.number(orcid=orcid) == (0 if orcid == NEW else 11)
    row = await bench.row(orcid)
    assert row["done_gen"] < row["gen"]
    assert timedelta() < await bench.due_in(orcid) < timedelta(hours=1)
    if not way.is_state:
        assert row["attempts"] == 1
        assert way.said in row["last_error"]


async def assert_goes_on(bench: Bench, orcid: Orcid, part: Part) -> None:
    """What the record shows is mirrored, what it shows no more is gone, and only the sick part is owed."""
    await bench.assert_summaries_mirrored(orcid, await token(bench, orcid))
    assert await unread(bench, orcid) == ({part.unread} if part.unread else set())
    assert {(doubt.kind, doubt.section) for doubt in await bench.doubts(orcid=orcid)} == (
        {("full-form", part.unread)} if part.unread else set()
    )
    row = await bench.row(orcid)
    assert (row["attempts"], row["last_error"], row["done_gen"]) == (0, None, row["gen"])
    assert timedelta() < await bench.due_in(orcid) <= 7 * DAY


async def assert_named(bench: Bench, part: Part, said: str) -> None:
    """Status and explain name the sick part and what was heard of it, and nothing besides."""
    [sentence] = await status(bench)
    assert part.sentence in sentence
    assert "3 " in sentence
    for orcid in SICK:
        explanation = await explained(bench, orcid)
        told = {one.complaint: one.sentence for one in (explanation.diagnosis, *explanation.also)}
        assert told.keys() - CALM - {*part.besides} == {part.diagnosis}
        assert said in told[part.diagnosis]
        if not part.whole:
            assert "cannot show this record" not in told[part.diagnosis]
            assert (
                "Everything else is applied" in told[part.diagnosis] or "is read all the same" in told[part.diagnosis]
            )


@pytest.mark.fault("F39")
@pytest.mark.invariant("S10", "L1")
async def test_whoever_gave_a_token_is_read_though_we_get_none_of_our_own(bench: Bench) -> None:
    """Our tokens are refused, and no new ones given out: that is nobody's record, but ours."""
    await bench.connect(OTHER, scopes=LIMITED)
    await bench.connect(CHANGED)
    for orcid in (OTHER, CHANGED):
        await bench.turn(orcid)
        change(bench, orcid)
    tokens = bench.registry.token_service.tokens
    for text in [text for text, one in tokens.items() if one.orcid is None and text != bench.own_token]:
        del tokens[text]
    bench.registry.faults.add("error", "token", status=500)

    assert await bench.notified(CHANGED) == "failed"
    assert await bench.notified(OTHER) == "changed"

    await bench.assert_mirrored(OTHER, await token(bench, OTHER))
    assert (await bench.row(CHANGED))["attempts"] == 1
    assert "HTTP 500" in (await explained(bench, CHANGED)).diagnosis.sentence
    bench.registry.faults.clear()
    assert await bench.when_due(CHANGED) == "changed"
    await bench.assert_mirrored(CHANGED)
