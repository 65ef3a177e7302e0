"""Files that appear whole or not at all: each is written under another name beside its place, then renamed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


class Staged:
    """Files that are being written; they come to their places together, when everything is well."""

    def __init__(self) -> None:
        self._moves: list[tuple[Path, Path]] = []

    @contextmanager
    def file(self, place: Path) -> Iterator[BinaryIO]:
        """A file that will be at this place. Raises OSError."""
        # With the rights that a new file would have, not the narrower ones of temporary files.
        handle, name = tempfile.mkstemp(prefix=f".{place.name}.", suffix=".part", dir=place.parent)
        self._moves.append((Path(name), place))
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(0o666 & ~_umask())

    def _commit(self) -> None:
        for temporary, place in self._moves:
            temporary.replace(place)

    def _discard(self) -> None:
        for temporary, _ in self._moves:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def staged() -> Iterator[Staged]:
    """Write files, and put them in their places at the end; after an error none of them is there."""
    files = Staged()
    try:
        yield files
        files._commit()  # noqa: SLF001 - its own module
    finally:
        files._discard()  # noqa: SLF001 - its own module


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
