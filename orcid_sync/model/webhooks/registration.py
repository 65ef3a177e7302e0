"""Which webhooks an iD should have at ORCID, and what is to be done about those that it has.

Wanted is one of the present generation, and none of another. While a secret or the public address is replaced, the
older ones stay until the new generation was seen working (a notification came in at one of its addresses) and this iD's
new webhook has stood for a while: the read that comes with the removal then sees whatever the new one may have missed
(contract sections 1.3 and 3.9). `orcid_sync.webhook_work()` says in SQL the same of all iDs at once.
"""

import enum
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct


class HookState(enum.StrEnum):
    """What is known of a webhook at ORCID."""

    REGISTERING = "registering"
    """The PUT may have arrived."""
    ACTIVE = "active"
    """ORCID confirmed it."""
    VERIFYING = "verifying"
    """Active, as far as is known; the same PUT again tells whether it is there."""
    REVIVING = "reviving"
    """The DELETE may have arrived, and the PUT after it, too."""
    REMOVING = "removing"
    """The DELETE may have arrived."""


class Act(enum.StrEnum):
    """What is to be done about a webhook."""

    REGISTER = "register"
    VERIFY = "verify"
    REVIVE = "revive"
    REMOVE = "remove"


class Generation(Struct, frozen=True, kw_only=True):
    """What addresses were made of: a version of the secret, and a public address."""

    number: int
    key_version: int
    public_url: str
    derivable: bool = True
    """Whether the process that started last knows the secret."""
    present_since: datetime | None = None
    """Since when new webhooks are registered under it; None: they are not."""
    first_used_at: datetime | None = None
    first_called_at: datetime | None = None
    last_called_at: datetime | None = None
    given_up_at: datetime | None = None
    """When an operator decided not to wait until the present generation is seen working."""

    @property
    def is_present(self) -> bool:
        """Whether it is the one that is wanted."""
        return self.present_since is not None

    @property
    def works(self) -> bool:
        """Whether ORCID has called one of its addresses since it is the present one."""
        since, called = self.present_since, self.last_called_at
        return since is not None and called is not None and called >= since


class Hook(Struct, frozen=True, kw_only=True):
    """What an iD has of one generation; nothing, if there is no state."""

    generation: Generation
    state: HookState | None = None
    age: timedelta | None = None
    """Since ORCID created it."""
    attempts: int = 0
    """How often in a row what the state says failed."""
    again_in: timedelta | None = None
    """Time until that is tried again; None: at once."""


class Step(Struct, frozen=True):
    """Something to be done at ORCID."""

    act: Act
    generation: Generation
    attempts: int = 0
    """How often in a row it failed."""
    again_in: timedelta | None = None
    """Time until it is tried again; None: at once."""


_BEGUN: Mapping[HookState | None, Act] = {
    HookState.REGISTERING: Act.REGISTER,
    HookState.VERIFYING: Act.VERIFY,
    HookState.REVIVING: Act.REVIVE,
    HookState.REMOVING: Act.REMOVE,
}
"""What was begun in a state, and may have failed."""


TOWARDS_ACTIVE: Mapping[HookState | None, Act | None] = {
    None: Act.REGISTER,
    HookState.REGISTERING: Act.REGISTER,
    HookState.ACTIVE: None,
    HookState.VERIFYING: Act.VERIFY,
    # After a DELETE that may have arrived or not, only another one and a PUT leave a webhook that surely lives.
    HookState.REVIVING: Act.REVIVE,
    HookState.REMOVING: Act.REVIVE,
}
"""What makes the webhook that is wanted of what there is (contract section 1.3, row 8: a PUT alone revives nothing)."""


def steps(
    hooks: Sequence[Hook], *, wanted: bool, known: Collection[int], own: int | None, overlap: timedelta
) -> list[Step]:
    """What is to be done for an iD, in this order; `hooks` are all generations, `known` those whose secret we have.

    A process that does not know the present generation's secret was started before it: it takes care that new iDs are
    not without any webhook (one of its `own` generation), and leaves everything else to the others.
    """
    present = next((hook for hook in hooks if hook.generation.is_present), None)
    if present is None or not wanted:
        return [_step(Act.REMOVE, hook) for hook in hooks if hook.state and hook.generation.number in known]
    if present.generation.number not in known:
        return [step for hook in hooks if hook.generation.number == own for step in _towards_active(hook)]
    old = [hook for hook in hooks if hook is not present and hook.generation.number in known]
    removals = [_step(Act.REMOVE, hook) for hook in old if _is_dispensable(hook, present, overlap)]
    return [*_towards_active(present), *removals]


def _towards_active(hook: Hook) -> list[Step]:
    act = TOWARDS_ACTIVE[hook.state]
    return [_step(act, hook)] if act else []


def _step(act: Act, hook: Hook) -> Step:
    """Whoever leaves does not wait until a registration that failed would be tried again, nor the other way round."""
    failed = _BEGUN.get(hook.state) is act
    return Step(act, hook.generation, *((hook.attempts, hook.again_in) if failed else ()))


def _is_dispensable(old: Hook, present: Hook, overlap: timedelta) -> bool:
    """Whether nothing is lost without the older one, or it is half removed already."""
    if old.state in (None, HookState.REMOVING):
        return old.state is not None
    stands = present.state is HookState.ACTIVE and present.age is not None and present.age >= overlap
    return stands and (present.generation.works or old.generation.given_up_at is not None)


class Calls(Struct, frozen=True, kw_only=True):
    """Requests that work on webhooks takes."""

    puts: int
    deletes: int
    reads: int
    """Of the records: one comes with every visit to an iD. Changes that it finds may take more."""

    @property
    def total(self) -> int:
        """All requests."""
        return self.puts + self.deletes + self.reads

    def seconds(self, rate: float) -> float:
        """How long they take at so many requests per second, if nothing else is asked."""
        return self.total / rate


def calls(work: Mapping[str, int], visits: int) -> Calls:
    """The requests for so many acts, by their names, on the webhooks of so many iDs (contract sections 1.3, 1.4)."""
    register, verify, revive, remove = (work.get(act.value, 0) for act in Act)
    return Calls(puts=register + verify + revive, deletes=revive + remove, reads=visits)
