"""When an iD is read again, and when a notification counts as covered by a read: decisions as values and tables.

What becomes of a record or of our access is told by the tables in `record_states`. A reconciliation ends in a
Settlement: what the iD's queue row becomes. Delays are relative, so that only the database's clock counts and no clock
is needed here; chance comes in as an argument, a number from 0 to 1.
"""

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from orcid_sync.model.sync.check_interval import Interval
from orcid_sync.model.sync.record_states import Fate

READ_LIMITED = "read-limited"
READ_PUBLIC = "read-public"


class Lane(enum.IntEnum):
    """Who goes first; the lower number."""

    NOTIFICATION = 0
    OPERATOR = 1
    FIRST_LOAD = 2
    CHECK = 3
    SWEEP = 4


class Cause(enum.StrEnum):
    """What led to a read; stands in the change feed."""

    NOTIFICATION = "notification"
    OPERATOR = "operator"
    FIRST_LOAD = "first-load"
    CHECK = "check"
    SECOND_LOOK = "second-look"
    BOOTSTRAP = "bootstrap"
    """No read at all: the record came from a file."""


class Backoff(Struct, frozen=True):
    """How failures are spaced: base · 2^(n-1), at most cap, with full jitter above the base."""

    base: timedelta
    cap: timedelta


UNRENDERABLE = "unrenderable"
"""Kind of the failure of a record that ORCID cannot show: it alone waits, and longer each time."""

_SOON = Backoff(timedelta(seconds=5), timedelta(hours=6))
_LATER = Backoff(timedelta(minutes=15), timedelta(days=1))

BACKOFFS: Mapping[str, Backoff] = {
    # 401 with the holder's token is not final: at least three more tries over a day (contract section 2.6).
    "unauthorized": Backoff(timedelta(hours=1), timedelta(days=1)),
    "busy": _SOON,
    "unavailable": _SOON,
    UNRENDERABLE: _SOON,
    # Most of it passes at once (a deadlock, a restart); a full disk must not become a storm of reads (F78, F79).
    "database": Backoff(timedelta(seconds=5), timedelta(minutes=15)),
    "stale": Backoff(timedelta(minutes=5), timedelta(hours=1)),
    "malformed": _LATER,
    "wrong_record": _LATER,
    "too_large": _LATER,
    "forbidden": _LATER,
    "bad_request": _LATER,
    "client_disabled": _LATER,
    "scope_not_granted": _LATER,
    # Parts of a record that were not heard, or not as they should be.
    "full_form": Backoff(timedelta(minutes=5), timedelta(days=1)),
    "full_form_of_another_edit": Backoff(timedelta(minutes=15), timedelta(days=1)),  # of a cache (contract section 3.9)
    "full_form_refused": Backoff(timedelta(days=7), timedelta(days=7)),
    "full_form_not_asked": Backoff(timedelta(minutes=1), timedelta(minutes=1)),
    "section_unspoken": Backoff(timedelta(minutes=15), timedelta(days=1)),
    # A webhook that ORCID does not allow passes by a decision of people; each try costs a read of the record, too.
    "webhook_refused": Backoff(timedelta(hours=1), timedelta(days=7)),
}
"""How each kind of failure is spaced (contract section 4.3); kinds not named here are bugs, and wait long."""

STALE_TRIES = 8
"""An answer older than the mirror is refused so many times in a row (some hours); then it is the Registry's word."""


class Policy(Struct, frozen=True):
    """What operators can set."""

    interval: Interval = Interval(shortest=timedelta(days=1), longest=timedelta(days=7))
    """Bounds of the time between two reads of a record that nothing was heard of."""
    second_look: timedelta = timedelta(minutes=15)
    """Time until a record is read once more after a notification, and between two answers that must agree before
    anything is taken for gone (contract sections 1.8, 3.9, 4.3)."""
    delivery_grace: timedelta = timedelta(hours=6)
    """How long after a change its notification may come, before it counts as missed."""
    hide_locked: bool = False
    """Whether a record that ORCID locked is hidden from readers; else it is frozen: shown as it was."""
    refusals: int = 3
    """A holder's token that was refused is tried again at least so often …"""
    refused_for: timedelta = timedelta(days=1)
    """… over at least so long, before it counts as revoked (contract section 2.6)."""
    outage_window: timedelta = timedelta(days=1)
    """Refusals and answers of the last day are compared: a token in doubt is tried once a day at least."""
    outage_share: float = 0.05
    """Share of the tokens tried that are refused from which on it is ORCID's trouble, or our client's, and not the will
    of so many people: of a hundred researchers not five end their permission on one day (fault F57)."""
    outage_floor: int = 3
    """Fewer refused tokens than this are people's own decisions, whatever the share: two colleagues may leave together,
    and small institutions have few others to compare with."""
    believed_after: timedelta = timedelta(days=30)
    """No outage lasts so long: then a refusal counts whatever is heard of others, or it would be put off for ever."""


class Applied(Struct, frozen=True):
    """The Registry's answer that the mirror now equals."""

    body_digest: bytes | None
    """Hash of the body; None if parts were missing, so that the next read does not take it for known."""
    access: str
    """Access with which it was read: read-limited or read-public."""
    registry_modified_ms: int | None
    """history.last-modified-date, milliseconds since 1970."""


