"""One iD for each way in which a record can stand, made by what happens at ORCID and by reading it.

The sample of every command and of every address: what an ordinary record never shows is what commands stumble over.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import Any

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.samples.record_builder import RecordBuilder
from orcid_sync.simulator.samples.sample_records import PORTRAITS
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET
from orcid_sync.store.consent.erasure import erase
from rig.service.command_line import SECRET
from rig.service.reconciler import LIMITED, SECOND_LOOK, Bench

Happen = Callable[[Bench, Orcid], Awaitable[None]]

YEAR_1, YEAR_9999 = -62_135_596_800_000, 253_402_300_799_000
"""The ends of the calendar, in milliseconds since 1970."""


async def make_every_record(bench: Bench) -> dict[str, Orcid]:
    """Have each of KINDS happen to an iD of its own; the iDs by kind.

    No pause of the Registry's is left behind, and the first loads lie an hour back, so that records have a past.
    """
    orcids = {kind: Orcid(numbered_orcid(5_300_000 + number)) for number, kind in enumerate(KINDS)}
    for kind, happen in KINDS.items():
        await happen(bench, orcids[kind])
        await bench.pass_time(timedelta(0), orcids[kind])
    past = "update orcid.changes set at = at - interval '1 hour' where cause = 'first-load'"
    await bench.connection.execute(past)
    return orcids


def environment_of(bench: Bench) -> dict[str, str | None]:
    """The bench's settings, for the command line."""
    key = bench.settings.encryption_key
    assert key is not None
    return {
        "ORCID_SYNC_ENVIRONMENT": "custom",
        "ORCID_SYNC_API_URL": bench.settings.api_url,
        "ORCID_SYNC_WEB_URL": bench.settings.web_url,
        "ORCID_SYNC_CLIENT_ID": CLIENT_ID,
        "ORCID_SYNC_CLIENT_SECRET": CLIENT_SECRET,
        "ORCID_SYNC_ENCRYPTION_KEY": key.get_secret_value(),
        "ORCID_SYNC_WEBHOOK_SECRET": SECRET,
        "ORCID_SYNC_PUBLIC_URL": bench.settings.public_url,
    }


async def _read(bench: Bench, orcid: Orcid, *, limited: bool = False) -> None:
    await bench.connect(orcid, scopes=LIMITED if limited else ())
    await bench.turn(orcid)


async def _confirm(bench: Bench, orcid: Orcid) -> None:
    """Two reads, far enough from each other to be believed."""
    await bench.check(orcid)
    await bench.pass_time(SECOND_LOOK, orcid)
    await bench.check(orcid)


def _answer_once(bench: Bench, orcid: Orcid, change: Callable[[dict[str, Any]], None]) -> None:
    """ORCID's next answer says something else than the record does."""
    body = msgspec.json.decode(bench.view(orcid))
    change(body)
    bench.registry.faults.add("wrong-shape", "record", orcid=orcid, count=1, body=body)


async def stranger(bench: Bench, orcid: Orcid) -> None:
    """Never connected, but known to ORCID."""
    bench.registry.add_record(orcid, works=1)


async def ordinary(bench: Bench, orcid: Orcid) -> None:
    """With limited items and the holder's permission."""
    bench.registry.add_record(orcid, works=2, employments=1)
    bench.registry.edit.add_item(orcid, "keyword", {"content": "tides"}, visibility="limited")
    await _read(bench, orcid, limited=True)


async def empty(bench: Bench, orcid: Orcid) -> None:
    """Not even a name."""
    bench.registry.edit.create_record(orcid)
    await _read(bench, orcid)


async def emptied(bench: Bench, orcid: Orcid) -> None:
    """Everything in it was hidden afterwards."""
    bench.registry.edit.create_record(orcid, given_names="Ada")
    code = bench.registry.edit.add_item(orcid, "keyword", {"content": "tides"})
    await _read(bench, orcid)
    bench.registry.edit.set_visibility(orcid, "keyword", code, "private")
    bench.registry.edit.set_name(orcid, given_names="Ada", visibility="private")
    await bench.notified(orcid)


