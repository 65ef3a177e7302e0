"""An audit tells what of the mirror is right and why the rest is not; it trusts nothing that the mirror says itself."""

import re
from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.analysis.audit import Finding, Verdict, count, identical_share
from orcid_sync.service.analysis.audit import Auditor
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from rig.service.command_line import Cli
from rig.service.every_record import environment_of, make_every_record
from rig.service.reconciler import LIMITED, OTHER, Bench, O

WORKS = ["activities-summary", "works"]

LOST_KEY = (
    r"update orcid_sync.tokens set access_token = regexp_replace(access_token, '^v1\.[^.]*', 'v1.lost')"
    " where orcid = $1"
)
"""The key with which a token was sealed is not among the keys any more."""

SEALED = "the holder's token cannot be opened: encrypted with the key 'lost', which is not set"


@pytest.fixture
async def mirrored(bench: Bench) -> Bench:
    """Two records, mirrored; nothing is due."""
    await bench.connect(scopes=LIMITED)
    await bench.connect(OTHER)
    await bench.turn(O)
    await bench.turn(OTHER)
    return bench


async def audited(bench: Bench, orcid: str = O) -> Finding:
    auditor = Auditor(database=bench.database, registry=bench.reconciler.registry, vault=bench.vault)
    return await auditor.audit(orcid)


async def test_what_was_just_mirrored_is_identical(mirrored: Bench) -> None:
    head, requests = await mirrored.head(), len(mirrored.requests())

    findings = [await audited(mirrored, orcid) for orcid in (O, OTHER)]

    assert [one.verdict for one in findings] == [Verdict.IDENTICAL] * 2
    assert [one.differences for one in findings] == [{}, {}]
    assert len(mirrored.requests()) == requests + 2, "one request a record"
    assert await mirrored.head() == head, "nothing is written"


@pytest.mark.parametrize(
    ("damage", "difference"),
    [
        pytest.param(
            'update orcid.works set doc = doc || \'{"type": "x"}\' where put_code = $1', "differs", id="changed"
        ),
        pytest.param("delete from orcid.works where put_code = $1", "missing", id="lost"),
        pytest.param("update orcid.works set group_position = 7 where put_code = $1", "differs", id="misplaced"),
        pytest.param("update orcid.works set put_code = -put_code where put_code = $1", "extra", id="invented"),
    ],
)
async def test_damage_is_found_under_an_unchanged_digest(mirrored: Bench, damage: str, difference: str) -> None:
    code = await mirrored.connection.fetchval("select min(put_code) from orcid.works where orcid = $1", OTHER)
    await mirrored.connection.execute(damage, code)

    found = await audited(mirrored, OTHER)

    assert found.verdict is Verdict.DRIFTED
    assert found.differences[f"work {difference}"] == 1


async def test_what_nothing_has_told_of_is_newer(mirrored: Bench) -> None:
    mirrored.registry.clock.advance(60)
    mirrored.registry.edit.add_item(OTHER, "keyword", {"content": "tides"})

    found = await audited(mirrored, OTHER)

    assert (found.verdict, found.differences) == (Verdict.NEWER, {"keyword missing": 1})
    assert found.changed_at is not None
    assert found.verified_at is not None
    assert found.changed_at > found.verified_at


async def test_what_is_due_is_only_pending(mirrored: Bench) -> None:
    mirrored.registry.edit.add_item(OTHER, "keyword", {"content": "tides"})
    await mirrored.notify(OTHER)

    assert (await audited(mirrored, OTHER)).verdict is Verdict.PENDING


async def test_a_drift_without_a_date_is_named(mirrored: Bench) -> None:
    code = await mirrored.connection.fetchval("select min(put_code) from orcid.works where orcid = $1", OTHER)
    mirrored.registry.edit.recurate_item(OTHER, "work", code, {"title": {"title": {"value": "Another"}}})

    assert (await audited(mirrored, OTHER)).verdict is Verdict.DRIFTED


async def test_a_locked_record_is_right_once_the_mirror_knows(mirrored: Bench) -> None:
    mirrored.registry.edit.lock(OTHER)
    before = await audited(mirrored, OTHER)
    await mirrored.notified(OTHER)
    await mirrored.when_due(OTHER)

    assert (before.verdict, before.differences) == (Verdict.NEWER, {"record locked": 1})
    assert (await audited(mirrored, OTHER)).verdict is Verdict.IDENTICAL


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (502, "the answer is not the Registry's own JSON (HTTP 502)"),
        (500, "ORCID cannot show this record (HTTP 500, error-code 9008)"),
    ],
)
async def test_a_registry_that_is_away_or_cannot_show_it_says_nothing_about_the_mirror(
    mirrored: Bench, status: int, reason: str
) -> None:
    mirrored.registry.faults.add("error", endpoint="record", status=status)

    found = await audited(mirrored, OTHER)

    assert (found.verdict, found.reason) == (Verdict.UNREADABLE, reason)


