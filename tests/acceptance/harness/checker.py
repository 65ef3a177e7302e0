"""The judge: reads journals, feed and tables, and lists what must not be. Uses none of the service's code."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import asyncpg

from acceptance.harness.observers import Key, Seen, Snapshot, taken_by
from acceptance.harness.registry_view import ItemKey, Json, RegistryView, items_of, own_part

SPOILT = {"truncated", "wrong-length", "wrong-shape", "wrong-record", "html", "lost-answer", "reset", "timeout"}
"""Faults after which the reader has learnt nothing."""

FORGETTING = {"access-lost", "record-deactivated", "record-deprecated", "erased"}
"""Reasons for which history forgets what it said of an iD until then; only the tombstone is told."""

ENDED = {"deactivated", "deprecated"}
"""States in which a record has no past, also if it had no item that could have gone for such a reason."""

EVERY_EMAIL = ("email", "")
"""What a line names that must not name an address: all e-mails of the iD. Those that stay follow, with their past."""

FEED = """
select seq, orcid, section, key, op, reason, at, old::text as old, new::text as new,
       md5(old::text) as before, md5(new::text) as after
  from orcid.change_feed order by seq
"""


@dataclass(frozen=True)
class Line:
    """A line of the feed, read afterwards."""

    seq: int
    key: Key
    op: str
    reason: str | None
    at: Any
    new: Json | None
    before: str | None
    after: str | None


async def read_feed(connection: asyncpg.Connection) -> list[Line]:
    """The whole feed."""
    rows = await connection.fetch(FEED)
    return [
        Line(
            row["seq"],
            (row["orcid"], row["section"], row["key"]),
            row["op"],
            row["reason"],
            row["at"],
            json.loads(row["new"]) if row["new"] else None,
            row["before"],
            row["after"],
        )
        for row in rows
    ]


def horizons(feed: list[Line]) -> dict[str, Line]:
    """Of each iD whose past was forgotten, the last line that says so: everything before it has lost its contents."""
    return {line.key[0]: line for line in feed if line.reason in FORGETTING or _ends(line)}


def _ends(line: Line) -> bool:
    return line.key[1] == "record" and (line.new or {}).get("state") in ENDED


def unannounced(requests: list[Json], notifications: list[Json], *, after_seconds: float = 0.0) -> list[str]:
    """S1, S2: every acknowledged notification was followed by a read that began after it was sent (+ so many seconds).

    An answered 204 that was lost on its way back is repeated by the sender, and its repetition counts.
    """
    began: dict[str, int] = {}
    for request in requests:
        useful = request["status"] in (200, 301, 404, 409) and not SPOILT & set(request["faults"])
        if request["endpoint"] == "record" and useful:
            began[request["orcid"]] = max(began.get(request["orcid"], 0), request["began_ms"])
    return [
        f"{one['orcid']}: acknowledged {one['sent_ms']}, last read began {began.get(one['orcid'])}"
        for one in notifications
        if one["status"] == 204 and began.get(one["orcid"], 0) <= one["sent_ms"] + after_seconds * 1000
    ]


def broken_chains(feed: list[Line], last: int) -> Iterator[str]:
    """S6, S7: positions 1, 2, 3, …; each line changes something and continues where the item's last line ended."""
    if [line.seq for line in feed] != list(range(1, last + 1)):
        yield f"positions are not 1 to {last}"
    held: dict[Key, str | None] = {}
    past = horizons(feed)
    for line in feed:
        if line.key[0] in past and line.seq <= past[line.key[0]].seq:
            held[line.key] = line.after
            continue
        if line.key[1:] == EVERY_EMAIL:
            held = {key: said for key, said in held.items() if not taken_by(line.key, key)}
            continue
        before = held.get(line.key)
        if line.before != before:
            yield f"{line.seq}: {line.op} {line.key} begins elsewhere than its last line ended"
        if {"added": (False, True), "updated": (True, True)}.get(line.op, (True, False)) != (
            before is not None,
            line.after is not None,
        ):
            yield f"{line.seq}: {line.op} {line.key} cannot be"
        if line.after == line.before:
            yield f"{line.seq}: {line.op} {line.key} says nothing new"
        held[line.key] = line.after


