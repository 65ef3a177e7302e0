"""Where records are read from: an archive, a folder or a single file, as a stream of files in a fixed order.

An archive is neither unpacked nor held in memory: what is not wanted is inflated and passed over. tarfile reads the
headers, but not the stream: its way of doing that takes longer than inflating (12,600 members a second with it, 20,000
without it; `tar -xzO` 9,000). python-isal inflates four times as fast as zlib, which would spare 14 of the 20 minutes
that an archive of 20 million takes to read: not worth a dependency.
"""

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Protocol

from msgspec import Struct

from orcid_sync.bulk.xml.documents import BLANK, LARGEST

Wanted = Callable[[str], bool]
"""Whether a file of this name is to be read."""

_BLOCK = 512  # bytes: what a tar archive counts in
_GZIP = b"\x1f\x8b"
_TAR = b"ustar"
_TAR_AT = 257
_FIRST = 1 << 20  # bytes by which an archive is known again
_SUFFIXES = (".xml", ".json")


class SourceBroken(Exception):
    """It cannot be read, or not on from here; the message says in one sentence why. What came before was whole."""


class File(Struct, frozen=True):
    """One file of a source."""

    name: str
    content: bytes | None = None
    """None: it was not wanted, or there is a problem."""
    problem: str | None = None


class Source(Protocol):
    """A stream of files."""

    size: int | None
    """Bytes of an archive, as it lies there; None: how much there is shows only at the end."""
    identity: str | None
    """By which an archive is known again, and with it a position in it; None: the files may be others another time."""
    chosen: bool
    """Somebody chose this very file: its name need not say whose it is."""

    @property
    def position(self) -> int:
        """Bytes of the archive that are read."""

    def files(self, wanted: Wanted) -> Iterator[File]:
        """All files in their order. Raises SourceBroken."""


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open whatever this is, by what is in it. Raises SourceBroken, OSError."""
    if path.is_dir():
        yield _Folder(path)
        return
    with path.open("rb") as file:
        start = file.read(_BLOCK)
        file.seek(0)
        if start.startswith(_GZIP) or start[_TAR_AT:].startswith(_TAR):
            yield _Archive(path, file, packed=start.startswith(_GZIP))
        elif start.lstrip(BLANK)[:1] in {b"<", b"{"}:
            yield _Single(path)
        else:
            raise SourceBroken(f"{path} is neither an archive (.tar.gz), nor a folder, nor a record in XML or JSON.")


class _Single:
    """One file."""

    size: int | None = None
    identity: str | None = None
    chosen = True
    position = 0

    def __init__(self, path: Path) -> None:
        self._path = path

    def files(self, _wanted: Wanted) -> Iterator[File]:
        """That file."""
        yield _read(self._path, self._path.name)


class _Folder:
    """Files in folders, as `aws s3 sync` or unpacking an archive leaves them; each folder in the order of the names."""

    size: int | None = None
    identity: str | None = None
    chosen = False
    position = 0

    def __init__(self, path: Path) -> None:
        self._path = path

    def files(self, wanted: Wanted) -> Iterator[File]:
        """Every file that could be one of ours."""
        empty = True
        for folder, folders, names in os.walk(self._path):
            folders.sort()
            for name in sorted(names):
                if name.endswith(_SUFFIXES):
                    empty = False
                    path = Path(folder, name)
                    shown = str(path.relative_to(self._path))
                    yield _read(path, shown) if wanted(shown) else File(shown)
        if empty:
            raise SourceBroken(f"{self._path} has no files of records (.xml or .json) in it.")


class _Archive:
    """A tar archive, mostly gzipped."""

    chosen = False

    def __init__(self, path: Path, file: BinaryIO, *, packed: bool) -> None:
        self._path = path
        self._file = file
        self._packed = packed
        self.size: int | None = path.stat().st_size
        self.identity: str | None = blake2b(file.read(_FIRST), digest_size=8, salt=b"%d" % self.size).hexdigest()
        file.seek(0)

    @property
    def position(self) -> int:
        """Bytes of the archive that are read."""
        return self._file.tell()

    def files(self, wanted: Wanted) -> Iterator[File]:
        """The regular files in it. Raises SourceBroken."""
        try:
            stream: BinaryIO = gzip.GzipFile(fileobj=self._file) if self._packed else self._file  # type: ignore[assignment]
            yield from self._members(stream, wanted)
        except EOFError:
            raise SourceBroken(
                f"{self._path} ends in the middle of its contents: the copy is incomplete. Download it again."
            ) from None
        except (gzip.BadGzipFile, zlib.error):
            raise SourceBroken(
                f"{self._path} is damaged: its contents do not match their checksums. Download it again."
            ) from None

    def _members(self, stream: BinaryIO, wanted: Wanted) -> Iterator[File]:
        number = 0
        while header := _exactly(stream, _BLOCK).rstrip(b"\0"):
            number += 1
            member = self._member(header.ljust(_BLOCK, b"\0"), number)
            padded = -(-member.size // _BLOCK) * _BLOCK
            if not member.isreg():
                _pass(stream, padded)
            elif not wanted(member.name):
                _pass(stream, padded)
                yield File(member.name)
            elif member.size > LARGEST:
                _pass(stream, padded)
                yield File(member.name, problem="it is larger than any record")
            else:
                yield File(member.name, _exactly(stream, padded)[: member.size])
        while stream.read(_FIRST):
            pass  # what follows the end is filling; only gzip's last checksum is still to be compared

    def _member(self, header: bytes, number: int) -> tarfile.TarInfo:
        try:
            return tarfile.TarInfo.frombuf(header, "utf-8", "backslashreplace")
        except tarfile.HeaderError:
            if number == 1:
                raise SourceBroken(f"{self._path} is not a tar archive.") from None
            raise SourceBroken(
                f"{self._path} is damaged: member {number} has no valid header. Download it again."
            ) from None


def _read(path: Path, shown: str) -> File:
    try:
        if path.stat().st_size > LARGEST:
            return File(shown, problem="it is larger than any record")
        return File(shown, path.read_bytes())
    except OSError as error:
        return File(shown, problem=f"it cannot be read: {error.strerror}")


def _exactly(stream: BinaryIO, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise EOFError
    return found


def _pass(stream: BinaryIO, size: int) -> None:
    for start in range(0, size, _FIRST):
        _exactly(stream, min(_FIRST, size - start))
