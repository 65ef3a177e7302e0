"""Virtual time: hours of the simulated Registry pass in the milliseconds that a test has."""

import time


class VirtualClock:
    """The simulated Registry's only clock, in milliseconds since 1970.

    It runs at `speed` times real time (0: it stands still) and can be pushed forwards. Every `stamp` is one millisecond
    later than the one before at least, so that no two events of a simulation are simultaneous by accident.
    """

    def __init__(self, *, start_ms: int | None = None, speed: float = 0.0) -> None:
        self._base_ms = int(time.time() * 1000) if start_ms is None else start_ms
        self._base_real = time.monotonic()
        self._speed = speed

    @property
    def speed(self) -> float:
        """Virtual seconds in one real second."""
        return self._speed

    def now_ms(self) -> int:
        """The present, in milliseconds since 1970."""
        return self._base_ms + int((time.monotonic() - self._base_real) * 1000 * self._speed)

    def now(self) -> float:
        """The present, in seconds since 1970."""
        return self.now_ms() / 1000

    def stamp(self) -> int:
        """A moment for something that happens now; later than every earlier stamp."""
        self._base_ms += 1
        return self.now_ms()

    def advance(self, seconds: float) -> int:
        """Push the clock forwards; the new present in milliseconds. Raises ValueError if it would go backwards."""
        if seconds < 0:
            raise ValueError("the clock only goes forwards")
        self._base_ms += round(seconds * 1000)
        return self.now_ms()
