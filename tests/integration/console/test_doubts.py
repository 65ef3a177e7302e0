"""What an answer leaves in doubt is named wherever somebody looks: to operators whole, to readers what is theirs."""

from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from integration.console.status_pages import Pages, status_pages, token_of
from orcid_sync.model.explain.explanation import Explanation
from orcid_sync.model.ids import Orcid
from orcid_sync.model.scopes import View
from orcid_sync.model.webhooks.health import Rules
from orcid_sync.service.explain.explain import Question, explain_one
from orcid_sync.store.console import in_doubt
from orcid_sync.store.database.pools import Database, DatabaseRefused
from orcid_sync.store.database.roles import ROLES, viewing
from rig.service.command_line import Cli
from rig.service.reconciler import LIMITED, SECOND_LOOK, Bench
from rig.service.reconciler import OTHER as SICK

SECRET = "Confidential manuscript"
ODD = "its put-code is not a whole number below 2^63"


@pytest.fixture
async def pages(database: Database) -> AsyncIterator[Pages]:
    async with status_pages(database) as opened:
        yield opened


@pytest.fixture
async def sick(bench: Bench) -> dict[str, int]:
    """A record of which a section is left out, a part makes no sense, full forms fail, and most links go.

    Put-codes of its works: one public and one limited of which the full form fails.
    """
    edit = bench.registry.edit
    for number in range(8):
        edit.add_item(SICK, "researcher-url", {"url-name": "a link", "url": f"https://example.org/{number}"})
    await bench.connect(SICK, scopes=LIMITED)
    await bench.turn(SICK)
    works = {
        visibility: edit.add_item(SICK, "work", {"title": f"Never rendered, {visibility}"}, visibility=visibility)
        for visibility in ("public", "limited")
    }
    for code in works.values():
        edit.break_item(SICK, "work", code)
    odd = edit.add_item(SICK, "work", {"title": SECRET}, visibility="limited")
    edit.put_raw_in_item(SICK, "work", odd, ["put-code"], 1.5)
    for code in list(bench.registry.profiles.state(SICK).of("researcher-url"))[:7]:
        edit.remove_item(SICK, "researcher-url", code)
    edit.leave_out(SICK, ["activities-summary", "fundings"])
    assert await bench.notified(SICK) == "changed"
    return works


async def explained(bench: Bench, view: View | None = None, item: str | None = None) -> Explanation:
    return await explain_one(bench.connection, SICK, Question(view=view, rules=Rules(), item=item))


async def test_operators_are_told_all_of_it_and_readers_what_they_see(bench: Bench, sick: dict[str, int]) -> None:
    """Never how much there is of what a view does not show, nor that there is any."""
    everything = ["held", "section-unspoken", "set-aside", "full-form-unread"]
    views = {None: (everything, "2 works"), View.LIMITED: (everything[:2] + everything[3:], "2 works")}
    views[View.PUBLIC] = (everything[:2] + everything[3:], "1 work")
    for view, (complaints, works) in views.items():
        told = await explained(bench, view)

        assert [told.diagnosis.complaint, *(one.complaint for one in told.also)] == complaints, view
        facts = {fact.name: fact.value for fact in told.facts if fact.doubtful}
        assert facts["full form unread"].startswith(f"{works}, since ")
        assert facts["left out"].startswith("section funding, since ")
        assert facts["removal waits"].startswith("7 researcher urls, since ")
        assert ("set aside" in facts) == (view is None)
        text = msgspec.json.encode(told).decode()
        assert SECRET not in text
        assert (ODD in text) == (view is None)


@pytest.mark.parametrize(
    ("item", "view", "complaint", "words"),
    [
        ("Never rendered, public", None, "item-in-doubt", "its full form could not be read ("),
        ("Never rendered, public", View.PUBLIC, "item-in-doubt", "its full form could not be read ("),
        ("Never rendered, limited", None, "item-in-doubt", "its full form could not be read ("),
        ("Never rendered, limited", View.PUBLIC, "item-unknown", "of the section funding the last answer was not"),
        (SECRET, None, "item-in-doubt", f"a part of the section work that cannot be understood ({ODD})"),
        (SECRET, View.LIMITED, "item-unknown", "of the section funding the last answer was not understood whole"),
        ("example.org/2", None, "item-unknown", "of the sections"),
        ("no such thing", None, "item-unknown", "of the sections"),
    ],
)
async def test_one_item_is_explained_by_what_is_in_doubt_of_it(
    bench: Bench, sick: dict[str, int], item: str, view: View | None, complaint: str, words: str
) -> None:
    told = await explained(bench, view, item)

    assert (told.diagnosis.complaint, words in told.diagnosis.sentence) == (complaint, True), told.diagnosis


