"""Tokens of the internal listener, and the sessions of browsers that have shown one.

Of either only the hash is stored. SHA-256 is enough: a token has 256 random bits, so there is no list of likely ones to
try, and a slow hash would only slow down every request. The look-up by hash tells nothing by its duration either, for
whoever measures it does not choose the hash.
"""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec

from orcid_sync.model.scopes import Scope
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

PREFIX = "orcid_sync_"
"""What our tokens begin with, so that people and scanners know one when they see it."""

SESSION = timedelta(hours=12)
"""How long a browser is known after a token was shown."""

_queries = load_queries(__file__)


class NameTaken(Exception):
    """There is a token of that name already."""


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without what it is."""

    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    expired: bool


class Found(msgspec.Struct, frozen=True):
    """What a token that was shown stands for."""

    name: str
    scopes: frozenset[Scope]


def new_token() -> str:
    """A token that nobody has seen: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    """What is stored of a token or a cookie."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


async def create(
    connection: AnyConnection,
    token: str,
    *,
    name: str,
    scopes: Collection[Scope],
    lifetime: timedelta | None,
    overlap: timedelta | None = None,
) -> None:
    """Store a new token. With `overlap`, those of the same name end after it. Raises NameTaken without."""
    async with connection.transaction():
        if overlap is not None:
            await _queries.end_within(connection, name=name, overlap=overlap)
        elif await _queries.is_taken(connection, name=name):
            raise NameTaken(name)
        texts = sorted(scope.value for scope in scopes)
        await _queries.create(connection, hash=hash_of(token), name=name, scopes=texts, lifetime=lifetime)


async def list_tokens(connection: AnyConnection) -> list[ApiToken]:
    """All tokens that were not revoked, also those that have expired."""
    return [ApiToken(**row) async for row in _queries.all_tokens(connection)]


async def revoke(connection: AnyConnection, name: str) -> int:
    """End all tokens of that name and the sessions that they opened; returns how many tokens."""
    number: int = await _queries.revoke(connection, name=name)
    return number


async def is_any(connection: AnyConnection) -> bool:
    """Whether a token was ever made and not revoked."""
    return bool(await _queries.is_any(connection))


async def find(connection: AnyConnection, token_hash: bytes) -> Found | None:
    """The token of that hash, if it lives; notes that it was used, at most once a minute."""
    row = await _queries.find(connection, hash=token_hash)
    if row is None:
        return None
    if row["unnoted"]:
        await _queries.note_use(connection, hash=token_hash)
    return Found(row["name"], frozenset(map(Scope, row["scopes"])))


async def open_session(connection: AnyConnection, secret: str, token_hash: bytes) -> None:
    """Know the browser that has this cookie for a while, as a bearer of the token."""
    await _queries.open_session(connection, hash=hash_of(secret), token_hash=token_hash, lifetime=SESSION)


async def find_session(connection: AnyConnection, secret: str) -> bytes | None:
    """Hash of the token that the browser with this cookie has shown; None if it is not known."""
    found: bytes | None = await _queries.find_session(connection, hash=hash_of(secret))
    return found


async def close_session(connection: AnyConnection, secret: str) -> None:
    """Know the browser no longer."""
    await _queries.close_session(connection, hash=hash_of(secret))
