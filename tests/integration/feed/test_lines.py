"""What stands in a line of the change feed, and what stands there when its content was forgotten."""

import json
from typing import Any

from integration.feed.feed_reader import Reader, decoded
from orcid_sync.store.database.pools import Database, transaction
from orcid_sync.store.feed import forgetting
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import encode, full_forms, keyword, rich_record


async def test_what_stands_in_a_line_of_the_feed(database: Database) -> None:
    record, forms = rich_record(), full_forms()
    await apply_record(database.worker, encode(record), forms, access="read-limited", cause="first-load")
    reader = Reader(database)
    await reader.read()
    first = reader.last
    record["person"]["keywords"]["keyword"][0]["content"] = "other"
    record["person"]["keywords"]["keyword"][0]["last-modified-date"]["value"] = 1700000009000
    record["activities-summary"]["works"]["group"].pop()
    await apply_record(database.worker, encode(record), access="read-limited", cause="notification")
    await reader.read()
    removed, updated = reader.seen[first:]
    plain = ("section", "key", "op", "reason", "fields", "minor", "visibility", "cause")
    assert [removed[name] for name in plain] == [
        *["work", "203", "removed", "removed", [], False, "limited", "notification"]
    ]
    assert [updated[name] for name in plain] == [
        *["keyword", "13", "updated", None, ["modified_at", "content"], False, "public", "notification"]
    ]
    assert updated["source_modified_at"].timestamp() == 1700000009.0
    assert removed["source_modified_at"].timestamp() == 1700000000.999  # the record's: the item has none any more
    assert (decoded(updated["old"])["doc"]["content"], decoded(updated["new"])["doc"]["content"]) == (
        *("made-up results", "other"),
    )
    assert decoded(removed["old"])["detail"] == json.loads(forms["work", "203"])
    assert removed["new"] is None
    assert {change["cause"] for change in reader.seen[:first]} == {"first-load"}
    assert all(change["epoch"] == removed["epoch"] for change in reader.seen)


async def test_a_forgotten_content_is_missing_and_the_history_stays(database: Database, sample_orcids: Any) -> None:
    (orcid,) = sample_orcids(1)
    record = skeleton(orcid)
    record["person"]["keywords"]["keyword"] = [keyword(1, "one")]
    await apply_record(database.worker, encode(record))
    async with transaction(database.worker) as connection:
        then = await connection.fetchval("select max(at) from orcid.changes")
    record["person"]["keywords"]["keyword"] = [keyword(1, "two"), keyword(2, "one")]
    await apply_record(database.worker, encode(record))
    async with transaction(database.worker) as connection:
        assert await forgetting.forget_all(connection, orcid) == 5
    reader = Reader(database)
    await reader.read()
    assert [change["op"] for change in reader.seen] == ["added", "added", "updated", "added"]
    assert {change["old"] or change["new"] for change in reader.seen} == {None}
    async with transaction(database.reader) as connection:
        rows = await connection.fetch("select section, key from orcid.record_as_of($1, $2)", orcid, then)
    assert [tuple(row) for row in rows] == [("record", "")]
