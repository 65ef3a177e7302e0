"""The life of a record, and of our access to it: two tables, and the pictures of them that deploy/docs/states.md shows.

Each table has a line for every state and everything that can be heard in it. What is said once may be a mistake of the
Registry's or of something in between; so what would take something away only hides it at first, and counts when it is
heard again. Hiding can be undone at any time, forgetting cannot.
"""

import enum
from collections.abc import Iterator, Mapping
from datetime import timedelta

import msgspec
from msgspec import Struct


class State(enum.StrEnum):
    """State of a record, as `/record` tells it (contract section 3.5)."""

    ACTIVE = "active"
    LOCKED = "locked"
    UNCLAIMED = "unclaimed"
    DEACTIVATED = "deactivated"
    DEPRECATED = "deprecated"
    NOT_FOUND = "not-found"


class Outcome(enum.StrEnum):
    """What a read told of the record; the first six are what the states are called."""

    RECORD = "active"
    LOCKED = "locked"
    UNCLAIMED = "unclaimed"
    DEACTIVATED = "deactivated"
    DEPRECATED = "deprecated"
    NOT_FOUND = "not-found"
    REFUSED = "refused"
    """The holder's token was refused, while our own was answered (contract section 2.6)."""
    NOTHING = "nothing"
    """Anything else: no answer, half of one, one that cannot be trusted (S10)."""


class Withhold(enum.StrEnum):
    """What readers are not shown from then on."""

    NOTHING = "nothing"
    LIMITED = "limited"
    """What is not public, at least: what was hidden stays so."""
    ALL = "all"
    AS_SET = "as the setting locked_records says"
    AS_BEFORE = "as before"


class Fate(Struct, frozen=True, kw_only=True):
    """What an answer means for the mirror."""

    state: State
    withholds: Withhold
    confirm: bool = False
    """Said for the first time it only hides everything; it counts when it is said again, long enough after."""
    removes: str | None = None
    """Reason with which all items go, and with them all that history says; None: they stay as they are."""
    first_load: bool = False
    """Everything that comes is new: it was forgotten before."""
    again_in: timedelta | None = None
    """Time until the record is looked at again, as if it might have come back; None: as after any read."""


_DAY = timedelta(days=1)

_ANSWERS: Mapping[Outcome, Fate] = {
    Outcome.RECORD: Fate(state=State.ACTIVE, withholds=Withhold.NOTHING),
    Outcome.LOCKED: Fate(state=State.LOCKED, withholds=Withhold.AS_SET, again_in=_DAY),
    # ORCID shows nothing of it to anybody, and nobody has agreed that we do.
    Outcome.UNCLAIMED: Fate(state=State.UNCLAIMED, withholds=Withhold.ALL, again_in=_DAY),
    Outcome.DEACTIVATED: Fate(
        state=State.DEACTIVATED,
        withholds=Withhold.NOTHING,
        confirm=True,
        removes="record-deactivated",
        again_in=7 * _DAY,
    ),
    Outcome.DEPRECATED: Fate(
        state=State.DEPRECATED,
        withholds=Withhold.NOTHING,
        confirm=True,
        removes="record-deprecated",
        again_in=30 * _DAY,
    ),
    # Not the holder's will: the items stay, for whoever comes back; but nobody is shown them.
    Outcome.NOT_FOUND: Fate(state=State.NOT_FOUND, withholds=Withhold.ALL, confirm=True, again_in=7 * _DAY),
}
"""What the Registry's words lead to, from whatever state (contract sections 3.5 and 4.2)."""

_SILENCE: Mapping[Outcome, Withhold] = {
    Outcome.REFUSED: Withhold.LIMITED,
    Outcome.NOTHING: Withhold.AS_BEFORE,
}
"""What leaves the state as it is."""

EMPTIED = frozenset({State.DEACTIVATED, State.DEPRECATED})
"""States in which nothing is left of a record but a tombstone."""


def _fate(state: State, outcome: Outcome) -> Fate:
    if outcome in _SILENCE:
        return Fate(state=state, withholds=_SILENCE[outcome])
    fate = _ANSWERS[outcome]
    if fate.state is state:
        return msgspec.structs.replace(fate, confirm=False)
    return msgspec.structs.replace(fate, first_load=outcome is Outcome.RECORD and state in EMPTIED)


TRANSITIONS: Mapping[tuple[State, Outcome], Fate] = {
    (state, outcome): _fate(state, outcome) for state in State for outcome in Outcome
}
"""What becomes of a record in this state after this outcome. One that was never read counts as active."""


class AccessState(enum.StrEnum):
    """State of our access to a record."""

    GRANTED = "granted"
    SUSPECT = "suspect"
    REVOKED = "revoked"
    EXPIRED = "expired"
    PUBLIC = "public"


class Heard(enum.StrEnum):
    """What was learnt of the holder's token."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """Once more, while our own token was answered."""
    FOREIGN = "of another iD"
    """It belongs to another iD: records were merged, or it was stored for the wrong one (contract sections 3.4, 4.2).
    Nobody has taken it back, so that it never counts as revoked."""
    REFUSED_FOR_LONG = "refused for long"
    """Often enough, for long enough, and not with many others (`schedule.Policy`)."""
    EXPIRED = "expired"
    """Its time is over. ORCID's tokens last for 20 years; those that do not cannot be prolonged (contract 2.5)."""
    NARROWED = "narrowed"
    """It shows less than what the mirror was read with: the holder granted less."""
    CLOSED = "record deactivated"
    """ORCID has ended it together with the record."""


