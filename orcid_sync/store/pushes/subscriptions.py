"""Subscriptions as people manage them: who is told of changes by signed requests, of which, and how that goes.

A secret is shown once, when it is made; here it is sealed, bound to its subscription. While one replaces another, both
sign.
"""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec

from orcid_sync.model.pushes.delivery import CIRCUIT
from orcid_sync.model.pushes.filters import Filter
from orcid_sync.store.database.encryption import PUSH_SECRET_COLUMN, Vault
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

SECRET_BYTES = 32
"""Of a signing secret; the Standard Webhooks specification wants 24 to 64."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to be told, and where."""

    url: str
    origin: str
    """Scheme, host and port of the address."""
    view: str
    """public or limited: what of the mirror may be sent there."""
    filter: Filter = Filter()
    contents: bool = True
    """Whether messages say what items said before and after."""
    when_dead: str = "pause"
    """After the last try of a message: pause, or continue with the next one."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription, and how far it has come."""

    id: int
    name: str
    url: str
    view: str
    sections: list[str]
    operations: list[str]
    organisations: list[str]
    external_ids: list[str]
    minor: bool
    contents: bool
    when_dead: str
    created_at: datetime
    paused: str | None
    """by hand, dead (a message failed for days), gone (the receiver answered 410); None: it is sent."""
    epoch: str
    reached: int
    """Position up to which everything was delivered, was not wanted, or is dead."""
    attempts: int
    """Failed tries of the present message."""
    due_at: datetime
    failing_since: datetime | None
    last_error: str | None
    delivered_at: datetime | None
    current: bool
    """Whether its position means something in the present history of the feed; if not, it is told to start again."""
    behind: int
    """Positions of the feed that it has not come to yet."""
    behind_since: datetime | None
    """When the first of these changes was committed."""
    dead: int
    """Parts of the feed that could not be delivered."""
    replaying: int
    """Parts of the feed that are being sent once more."""
    secrets: int
    """Secrets that sign: two while one replaces the other."""
    endpoint_paused_until: datetime | None
    """Until when nothing is sent to its host, which is down; None: it is up."""
    endpoint_failures: int | None

    @property
    def state(self) -> str:
        """active, failing, stopped (by itself) or paused (by hand)."""
        if self.paused:
            return "paused" if self.paused == "by hand" else "stopped"
        return "failing" if self.attempts else "active"

    @property
    def filter(self) -> Filter:
        """Which changes it wants."""
        return msgspec.convert(msgspec.structs.asdict(self), Filter)


def new_secret() -> str:
    """A secret as Standard Webhooks writes them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


async def add(connection: AnyConnection, vault: Vault, name: str, wish: Wish, *, after: int | None) -> str | None:
    """Add a subscription; returns its secret, None if the name is taken.

    It is told of what comes after the position `after`; None: of what comes from now on.
    """
    queries = load_queries(__file__)
    async with connection.transaction():
        row = await queries.add(connection, name=name, begins=after, **_columns(wish))
        return None if row is None else await _give_secret(connection, vault, row["id"])


async def edit(connection: AnyConnection, name: str, wish: Wish) -> bool:
    """Change what is wanted. False if there is no such subscription."""
    return bool(await load_queries(__file__).edit(connection, name=name, **_columns(wish)))


async def rotate_secret(connection: AnyConnection, vault: Vault, name: str, *, overlap: timedelta) -> str | None:
    """A new secret, which signs from now on; the one before it signs too, for a while. None: no such subscription."""
    queries = load_queries(__file__)
    async with connection.transaction():
        found = await load(connection, name)
        if found is None:
            return None
        await queries.end_secrets(connection, id=found.id, overlap=overlap)
        return await _give_secret(connection, vault, found.id)


async def drop_ended_secrets(connection: AnyConnection) -> int:
    """Forget secrets that have been replaced and sign no more; how many."""
    number: int = await load_queries(__file__).drop_ended_secrets(connection)
    return number


async def signing_secrets(connection: AnyConnection, vault: Vault, number: int) -> list[str]:
    """The secrets that sign the messages of a subscription, the present one first. Raises VaultError."""
    rows = load_queries(__file__).secrets(connection, id=number)
    return open_secrets(vault, number, [row["secret"] async for row in rows])


def open_secrets(vault: Vault, number: int, sealed: list[str]) -> list[str]:
    """The secrets of a subscription in the clear. Raises VaultError."""
    return [vault.open(text, orcid=str(number), column=PUSH_SECRET_COLUMN) for text in sealed]


async def load(connection: AnyConnection, name: str) -> Subscription | None:
    """The subscription of that name."""
    found = await load_all(connection, name=name)
    return found[0] if found else None


async def load_all(connection: AnyConnection, *, name: str | None = None) -> list[Subscription]:
    """All subscriptions by name, or the one of that name."""
    rows = load_queries(__file__).all_subscriptions(connection, name=name, circuit=CIRCUIT)
    return [Subscription(**row) async for row in rows]


async def remove(connection: AnyConnection, name: str) -> bool:
    """Forget a subscription and everything about it. False if there is none."""
    return bool(await load_queries(__file__).remove(connection, name=name))


async def pause(connection: AnyConnection, name: str) -> bool:
    """Send nothing more until it is resumed. False if there is no such subscription."""
    return bool(await load_queries(__file__).pause(connection, name=name))


async def resume(connection: AnyConnection, name: str) -> bool:
    """Go on where it stopped, at once. False if there is no such subscription."""
    return bool(await load_queries(__file__).resume(connection, name=name))


async def _give_secret(connection: AnyConnection, vault: Vault, number: int) -> str:
    secret = new_secret()
    sealed = vault.seal(secret, orcid=str(number), column=PUSH_SECRET_COLUMN)
    await load_queries(__file__).add_secret(connection, id=number, secret=sealed)
    return secret


def _columns(wish: Wish) -> dict[str, Any]:
    values = msgspec.structs.asdict(wish)
    return values | msgspec.structs.asdict(values.pop("filter"))
