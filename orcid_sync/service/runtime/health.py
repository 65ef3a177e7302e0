"""The health of the process: whether it is stopping, whether its loops still run, how late the event loop is."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from prometheus_client import Gauge

T = TypeVar("T")

MISSED_BEATS = 3
"""A loop that was silent for this many of its periods is taken for dead."""
LAG_WINDOW = 60
"""Number of measurements, one a second, of which the worst is shown."""


class Draining:
    """Whether the process is on its way in or out: readiness says so at once, requests are answered until the end.

    Starting and stopping in this order keeps the load balancer from sending notifications to a closed door, each of
    which ORCID would book as a failure (fault F12, contract section 1.6).
    """

    def __init__(self, *, starting: bool = False) -> None:
        """`starting`: not all doors are open yet."""
        self.starting = starting
        self.begun = False

    def open(self) -> None:
        """From now on the process is ready."""
        self.starting = False

    def begin(self) -> None:
        """From now on the process is not ready, and connections are closed after their next answer."""
        self.begun = True


class Heartbeats:
    """Signs of life of the loops that must never end: a task that died quietly is found by its silence (fault F23)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Measure by `clock`, seconds that only grow."""
        self._clock = clock
        self._beats: dict[str, tuple[float, float]] = {}

    def beat(self, loop: str, *, period: float) -> None:
        """The loop is alive, and will say so again within `period` seconds."""
        self._beats[loop] = (self._clock(), period)

    def end(self, loop: str) -> None:
        """The loop has ended as it should, and is not expected any more."""
        self._beats.pop(loop, None)

    def silent(self) -> list[str]:
        """The loops that should have been heard of, sorted."""
        now = self._clock()
        return sorted(name for name, (at, period) in self._beats.items() if now - at > MISSED_BEATS * period)


class Question(Generic[T]):
    """Something asked of a database that may not answer: once at a time, and nobody waits longer than `seconds`.

    The question is not cancelled after that time: leaving a black hole takes the driver longer than whoever asked can
    wait (fault F04). Until it has ended, everybody else shares its fate.
    """

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, T]], *, seconds: float) -> None:
        """Ask by `ask`, which ends by itself sooner or later."""
        self._ask = ask
        self._seconds = seconds
        self._asking: asyncio.Task[T] | None = None

    async def answer(self) -> T:
        """The answer. Raises TimeoutError, and whatever `ask` raises."""
        if self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask())
            self._asking.add_done_callback(self._answered)
        asking = self._asking
        done, _ = await asyncio.wait([asking], timeout=self._seconds)
        if not done:
            raise TimeoutError
        return asking.result()

    def _answered(self, asking: asyncio.Task[T]) -> None:
        self._asking = None
        if not asking.cancelled():
            asking.exception()  # seen, also if nobody waits any more


@contextmanager
def measured_loop_lag(gauge: Gauge, *, period: float = 1.0) -> Iterator[None]:
    """While the body runs, keep in `gauge` how many seconds late the event loop was at worst during the last minute.

    A callback that re-arms itself, not a task: it cannot die unseen, and measures the loop, not a coroutine.
    """
    loop = asyncio.get_running_loop()
    lags: deque[float] = deque(maxlen=LAG_WINDOW)

    handle: asyncio.TimerHandle

    def measure(expected: float) -> None:
        nonlocal handle
        lags.append(max(0.0, loop.time() - expected))
        gauge.set(max(lags))
        handle = loop.call_later(period, measure, loop.time() + period)

    handle = loop.call_later(period, measure, loop.time() + period)
    try:
        yield
    finally:
        handle.cancel()
