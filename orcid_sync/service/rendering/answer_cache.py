"""One answer for all who ask within a moment: however many look at a page, the database is asked once."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from orcid_sync.service.runtime.health import Question

T = TypeVar("T")

SECONDS = 2.0
"""How old an answer may get."""

SHARE = 20
"""An answer is kept for at least so many times as long as it took to get: looking on never takes more than a twentieth
of a processor of the database, however large the installation."""

PATIENCE = 10.0
"""Seconds that a page waits for a database that does not answer."""


class AnswerCache(Generic[T]):
    """What was answered last, asked for again when it is too old."""

    def __init__(
        self, ask: Callable[[], Coroutine[Any, Any, T]], *, clock: Callable[[], float], seconds: float = SECONDS
    ) -> None:
        """Ask by `ask`; `clock` gives seconds that only grow; an answer that took no time is good for `seconds`."""
        self._question = Question(ask, seconds=PATIENCE)
        self._clock = clock
        self._seconds = seconds
        self._known: tuple[float, T] | None = None

    async def get(self) -> T:
        """The answer. Raises TimeoutError, and whatever asking raises."""
        began = self._clock()
        if self._known is not None and began < self._known[0]:
            return self._known[1]
        answer = await self._question.answer()
        took = self._clock() - began
        self._known = (self._clock() + max(self._seconds, SHARE * took), answer)
        return answer
