"""The answers of the corpus as records: partial ones (person, works, single items, bulk) fill a record's skeleton."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from orcid_sync.model.record.sections import SECTIONS, ItemKey
from rig.records.mirror import records_in, skeleton
from rig.records.sample_record import encode

Json = dict[str, Any]
NOBODY = "0009-9990-0000-0005"


class Answer(Struct):
    """A record, and the full forms that belong to it."""

    record: Json
    forms: dict[ItemKey, bytes]

    @property
    def body(self) -> bytes:
        """As ORCID sends it."""
        return encode(self.record)


def read_answer(path: Path) -> Any:
    """The JSON of a file, compressed or not."""
    return json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())


def answers_in(path: Path) -> Iterator[Answer]:
    """What a file of v3_json or official_samples says, as records. Nothing for what is no part of a record."""
    value = read_answer(path)
    found = re.match(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", path.name)
    orcid = found[0] if found else NOBODY
    whole = list(records_in(value))
    if whole:
        yield from (Answer(record, {}) for record in whole)
    elif "captured" in value:
        yield captured(orcid, value)
    elif "bulk" in value:
        yield of_items(orcid, "work", [element["work"] for element in value["bulk"] if "work" in element])
    elif value.keys() & {"group", "email", "person", "other-names"}:
        yield of_containers(orcid, value)
    elif section := _section_of(path.name):
        yield of_items(orcid, section, [value])


def captured(orcid: str, value: Json) -> Answer:
    """A state of the series: the person and the works of a moment."""
    answer = of_containers(orcid, value["profile"])
    answer.record["activities-summary"]["works"] = value["works"]
    return answer


def of_containers(orcid: str, value: Json) -> Answer:
    """A record of a person, personal details, an e-mail list, a list of works."""
    record = skeleton(orcid)
    if "group" in value:
        record["activities-summary"]["works"] = value
    elif "email" in value:
        record["person"]["emails"] = value
    else:
        record["person"] |= value.get("person", value)
    return Answer(record, {})


def of_items(orcid: str, name: str, items: list[Json]) -> Answer:
    """A record of single items, which are also their own full forms. What is sent to ORCID has no put-code yet."""
    record, section = skeleton(orcid), SECTIONS[name]
    forms: dict[ItemKey, bytes] = {}
    container = record[section.block][section.container]
    for number, item in enumerate(items, 1):
        numbered = {"visibility": "public", **item, "put-code": item.get("put-code") or number}
        forms |= {(name, str(numbered["put-code"])): encode(numbered)} if section.detail else {}
        if section.block == "person":
            container[name].append(numbered)
        elif name == "peer-review":
            container["group"].append({"peer-review-group": [{"peer-review-summary": [numbered]}]})
        elif section.detail:
            container["group"].append({f"{name}-summary": [numbered]})
        else:
            container["affiliation-group"].append({"summaries": [{f"{name}-summary": numbered}]})
    return Answer(record, forms)


def _section_of(name: str) -> str | None:
    """The section that a file of one item belongs to, by its name."""
    if "peer-review-group-id" in name:
        return None
    if re.search(r"__(work-N|item)__", name):
        return "work"
    if "__funding-N__" in name:
        return "funding"
    match = re.search("samples__(" + "|".join(SECTIONS) + ")", name)
    return match[1] if match else None


def everything_in(record: Json) -> dict[ItemKey, Json]:
    """Every item of a record: a reader of our own, as simple as can be, that shares nothing with the one under test."""
    found: dict[ItemKey, Json] = {}

    def walk(node: Any, name: str) -> None:
        if isinstance(node, dict):
            if "put-code" in node and name.removesuffix("-summary") in SECTIONS:
                section = name.removesuffix("-summary")
                found[section, str(node["email"].lower() if section == "email" else node["put-code"])] = node
                return
            for member, inner in node.items():
                walk(inner, member)
        elif isinstance(node, list):
            for inner in node:
                walk(inner, name)

    walk([record["person"], record["activities-summary"]], "")
    singles = {(name, ""): record["person"].get(name) for name in ("name", "biography")}
    return found | {key: node for key, node in singles.items() if node}