class LedgerEntry(Struct, frozen=True):
    """What stands in the consent ledger of it."""

    event: str
    by: str
    learnt: str


class AccessFate(Struct, frozen=True, kw_only=True):
    """What something that was heard of a token means for our access."""

    standing: AccessState
    withholds: Withhold = Withhold.AS_BEFORE
    doubt: Heard | None = None
    """Why the token is in doubt from now on, once more."""
    entry: LedgerEntry | None = None
    """Set where the permission has ended: the token is not used any more, and revoked at ORCID to be sure."""


USABLE = frozenset({AccessState.GRANTED, AccessState.SUSPECT})
"""With these there is a holder's token to read with."""

_IN_USE: Mapping[Heard, AccessFate] = {
    Heard.ANSWERED: AccessFate(standing=AccessState.GRANTED, withholds=Withhold.NOTHING),
    Heard.REFUSED: AccessFate(standing=AccessState.SUSPECT, withholds=Withhold.LIMITED, doubt=Heard.REFUSED),
    Heard.FOREIGN: AccessFate(standing=AccessState.SUSPECT, withholds=Withhold.LIMITED, doubt=Heard.FOREIGN),
    Heard.REFUSED_FOR_LONG: AccessFate(
        standing=AccessState.REVOKED,
        withholds=Withhold.LIMITED,
        entry=LedgerEntry("revoked", "holder", "refused-token"),
    ),
    Heard.EXPIRED: AccessFate(
        standing=AccessState.EXPIRED, withholds=Withhold.LIMITED, entry=LedgerEntry("expired", "registry", "expiry")
    ),
    Heard.CLOSED: AccessFate(
        standing=AccessState.REVOKED, entry=LedgerEntry("revoked", "holder", "deactivated-record")
    ),
}
"""While there is a token that may work."""


def _access_fate(standing: AccessState, heard: Heard) -> AccessFate:
    if heard is Heard.NARROWED:
        return AccessFate(standing=standing, withholds=Withhold.LIMITED)
    return _IN_USE[heard] if standing in USABLE else AccessFate(standing=standing)


ACCESS_TRANSITIONS: Mapping[tuple[AccessState, Heard], AccessFate] = {
    (standing, heard): _access_fate(standing, heard) for standing in AccessState for heard in Heard
}
"""What becomes of our access. A new grant makes it granted, whatever it was."""


def withheld(withhold: Withhold, *, before: str | None, hide_locked: bool = False) -> str | None:
    """The value of `records.withheld`: None, limited or all."""
    match withhold:
        case Withhold.NOTHING:
            return None
        case Withhold.LIMITED:
            return before or "limited"
        case Withhold.ALL:
            return "all"
        case Withhold.AS_SET:
            return "all" if hide_locked else None
        case Withhold.AS_BEFORE:
            return before


def record_drawing() -> str:
    """The table of records as a Mermaid diagram.

    The same answer leads to the same state from everywhere (a test sees to it); so only the ways from and to `active`
    are drawn, and the others are left to the reader.
    """
    return "\n".join(["stateDiagram-v2", "    [*] --> active: first read", *_record_arrows()])


_WORDS = {
    Outcome.LOCKED: "409/9018",
    Outcome.UNCLAIMED: "409/9036",
    Outcome.DEACTIVATED: "409/9044",
    Outcome.DEPRECATED: "301/9007",
    Outcome.NOT_FOUND: "404/9016",
}
"""What the Registry says (contract section 3.5)."""


def _record_arrows() -> Iterator[str]:
    for outcome, words in _WORDS.items():
        fate = TRANSITIONS[State.ACTIVE, outcome]
        back = TRANSITIONS[fate.state, Outcome.RECORD]
        name = _node(fate.state)
        yield f"    active --> {name}: {words}{' twice' if fate.confirm else ''}, {_effect(fate)}"
        yield f"    {name} --> active: 200, {'first load' if back.first_load else 'shown again'}"


def _effect(fate: Fate) -> str:
    if fate.removes:
        return "items removed and forgotten"
    return {Withhold.ALL: "hidden", Withhold.AS_SET: "frozen or hidden"}[fate.withholds]


_IMPOSSIBLE = (AccessState.GRANTED, Heard.REFUSED_FOR_LONG)
"""The first refusal comes before the last."""


def access_drawing() -> str:
    """The table of accesses as a Mermaid diagram; what changes nothing is left out."""
    ended = [standing for standing in AccessState if standing not in USABLE]
    grants = [f"    {standing} --> granted: connected with a token" for standing in ended]
    return "\n".join(["stateDiagram-v2", "    [*] --> public: connected", *grants, *_access_arrows()])


def _access_arrows() -> Iterator[str]:
    for (standing, heard), fate in ACCESS_TRANSITIONS.items():
        if fate.standing is not standing and (standing, heard) != _IMPOSSIBLE:
            hides = ", limited items hidden" if fate.withholds is Withhold.LIMITED else ""
            yield f"    {standing} --> {fate.standing}: {heard}{hides}"


def _node(state: State) -> str:
    """A name that Mermaid takes for one word."""
    return state.value.replace("-", "_")