async def test_the_command_keeps_a_series_and_ends_with_1_below_the_mark(
    mirrored: Bench,
    registry: SimulatedRegistry,
    cli: Cli,
    connection: asyncpg.Connection,
) -> None:
    env = environment_of(mirrored)
    good = await cli.apart("audit", env=env)
    registry.edit.add_item(OTHER, "keyword", {"content": "a word that is nobody's business"})
    bad = await cli.apart("audit", "--sample", "10", env=env)
    machine = await cli.apart("audit", "--json", env=env)

    assert good.exit_code == 0, good.output
    assert "identical: 100.0% (95 % confidence: between 34.2% and 100.0%)" in good.stdout
    assert bad.exit_code == 1
    assert "1 keyword missing" in bad.stdout
    assert "Earlier audits" in bad.stdout
    assert machine.exit_code == 1
    document = msgspec.json.decode(machine.stdout)
    assert document["audit"]["verdicts"] == {"identical": 1, "newer": 1}
    assert [one["orcid"] for one in document["findings"]] == [OTHER]
    kept = await connection.fetch("select findings::text from orcid_sync.audits")
    assert len(kept) == 3
    assert not any("business" in row["findings"] for row in kept), "counts are kept, never a content"


async def test_a_record_that_fails_is_a_verdict_and_the_audit_goes_on(
    mirrored: Bench, cli: Cli, connection: asyncpg.Connection
) -> None:
    """A token that no key opens, and an answer that is no record."""
    await connection.execute(LOST_KEY, O)
    third = numbered_orcid(307)
    mirrored.registry.add_record(third, works=1)
    await mirrored.connect(third)
    await mirrored.turn(third)
    mirrored.registry.faults.add("wrong-shape", "record", orcid=third, body={"orcid-identifier": {"path": third}})

    people = await cli.apart("audit", env=environment_of(mirrored))
    machine = await cli.apart("audit", "--json", "--at-least", "0.5", env=environment_of(mirrored))

    assert (people.exit_code, machine.exit_code) == (1, 0), people.output + machine.output
    assert "identical: 50.0%" in people.stdout, "what we fail to compare is not known to be identical"
    document = msgspec.json.decode(machine.stdout)
    assert document["audit"]["verdicts"] == {"failed": 1, "identical": 1, "unreadable": 1}
    said = {one["orcid"]: (one["verdict"], one["reason"]) for one in document["findings"]}
    assert said == {
        O: ("failed", SEALED),
        third: ("unreadable", "The Registry's answer does not have the form that it should have (HTTP 200)"),
    }
    for verdict, reason in said.values():
        assert re.search(rf"{verdict}.*{re.escape(reason)}", people.stdout)


async def test_explaining_a_record_that_fails_says_why(
    mirrored: Bench, cli: Cli, connection: asyncpg.Connection
) -> None:
    await connection.execute(LOST_KEY, O)

    result = await cli.apart("explain", O, "--ask", env=environment_of(mirrored))

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"It could not be compared with what ORCID shows now: {SEALED}.\n")
    assert re.search(rf"ORCID now +not compared: {SEALED}", result.stdout)


async def test_every_record_has_a_verdict(bench: Bench, cli: Cli) -> None:
    orcids = await make_every_record(bench)

    result = await cli.apart("audit", "--json", env=environment_of(bench))

    document = msgspec.json.decode(result.stdout)
    found = {one["orcid"]: one["verdict"] for one in document["findings"]}
    assert "failed" not in document["audit"]["verdicts"]
    assert orcids["no_longer_readable"] in found
    alike = ("empty", "emptied", "released", "locked", "locked_from_the_first", "deactivated", "deprecated", "unknown")
    assert {kind: found[orcids[kind]] for kind in alike if orcids[kind] in found} == {}


def test_nothing_to_audit_is_said(cli: Cli) -> None:
    result = cli(
        "audit",
        env={
            "ORCID_SYNC_CLIENT_ID": "APP-X",
            "ORCID_SYNC_CLIENT_SECRET": "x",
            "ORCID_SYNC_ENCRYPTION_KEY": "A" * 43 + "=",
        },
    )

    assert result.exit_code == 1
    assert "nothing to audit" in result.output


async def test_a_record_that_shows_nothing_is_identical(bench: Bench) -> None:
    empty = numbered_orcid(307)
    bench.registry.edit.create_record(empty)
    await bench.connect(empty)
    await bench.turn(empty)

    assert (await audited(bench, empty)).verdict is Verdict.IDENTICAL


@pytest.mark.parametrize(
    ("spoil", "section"),
    [
        (lambda edit: edit.leave_out(OTHER, WORKS), "work"),
        (lambda edit: edit.put_raw(OTHER, [*WORKS, "group", 0, "work-summary", 0, "put-code"], None), "work"),
        (lambda edit: edit.leave_out(OTHER, ["person", "keywords"]), "keyword"),
    ],
)
async def test_what_an_answer_leaves_out_is_not_known_to_be_identical(
    mirrored: Bench, spoil: Callable[[Any], None], section: str
) -> None:
    spoil(mirrored.registry.edit)

    found = await audited(mirrored, OTHER)

    assert (found.verdict, found.differences) == (Verdict.PARTLY, {})
    assert found.reason == f"ORCID's answer did not speak of the section {section}, or not whole"
    assert identical_share(count([found])) is None
