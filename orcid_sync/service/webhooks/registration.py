"""Registering and removing webhooks, so that ORCID has exactly those that an iD needs (contract sections 1.3, 1.4).

`model.webhooks.registration` decides; this module does it. Everything is written down before ORCID is told, so that a
crash at any moment leaves a webhook that we know of (S16, F100), and what was begun is begun anew.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import structlog
from msgspec.structs import replace

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.side_steps import is_waiting, soonest
from orcid_sync.model.webhooks.registration import Act, Generation, Hook, HookState, Step, steps
from orcid_sync.registry.callbacks import Callbacks
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import UNKNOWN_RECORD, BadRequest, Forbidden, NotFound
from orcid_sync.service.record.side_steps import Effort, attempt, kind_of
from orcid_sync.store.database.pools import AnyConnection, statements
from orcid_sync.store.webhooks import generations, inventory

REFUSALS = (Forbidden, BadRequest, NotFound)
"""What will not pass by itself: our membership, our client, or the iD does not allow it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What the settings say about webhooks."""

    callbacks: Callbacks
    public_url: str
    key_version: int | None
    """None: webhooks are switched off."""
    overlap: timedelta
    """How long a new webhook stands before the older one goes."""


@dataclass(frozen=True, slots=True)
class Registered:
    """How it stands with the webhooks of a connected iD."""

    announced: bool
    """Whether changes will be announced."""
    again_in: timedelta | None
    """Time until something that failed is tried again; None: all is done."""


def _kind_of(error: Exception) -> str:
    return "webhook_refused" if isinstance(error, REFUSALS) else kind_of(error)


async def announce(connection: AnyConnection, desired: Desired) -> None:
    """Say that from now on these settings count for everybody. Raises WrongSecret."""
    await generations.announce(
        connection,
        proofs=desired.callbacks.proofs,
        public_url=desired.public_url,
        key_version=desired.key_version,
    )


class Subscription:
    """Brings the webhooks of an iD to what is desired."""

    def __init__(self, pool: asyncpg.Pool, registry: Registry, desired: Desired) -> None:
        self._pool = pool
        self._registry = registry
        self._desired = desired
        self._doing: dict[Act, Callable[[Orcid, Generation], Awaitable[None]]] = {
            Act.REGISTER: self._register,
            Act.VERIFY: self._verify,
            Act.REVIVE: self._revive,
            Act.REMOVE: self._remove,
        }

    async def ensure(self, orcid: Orcid, effort: Effort) -> Registered:
        """See to the webhooks of a connected iD; must come before the read (contract section 1.8).

        What fails does not stop the mirror: the record is then found changed by its regular checks, and what failed is
        tried again by a back-off of its own, and the read after it sees what nobody announced. Raises Paused.
        """
        hooks = await self._hooks(orcid)
        on = any(hook.generation.is_present for hook in hooks)
        announced = on and any(hook.state is HookState.ACTIVE for hook in hooks)
        waits: list[timedelta | None] = []
        for step in self._steps(hooks, wanted=True):
            waits.append(await self._try(orcid, step, effort))
            announced = announced or (waits[-1] is None and step.act is not Act.REMOVE)
        return Registered(announced, soonest(waits))

    async def remove(self, orcid: Orcid, effort: Effort, *, even_if_unknown: bool) -> timedelta | None:
        """Remove whatever webhooks there may be; time until what ORCID did not confirm is tried again. Raises Paused.

        `even_if_unknown`: also those of which nothing is written down. What nobody knows the secret of keeps its row.
        """
        hooks = await self._hooks(orcid)
        if even_if_unknown:
            hooks = [replace(hook, state=hook.state or HookState.REMOVING) for hook in hooks]
        return soonest([await self._try(orcid, step, effort) for step in self._steps(hooks, wanted=False)])

    async def _try(self, orcid: Orcid, step: Step, effort: Effort) -> timedelta | None:
        """Time until the step is tried (again); None: it is done."""
        if is_waiting(step.again_in) and not effort.at_once:
            return step.again_in
        work = self._doing[step.act](orcid, step.generation)
        failure = await attempt(work, attempts=step.attempts, effort=effort, kind=_kind_of)
        if failure is None:
            return None
        async with statements(self._pool) as connection:
            await inventory.failed(connection, orcid, step.generation.number, failure)
        log.warning("webhook step failed", orcid=orcid, act=step.act.value, reason=failure.error)
        return failure.again_in

    async def _hooks(self, orcid: Orcid) -> list[Hook]:
        """What there is of each generation; what the settings say is among them in any case."""
        async with statements(self._pool) as connection:
            hooks = await inventory.hooks(connection, orcid)
            if self._desired.key_version is not None and self._own(hooks) is None:
                await announce(connection, self._desired)
                hooks = await inventory.hooks(connection, orcid)
        return hooks

    def _own(self, hooks: Iterable[Hook]) -> int | None:
        """The number of the generation that the settings name."""
        mine = (self._desired.key_version, self._desired.public_url)
        numbers = [h.generation.number for h in hooks if (h.generation.key_version, h.generation.public_url) == mine]
        return numbers[0] if numbers else None

    def _steps(self, hooks: Sequence[Hook], *, wanted: bool) -> list[Step]:
        secrets = self._desired.callbacks.secrets
        known = {hook.generation.number for hook in hooks if hook.generation.key_version in secrets}
        return steps(hooks, wanted=wanted, known=known, own=self._own(hooks), overlap=self._desired.overlap)

    async def _register(self, orcid: Orcid, generation: Generation) -> None:
        """One that is there already, of which we did not know, may have been given up by ORCID: it is revived."""
        await self._begin(orcid, generation, HookState.REGISTERING)
        if await self._put(orcid, generation):
            await self._confirm(orcid, generation, created=True)
        else:
            await self._revive(orcid, generation)

    async def _verify(self, orcid: Orcid, generation: Generation) -> None:
        """The same PUT again changes nothing if it is there (contract section 1.3, row 8)."""
        created = await self._put(orcid, generation)
        await self._confirm(orcid, generation, created=created)

    async def _revive(self, orcid: Orcid, generation: Generation) -> None:
        """Only a new row at ORCID has no failures (contract section 1.6)."""
        await self._begin(orcid, generation, HookState.REVIVING)
        await self._delete(orcid, generation)
        await self._put(orcid, generation)
        await self._confirm(orcid, generation, created=True)

    async def _remove(self, orcid: Orcid, generation: Generation) -> None:
        async with statements(self._pool) as connection:
            begun_at = await inventory.begin_removal(connection, orcid, generation.number)
        await self._delete(orcid, generation)
        async with statements(self._pool) as connection:
            await inventory.confirm_removal(connection, orcid, generation.number, begun_at)

    async def _put(self, orcid: Orcid, generation: Generation) -> bool:
        return await self._registry.register_webhook(orcid, self._address(orcid, generation))

    async def _delete(self, orcid: Orcid, generation: Generation) -> None:
        try:
            await self._registry.unregister_webhook(orcid, self._address(orcid, generation))
        except NotFound as error:
            if error.error_code != UNKNOWN_RECORD:
                raise
            log.info("webhook of an unknown iD", orcid=orcid)  # there is nothing that could call us

    async def _begin(self, orcid: Orcid, generation: Generation, state: HookState) -> None:
        async with statements(self._pool) as connection:
            await inventory.begin(connection, orcid, generation.number, state)

    async def _confirm(self, orcid: Orcid, generation: Generation, *, created: bool) -> None:
        async with statements(self._pool) as connection:
            await inventory.confirm_registration(connection, orcid, generation.number, created=created)

    def _address(self, orcid: Orcid, generation: Generation) -> str:
        return self._desired.callbacks.url(generation.public_url, generation.key_version, orcid)
