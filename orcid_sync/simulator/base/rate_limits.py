"""Rate limit and daily quota (contract section 5)."""

from collections import Counter


class RateLimit:
    """So many requests a second for each caller; a queue slows the excess down, beyond it requests are refused."""

    def __init__(self, *, rate: float = 24, queue: int = 40) -> None:
        self.rate = rate
        self.queue = queue
        self.refused = 0
        self._free: dict[str, float] = {}

    def reserve(self, caller: str, now: float) -> float | None:
        """Seconds that this request waits in the queue, None if the queue is full. `now` is in seconds."""
        start = max(now, self._free.get(caller, now))
        if round((start - now) * self.rate) > self.queue:
            self.refused += 1
            return None
        self._free[caller] = start + 1 / self.rate
        return start - now


class DailyQuota:
    """Requests that an anonymous address has left on this day of the public API."""

    def __init__(self, *, limit: int = 25_000) -> None:
        self.limit = limit
        self._used: Counter[tuple[str, int]] = Counter()

    def take(self, address: str, now: float) -> bool:
        """Count one request at `now` (seconds since 1970); False if it is one too many."""
        key = (address, int(now // 86_400))
        self._used[key] += 1
        return self._used[key] <= self.limit
