"""Proof against somebody who owns the database and has the source: whatever they forge, one of the three says so."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.consent.hash_chain import Head, extend
from orcid_sync.model.ids import Orcid
from orcid_sync.service.consent import erasure_log, proof
from orcid_sync.service.consent.erasure_log import RESTORED
from orcid_sync.service.consent.proof import Proof
from orcid_sync.store.consent import consent_ledger, erasure_certificates
from orcid_sync.store.consent.connections import Entry, connect_orcids, disconnect_orcids
from orcid_sync.store.consent.erasure import erase
from rig.records.sample_record import ORCID

A, B, C = Orcid(ORCID), Orcid("0000-0002-1825-0097"), Orcid("0000-0002-1694-233X")


@pytest.fixture
async def log(connection: asyncpg.Connection, tmp_path: Path) -> Path:
    """Three people connected, two of them erased, the third disconnected; the log knows of all."""
    path = tmp_path / "erasures.jsonl"
    await connect_orcids(connection, [Entry(orcid=orcid, access_token=f"sealed {orcid}") for orcid in (A, B, C)])
    await disconnect_orcids(connection, [C], by="holder", learnt="disconnect-page")
    for orcid in (A, B):
        await erase(connection, orcid, by="holder", learnt="command")
    assert await erasure_log.write_missing(connection, path) == 3
    assert (await proof.verify(connection, path)).ok
    for table in ("consents", "erasures"):
        await connection.execute(f"alter table orcid_sync.{table} disable trigger only_additions")
    return path


class Forger:
    """Writes both chains anew, so that each is right in itself, and the certificates name the ledger's new hashes."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.entries: list[dict[str, Any]] = []
        self.certificates: list[dict[str, Any]] = []

    async def load(self) -> None:
        """Take down what there is."""
        read = consent_ledger.read(self._connection)
        self.entries = [msgspec.structs.asdict(entry) async for entry in read]
        found = await erasure_certificates.read(self._connection)
        self.certificates = [msgspec.structs.asdict(certificate) for certificate in found]

    async def write(self) -> None:
        """Put the forgery in its place, with the notes of both ends."""
        await self._connection.execute("delete from orcid_sync.consents; delete from orcid_sync.erasures")
        new = self._chain(self.entries)
        for certificate in self.certificates:
            certificate["consents_hash"] = new.get(certificate["consents_hash"], certificate["consents_hash"])
        self._chain(self.certificates)
        for table, rows in (("consents", self.entries), ("erasures", self.certificates)):
            for row in rows:
                await self._insert(table, row)
            end: dict[str, Any] = rows[-1] if rows else {"number": 0, "hash": bytes(32).hex()}
            await self._connection.execute(
                "update orcid_sync.ledger_heads set number = $1, hash = $2 where ledger = $3",
                end["number"],
                bytes.fromhex(end["hash"]),
                table,
            )

    def _chain(self, rows: list[dict[str, Any]]) -> dict[str, str]:
        """Number and hash them; returns the new hashes by the old ones."""
        head, new = Head(), {}
        for number, row in enumerate(rows, 1):
            row["number"] = number
            content = {name: value for name, value in row.items() if name not in ("hash", "previous")}
            link = extend(head, content)
            new[row["hash"]] = row["hash"] = link.hash.hex()
            head = Head(link.number, link.hash)
        return new

    async def _insert(self, table: str, row: dict[str, Any]) -> None:
        plain = {name: value for name, value in row.items() if name != "previous"}
        for name in ("hash", "consents_hash"):
            if name in plain:
                plain[name] = bytes.fromhex(plain[name])
        for name in ("facts", "deleted"):
            if name in plain:
                plain[name] = msgspec.json.encode(plain[name])
        places = ", ".join(f"${place}" for place in range(1, len(plain) + 1))
        await self._connection.execute(
            f"insert into orcid_sync.{table} ({', '.join(plain)}) values ({places})", *plain.values()
        )


def another_person(forger: Forger) -> None:
    """As if somebody else had been erased."""
    forger.entries[4]["orcid"] = forger.certificates[0]["orcid"] = C


def fewer_rows(forger: Forger) -> None:
    """Only the certificate says something else."""
    forger.certificates[1]["deleted"] = {"orcid.works": 7}


def another_moment(forger: Forger) -> None:
    forger.entries[3]["at"] = forger.entries[0]["at"]


def end_of_all(forger: Forger) -> None:
    del forger.entries[5], forger.certificates[1]


def end_of_certificates(forger: Forger) -> None:
    del forger.certificates[1]


def everything(forger: Forger) -> None:
    forger.entries.clear()
    forger.certificates.clear()


def swapped(forger: Forger) -> None:
    forger.entries[4:6] = forger.entries[5:3:-1]
    forger.certificates.reverse()


def swapped_certificates(forger: Forger) -> None:
    forger.certificates.reverse()


def without_entry(forger: Forger) -> None:
    del forger.entries[4]


def without_certificate(forger: Forger) -> None:
    del forger.certificates[0]


def invented(forger: Forger) -> None:
    """A certificate that the ledger knows nothing of."""
    forger.certificates.append({**forger.certificates[1], "orcid": C, "consents_hash": "00" * 32})


def certified_twice(forger: Forger) -> None:
    forger.certificates.append({**forger.certificates[1], "deleted": {}})


def never_disconnected(forger: Forger) -> None:
    """An end becomes something that need not be told."""
    forger.entries[3]["event"] = "widened"


