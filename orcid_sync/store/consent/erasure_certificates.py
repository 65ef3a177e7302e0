"""Certificates of erasure: proof that somebody's data were erased, what and when; a chain like the consent ledger.

A certificate names the ledger's entry on the same erasure by its hash. So whoever keeps a certificate (or the erasure
log, which is outside the database) can show that neither chain was cut off or written anew before that moment.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from orcid_sync.model.consent.hash_chain import Head, Link, Value, agree, extend, follow
from orcid_sync.model.consent.proof import Claim, pair
from orcid_sync.store.consent.consent_ledger import lock_head, noted_head
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """That everything about a person was erased."""

    number: int
    orcid: str
    by: str
    """Whose wish it was: holder, operator or registry."""
    learnt: str
    """How we learnt of it."""
    deleted: dict[str, int]
    """Rows that were deleted or blanked, by table."""
    consents_hash: str
    """Of the entry in the consent ledger, hexadecimal digits."""
    at: datetime
    previous: str
    """Hash of the certificate before."""
    hash: str


async def issue(
    connection: AnyConnection, *, orcid: str, by: str, learnt: str, deleted: Mapping[str, int], consents: Head
) -> Certificate:
    """Add a certificate, inside the erasing transaction; `consents` is the ledger's end with the entry on it."""
    head = await lock_head(connection, "erasures")
    said: dict[str, Value] = {"orcid": orcid, "by": by, "learnt": learnt, "deleted": deleted, "at": head.at}
    link = extend(head.end, {**said, "number": head.end.number + 1, "consents_hash": consents.hash})
    await _queries.issue(
        connection,
        **{**said, "deleted": msgspec.json.encode(deleted)},
        number=link.number,
        consents_hash=consents.hash,
        hash=link.hash,
    )
    return Certificate(
        number=link.number,
        orcid=orcid,
        by=by,
        learnt=learnt,
        deleted=dict(deleted),
        consents_hash=consents.hash.hex(),
        at=head.at,
        previous=head.end.hash.hex(),
        hash=link.hash.hex(),
    )


async def read(connection: AnyConnection, *, number: int | None = None) -> list[Certificate]:
    """The certificates in their order; one alone if its number is given."""
    return [_certificate(row) async for row in _queries.list_certificates(connection, number=number)]


async def verify(connection: AnyConnection) -> Head:
    """Compute the chain anew; returns its end. Raises ChainBroken at the first certificate that is not as it was.

    Certificates and the ledger's entries on erasures match one to one, so that neither can lose one alone.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = await read(connection)
        head = follow(Link(one.number, _content(one), bytes.fromhex(one.hash)) for one in found)
        agree(head, await noted_head(connection, "erasures"))
        claims = [Claim(one.number, one.consents_hash, (one.orcid, one.by, one.learnt)) for one in found]
        pair(claims, [_claim(row) async for row in _queries.list_erased(connection)])
    return head


async def pseudonym_key(connection: AnyConnection) -> bytes:
    """The key of the pseudonyms that stand for iDs in files outside the database; it is part of every backup."""
    key: bytes = await _queries.pseudonym_key(connection)
    return key


def _claim(row: Any) -> Claim:
    return Claim(row["number"], row["hash"].hex(), (row["orcid"], row["by"], row["learnt"]))


def _content(certificate: Certificate) -> dict[str, Value]:
    said = msgspec.structs.asdict(certificate)
    return {name: value for name, value in said.items() if name not in ("hash", "previous")}


def _certificate(row: Any) -> Certificate:
    hashes = {name: row[name].hex() for name in ("consents_hash", "previous", "hash")}
    return Certificate(**{**row, **hashes, "deleted": msgspec.json.decode(row["deleted"])})
