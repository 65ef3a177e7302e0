"""Verifying the proofs: the chains of certificates and consents, their pairs, and the erasure log beside both.

The log is read first, and everything else in one snapshot after it: what the log tells was committed before it was
written there, so whatever is in it must be in the database.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from orcid_sync.model.consent.erasure import fingerprint
from orcid_sync.model.consent.hash_chain import ChainBroken, Head
from orcid_sync.model.consent.proof import Compared, Verdict, judge_log, verdict_of
from orcid_sync.service.consent import erasure_log
from orcid_sync.service.consent.erasure_log import CHAINS, CONSENTS, RESTORED, ErasureLogUnusable, Line, Returned
from orcid_sync.store.consent import consent_ledger, erasure_certificates
from orcid_sync.store.database.pools import AnyConnection

Position = tuple[str, int]
"""Of an entry: its chain, and its number there."""


class Proof(Struct, frozen=True):
    """What was found of each of the three proofs, and who is back although they went."""

    certificates: Verdict
    consents: Verdict
    log: Verdict | None
    """None if no erasure log is configured."""
    back: list[Returned]

    @property
    def ok(self) -> bool:
        """Whether all of it is as it was written; who is back is another question."""
        return all(one.ok for one in (self.certificates, self.consents, self.log) if one is not None)


class _Known(Struct, frozen=True):
    """What the database says, as far as the log can tell of it."""

    key: bytes
    lines: Mapping[Position, Line]
    hashes: Mapping[Position, str]
    """Of the entries that lines about a restore name."""


async def verify(connection: AnyConnection, path: Path | None) -> Proof:
    """Compute both chains anew, and compare all that was written down about the same things."""
    told = _read(path) if path else None
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return Proof(
            await _verdict(erasure_certificates.verify, connection),
            await _verdict(consent_ledger.verify, connection),
            told if told is None or isinstance(told, Verdict) else await _judge(connection, told),
            [] if told is None or isinstance(told, Verdict) else await erasure_log.find_back(connection, told),
        )


async def note_restore(connection: AnyConnection, path: Path) -> int:
    """Say in the log that a backup was restored, if that has taken away what it tells; returns how many lines.

    Only whoever has restored one can know that: nothing calls this by itself. Raises ErasureLogUnusable.
    """
    lines = erasure_log.read(path)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        known = await _known(connection, lines)
        _, misfits = judge_log(_compare(lines, known))
        ends = {chain: await consent_ledger.noted_head(connection, chain) for chain in CHAINS}
    broken = {one.chain for one in misfits}
    erasure_log.append(path, [_restored(known.key, chain, ends[chain]) for chain in CHAINS if chain in broken])
    return len(misfits)


def _restored(key: bytes, chain: str, end: Head) -> Line:
    return Line(
        database=fingerprint(key),
        number=end.number,
        person="",
        at=datetime.now(UTC),
        by="operator",
        event=RESTORED[chain],
        hash=end.hash.hex(),
    )


def _read(path: Path) -> list[Line] | Verdict:
    """The lines; a verdict if there is no log to be read, for then nothing vouches for the chains."""
    try:
        if not path.exists():
            said = (
                f"There is no erasure log {path}. The service makes it within minutes; if it was there, it was removed."
            )
            return Verdict(ok=False, problem=said)
        return erasure_log.read(path)
    except (ErasureLogUnusable, OSError) as error:
        return Verdict(ok=False, problem=str(error))


async def _verdict(check: Callable[[AnyConnection], Awaitable[Head]], connection: AnyConnection) -> Verdict:
    try:
        return verdict_of(await check(connection))
    except ChainBroken as broken:
        return verdict_of(broken)


async def _judge(connection: AnyConnection, lines: Sequence[Line]) -> Verdict:
    explained, misfits = judge_log(_compare(lines, await _known(connection, lines)))
    if not misfits:
        return Verdict(ok=True, entries=len(lines), explained=explained)
    first = misfits[0]
    return Verdict(ok=False, first_broken=first.line, problem=f"line {first.line}: {first.misfit}")


async def _known(connection: AnyConnection, lines: Sequence[Line]) -> _Known:
    key = await erasure_certificates.pseudonym_key(connection)
    gone = {_position(line): line for line in await erasure_log.lines_of(connection)}
    wanted = {chain: [line.number for line in lines if line.event == RESTORED[chain]] for chain in CHAINS}
    hashes = {(chain, 0): Head().hash.hex() for chain in CHAINS}
    for chain, numbers in wanted.items():
        found = await consent_ledger.hashes(connection, chain, numbers) if numbers else {}
        hashes |= {(chain, number): value for number, value in found.items()}
    return _Known(key, gone, hashes)


def _compare(lines: Sequence[Line], known: _Known) -> Iterator[Compared]:
    for number, line in enumerate(lines, 1):
        chain, _ = _position(line)
        yield Compared(number, chain, _misfit(line, known), restored=line.event in RESTORED.values())


def _misfit(line: Line, known: _Known) -> str | None:
    """Why the line is no entry of its chain; None if it is, with that number, that hash, and all that it says."""
    chain, number = _position(line)
    if line.database != fingerprint(known.key):
        return "is of another database, or the key of the pseudonyms was exchanged"
    entry = known.lines.get((chain, number))
    found = known.hashes.get((chain, number)) if line.event in RESTORED.values() else entry and entry.hash
    if found is None:
        return f"entry {number} of {chain}, which it tells, is not there"
    if found != line.hash:
        return f"entry {number} of {chain} has another hash than the one that was written down here"
    if line.event not in RESTORED.values() and entry != line:
        return f"says something else than entry {number} of {chain}"
    return None


def _position(line: Line) -> Position:
    """The entry that a line tells."""
    certified = (erasure_log.ERASED, RESTORED[erasure_log.CERTIFICATES])
    return (erasure_log.CERTIFICATES if line.event in certified else CONSENTS), line.number
