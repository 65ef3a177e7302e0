"""What the proofs must say about each other: certificates and consent ledger, and both and the erasure log.

A chain of hashes alone cannot show that its end was cut off, or that somebody computed all of it anew. Each of the
three is kept by the two others: who forges one must forge all, and the log is outside the database.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from orcid_sync.model.consent.hash_chain import ChainBroken, Head


class Claim(Struct, frozen=True):
    """That somebody was erased, as a certificate or the consent ledger says it."""

    number: int
    """In its own chain."""
    entry: str
    """Hash of the ledger's entry."""
    said: tuple[str | None, str, str]
    """The iD, by whom, how learnt."""


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether one of the proofs is as it was written."""

    ok: bool
    entries: int | None = None
    hash: str | None = None
    """Of the last entry, hexadecimal digits."""
    explained: int = 0
    """Lines of the log that no chain has any more, because a backup was restored."""
    first_broken: int | None = None
    problem: str | None = None


class Compared(Struct, frozen=True):
    """A line of the erasure log beside the chain that it is about."""

    line: int
    chain: str
    misfit: str | None
    """Why the line is no entry of the chain."""
    restored: bool = False
    """Whether it says that a backup was restored, after which the chain goes on from the entry that it names."""


def pair(certificates: Sequence[Claim], entries: Sequence[Claim]) -> None:
    """Each certificate has its entry "erased" in the ledger, and each such entry its certificate, in the same order.

    Raises ChainBroken with the number of the first certificate for which that is not so.
    """
    known = {one.entry: one for one in entries}
    before = 0
    for certificate in certificates:
        entry = known.get(certificate.entry)
        if entry is None:
            raise ChainBroken(certificate.number, "its entry in the consent ledger is missing")
        if entry.said != certificate.said:
            raise ChainBroken(certificate.number, f"entry {entry.number} of the consent ledger says something else")
        if entry.number <= before:
            raise ChainBroken(certificate.number, "its entry in the consent ledger belongs to a certificate before it")
        before = entry.number
    certified = {certificate.entry for certificate in certificates}
    for place, entry in enumerate(entries, 1):
        if entry.entry not in certified:
            raise ChainBroken(place, f"is missing: entry {entry.number} of the consent ledger says that it was issued")


def judge_log(lines: Iterable[Compared]) -> tuple[int, list[Compared]]:
    """How many lines of the log a restored backup explains, and the misfits that nothing explains.

    A line that says so is an entry of its chain itself. What comes before it in the log can be what the restore took
    away; what comes after it cannot, and the chain up to that entry cannot be written anew.
    """
    explained = 0
    open_: dict[str, list[Compared]] = {}
    for one in lines:
        if one.misfit is not None:
            open_.setdefault(one.chain, []).append(one)
        elif one.restored:
            explained += len(open_.pop(one.chain, []))
    return explained, sorted((one for some in open_.values() for one in some), key=lambda one: one.line)


def verdict_of(found: Head | ChainBroken) -> Verdict:
    """What is said of a chain that was followed to its end, or not."""
    if isinstance(found, ChainBroken):
        return Verdict(ok=False, first_broken=found.number, problem=str(found))
    return Verdict(ok=True, entries=found.number, hash=found.hash.hex())
