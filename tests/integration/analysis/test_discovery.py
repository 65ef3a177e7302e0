"""Who might be asked next: found by the search, with evidence, and never somebody who has decided already."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration.analysis.affiliated_people import ELSEWHERE, HERE, NAMED_HERE, OLD_HERE, ROR, environment, member
from orcid_sync.model.analysis.institution import Institution, parse_organization_id
from orcid_sync.model.ids import Orcid
from orcid_sync.service.analysis.discover import AGAIN, KEEP, Discovered, Discoverer
from orcid_sync.store.analysis import discoveries
from orcid_sync.store.consent import connections, erasure
from orcid_sync.store.consent.connections import Entry
from rig.records.mirror import apply_record, skeleton
from rig.service.command_line import Cli
from rig.service.reconciler import OTHER, Bench

IDS = (parse_organization_id(ROR), parse_organization_id("grid.990009.1"))
INSTITUTION = Institution(IDS, ("example.edu",))
DOI = "10.5555/shared"


async def run(bench: Bench, *, most: int = 100, institution: Institution = INSTITUTION) -> Discovered:
    discoverer = Discoverer(
        database=bench.database, registry=bench.reconciler.registry, institution=institution, at_once=2
    )
    return await discoverer.run(datetime.now(UTC), most=most)


async def names(bench: Bench) -> list[str]:
    """Everybody of whom anything is stored."""
    rows = await bench.connection.fetch("select orcid from orcid_sync.discoveries order by orcid")
    return [row["orcid"] for row in rows]


async def test_the_evidence_is_what_the_record_says(bench: Bench) -> None:
    await apply_record(bench.database.worker, _with_doi(OTHER))
    now = member(bench.registry, 1, email="ada@cs.example.edu", dois=("10.5555/SHARED", "10.5555/own"))
    past = member(bench.registry, 2, at=OLD_HERE, until="2019-05")
    mail = member(bench.registry, 3, at=None, email="eve@example.edu")
    member(bench.registry, 4, at=ELSEWHERE, dois=(DOI,))
    funded = member(bench.registry, 5, at=ELSEWHERE, funded_by=HERE)

    result = await run(bench)

    people = {one.orcid: one for one in result.people}
    assert list(people) == [now, mail, past], "the most convincing first"
    assert people[now].name == "Person Number1"
    (here,) = people[now].evidence.affiliations
    assert (here.section, here.organization, here.by, here.current, here.since) == (
        *("employment", "Example University", "ROR", True, 2015),
    )
    assert (people[now].evidence.domains, people[now].evidence.works, people[now].evidence.dois) == (
        *(["example.edu"], 1, [DOI]),
    )
    assert people[now].found_by == ["@example.edu", ROR]
    assert (people[past].evidence.current, people[past].evidence.affiliations[0].until) == (False, 2019)
    assert (people[mail].evidence.affiliations, people[mail].evidence.current) == ([], True)
    assert (result.found, result.examined, result.left, result.missing) == (4, 4, 0, 0)
    row = await bench.connection.fetchrow("select name, evidence from orcid_sync.discoveries where orcid = $1", funded)
    assert tuple(row) == (None, None), "found by a funding alone: read once, nothing kept"


def _with_doi(orcid: str) -> bytes:
    import msgspec

    record = skeleton(orcid)
    known = [{"external-id-type": "doi", "external-id-value": "10.5555/Shared", "external-id-relationship": "self"}]
    work = {"put-code": 1, "visibility": "public", "external-ids": {"external-id": known}}
    record["activities-summary"]["works"]["group"] = [{"work-summary": [work]}]
    return msgspec.json.encode(record)


async def test_by_name_only_if_wanted(bench: Bench) -> None:
    named = member(bench.registry, 1, at=NAMED_HERE)
    before = await run(bench)

    after = await run(bench, institution=Institution(IDS, (), ("Example University",)))

    assert before.people == []
    assert [(one.orcid, one.evidence.affiliations[0].by) for one in after.people] == [(named, "name")]


DECIDED = {
    "connected": "update orcid_sync.connections set state = 'connected' where orcid = $1",
    "left": "update orcid_sync.connections set state = 'disconnected' where orcid = $1",
    "erased": "update orcid_sync.connections set state = 'disconnected', erased_at = now() where orcid = $1",
}
INVITED = (
    "insert into orcid_sync.invitations (person_id, orcid, expires_at, denied_at)"
    " values (gen_random_uuid(), $1, now(), {})"
)


async def test_who_has_decided_is_never_suggested(bench: Bench) -> None:
    asked = {number: member(bench.registry, number) for number in range(7)}
    for number, statement in enumerate(DECIDED.values()):
        await connections.connect_orcids(bench.connection, [Entry(orcid=asked[number])])
        await bench.connection.execute(statement, asked[number])
    await bench.connection.execute(INVITED.format("null"), asked[3])
    await bench.connection.execute(INVITED.format("now()"), asked[4])
    await erasure.erase(bench.connection, await _discovered(bench, asked[5]), by="operator", learnt="command")

    result = await run(bench)

    assert [one.orcid for one in result.people] == [asked[6]]
    assert result.barred == {"connected": 1, "left": 1, "erased": 2, "invited": 1, "denied": 1}
    assert await names(bench) == [asked[6]], "nothing is stored of the others"
    assert len(bench.requests("record")) == 1, "and their records are not read"


async def _discovered(bench: Bench, orcid: Orcid) -> Orcid:
    await discoveries.see(bench.connection, {orcid: ["x"]})
    return orcid


async def test_who_decides_later_is_listed_no_more(bench: Bench) -> None:
    orcid = member(bench.registry, 1)
    await run(bench)
    await connections.connect_orcids(bench.connection, [Entry(orcid=orcid)])

    result = await run(bench)

    assert (result.people, result.barred) == ([], {"connected": 1})
    assert await names(bench) == []


async def test_records_are_read_within_a_budget_and_not_again_at_once(bench: Bench) -> None:
    orcids = [member(bench.registry, number) for number in range(5)]

    runs = [await run(bench, most=2) for _ in range(3)]
    reads = len(bench.requests("record"))
    await bench.connection.execute("update orcid_sync.discoveries set examined_at = now() - $1::interval", AGAIN)
    again = await run(bench)

    assert [(one.examined, one.left, len(one.people)) for one in runs] == [(2, 3, 2), (2, 1, 4), (1, 0, 5)]
    assert reads == len(orcids)
    assert again.examined == 5


async def test_who_is_found_no_more_is_forgotten_in_time(bench: Bench) -> None:
    orcid = member(bench.registry, 1)
    member(bench.registry, 2)
    await run(bench)
    bench.registry.world.index.settings.omitted.append(orcid)

    soon = await run(bench)
    past = "update orcid_sync.discoveries set last_seen_at = now() - $2::interval where orcid = $1"
    await bench.connection.execute(past, orcid, KEEP + timedelta(days=1))
    later = await run(bench)

    assert (len(soon.people), len(later.people)) == (2, 1)
    assert orcid not in await names(bench)


@pytest.mark.parametrize("state", ["lock", "deactivate"])
async def test_a_closed_record_says_nothing(bench: Bench, state: str) -> None:
    orcid = member(bench.registry, 1)
    getattr(bench.registry.edit, state)(orcid)

    result = await run(bench)

    assert (result.found, result.examined, result.people) == (1, 1, [])


async def test_trouble_of_the_registry_ends_the_reading_and_nothing_is_lost(bench: Bench) -> None:
    for number in range(6):
        member(bench.registry, number)
    bench.registry.faults.add("error", endpoint="record", status=500)

    troubled = await run(bench)
    bench.registry.faults.clear()
    await bench.connection.execute("update orcid_sync.pace set failures = 0, paused_until = '-infinity'")
    after = await run(bench)

    assert (troubled.examined, troubled.left) == (0, 6)
    assert troubled.trouble
    assert (after.examined, after.left, len(after.people)) == (6, 0, 6)


async def test_an_erasure_reaches_those_who_were_only_found(bench: Bench) -> None:
    orcid = member(bench.registry, 1)
    await run(bench)

    certificate = await erasure.erase(bench.connection, orcid, by="operator", learnt="command")

    assert certificate.deleted == {"orcid_sync.discoveries": 1}
    assert await names(bench) == []
    result = await run(bench)
    assert (result.people, result.barred) == ([], {"erased": 1})


async def test_a_backup_that_brings_somebody_back_is_put_right(bench: Bench) -> None:
    orcid = await _discovered(bench, member(bench.registry, 1))
    row = await bench.connection.fetchrow("select * from orcid_sync.discoveries")
    certificate = await erasure.erase(bench.connection, orcid, by="operator", learnt="command")
    await bench.connection.execute("delete from orcid_sync.connections")
    await bench.connection.execute(
        "insert into orcid_sync.discoveries (orcid, first_seen_at) values ($1, $2)", orcid, row["first_seen_at"]
    )

    assert await erasure.is_back(bench.connection, orcid, certificate.at)
    again = await erasure.erase_again(bench.connection, orcid, at=certificate.at, by="operator")

    assert again is not None
    assert again.deleted == {"orcid_sync.discoveries": 1}
    assert await names(bench) == []
    assert not await erasure.is_back(bench.connection, orcid, certificate.at)


async def test_the_command_tells_what_is_new_and_forgets_who_is_dismissed(bench: Bench, cli: Cli) -> None:
    env = environment(bench.registry, institution_ror=ROR, institution_domains="example.edu")
    first, second = member(bench.registry, 1), member(bench.registry, 2, until="2020")

    shown = await cli.apart("discover", env=env)
    third = member(bench.registry, 3, email="eve@example.edu")
    document = await asyncio.to_thread(cli.json, "discover", "--new", env=env)
    none = await cli.apart("discover", "--new", env=env)
    sheet = await cli.apart("discover", "--stored", "--current", "--format", "csv", env=env)
    dismissed = await cli.apart("discover", "--dismiss", first, env=env)
    rest = await asyncio.to_thread(cli.json, "discover", env=env)

    assert shown.exit_code == 0, shown.output
    assert "employment, Example University, since 2015" in shown.stdout
    assert "employment, Example University, until 2020" in shown.stdout
    assert (
        "2 found by the search, of whom 0 are not suggested.\n2 people can be invited, 2 of them new." in shown.stderr
    )
    assert [(one["orcid"], one["new"], one["current"]) for one in document["people"]] == [(third, True, True)]
    assert document["run"] == {"found": 3, "missing": 0, "examined": 1, "left": 0, "not_suggested": {}}
    assert none.stdout == ""
    rows = list(csv.DictReader(io.StringIO(sheet.stdout)))
    assert [(row["orcid"], row["domains"]) for row in rows] == [(third, "example.edu"), (first, "")]
    assert dismissed.stdout == f"{first}  dismissed\n"
    assert [one["orcid"] for one in rest["people"]] == [third, second]
    assert rest["run"]["not_suggested"] == {"dismissed": 1}
    kept: Any = await bench.connection.fetchrow("select * from orcid_sync.discoveries where orcid = $1", first)
    assert (kept["name"], kept["evidence"], kept["found_by"]) == (None, None, [])


def test_without_an_institution_there_is_nothing_to_discover(cli: Cli) -> None:
    result = cli("discover")

    assert result.exit_code == 1
    assert "set institution_ror" in result.stderr
