"""Auditing: reading a record anew, beside the service, and comparing it with the mirror item by item.

Nothing is trusted that the mirror says of itself: neither the hash of the last answer nor the digests of the items, for
a defect could lie in them. Nothing is written to the mirror either.

One record's failure is its own verdict, whatever it was: an audit of many goes on to the end.
"""

from collections import Counter
from dataclasses import dataclass

import structlog

from orcid_sync.model.analysis.audit import Finding, Verdict, judge
from orcid_sync.model.explain.doubts_in_words import named_sections
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record import diff
from orcid_sync.model.record.diff import Held
from orcid_sync.model.record.extract import moment
from orcid_sync.model.record.sections import SECTIONS, Content, ItemKey
from orcid_sync.model.sync.record_states import TRANSITIONS, State
from orcid_sync.model.wire.malformed import MalformedRecord
from orcid_sync.model.wire.orcid_json import Timestamp
from orcid_sync.model.wire.set_aside import may_lose
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import RegistryError
from orcid_sync.service.record import permission
from orcid_sync.service.record.record_reader import Reading, parse_in_steps
from orcid_sync.service.record.record_states import OUTCOMES
from orcid_sync.store.console import audits
from orcid_sync.store.console.audits import Standing
from orcid_sync.store.database.encryption import Vault, VaultError
from orcid_sync.store.database.pools import Database, DatabaseRefused, DatabaseUnavailable, statements
from orcid_sync.store.mirror import items
from orcid_sync.store.sync import access
from orcid_sync.store.sync.access import Known

TELLING: dict[type[Exception], str] = {
    RegistryError: "",
    MalformedRecord: "ORCID's answer is no record: ",
    VaultError: "the holder's token cannot be opened: ",
    DatabaseUnavailable: "the database: ",
    DatabaseRefused: "the database: ",
}
"""Errors whose message says in words what is wrong, and quotes nothing; with words before it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """What auditing needs; `await audit(orcid)` does one record."""

    database: Database
    registry: Registry
    vault: Vault

    async def audit(self, orcid: Orcid) -> Finding:
        """Compare the mirror of one record with what ORCID says now; what goes wrong with it is the verdict."""
        try:
            return await self._audit(orcid)
        except Exception as error:
            log.debug("record not compared", orcid=orcid, exc_info=True)
            return Finding(orcid=orcid, verdict=Verdict.FAILED, reason=_in_words(error))

    async def _audit(self, orcid: Orcid) -> Finding:
        async with statements(self.database.worker) as connection:
            known = await access.load(connection, orcid)
            before = await audits.standing(connection, orcid)
        if known is None or before is None or known.state != "connected":
            return Finding(orcid=orcid, verdict=Verdict.UNREADABLE, reason="the iD is not connected")
        try:
            reading = await self._read(orcid, known)
        except RegistryError as error:
            return _of_state(orcid, known, before, error)
        except MalformedRecord as error:
            return _unreadable(orcid, before, error)
        async with statements(self.database.worker) as connection:
            held = await items.load(connection, orcid)
            contents = await items.load_contents(connection, orcid, list(held.items))
            after = await audits.standing(connection, orcid)
        differences, unheard = compare(reading, held, contents), _unheard(reading)
        verdict = judge(
            differs=bool(differences),
            # Somebody else may have read it in the meantime, and seen another state than we did.
            due=before.due or after is None or after.verified_at != before.verified_at,
            known_ms=before.registry_modified_ms,
            answered_ms=reading.modified_ms,
        )
        return Finding(
            orcid=orcid,
            verdict=Verdict.PARTLY if unheard and verdict is Verdict.IDENTICAL else verdict,
            differences=differences,
            reason=f"ORCID's answer did not speak of {unheard}, or not whole" if unheard else None,
            verified_at=before.verified_at,
            changed_at=moment(Timestamp(reading.modified_ms)),
        )

    async def _read(self, orcid: Orcid, known: Known) -> Reading:
        token, _ = permission.means(self.vault, orcid, known)
        async with self.registry.record(orcid, token) as body:
            return await parse_in_steps(body)


def _of_state(orcid: Orcid, known: Known, standing: Standing, error: RegistryError) -> Finding:
    """What an answer says that is no record: the mirror may know the state, and then it is right."""
    outcome = OUTCOMES.get(type(error))
    if outcome is None:
        return _unreadable(orcid, standing, error)
    state = TRANSITIONS[known.record_state or State.ACTIVE, outcome].state
    differs = state is not known.record_state
    verdict = judge(differs=differs, due=standing.due, known_ms=None, answered_ms=0)
    differences = {f"record {state}": 1} if differs else {}
    return Finding(orcid=orcid, verdict=verdict, differences=differences, verified_at=standing.verified_at)


def _unreadable(orcid: Orcid, standing: Standing, error: Exception) -> Finding:
    reason, at = _in_words(error), standing.verified_at
    return Finding(orcid=orcid, verdict=Verdict.UNREADABLE, reason=reason, verified_at=at)


def _in_words(error: Exception) -> str:
    """Of an error that is not expected only the class is told: its message may quote the record."""
    known = next((before for kind, before in TELLING.items() if isinstance(error, kind)), None)
    if known is None:
        return f"a defect of this program ({type(error).__name__}); --log-level debug shows where"
    return f"{known}{error}"


def compare(reading: Reading, held: Held, contents: dict[ItemKey, Content]) -> dict[str, int]:
    """Numbers of differences by section and kind; empty if the mirror says the same as the answer."""
    counts: Counter[str] = Counter()
    if held.record is None or not diff.same_json(held.record.doc, reading.doc):
        counts["record differs"] += 1
    answered = {item.id: item for item in reading.items}
    for key, item in answered.items():
        if (content := contents.get(key)) is None:
            counts[f"{key[0]} missing"] += 1
        elif not _same(content, item.content):
            counts[f"{key[0]} differs"] += 1
    whole = may_lose(reading.answered, reading.set_aside)
    for section, _ in (key for key in contents if key not in answered and key[0] in whole):
        counts[f"{section} extra"] += 1
    return dict(sorted(counts.items()))


def _unheard(reading: Reading) -> str:
    """The sections of which nobody knows whether they are the same; empty if there are none."""
    doubtful = (set(SECTIONS) - set(reading.answered)) | {part.section for part in reading.set_aside}
    return named_sections(section for section in SECTIONS if section in doubtful) if doubtful else ""


def _same(mirrored: Content, answered: Content) -> bool:
    """Whether an item says the same, at the same place of its group; full forms are not read for an audit."""
    places = [(one.group_put_code, one.group_position) for one in (mirrored, answered)]
    return places[0] == places[1] and diff.same_json(mirrored.doc, answered.doc)