def torn_snapshots(feed: list[Line], snapshots: Iterable[Snapshot]) -> Iterator[str]:
    """S5, S6: what the mirror held at any moment is what the feed up to its head at that moment tells."""
    lines, held = iter(feed), dict[Key, str]()
    past = horizons(feed)
    done = 0
    for snapshot in sorted(snapshots, key=lambda one: one.last):
        while done < snapshot.last:
            line = next(lines)
            done = line.seq
            if line.after is None:
                held = {key: said for key, said in held.items() if not taken_by(line.key, key)}
            else:
                held[line.key] = line.after
        wrong = [key for key in held.keys() | snapshot.said.keys() if held.get(key) != snapshot.said.get(key)]
        if wrong := [key for key in wrong if key[0] not in past or past[key[0]].seq <= snapshot.last]:
            yield f"at position {snapshot.last} mirror and feed differ in {len(wrong)} items, as {wrong[0]}"


def misread(feed: list[Line], lines: list[Seen]) -> Iterator[str]:
    """S6: who followed the feed saw every line once, in order, and as it still is."""
    past = horizons(feed)
    kept = {line.seq for line in feed if line.key[0] not in past or line.seq > past[line.key[0]].seq}
    truth = [(line.seq, line.key, line.op, line.after) if line.seq in kept else (line.seq, line.op) for line in feed]
    seen = [(line.seq, line.key, line.op, line.said) if line.seq in kept else (line.seq, line.op) for line in lines]
    if truth != seen:
        wrong = next((a, b) for a, b in zip([*truth, None], [*seen, None], strict=False) if a != b)
        yield f"the online reader saw {len(seen)} of {len(truth)} lines; the first difference: {wrong}"


async def forgotten_past(
    connection: asyncpg.Connection, feed: list[Line], snapshots: list[Snapshot], orcids: list[str]
) -> list[str]:
    """record_as_of agrees with what was seen at the time."""
    wrong = []
    past = horizons(feed)
    for snapshot in snapshots:
        if snapshot.last == 0:
            continue
        at = feed[snapshot.last - 1].at
        for orcid in (one for one in orcids if one not in past or past[one].seq <= snapshot.last):
            rows = await connection.fetch(
                "select section, key, md5(content::text) as said from orcid.record_as_of($1, $2)", orcid, at
            )
            then = {(orcid, row["section"], row["key"]): row["said"] for row in rows}
            if then != {key: said for key, said in snapshot.said.items() if key[0] == orcid}:
                wrong.append(f"record_as_of({orcid}, {at}) is not what the mirror held at {snapshot.last}")
    return wrong


class Histories:
    """What the Registry showed of each record, version by version."""

    def __init__(self, view: RegistryView, tokens: Mapping[str, str]) -> None:
        self._view = view
        self._tokens = tokens
        self._known: dict[tuple[str, int], tuple[dict[ItemKey, str], str]] = {}

    async def shown(self, orcid: str, version: int) -> tuple[dict[ItemKey, str], str]:
        """Items, and the record's own part, as canonical JSON."""
        if (orcid, version) not in self._known:
            _, record = await self._view.record(orcid, self._tokens[orcid], version)
            items = {key: canonical(said) for key, said in items_of(record).items()}
            self._known[orcid, version] = items, canonical(own_part(record))
        return self._known[orcid, version]

    async def versions(self, orcid: str) -> list[tuple[int, str]]:
        """Every version with the state that the record was in."""
        return [(past["version"], state_of(past)) for past in await self._view.get(f"history/{orcid}")]


async def impossible_states(feed: list[Line], histories: Histories, stale: set[str]) -> list[str]:
    """S4: after each commit a record is as the Registry showed it at some time, and that time never goes back.

    Where the Registry itself served old content (`stale`), each section by itself is as it was at some time.
    """
    wrong = []
    past = horizons(feed)
    told = [line for line in feed if line.key[0] not in past or line.at >= past[line.key[0]].at]
    ordered = sorted(told, key=lambda line: (line.key[0], line.seq))
    for orcid, lines in groupby(ordered, key=lambda line: line.key[0]):
        versions = await histories.versions(orcid)
        held: dict[ItemKey, str] = {}
        own = Json()
        for _, commit in groupby(lines, key=lambda line: line.at):
            seq = _fold(held, own, commit)
            if orcid in stale:
                fits = await _any_time(histories, orcid, versions, held)
            else:
                versions = await _from_then_on(histories, orcid, versions, held, own)
                fits = bool(versions)
            if not fits:
                wrong.append(f"{seq}: {orcid} was never so ({own['state']}), or not any more")
                break
    return wrong


