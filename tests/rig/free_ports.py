"""Ports for servers that a test starts later, or in another process."""

import os
import random
import socket

# Below those that systems give to outgoing connections, of which a busy suite makes thousands a minute; and each
# process walks on from a place of its own, so that two do not choose the same one.
FIRST, LAST = 10_000, 32_000
_chance = random.Random(os.getpid())  # hypothesis seeds the shared one
_last = _chance.randrange(FIRST, LAST)


def free_port() -> int:
    """A port that nobody uses at the moment, and that this process has not named before."""
    global _last  # noqa: PLW0603 - one walk for the whole process
    while True:
        _last = _last + 1 if _last < LAST else FIRST
        with socket.socket() as probe:
            # As servers bind: what a closed connection left behind does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", _last))
            except OSError:
                continue
            return _last