def portrait(number: int) -> Happen:
    """One of the simulator's portraits, which hold every oddity of real data."""

    async def happen(bench: Bench, orcid: Orcid) -> None:
        builder = RecordBuilder(bench.registry.profiles, orcid, Random(number))
        PORTRAITS[number](builder)
        builder.build()
        await _read(bench, orcid)

    return happen


async def unread(bench: Bench, orcid: Orcid) -> None:
    """Connected, and not read yet."""
    bench.registry.add_record(orcid, works=1)
    await bench.connect(orcid)


async def never_readable(bench: Bench, orcid: Orcid) -> None:
    """ORCID has never given it."""
    bench.registry.add_record(orcid, works=1)
    bench.registry.faults.add("error", "record", orcid=orcid, status=500)
    await _read(bench, orcid)


async def no_longer_readable(bench: Bench, orcid: Orcid) -> None:
    """ORCID gave it once; now what it says is no record."""
    bench.registry.add_record(orcid, works=1)
    await _read(bench, orcid)
    bench.registry.faults.add("wrong-shape", "record", orcid=orcid, body={"orcid-identifier": None})
    await bench.check(orcid)


async def unrendered(bench: Bench, orcid: Orcid) -> None:
    """ORCID shows the record, but the full form of none of its works."""
    bench.registry.add_record(orcid, works=2)
    bench.registry.faults.add("error", "work*", orcid=orcid, status=500)
    await _read(bench, orcid)


async def later_unrendered(bench: Bench, orcid: Orcid) -> None:
    """The same, of a work that came later."""
    bench.registry.add_record(orcid, works=2)
    await _read(bench, orcid)
    bench.registry.faults.add("error", "work*", orcid=orcid, status=500)
    bench.registry.edit.add_item(orcid, "work", {"title": "Came later"})
    await bench.notified(orcid)


async def half_answered(bench: Bench, orcid: Orcid) -> None:
    """The last answer did not speak of works."""
    bench.registry.add_record(orcid, works=2)
    await _read(bench, orcid)
    _answer_once(bench, orcid, lambda body: body["activities-summary"].pop("works"))
    await bench.check(orcid)


async def never_whole(bench: Bench, orcid: Orcid) -> None:
    """No answer has ever spoken of the person."""
    bench.registry.add_record(orcid, works=1)
    _answer_once(bench, orcid, lambda body: body["person"].clear())
    await _read(bench, orcid)


async def with_unknown_members(bench: Bench, orcid: Orcid) -> None:
    """ORCID's model has grown."""
    bench.registry.add_record(orcid, works=1)
    _answer_once(bench, orcid, lambda body: body["person"].update({"pronouns\x1b[1m": {"value": None}, "": []}))
    await _read(bench, orcid)


async def beyond_the_calendar(bench: Bench, orcid: Orcid) -> None:
    """Dates at both ends of what a calendar has."""
    bench.registry.edit.create_record(orcid, given_names="Ada")
    bench.registry.edit.add_item(orcid, "keyword", {"content": "tides"})

    def change(body: dict[str, Any]) -> None:
        keyword = body["person"]["keywords"]["keyword"][0]
        keyword["created-date"], keyword["last-modified-date"] = {"value": YEAR_1}, {"value": YEAR_9999}
        body["history"]["submission-date"] = {"value": YEAR_1}

    _answer_once(bench, orcid, change)
    await _read(bench, orcid)


async def held(bench: Bench, orcid: Orcid) -> None:
    """Most works are gone at once, and a second read has to agree."""
    bench.registry.edit.create_record(orcid, given_names="Ada")
    codes = [bench.registry.edit.add_item(orcid, "work", {"title": f"Work {number}"}) for number in range(8)]
    await _read(bench, orcid)
    for code in codes:
        bench.registry.edit.remove_item(orcid, "work", code)
    await bench.notified(orcid)


async def released(bench: Bench, orcid: Orcid) -> None:
    """The same, agreed to by a second read: nothing is left."""
    await held(bench, orcid)
    await bench.pass_time(SECOND_LOOK, orcid)
    await bench.check(orcid)


async def locked(bench: Bench, orcid: Orcid) -> None:
    """By ORCID's staff."""
    bench.registry.add_record(orcid, works=1)
    await _read(bench, orcid)
    bench.registry.edit.lock(orcid)
    await _confirm(bench, orcid)


