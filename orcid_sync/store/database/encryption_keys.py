"""The keys that encrypted what the database holds: which are in use, whether they decrypt it, and replacing them.

A key is replaced while the service runs: batch by batch what an older key of the ring sealed is sealed anew with the
present one, each batch in a transaction of its own. Killed at any moment, nothing is half done and the next run goes on
(fault F91). A key may be dropped when nothing carries its id any more (invariant S19).
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from orcid_sync.store.database.encryption import CLIENT_TOKEN_COLUMN, PUSH_SECRET_COLUMN, Vault, VaultError
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

BATCH = 500
"""Rows that are locked and sealed anew at a time: some 10 ms."""

SAMPLES = 20
"""Ciphertexts of each key that are tried before the service starts."""

_EVERYTHING = 1 << 62

# What a ciphertext is bound to besides its owner (encryption.py), by the column that holds it.
_BOUND_TO = {
    "tokens.access_token": "access_token",
    "tokens.refresh_token": "refresh_token",
    "retired_tokens.access_token": "access_token",
    "client_tokens.access_token": CLIENT_TOKEN_COLUMN,
    "subscription_secrets.secret": PUSH_SECRET_COLUMN,
    # Under the name that the queries for rotation give it.
    "subscription_secrets.access_token": PUSH_SECRET_COLUMN,
}
_TABLES = ("tokens", "retired_tokens", "client_tokens", "subscription_secrets")

Place = tuple[str, str]
"""Owner and part of a row, in whose order rows are dealt with."""

_START: Place = ("", "0")


class KeyUse(msgspec.Struct, frozen=True, kw_only=True):
    """One key: what the settings and the database say about it."""

    key_id: str
    role: str
    """present: seals and opens; old: opens; missing: in use, but not among the settings."""
    rows: dict[str, int]
    """Ciphertexts that carry its id, by table and column."""

    @property
    def total(self) -> int:
        """Ciphertexts that carry its id."""
        return sum(self.rows.values())


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one table that were dealt with in one transaction, now committed."""

    table: str
    replaced: int
    """Rows of which something was sealed anew."""
    damaged: list[str]
    """Owners of rows of which something does not open though its key is there."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """How the ciphertexts of one key that were tried behave."""

    opened: int
    closed: list[str]
    """Owners of those that do not open, with the column."""


async def usage(connection: AnyConnection, vault: Vault) -> list[KeyUse]:
    """Every key of the ring and every one in use; the present one first, then the old ones, then the missing."""
    rows: dict[str, dict[str, int]] = {key_id: {} for key_id in vault.key_ids}
    async for row in load_queries(__file__).usage(connection):
        rows.setdefault(row["key_id"], {})[row["place"]] = row["number"]
    roles = dict.fromkeys(vault.key_ids, "old") | {vault.key_ids[0]: "present"}
    return [KeyUse(key_id=key_id, role=roles.get(key_id, "missing"), rows=held) for key_id, held in rows.items()]


async def try_keys(
    connection: AnyConnection, vault: Vault, *, key_ids: Sequence[str] | None = None, most: int = _EVERYTHING
) -> dict[str, Tried]:
    """Open what the keys of the ring sealed, or some of them, at most so many ciphertexts of each."""
    opened: Counter[str] = Counter()
    closed: dict[str, list[str]] = {key_id: [] for key_id in key_ids or vault.key_ids}
    async for row in load_queries(__file__).sealed(connection, key_ids=list(closed), most=most):
        key_id = row["text"].split(".")[1]
        try:
            vault.open(row["text"], orcid=row["owner"], column=_BOUND_TO[row["place"]])
        except VaultError:
            closed[key_id].append(f"{row['place']} of {row['owner']}")
        else:
            opened[key_id] += 1
    return {key_id: Tried(opened=opened[key_id], closed=sorted(texts)) for key_id, texts in closed.items()}


async def demand_right_key(connection: AnyConnection, vault: Vault) -> list[str]:
    """What is wrong with the ring though the service can start: one sentence for each missing or wrong key.

    Raises VaultError if the present key opens nothing of what carries its id: whatever it seals would mix with what
    another key of the same id sealed, and nobody could tell them apart any more.
    """
    tried = await try_keys(connection, vault, most=SAMPLES)
    present = vault.key_ids[0]
    suspects = [key_id for key_id, result in tried.items() if result.closed and not result.opened]
    # One damaged row is no proof: before a key is called wrong, everything that carries its id is tried.
    wrong = [key_id for key_id in suspects if not (await try_keys(connection, vault, key_ids=[key_id]))[key_id].opened]
    if present in wrong:
        raise VaultError(
            f"encryption_key is not the key that the database knows by the id {present!a}: it decrypts nothing "
            "that was encrypted under that id. Set the right key; or give the new one another encryption_key_id, and "
            "keep the right one in old_encryption_keys."
        )
    missing = [use for use in await usage(connection, vault) if use.role == "missing"]
    return [
        *(
            f"The old key {key_id!a} decrypts nothing that was encrypted under its id: it is the wrong key."
            for key_id in wrong
        ),
        *(
            f"The key {use.key_id!a} is not set, but {use.total} tokens are encrypted with it: the service cannot "
            f"use them."
            for use in missing
        ),
    ]


async def rotate(connection: AnyConnection, vault: Vault, *, batch: int = BATCH) -> AsyncIterator[Batch]:
    """Seal anew with the present key what the other keys of the ring sealed; yields each batch once it is committed.

    Rows that somebody else is writing, that do not open, or whose key is missing stay as they are.
    """
    for table in _TABLES:
        place: Place | None = _START
        while place is not None:
            async with connection.transaction():
                done, place = await _rotate_batch(connection, vault, table, after=place, limit=batch)
            if place is not None:
                yield done


async def _rotate_batch(
    connection: AnyConnection, vault: Vault, table: str, *, after: Place, limit: int
) -> tuple[Batch, Place | None]:
    """The batch after a row, and its last row; None where there is no more."""
    queries = load_queries(__file__)
    lock, replace = getattr(queries, f"lock_{table}"), getattr(queries, f"replace_{table}")
    owner, part = after
    rows = [row async for row in lock(connection, owner=owner, part=part, key_ids=list(vault.key_ids[1:]), limit=limit)]
    anew = [_resealed(vault, table, row) for row in rows]
    columns = zip(*anew, strict=True) if anew else [()] * 4
    names = ("owners", "parts", "access_tokens", "refresh_tokens")
    await replace(connection, **{name: list(column) for name, column in zip(names, columns, strict=True)})
    replaced = sum(tuple(row.values()) != new for row, new in zip(rows, anew, strict=True))
    damaged = [owner for owner, _, *texts in anew if any(vault.is_old(text) for text in texts if text)]
    done = Batch(table=table, replaced=replaced, damaged=damaged)
    return done, (rows[-1]["owner"], rows[-1]["part"]) if rows else None


def _resealed(vault: Vault, table: str, row: Any) -> tuple[str, str, str | None, str | None]:
    """A row with its texts sealed anew, those that do not open as they are."""

    def reseal(column: str) -> str | None:
        text: str | None = row[column]
        if text is not None:
            with suppress(VaultError):
                return vault.reseal(text, orcid=row["owner"], column=_BOUND_TO[f"{table}.{column}"])
        return text

    return row["owner"], row["part"], reseal("access_token"), reseal("refresh_token")
