"""Delivering one message: from the lease of a subscription to the outcome that is stored.

    lease -> read the feed with the reader's eyes -> write down where the message ends -> POST -> move on, or try again

The position moves only when the receiver has answered 2xx. Killed at any moment before that is written down, the same
message is sent again by whoever takes the lease over.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import structlog

from orcid_sync.model.pushes.delivery import Outcome, Result, wait_before
from orcid_sync.model.scopes import View
from orcid_sync.service.pushes.compose import Composed, Rewound, compose
from orcid_sync.service.pushes.guarded_client import GuardedClient
from orcid_sync.service.pushes.signed_messages import Message, resync_message, signed_headers
from orcid_sync.store.database.encryption import Vault, VaultError
from orcid_sync.store.database.pools import AnyConnection, statements, transaction
from orcid_sync.store.database.roles import ReadersMissing
from orcid_sync.store.pushes import outbox, subscriptions
from orcid_sync.store.pushes.outbox import PushLease, Step

NOT_NOW = timedelta(minutes=1)
"""How soon a subscription is looked at again whose trouble is on our side."""

NO_ROLE = "the service may not read as this view (orcid-sync check)"
NO_SECRET = "its secret does not open (orcid-sync keys check)"  # noqa: S105 - a sentence

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What pushing needs; `await lease(n, m)` gives messages, `await deliver(lease, message)` sends one."""

    pool: asyncpg.Pool
    courier: GuardedClient
    vault: Vault
    seconds: float
    """Bound of one request."""
    spare_seconds: float
    """By how much a lease outlasts it: reading and writing take their time, too."""
    chance: Callable[[], float]
    clock: Callable[[], datetime]
    """For the signature's timestamp, which the receiver compares with its own clock."""
    counted: Callable[[Result], None]

    async def lease(self, *, proven: int, doubtful: int) -> tuple[list[tuple[PushLease, Message]], int]:
        """The next messages of up to so many subscriptions, and how many subscriptions were looked at."""
        lasting = timedelta(seconds=self.seconds + self.spare_seconds)
        async with statements(self.pool) as connection:
            leases = await outbox.lease_due(connection, proven=proven, doubtful=doubtful, lease=lasting)
        composed: list[Composed] = [
            (lease, resync_message(lease, self.clock())) for lease in leases if lease.must_resync
        ]
        by_view: dict[View, list[PushLease]] = defaultdict(list)
        for lease in leases:
            if not lease.must_resync:
                by_view[lease.view].append(lease)
        for view, alike in by_view.items():
            composed += await self._compose(view, alike)
        return await self._begin(composed), len(leases)

    async def _compose(self, view: View, leases: list[PushLease]) -> list[Composed]:
        try:
            return await compose(self.pool, view, leases)
        except ReadersMissing as error:
            log.error("pushes cannot be read", view=view.value, advice=str(error))  # noqa: TRY400
            await self._give_back(leases, delay=NOT_NOW, error=NO_ROLE)
        except Rewound:
            await self._give_back(leases)
        return []

    async def _begin(self, composed: Iterable[Composed]) -> list[tuple[PushLease, Message]]:
        """Write down what is about to be sent, and what is not wanted."""
        messages = [(lease, found) for lease, found in composed if isinstance(found, Message)]
        begun = [Step(lease, message.ends) for lease, message in messages if not lease.must_resync]
        passed = [Step(lease, found) for lease, found in composed if isinstance(found, int)]
        ours = {lease.id for lease, _ in messages if lease.must_resync}
        async with statements(self.pool) as connection:
            if begun:
                ours |= await outbox.begin(connection, begun)
            if passed:
                await outbox.pass_over(connection, passed)
        return [(lease, message) for lease, message in messages if lease.id in ours]

    async def deliver(self, lease: PushLease, message: Message) -> None:
        """One try, and what follows from it. Raises PushLost, DatabaseUnavailable, DatabaseRefused."""
        try:
            secrets = subscriptions.open_secrets(self.vault, lease.id, lease.sealed_secrets)
        except VaultError as error:
            log.error("push cannot be signed", subscription=lease.name, reason=str(error))  # noqa: TRY400
            await self._give_back([lease], delay=NOT_NOW, error=NO_SECRET)
            return
        headers = signed_headers(message, secrets, self.clock())
        result = await self.courier.post(lease.url, message.body, headers)
        self.counted(result)
        opened = statements if _is_plain(lease, result) else transaction
        async with opened(self.pool) as connection:
            await settle(connection, lease, message, result, chance=self.chance())
        _tell(lease, message, result)

    async def release(self, leases: Iterable[PushLease]) -> None:
        """Give back what was not sent, or not to its end."""
        await self._give_back(leases)

    async def _give_back(
        self, leases: Iterable[PushLease], *, delay: timedelta = timedelta(), error: str | None = None
    ) -> None:
        async with statements(self.pool) as connection:
            for lease in leases:
                await outbox.release(connection, lease, delay=delay, error=error)

    async def seconds_to_next(self) -> float | None:
        """Seconds until the next try is due; None if none is."""
        async with statements(self.pool) as connection:
            return await outbox.seconds_to_next(connection)


async def settle(
    connection: AnyConnection, lease: PushLease, message: Message, result: Result, *, chance: float
) -> None:
    """Write down what became of a try. Raises PushLost."""
    error = result.error or result.outcome.value
    delay = wait_before(lease.attempts + 1, chance, result.retry_after)
    if result.outcome is Outcome.DELIVERED:
        await outbox.deliver(connection, lease, message.ends)
    elif result.outcome is Outcome.GONE:
        await outbox.fail(connection, lease, error=error, delay=timedelta(), paused="gone")
    elif delay is not None:
        await outbox.fail(connection, lease, error=error, delay=delay)
    elif lease.must_resync:  # nothing can be told before this
        await outbox.fail(connection, lease, error=error, delay=NOT_NOW, paused="dead")
    else:
        await outbox.mark_dead(connection, lease, message.ends, error=error)
    if lease.endpoint_fails or not result.outcome.is_alive:
        await outbox.note_endpoint(connection, lease.origin, alive=result.outcome.is_alive)


def _is_plain(lease: PushLease, result: Result) -> bool:
    """Whether one statement settles it: a transaction of its own costs two round trips."""
    more = lease.endpoint_fails or lease.must_resync or lease.range_number is not None
    return result.outcome is Outcome.DELIVERED and not more


def _tell(lease: PushLease, message: Message, result: Result) -> None:
    """One line for each try; neither the address, which may be a secret, nor anything that was sent."""
    log.info(
        "pushed" if result.outcome is Outcome.DELIVERED else "not pushed",
        subscription=lease.name,
        outcome=result.outcome.value,
        error=result.error,
        attempt=lease.attempts + 1,
        to=message.ends,
        changes=message.changes,
        ms=round(result.seconds * 1000),
    )
