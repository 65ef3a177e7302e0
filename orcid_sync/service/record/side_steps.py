"""Trying a step beside the reading of a record, so that its failure stays its own (`model.sync.side_steps`)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from orcid_sync.model.sync.schedule import Cause, Turn
from orcid_sync.model.sync.side_steps import Failure, failure
from orcid_sync.registry.errors import Paused, RegistryError, UsedUp
from orcid_sync.store.database.encryption import VaultError
from orcid_sync.store.database.pools import DatabaseRefused, DatabaseUnavailable

log = structlog.get_logger(__name__)

KindOf = Callable[[Exception], str]
"""The kind of a failure, by which the next tries are spaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How hard the steps of one turn are tried."""

    at_once: bool
    """Also those whose next try is later: an operator asks for it."""
    chance: Callable[[], float]


def effort_of(turn: Turn, chance: Callable[[], float]) -> Effort:
    """An operator's turn tries everything now; a notification does not shorten the back-off of a step."""
    return Effort(at_once=turn.cause is Cause.OPERATOR, chance=chance)


def kind_of(error: Exception) -> str:
    """As for reads."""
    if isinstance(error, RegistryError):
        return error.kind
    return "vault" if isinstance(error, VaultError) else "defect"


async def attempt(step: Awaitable[None], *, attempts: int, effort: Effort, kind: KindOf = kind_of) -> Failure | None:
    """Do a step; how it failed, after so many failures in a row, or None.

    Only what no step is to blame for is raised: Paused (nothing was sent), DatabaseUnavailable, DatabaseRefused. A
    quota that is used up was heard by this step, and the read will hear of it by the pace.
    """
    try:
        await step
    except (DatabaseUnavailable, DatabaseRefused):
        raise
    except Exception as error:
        if isinstance(error, Paused) and not isinstance(error, UsedUp):
            raise
        ours = isinstance(error, (RegistryError, VaultError))
        if not ours:
            log.exception("a step at ORCID failed by a defect")
        words = f"{kind_of(error)}: {error if ours else type(error).__name__}"[:500]
        return failure(kind(error), words, attempts=attempts, chance=effort.chance())
    return None