FORGERIES: dict[Callable[[Forger], None], dict[str, int]] = {
    # what is done: the first number that shows it, by the proof that shows it
    another_person: {"log": 1},
    fewer_rows: {"log": 2},
    another_moment: {"log": 1},
    end_of_all: {"log": 2},
    end_of_certificates: {"certificates": 2, "log": 2},
    everything: {"log": 1},
    swapped: {"log": 1},
    swapped_certificates: {"certificates": 2, "log": 1},
    without_entry: {"certificates": 1, "log": 2},
    without_certificate: {"certificates": 1, "log": 1},
    invented: {"certificates": 3},
    certified_twice: {"certificates": 3},
    never_disconnected: {"log": 1},
}


def broken(found: Proof) -> dict[str, int | None]:
    """The proofs that are not as they were written, and where it shows."""
    parts = {"certificates": found.certificates, "consents": found.consents, "log": found.log}
    return {name: verdict.first_broken for name, verdict in parts.items() if verdict and not verdict.ok}


@pytest.mark.invariant("S11")
@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
async def test_a_forgery_is_found_that_is_right_in_itself(
    connection: asyncpg.Connection, log: Path, forge: Callable[[Forger], None]
) -> None:
    forger = Forger(connection)
    await forger.load()
    forge(forger)
    await forger.write()

    found = await proof.verify(connection, log)

    assert not found.ok
    assert broken(found) == FORGERIES[forge], "the ledger alone cannot show any of them"
    await erasure_log.write_missing(connection, log)
    assert not (await proof.verify(connection, log)).ok, "what the forger wrote is in the log, too, and does not help"


async def test_the_forger_of_these_tests_forges_well(connection: asyncpg.Connection, log: Path) -> None:
    """Written anew without a change it is what it was: so what the tests find is what was changed."""
    forger = Forger(connection)
    await forger.load()
    await forger.write()

    assert (await proof.verify(connection, log)).ok


def edit(log: Path, place: int, **fields: Any) -> None:
    """Change a line of the log."""
    lines = erasure_log.read(log)
    lines[place] = msgspec.structs.replace(lines[place], **fields)
    log.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def remove(log: Path) -> None:
    log.unlink()


def add_foreign(log: Path) -> None:
    """A line as another database writes it."""
    edit(log, 1, database="0123456789abcdef")


def other_chain(log: Path) -> None:
    """A certificate's line that says that it is about the ledger."""
    edit(log, 0, event="disconnected")


def swap_people(log: Path) -> None:
    first, second, *_ = erasure_log.read(log)
    edit(log, 0, person=second.person)
    edit(log, 1, person=first.person)


def renumber(log: Path) -> None:
    edit(log, 1, number=9)


def spoil(log: Path) -> None:
    log.write_text("{}\n" + log.read_text())


def invent_restore(log: Path) -> None:
    """A line that says that a backup was restored, and names an entry that never was."""
    edit(log, 2, event=RESTORED["erasures"], hash="00" * 32)


SPOILT: dict[Callable[[Path], None], tuple[int | None, str]] = {
    # what is done to the log: the line that shows it, and what is said
    remove: (None, "There is no erasure log"),
    add_foreign: (2, "line 2: is of another database"),
    other_chain: (1, "line 1: entry 1 of consents, which it tells, is not there"),
    swap_people: (1, "line 1: says something else than entry 1 of erasures"),
    renumber: (2, "line 2: entry 9 of erasures, which it tells, is not there"),
    spoil: (None, "Line 1 of the erasure log"),
    invent_restore: (3, "line 3: entry 4 of erasures, which it tells, is not there"),
}


@pytest.mark.parametrize("act", SPOILT, ids=lambda act: act.__name__)
async def test_a_log_that_is_not_of_these_chains_is_found(
    connection: asyncpg.Connection, log: Path, act: Callable[[Path], None]
) -> None:
    first, said = SPOILT[act]
    act(log)

    found = await proof.verify(connection, log)

    assert found.log is not None
    assert (found.ok, found.log.first_broken) == (False, first)
    assert (found.log.problem or "").startswith(said)
    assert found.certificates.ok
    assert found.consents.ok


async def test_a_key_that_was_exchanged_makes_every_line_foreign(connection: asyncpg.Connection, log: Path) -> None:
    """Otherwise nothing in the log would be about this database any more, and nothing to find fault with."""
    await connection.execute("update orcid_sync.ledger_heads set key = sha256('another')")
    assert broken(await proof.verify(connection, log)) == {"log": 1}


async def test_without_a_log_the_chains_are_all_there_is(connection: asyncpg.Connection, log: Path) -> None:
    found = await proof.verify(connection, None)
    assert (found.ok, found.log, found.back) == (True, None, [])


async def test_what_is_not_in_the_log_yet_is_no_fault(connection: asyncpg.Connection, log: Path) -> None:
    os.truncate(log, 0)
    assert (await proof.verify(connection, log)).ok


@pytest.mark.fault("F66")
async def test_a_restore_is_explained_once_and_by_nobody_but_the_operator(
    connection: asyncpg.Connection, log: Path
) -> None:
    forger = Forger(connection)
    await forger.load()
    end_of_all(forger)
    await forger.write()
    await erasure_log.replay(connection, log)
    await erasure_log.write_missing(connection, log)
    assert not (await proof.verify(connection, log)).ok

    assert await proof.note_restore(connection, log) > 0

    found = await proof.verify(connection, log)
    assert found.ok
    assert found.log is not None
    assert found.log.explained > 0
    assert await proof.note_restore(connection, log) == 0, "there is nothing more to explain"
    await forger.load()
    forger.certificates[0]["deleted"] = {"orcid.works": 7}
    await forger.write()
    assert broken(await proof.verify(connection, log)).keys() == {"log"}, "what came before it cannot be rewritten"
