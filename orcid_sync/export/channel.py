"""Bytes from the event loop to a thread that reads them like a file."""

import asyncio
from io import RawIOBase
from queue import SimpleQueue
from typing import Any

CHUNK = 1 << 20
"""Bytes that change hands at once: every hand-over costs, whatever its size."""

AHEAD = 8
"""Chunks that wait at most."""


class Channel(RawIOBase):
    """Written in the event loop, read in one other thread. The slower of the two holds back the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._free = asyncio.Semaphore(AHEAD)
        self._waiting: SimpleQueue[bytes] = SimpleQueue()
        self._gathered = bytearray()
        self._rest = memoryview(b"")

    async def send(self, piece: bytes) -> None:
        """Give these bytes to the reader. Raises BrokenPipeError if it has closed the channel."""
        self._gathered += piece
        if len(self._gathered) >= CHUNK:
            await self._hand_over()

    async def end(self) -> None:
        """There are no more bytes. Raises BrokenPipeError."""
        if self._gathered:
            await self._hand_over()
        self._waiting.put(b"")

    def abandon(self) -> None:
        """There are no more bytes, whatever the reader has not seen yet."""
        self._waiting.put(b"")

    async def _hand_over(self) -> None:
        await self._free.acquire()
        if self.closed:
            raise BrokenPipeError
        self._waiting.put(bytes(self._gathered))
        self._gathered.clear()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What there is; waits until there is something."""
        if not self._rest:
            self._rest = memoryview(self._waiting.get())
            if not self._rest:
                self._waiting.put(b"")  # the end stays the end
            self._loop.call_soon_threadsafe(self._free.release)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        """Read no more; whoever writes hears of it."""
        if not self.closed:
            super().close()
            self._loop.call_soon_threadsafe(self._free.release)