def _fold(held: dict[ItemKey, str], own: Json, commit: Iterable[Line]) -> int:
    seq = 0
    for line in commit:
        seq, (_, section, key) = line.seq, line.key
        if section == "record":
            own.update(line.new or {})
        elif line.new is None:
            for gone in [one for one in held if taken_by(line.key, (line.key[0], *one))]:
                del held[gone]
        else:
            held[section, key] = canonical({name: value for name, value in line.new.items() if name != "detail"})
    return seq


async def _from_then_on(
    histories: Histories, orcid: str, versions: list[tuple[int, str]], held: dict[ItemKey, str], own: Json
) -> list[tuple[int, str]]:
    """The versions from the first one that fits; none if none does."""
    emptied = own["state"] in ENDED
    for place, (version, state) in enumerate(versions):
        if state != own["state"]:
            continue
        if state != "active":
            return versions[place:] if not (emptied and held) else []
        items, part = await histories.shown(orcid, version)
        if items == held and part == canonical(own["doc"]):
            return versions[place:]
    return []


async def _any_time(
    histories: Histories, orcid: str, versions: list[tuple[int, str]], held: dict[ItemKey, str]
) -> bool:
    shown = [(await histories.shown(orcid, version))[0] for version, _ in versions]
    sections = {section for section, _ in held}
    return all(_slice(held, section) in [_slice(one, section) for one in shown] for section in sections)


def _slice(items: dict[ItemKey, str], section: str) -> dict[str, str]:
    return {key: said for (name, key), said in items.items() if name == section}


async def differences(
    connection: asyncpg.Connection, view: RegistryView, tokens: Mapping[str, str], orcids: Iterable[str]
) -> list[str]:
    """L1: the mirror is what the Registry shows for our token now, item by item, state and full works included."""
    wrong = []
    for orcid in orcids:
        state, record = await view.record(orcid, tokens[orcid])
        ours = await connection.fetchrow("select state, doc::text as doc from orcid.records where orcid = $1", orcid)
        if ours is None or ours["state"] != state:
            wrong.append(f"{orcid}: {ours and ours['state']} in the mirror, {state} at the Registry")
        elif state in ("active", "deactivated", "deprecated"):
            wrong += [f"{orcid}: {text}" async for text in _items_differ(connection, view, tokens, orcid, record)]
            if state == "active" and json.loads(ours["doc"]) != own_part(record):
                wrong.append(f"{orcid}: the record's own part differs")
    return wrong


async def _items_differ(
    connection: asyncpg.Connection, view: RegistryView, tokens: Mapping[str, str], orcid: str, record: Json
) -> Any:
    theirs = items_of(record) if "person" in record else {}
    query = (
        "select section, key, doc::text, detail::text, group_put_code, group_position from orcid.items where orcid = $1"
    )
    rows = {(row["section"], row["key"]): row for row in await connection.fetch(query, orcid)}
    full = await view.full_works(orcid, tokens[orcid], [key for section, key in theirs if section == "work"])
    for key in theirs.keys() | rows.keys():
        if key not in rows or key not in theirs:
            yield f"{key} is {'missing' if key in theirs else 'left over'}"
            continue
        row, item = rows[key], theirs[key]
        place = (item["group_put_code"], item["group_position"])
        if (row["group_put_code"], row["group_position"]) != place:
            yield f"{key} is elsewhere in its group"
        if parts := _apart(json.loads(row["doc"]), item["doc"]):
            yield f"{key} differs in {parts}"
        # The name of its source moves without a date, so the full form is not read again for it (contract section 10).
        said = {name: value for name, value in full.get(key[1], {}).items() if name != "source"}
        if key[0] == "work" and (parts := _apart(json.loads(row["detail"] or "null"), said)):
            yield f"the full form of {key} differs in {parts}"


def _apart(ours: Json | None, theirs: Json) -> list[str]:
    """The members that differ."""
    return [name for name in theirs if (ours or {}).get(name, ...) != theirs[name]]


def state_of(past: Json) -> str:
    """The record's state as a reader is told it (contract section 3.5, in its order)."""
    if past["primary_orcid"]:
        return "deprecated"
    if not past["claimed"]:
        return "unclaimed"
    if past["locked"]:
        return "locked"
    return "active" if past["deactivated_ms"] is None else "deactivated"


def canonical(value: Any) -> str:
    """The same text for the same value."""
    return json.dumps(value, sort_keys=True)
