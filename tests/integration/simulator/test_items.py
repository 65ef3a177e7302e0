"""The simulated Registry along contract section 12, 10 to 14: items, bulk reads, dates, limits."""

import asyncio
import json
from typing import Any

from orcid_sync.simulator.base.rate_limits import DailyQuota, RateLimit
from orcid_sync.simulator.world import CLIENT_ID
from rig.simulator import Asking, O

# 10, 11: items


async def test_12_10_full_items_and_their_summaries(ask: Asking) -> None:
    edit = ask.sim.edit
    work = edit.add_item(O, "work", {"title": "t", "short-description": "s"}, display_index=3)
    full, summary = (await ask.get(f"work/{work}")).json, (await ask.get(f"work/summary/{work}")).json
    assert "display-index" not in full
    assert full["short-description"] == "s"
    assert summary["display-index"] == "3"
    resource = edit.add_item(
        O, "research-resource", {"proposal": {"title": "p"}, "resource-item": [{"resource-name": "r"}]}
    )
    assert (await ask.get(f"research-resource/{resource}")).json["resource-item"][0]["resource-name"] == "r"
    review = edit.add_item(O, "peer-review", {"review-group-id": "issn:1", "review-completion-date": "2020"})
    assert (await ask.get(f"peer-review/{review}")).json["review-completion-date"]["year"] == {"value": "2020"}
    assert (await ask.get(f"peer-review/summary/{review}")).json["completion-date"]["year"] == {"value": "2020"}
    keyword = edit.add_item(O, "keyword", {"content": "k"}, display_index=2)
    assert (await ask.get(f"keywords/{keyword}")).json["display-index"] == 2


async def test_12_10_reads_of_single_items_that_fail(ask: Asking) -> None:
    job = ask.sim.edit.add_item(O, "employment", {"role-title": "r"})
    hidden = ask.sim.edit.add_item(O, "work", {"title": "t"}, visibility="private")
    limited = ask.sim.edit.add_item(O, "work", {"title": "t"}, visibility="limited")
    for path, error in (
        (f"education/{job}", (400, 9006)),
        ("employment/999999", (404, 9016)),
        ("employment/abc", (400, 9034)),
        (f"work/{hidden}", (403, 9038)),
        (f"work/{limited}", (403, 9038)),
        ("biography", (404, 9041)),
    ):
        assert (await ask.get(path)).error == error, path
    assert (await ask("GET", f"/pub/v3.0/{O}/work/{hidden}", token=None)).error == (403, 9039)
    assert (await ask("GET", f"/pub/v3.0/{O}/work/abc", token=None)).status == 404


async def test_12_11_bulk_works_have_an_order_of_their_own_and_name_what_is_missing_last(ask: Asking) -> None:
    codes = [ask.sim.edit.add_item(O, "work", {"title": str(number)}) for number in range(60)]
    hidden = ask.sim.edit.add_item(O, "work", {"title": "hidden"}, visibility="private")
    asked = [999_999, *codes, hidden]
    answer = await ask.get("works/" + ",".join(map(str, asked)))
    assert answer.status == 200
    bulk = answer.json["bulk"]
    returned = [entry["work"]["put-code"] for entry in bulk if "work" in entry]
    assert sorted(returned) == codes
    assert returned != codes
    errors = [entry["error"] for entry in bulk if "error" in entry]
    assert [error["error-code"] for error in errors] == [9013, 9034]
    assert bulk[-1]["error"]["error-code"] == 9034
    assert "999999" in bulk[-1]["error"]["developer-message"]
    assert str(hidden) not in json.dumps(errors)


async def test_12_11_bulk_works_repeated_too_many_or_no_numbers(ask: Asking) -> None:
    code = ask.sim.edit.add_item(O, "work", {"title": "t"})
    repeated = (await ask.get(f"works/{code},{code}")).json["bulk"]
    assert [next(iter(entry)) for entry in repeated] == ["work", "error"]
    assert (await ask.get("works/" + ",".join(map(str, range(1, 102))))).error == (400, 9042)
    assert (await ask.get("works/1,x")).error == (400, 9006)


async def test_12a_bulk_works_from_the_cache_keep_the_order_asked_and_repeat_what_was_asked_twice(ask: Asking) -> None:
    codes = [ask.sim.edit.add_item(O, "work", {"title": str(number)}) for number in range(20)]
    path = "works/" + ",".join(map(str, [*codes, codes[3]]))

    async def kinds() -> list[Any]:
        return [
            entry["work"]["put-code"] if "work" in entry else "error" for entry in (await ask.get(path)).json["bulk"]
        ]

    first = await kinds()
    assert first[-1] == "error", "asked twice, found once"
    assert sorted(first[:-1]) == codes != first[:-1]
    assert await kinds() == [*codes, codes[3]]
    ask.sim.edit.edit_item(O, "work", codes[0], {"type": "book"})
    assert await kinds() == first, "the cache holds no work that has changed"


