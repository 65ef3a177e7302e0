"""What the client asks of the shared pace, and what it tells it: what an answer says about the Registry."""

from http import HTTPStatus
from typing import Any, Final, Protocol

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.registry_health import Sign
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.errors import (
    Busy,
    Malformed,
    Paused,
    RegistryError,
    Unauthorized,
    Unavailable,
    Unrenderable,
    WrongRecord,
)
from orcid_sync.registry.requests import Request

LONGEST_PAUSE: Final = 5.0
"""Seconds of silence that a request waits for itself; a longer pause is waited for in the queue, not in a lease."""

NOBODY: Final = Orcid("0000-0000-0000-0001")
"""An iD with a right check digit that nobody has, for ORCID's begin at 0000-0001-5000-0007 (contract section 8). The
Registry, and nothing else, answers with its own 404/9016 (contract section 4.2), unless it is away."""


class Pace(Protocol):
    """The speed at which all replicas together may ask, and the news that it lives on."""

    async def slot(self, lane: Lane) -> bool:
        """Return when a request of this lane may be sent. True: not yet, only the fixed question. Raises Paused."""

    async def heard(self, sign: Sign, about: str, *, silence: float = 0.0, probe: bool = False) -> None:
        """What an answer says about the Registry; `about` is the iD asked about, or else the kind of question."""

    async def used_up(self) -> None:
        """The Registry said that our quota of this day is used up."""


def subject(request: Request[Any]) -> str:
    """Whom the answer concerns: a record, or else the kind of question."""
    return request.orcid or request.endpoint.value


def sign_of(error: RegistryError) -> Sign | None:
    """What an error says about the Registry; None: nothing, as a refused token (section 2.6) or a pause of ours."""
    if isinstance(error, Busy):
        asked = error.status == HTTPStatus.TOO_MANY_REQUESTS or error.retry_after is not None
        return Sign.LIMITED if asked else Sign.CROWDED
    if isinstance(error, Unauthorized | Paused):
        return None
    if isinstance(error, Malformed | WrongRecord) or _of_one_question(error):
        return Sign.UNSHOWN
    return Sign.AWAY if isinstance(error, Unavailable) else Sign.ANSWERED


def _of_one_question(error: RegistryError) -> bool:
    """Whether the Registry failed in its own words, or showed a record as nonsense."""
    return isinstance(error, Unrenderable) or (isinstance(error, Unavailable) and error.error_code is not None)


def may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed in a moment (contract section 4.3)."""
    if isinstance(error, Busy):
        return (error.retry_after or 0.0) <= LONGEST_PAUSE
    if isinstance(error, Unrenderable):
        return not 400 <= (error.status or 0) < 500
    return isinstance(error, Unavailable)