class Settlement(Struct, frozen=True, kw_only=True):
    """What the queue row becomes after a reconciliation."""

    done: bool
    """True: the generation that was leased is dealt with. False: it is tried again."""
    due_in: timedelta
    """Time until the next reconciliation, if nothing was notified meanwhile."""
    lane: Lane = Lane.CHECK
    attempts: int = 0
    """Failures in a row, this one included."""
    second_look_in: timedelta | None = None
    """Time until the second look (contract sections 1.8, 3.9), if one is owed."""
    applied: Applied | None = None
    """Set when a read was applied to the mirror, or found equal to it."""
    unconfirmed: str | None = None
    """The state that the Registry told, which counts only when it says so again later."""
    error: str | None = None
    """Kind of the failure, for operators."""
    verified: bool = False
    """The mirror is known to equal the Registry's answer."""


class Turn(Struct, frozen=True):
    """Why an iD's turn has come, as its queue row tells it."""

    cause: Cause
    lane: Lane
    attempts: int
    second_look_owed_in: timedelta | None = None
    """Time until a second look that is still owed after this turn."""


def turn(
    lane: Lane, *, attempts: int, leased_at: datetime, second_look_at: datetime | None, verified_at: datetime | None
) -> Turn:
    """Read a leased queue row."""
    owed = second_look_at - leased_at if second_look_at else None
    looks_again = owed is not None and owed <= timedelta(0)
    if lane is Lane.NOTIFICATION:
        cause = Cause.NOTIFICATION
    elif lane is Lane.OPERATOR:
        cause = Cause.OPERATOR
    elif looks_again:
        cause = Cause.SECOND_LOOK
    else:
        cause = Cause.CHECK if verified_at else Cause.FIRST_LOAD
    return Turn(cause, lane, attempts, None if looks_again else owed)


def backoff(kind: str, attempts: int, chance: float) -> timedelta:
    """Time until the next try after the n-th failure in a row."""
    spacing = BACKOFFS.get(kind, _LATER)
    longest = min(spacing.cap, spacing.base * float(2 ** min(attempts - 1, 20)))
    return spacing.base + (longest - spacing.base) * chance


def settle_read(
    turn: Turn,
    policy: Policy,
    applied: Applied,
    routine: timedelta,
    *,
    sooner: Iterable[timedelta | None] = (),
    unconfirmed: str | None = None,
) -> Settlement:
    """After a record was applied, or found unchanged; `routine` is the time until it is read next without a reason.

    `sooner`: times until something else needs it: a token that expires, for what it shows must not stay a moment longer
    (F58); what is in doubt. `unconfirmed`: in words, what counts only when it is said again; until then this turn's
    work is not done, and the mirror does not equal the answer.
    """
    return Settlement(
        done=unconfirmed is None,
        due_in=min([routine, *(time for time in sooner if time is not None)]),
        second_look_in=_second_look(turn, policy),
        applied=applied,
        error=unconfirmed,
        verified=unconfirmed is None,
    )


def _second_look(turn: Turn, policy: Policy) -> timedelta | None:
    """A notification owes one."""
    return policy.second_look if turn.cause is Cause.NOTIFICATION else turn.second_look_owed_in


def settle_state(
    turn: Turn, policy: Policy, fate: Fate, access: str, registry_modified_ms: int | None = None
) -> Settlement:
    """After the Registry said that the record is locked, deactivated, …; the next body is compared in any case.

    `access` and `registry_modified_ms` are those of the items that stay. A notification owes a second look after this
    answer too: an unlocking may be what is not announced.
    """
    return Settlement(
        done=True,
        due_in=fate.again_in or policy.interval.longest,
        second_look_in=_second_look(turn, policy),
        applied=Applied(None, access, registry_modified_ms),
        verified=True,
    )


def settle_failure(turn: Turn, kind: str, chance: float, error: str) -> Settlement:
    """After a read that told nothing: the mirror stays as it is (S10), the iD is tried again, in its lane."""
    attempts = turn.attempts + 1
    due_in = backoff(kind, attempts, chance)
    return Settlement(done=False, due_in=due_in, lane=turn.lane, attempts=attempts, error=error)


def settle_unconfirmed(policy: Policy, fate: Fate) -> Settlement:
    """After the first answer that would close the record: the same must be said again, later (contract section 4.3)."""
    state = fate.state.value
    return Settlement(
        done=False, due_in=policy.second_look, unconfirmed=state, error=f"{state}: to be confirmed by a second answer"
    )


def settle_step(turn: Turn) -> Settlement:
    """After what is known without a read was written down: the read follows at once."""
    return Settlement(done=False, due_in=timedelta(), lane=turn.lane)


def believable(modified_ms: int | None, now: datetime) -> int | None:
    """A record's date, unless it is so far ahead that every later answer would count as older than this one."""
    latest = (now + timedelta(days=366)).timestamp() * 1000
    return None if modified_ms is None or modified_ms > latest else modified_ms


def confirmed(policy: Policy, since: datetime | None, now: datetime) -> bool:
    """Whether an answer comes late enough after the first of its kind to confirm it.

    As far apart as the second look: ORCID's caches hold for 15 minutes (contract section 3.9).
    """
    return since is not None and now - since >= policy.second_look


def refused_for_long(policy: Policy, refusals: int, since: datetime | None, now: datetime) -> bool:
    """Whether a token was refused often enough, over long enough, to be taken for revoked (contract section 2.6)."""
    return since is not None and refusals >= policy.refusals and now - since >= policy.refused_for


def outage(policy: Policy, refused: int, answered: int, since: datetime | None, now: datetime) -> bool:
    """Whether so many of the holders' tokens are refused that it is not the will of each of them (fault F57).

    `refused` are the tokens in doubt, `answered` those that worked within the window, `since` is when the one in
    question was first refused.
    """
    if since is not None and now - since >= policy.believed_after:
        return False
    return refused >= policy.outage_floor and refused > policy.outage_share * (refused + answered)
