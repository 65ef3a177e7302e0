"""One selection, one file: which format writes it, and what goes wrong in words.

The rows come out of PostgreSQL by COPY and are never all in memory. What is exported together is of one moment, and as
one of the roles of readers may see it.
"""

import enum
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import BinaryIO

import asyncpg

from orcid_sync.export.selection import NotExportable, Selection
from orcid_sync.store.database.pools import AnyConnection


class Format(enum.Enum):
    """The formats, by the usual ends of file names."""

    PARQUET = "parquet"
    CSV = "csv"
    NDJSON = "ndjson"


SUFFIXES: Mapping[str, Format] = {
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".csv": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
}

# Looked up by name, so that Parquet's library is loaded for Parquet alone.
_WRITERS = {
    Format.PARQUET: ("parquet", "write_parquet"),
    Format.CSV: ("text", "write_csv"),
    Format.NDJSON: ("text", "write_ndjson"),
}


async def write(connection: AnyConnection, selection: Selection, form: Format, out: BinaryIO) -> int:
    """Write it, and return the number of rows. Raises NotExportable, OSError."""
    write_selection = writer(form)
    try:
        return await write_selection(connection, selection, out)
    except asyncpg.ReadOnlySQLTransactionError:
        raise NotExportable("An export only reads; this query would write.") from None
    except (asyncpg.DataError, asyncpg.SyntaxOrAccessError) as error:
        raise NotExportable(f"PostgreSQL cannot answer {selection.name}: {error.args[0]}") from None


def writer(form: Format) -> Callable[[AnyConnection, Selection, BinaryIO], Awaitable[int]]:
    """What writes this format. Raises NotExportable if its library is missing."""
    module, name = _WRITERS[form]
    try:
        found: Callable[[AnyConnection, Selection, BinaryIO], Awaitable[int]] = getattr(
            import_module(f"orcid_sync.export.{module}"), name
        )
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pyarrow":
            raise
        raise NotExportable(
            "Parquet needs the library pyarrow, which is not installed: pip install 'orcid-sync[parquet]'. "
            "CSV and NDJSON need nothing."
        ) from None
    return found