async def locked_from_the_first(bench: Bench, orcid: Orcid) -> None:
    """Nothing was read before."""
    bench.registry.add_record(orcid, works=1)
    bench.registry.edit.lock(orcid)
    await bench.connect(orcid)
    await _confirm(bench, orcid)


async def unclaimed(bench: Bench, orcid: Orcid) -> None:
    """Made by a client just now."""
    bench.registry.add_record(orcid, works=1)
    bench.registry.edit.unclaim(orcid)
    await bench.connect(orcid)
    await _confirm(bench, orcid)


async def deactivated(bench: Bench, orcid: Orcid) -> None:
    """By its owner."""
    bench.registry.add_record(orcid, works=1)
    await _read(bench, orcid, limited=True)
    bench.registry.edit.deactivate(orcid)
    await _confirm(bench, orcid)


async def said_once(bench: Bench, orcid: Orcid) -> None:
    """ORCID has said once that it is deactivated."""
    bench.registry.add_record(orcid, works=1)
    await _read(bench, orcid)
    bench.registry.edit.deactivate(orcid)
    await bench.check(orcid)


async def deprecated(bench: Bench, orcid: Orcid) -> None:
    """Merged into another one."""
    bench.registry.add_record(orcid, works=1)
    await _read(bench, orcid)
    bench.registry.edit.deprecate(orcid, numbered_orcid(5_000_001))
    await _confirm(bench, orcid)


async def unknown(bench: Bench, orcid: Orcid) -> None:
    """ORCID has never heard of it."""
    await bench.connect(orcid)
    await _confirm(bench, orcid)


async def no_longer_known(bench: Bench, orcid: Orcid) -> None:
    """ORCID does not know it any more."""
    bench.registry.add_record(orcid, works=1)
    await _read(bench, orcid)
    bench.registry.profiles._profiles.pop(orcid)
    await _confirm(bench, orcid)


async def back_again(bench: Bench, orcid: Orcid) -> None:
    """Deactivated, and back: the record is empty, and so is its past."""
    await deactivated(bench, orcid)
    bench.registry.edit.reactivate(orcid)
    await bench.check(orcid)


async def suspected(bench: Bench, orcid: Orcid) -> None:
    """ORCID refuses the holder's token."""
    bench.registry.add_record(orcid, works=1)
    await _read(bench, orcid, limited=True)
    bench.registry.edit.revoke_access(orcid, CLIENT_ID)
    await bench.check(orcid)


async def expired(bench: Bench, orcid: Orcid) -> None:
    """The permission is over."""
    bench.registry.add_record(orcid, works=1)
    await bench.connect(orcid, scopes=LIMITED, expires_in=timedelta(hours=1))
    await bench.turn(orcid)
    await bench.pass_time(timedelta(hours=2), orcid)
    await bench.check(orcid)


async def disconnected(bench: Bench, orcid: Orcid) -> None:
    """The person has left; what was public stays."""
    bench.registry.add_record(orcid, works=1)
    await _read(bench, orcid, limited=True)
    await bench.disconnect(orcid)
    await bench.turn(orcid)


async def erased(bench: Bench, orcid: Orcid) -> None:
    """The person has left, and nothing stays."""
    bench.registry.add_record(orcid, works=1)
    await _read(bench, orcid)
    await erase(bench.connection, orcid, by="operator", learnt="command")
    await bench.turn(orcid)


_PLAIN = (
    *(ordinary, empty, emptied, never_readable, no_longer_readable, unrendered, later_unrendered, half_answered),
    *(never_whole, with_unknown_members, beyond_the_calendar, held, released, locked, locked_from_the_first, unclaimed),
    *(deactivated, said_once, deprecated, unknown, no_longer_known, back_again, suspected, expired, disconnected),
    *(erased, stranger, unread),
)
_ODD = ("hidden_name", "odd_dates", "odd_texts", "odd_identifiers")

KINDS: dict[str, Happen] = {
    **{each.__name__: portrait(number) for number, each in enumerate(PORTRAITS) if each.__name__ in _ODD},
    **{each.__name__: each for each in _PLAIN},
}
"""The ways in which a record can stand. The unread one is the last: it stays due."""
