"""CSV and NDJSON: PostgreSQL writes them itself, at its own speed."""

from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO, TypeAlias

from orcid_sync.export.selection import Selection
from orcid_sync.store.database.pools import AnyConnection

Take: TypeAlias = Callable[[bytes], Awaitable[None]]

QUIET: dict[str, Any] = {"format": "csv", "delimiter": "\x02", "quote": "\x01"}
"""CSV that hardly ever quotes: half the work where there is JSON, which is full of commas and quotation marks.

JSON escapes control characters, so that these two never occur in it.
"""


async def write_csv(connection: AnyConnection, selection: Selection, out: BinaryIO) -> int:
    """CSV (RFC 4180) with a header; returns the number of rows. Nothing: null; "": an empty text."""
    return await copy_out(connection, selection.sql, _into(out), format="csv", header=True)


async def write_ndjson(connection: AnyConnection, selection: Selection, out: BinaryIO) -> int:
    """A JSON object a line; returns the number of rows."""
    sql = f"select row_to_json(exported) from (\n{selection.sql}\n) as exported"  # noqa: S608 - the user's own query
    return await copy_out(connection, sql, _into(out), **QUIET)


async def copy_out(connection: AnyConnection, sql: str, take: Take, **options: Any) -> int:
    """COPY the answer of a query piece by piece to whoever takes it; returns the number of rows."""
    status: str = await connection.copy_from_query(sql + "\n", output=take, **options)
    return int(status.rsplit(maxsplit=1)[-1])


def _into(out: BinaryIO) -> Take:
    async def take(piece: bytes) -> None:
        # Here and now: handing each piece to a thread, as the driver would, takes longer than writing it.
        out.write(piece)

    return take
