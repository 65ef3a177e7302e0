"""Programs that follow the change feed over HTTP and keep their position here: where they are, how far behind."""

from datetime import datetime

import msgspec

from orcid_sync.model.feed.cursor import Cursor, Place
from orcid_sync.model.scopes import Caller, Scope, View
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """A named consumer of the feed, and how it stands."""

    name: str
    owner: str
    """Name of the token that stored it first."""
    cursor: str
    view: str
    must_resync: bool
    """The feed's history is another one than that of the cursor: the consumer has to start again."""
    behind: int
    """Positions of the feed that it has not dealt with; those that it does not want are counted, too."""
    behind_seconds: float
    """How old the first of these is; 0 if there is none."""
    created_at: datetime
    updated_at: datetime


async def keep(connection: AnyConnection, name: str, cursor: Cursor, caller: Caller) -> bool:
    """Store how far a consumer has come; False if the name belongs to somebody else."""
    return bool(
        await _queries.keep(
            connection,
            name=name,
            owner=caller.name,
            epoch=cursor.place.epoch,
            seq=cursor.place.seq,
            view=cursor.view.value,
            any_owner=caller.may(Scope.ADMIN),
        )
    )


async def drop(connection: AnyConnection, name: str, caller: Caller) -> bool:
    """Forget a consumer; False if there is none that the caller may forget."""
    return bool(await _queries.drop(connection, name=name, owner=caller.name, any_owner=caller.may(Scope.ADMIN)))


async def load(connection: AnyConnection, name: str | None = None) -> list[Consumer]:
    """How all consumers stand, or the one of that name."""
    return [_consumer(dict(row)) async for row in _queries.standing(connection, name=name)]


def _consumer(row: dict[str, object]) -> Consumer:
    place = Place(str(row.pop("epoch")), int(str(row.pop("seq"))))
    return Consumer(cursor=str(Cursor(place, View(row["view"]))), **row)  # type: ignore[arg-type]