async def test_12a_bulk_works_say_9013_of_whatever_is_hidden_and_name_no_numbers_with_blanks(ask: Asking) -> None:
    hidden = [ask.sim.edit.add_item(O, "work", {"title": "t"}, visibility=one) for one in ("limited", "private")]
    path = "works/" + ",".join(map(str, hidden))
    assert [entry["error"]["error-code"] for entry in (await ask.get(path)).json["bulk"]] == [9013, 9013]
    public = await ask("GET", f"/pub/v3.0/{O}/{path}", token=None)
    assert [entry["error"]["error-code"] for entry in public.json["bulk"]] == [9039, 9039]
    assert (await ask.get("works/1,%203")).error == (400, 9006)


# 12, 13: dates and stale reads


async def test_12_12_the_records_date_moves_for_invisible_reasons_only_for_the_record(ask: Asking) -> None:
    before = (await ask.get("record")).json
    ask.sim.edit.change_settings(O)
    ask.sim.edit.add_item(O, "keyword", {"content": "hidden"}, visibility="private")
    after = (await ask.get("record")).json
    assert after.pop("history")["last-modified-date"] != before.pop("history")["last-modified-date"]
    assert after == before


async def test_12_12_sources_and_organisations_drift_without_any_date(ask: Asking) -> None:
    code = ask.sim.edit.add_item(O, "employment", {"organization": ("Old Name",)}, source=CLIENT_ID)
    before = await ask.get("record")
    ask.sim.edit.rename_client(CLIENT_ID, "Renamed University")
    renamed = await ask.get("record")
    assert renamed.body == before.body.replace(b"Simulated University", b"Renamed University") != before.body
    ask.sim.edit.recurate_item(O, "employment", code, {"organization": ("New Name",)})
    assert (await ask.get("record")).body == renamed.body.replace(b"Old Name", b"New Name") != renamed.body


async def test_12_13_a_further_change_gives_the_cache_a_new_key(ask: Asking) -> None:
    ask.sim.faults.add("stale", "works", seconds=300, sections=["work"])
    ask.sim.clock.advance(3600)
    ask.sim.edit.add_item(O, "work", {"title": "first"})
    assert b"first" not in (await ask.get("works")).body
    ask.sim.clock.advance(301)
    assert b"first" not in (await ask.get("works")).body
    ask.sim.edit.add_item(O, "work", {"title": "second"})
    works = (await ask.get("works")).body
    assert b"first" in works, "the replica has caught up with the first change"
    assert b"second" not in works


async def test_12_13_stale_content_under_a_new_date_lives_as_long_as_it_is_polled(ask: Asking) -> None:
    ask.sim.faults.add("stale", "record", seconds=300, sections=["work"])
    ask.sim.clock.advance(3600)
    code = ask.sim.edit.add_item(O, "work", {"title": "t"})

    async def fresh() -> bool:
        record = (await ask.get("record")).json
        assert record["history"]["last-modified-date"]["value"] == ask.sim.profiles.state(O).modified_ms
        return str(code) in json.dumps(record["activities-summary"]["works"])

    for _ in range(5):
        assert not await fresh()
        ask.sim.clock.advance(14 * 60)
    ask.sim.clock.advance(60)
    assert await fresh(), "after 15 minutes in which nobody asked"


async def test_12_13_an_earlier_version_under_the_present_date_for_so_many_reads(ask: Asking) -> None:
    first, second = (ask.sim.edit.add_item(O, "work", {"title": title}) for title in ("first", "second"))
    ask.sim.edit.add_item(O, "keyword", {"content": "k"})
    ask.sim.faults.add("earlier", "record", orcid=O, count=2, back=2)

    async def shown() -> tuple[bool, bool, int]:
        record = (await ask.get("record")).json
        assert record["history"]["last-modified-date"]["value"] == ask.sim.profiles.state(O).modified_ms
        body = json.dumps(record["activities-summary"]["works"])
        return str(first) in body, str(second) in body, len(record["person"]["keywords"]["keyword"])

    assert [await shown() for _ in range(3)] == [(True, False, 0), (True, False, 0), (True, True, 1)]
    ask.sim.faults.add("earlier", "record", version=0, sections=["work"])
    assert await shown() == (False, False, 1)


# 14: limits


async def test_12_14_the_rate_limit_queues_then_answers_a_page(ask: Asking) -> None:
    ask.sim.world.rate_limit = RateLimit(rate=500, queue=20)
    replies = await asyncio.gather(*(ask.get("record") for _ in range(60)))
    refused = [reply for reply in replies if reply.status == 503]
    assert {reply.status for reply in replies} == {200, 503}
    assert refused[0].headers["Content-Type"] == "text/html"
    assert b"<html>" in refused[0].body


async def test_12_14_the_daily_quota_of_anonymous_readers_is_plain_text(ask: Asking) -> None:
    ask.sim.world.quota = DailyQuota(limit=1)
    path = f"/pub/v3.0/{O}/record"
    statuses = [(await ask("GET", path, token=None)).status for _ in range(2)]
    assert statuses == [200, 429]
    refused = await ask("GET", path, token=None)
    assert refused.headers["Content-Type"].startswith("text/plain")
    assert (await ask("GET", path)).status == 200, "a known client is never blocked"
    assert (await ask("GET", path, token=None, X_Forwarded_For="192.0.2.9, 198.51.100.1")).status == 200
