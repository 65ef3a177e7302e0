"""Nothing that can stand anywhere in a record makes PostgreSQL refuse it: every place of every section is tried."""

from typing import Any

import pytest

from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.sections import SECTIONS, ItemKey, Section
from orcid_sync.model.wire import orcid_json
from orcid_sync.model.wire.cleaning import clean
from orcid_sync.service.record.record_reader import parse_in_steps
from orcid_sync.store.database.pools import Database
from rig.records.mirror import apply_record, fetch, skeleton
from rig.records.nonsense import NONSENSE, container_of, damaged, leaves, nodes, sample, written
from rig.records.sample_record import ORCID

Json = dict[str, Any]
IDENTIFYING = {"put-code", "email"}
LISTED = [section for section in SECTIONS.values() if section.key_column is not None]
KEYS = {"put_code": 6, "email": 4}
"""How much of the nonsense can be a key: whole numbers, also as texts; texts that are not empty, two of them alike."""
SINGLE = [section for section in SECTIONS.values() if section.key_column is None]


def damaged_items(section: Section) -> list[Json]:
    """An item for each place and each nonsense; what tells them apart is left alone."""
    whole = sample(section.shape)
    places = [path for path in nodes(whole) if path[0] not in IDENTIFYING]
    items = [damaged(whole, [path], name) for path in places for name in NONSENSE]
    for number, item in enumerate(items, 1):
        item.update({"put-code": number} | ({"email": f"{number}@example.org"} if "email" in whole else {}))
    return items


def damaged_full_forms(section: Section, items: list[Json]) -> dict[ItemKey, bytes]:
    """A full form for each place and each nonsense, given to the items one after the other."""
    if section.detail is None:
        return {}
    whole = sample(section.detail)
    forms = [damaged(whole, [path], name) for path in nodes(whole) for name in NONSENSE]
    items += [sample(section.shape) | {"put-code": number} for number in range(len(items) + 1, len(forms) + 1)]
    return {(section.name, str(number)): clean(written(form)) for number, form in enumerate(forms, 1)}


@pytest.mark.fault("F46", "F47", "F48", "F49")
@pytest.mark.parametrize("section", LISTED, ids=lambda section: section.name)
async def test_nonsense_anywhere_in_an_item_is_stored_as_null(database: Database, section: Section) -> None:
    items = damaged_items(section)
    forms = damaged_full_forms(section, items)
    record = skeleton(ORCID)
    record[section.block][section.container] = container_of(section, items)
    body = written(record)

    await apply_record(database.worker, body, forms)

    assert parse_record(body).set_aside() == []
    query = "select count(*) from orcid.items where section = $1"
    assert await fetch(database.reader, query, section.name) == [(len(items),)]
    assert await apply_record(database.worker, body) == []


@pytest.mark.fault("F48", "F49", "F50")
@pytest.mark.parametrize("section", LISTED, ids=lambda section: section.name)
async def test_nonsense_in_the_place_of_a_key_is_stored_or_set_aside(database: Database, section: Section) -> None:
    whole, key = sample(section.shape), section.key_column or ""
    items = [damaged(whole, [(key.replace("_", "-"),)], name) for name in NONSENSE]
    record = skeleton(ORCID)
    record[section.block][section.container] = container_of(section, items)
    body = written(record)
    parsed = parse_record(body)

    await apply_record(database.worker, body)

    assert await fetch(database.reader, "select count(*) from orcid.items") == [(KEYS[key],)]
    assert {one.key for one in parsed.set_aside()} == {None}


@pytest.mark.fault("F49", "F50", "F54")
@pytest.mark.parametrize("section", LISTED, ids=lambda section: section.name)
async def test_nothing_is_removed_because_something_is_set_aside(database: Database, section: Section) -> None:
    """What is new beside it is taken, and what is missing beside it is gone as soon as everything is understood."""
    key = (section.key_column or "").replace("_", "-")
    one, other, third = ("1@example.org", "2@example.org", "3@example.org") if key == "email" else (1, 2, 3)
    whole = sample(section.shape)
    items = [whole | {key: code} for code in (one, other)]
    record = skeleton(ORCID)
    record[section.block][section.container] = container_of(section, items)
    await apply_record(database.worker, written(record))

    record[section.block][section.container] = container_of(section, [whole | {key: None}, whole | {key: third}])
    changes = await apply_record(database.worker, written(record))
    assert [(change.op, change.key) for change in changes] == [("added", str(third))]

    record[section.block][section.container] = container_of(section, [whole | {key: third}])
    changes = await apply_record(database.worker, written(record))
    assert {change.op for change in changes} <= {"removed", "withdrawn", "added"}
    query = "select key from orcid.items where section = $1"
    assert await fetch(database.reader, query, section.name) == [(str(third),)]


@pytest.mark.fault("F28", "F49")
async def test_a_record_read_in_steps_is_the_same_as_one_read_at_once() -> None:
    record = skeleton(ORCID)
    for section in LISTED:
        key = (section.key_column or "").replace("_", "-")
        items = [damaged(sample(section.shape), [(key,)], name) for name in NONSENSE]
        record[section.block][section.container] = container_of(section, items)
    body = written(record)
    parsed = parse_record(body)

    reading = await parse_in_steps(body)

    assert reading.items == list(parsed.items())
    assert reading.set_aside == parsed.set_aside()
    assert {one.section for one in reading.set_aside} == {section.name for section in LISTED}
    assert reading.answered == [found.section.name for found in parsed.answered()] == list(SECTIONS)


@pytest.mark.fault("F46", "F47", "F48", "F49")
@pytest.mark.parametrize("name", NONSENSE)
async def test_nonsense_in_the_head_a_name_or_a_biography_is_stored_as_null(database: Database, name: str) -> None:
    record = skeleton(ORCID)
    for section in SINGLE:
        whole = sample(section.shape)
        record[section.block][section.container] = damaged(whole, leaves(whole), name)
    head = sample(orcid_json.RecordHead)
    del head["orcid-identifier"]
    record |= damaged(head, leaves(head), name)
    body = written(record)

    await apply_record(database.worker, body)

    assert await fetch(database.reader, "select count(*) from orcid.items") == [(len(SINGLE),)]
    assert await apply_record(database.worker, body) == []


@pytest.mark.fault("F49")
@pytest.mark.parametrize("name", NONSENSE)
async def test_nonsense_in_the_place_of_a_container_or_of_a_head_is_stored(database: Database, name: str) -> None:
    record = skeleton(ORCID)
    places = [path for path in nodes(record) if path[0] != "orcid-identifier" and len(path) == 2]
    body = written(
        damaged(record, places, name) | damaged({"preferences": 1, "more": 1}, [("preferences",), ("more",)], name)
    )

    await apply_record(database.worker, body)

    assert await fetch(database.reader, "select orcid from orcid.records") == [(ORCID,)]
    assert await apply_record(database.worker, body) == []