async def test_commands_name_each_kind(bench: Bench, sick: dict[str, int], cli: Cli) -> None:
    status, shown, held, listed, whole, drift = [
        (await cli.apart(*command.split())).stdout
        for command in (
            "status",
            f"show {SICK}",
            "holds list --json",
            f"doubts list {SICK} --json",
            "doubts list --kind item --documents",
            "drift list",
        )
    ]

    assert "All is well" not in status
    for sentence in (
        "WARN  1 section of 1 record was left out of ORCID's last answer",
        "WARN  1 part of 1 record cannot be understood and was set aside",
        "WARN  The full form of 2 items of 1 record could not be read",
        "WARN  7 items of 1 record are gone from ORCID's last answer",
    ):
        assert sentence in status
    assert f"orcid-sync explain {SICK}" in status
    for name in ("left out", "set aside", "full form unread", "removal waits"):
        assert f"\n{name}  " in shown
    assert SECRET not in shown
    [hold] = msgspec.json.decode(held)
    assert (hold["removals"], hold["others"]) == ({"researcher-url": 7}, {})
    entries = msgspec.json.decode(listed)
    assert sorted(entry["kind"] for entry in entries) == ["full-form"] * 2 + ["item"] + ["removal"] * 7 + ["section"]
    assert {entry["doc"] for entry in entries} == {None}
    assert SECRET in whole
    assert ODD in drift
    assert SICK in drift


async def test_a_list_says_that_there_is_more(bench: Bench, sick: dict[str, int], cli: Cli) -> None:
    few = (await cli.apart("doubts", "list", "--limit", "3")).stdout
    assert few.count(SICK) == 3
    assert "There are more; to see them: --limit 30" in few


async def test_all_is_said_to_be_well_again_when_it_is(bench: Bench, sick: dict[str, int], cli: Cli) -> None:
    for code in sick.values():
        bench.registry.edit.mend_item(SICK, "work", code)
    for code in list(bench.registry.profiles.state(SICK).of("work")):
        bench.registry.edit.mend_item(SICK, "work", code)
    bench.registry.edit.mend_record(SICK)
    await bench.pass_time(SECOND_LOOK, SICK)
    await bench.connection.execute("update orcid_sync.queue set due_at = now()")
    await bench.turn(SICK)

    assert await bench.doubts(orcid=SICK) == []
    assert (await cli.apart("doubts", "list")).stdout.strip() == "Nothing is in doubt."
    assert "There are no unknown members" in (await cli.apart("drift", "list")).stdout


async def test_the_page_of_the_record_and_the_list(
    bench: Bench, sick: dict[str, int], pages: Pages, connection: asyncpg.Connection
) -> None:
    seen = {}
    for scope in ("admin", "read-limited", "read-public"):
        async with pages.reader(await token_of(connection, scope)) as reader:
            seen[scope] = (await reader.get(f"/records/{SICK}")).text
            listed = await reader.get("/connections?state=in-doubt")
            assert listed.status == (200 if scope == "admin" else 403)
            assert ("waits for a second read" in listed.text) == (scope == "admin")

    for scope, page in seen.items():
        assert "Parts of this record are in doubt" in page
        assert "section funding, since " in page
        assert ("A second read must agree" in page) == (scope == "admin")
        assert (ODD in page) == (scope == "admin")
        assert SECRET not in page
        assert ("2 works, since " if scope != "read-public" else "1 work, since ") in page
    assert "ORCID's last answer would remove 7 researcher urls." in seen["admin"]


async def test_metrics_count_each_kind(
    bench: Bench, sick: dict[str, int], pages: Pages, connection: asyncpg.Connection
) -> None:
    async with pages.reader(await token_of(connection, "admin")) as reader:
        shown = (await reader.get("/metrics")).text
        for kind, number in {"section": 1, "item": 1, "full-form": 2, "removal": 7, "shown": 0, "older": 0}.items():
            assert f'orcid_sync_doubts{{kind="{kind}"}} {number}.0' in shown
            assert f'orcid_sync_doubts_records{{kind="{kind}"}} {min(number, 1)}.0' in shown


@pytest.mark.invariant("S13")
async def test_readers_learn_which_sections_were_left_out_and_nothing_else(
    bench: Bench, sick: dict[str, int], database: Database
) -> None:
    for view in View:
        async with viewing(database.reader, view) as reader:
            assert await reader.fetchval("select sections_left_out from orcid.freshness where orcid = $1", SICK) == [
                "funding"
            ]
            assert await reader.fetchval("select orcid.sections_left_out($1)", "0000-0002-1825-0097") == []
        columns = await bench.connection.fetch(
            """select a.attname as name from pg_attribute as a
                where a.attrelid = 'orcid_sync.doubts'::regclass and a.attnum > 0
                  and has_column_privilege($1, a.attrelid, a.attnum, 'select')""",
            ROLES[view],
        )
        assert {column["name"] for column in columns} == {"orcid", "kind", "section"}
        with pytest.raises(DatabaseRefused, match="InsufficientPrivilege"):
            async with viewing(database.reader, view) as reader:
                await reader.fetch("select * from orcid_sync.doubts")


async def test_who_is_not_followed_any_more_is_not_counted(bench: Bench, sick: dict[str, int]) -> None:
    assert await in_doubt.counts(bench.connection)
    await bench.disconnect(SICK)
    assert await in_doubt.counts(bench.connection) == []
    assert await in_doubt.of_record(bench.connection, SICK) == []
    assert await in_doubt.entries(bench.connection, orcid=Orcid(SICK), limit=100) == []
