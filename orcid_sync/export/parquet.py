"""Parquet: PostgreSQL's CSV into Arrow's reader, which runs in a thread of its own.

COPY writes CSV faster than any driver decodes rows, and Arrow reads it faster than PostgreSQL writes it. The channel
between them holds back whoever is faster, so that no more than a few blocks of rows are in memory.
"""

import asyncio
from io import BufferedReader
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import csv, parquet

from orcid_sync.export.arrow import arrow_schema, conversion, converted, copied_query
from orcid_sync.export.channel import CHUNK, Channel
from orcid_sync.export.selection import NotExportable, Selection
from orcid_sync.export.text import QUIET, copy_out
from orcid_sync.store.database.pools import AnyConnection

BLOCK = 16 << 20
"""Bytes of CSV that become a row group; no row may be larger."""


async def write_parquet(connection: AnyConnection, selection: Selection, out: BinaryIO) -> int:
    """A Parquet file; returns the number of rows. Raises NotExportable if a row is larger than BLOCK."""
    channel = Channel()
    reading = asyncio.create_task(asyncio.to_thread(_read_csv, channel, selection, out))
    try:
        rows = await copy_out(connection, copied_query(selection), channel.send, **QUIET)
        await channel.end()
    except BaseException as error:
        channel.abandon()
        (outcome,) = await asyncio.gather(reading, return_exceptions=True)
        if isinstance(error, BrokenPipeError) and isinstance(outcome, Exception):
            raise outcome from None  # it says why it read no further
        raise
    await reading
    return rows


def _read_csv(channel: Channel, selection: Selection, out: BinaryIO) -> None:
    schema = arrow_schema(selection)
    with (
        BufferedReader(channel, CHUNK) as stream,
        parquet.ParquetWriter(out, schema, compression="zstd", compression_level=1) as writer,
    ):
        try:
            for batch in _batches(stream, selection):
                writer.write_batch(converted(batch, selection, schema))
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error):
                raise
            raise NotExportable(
                f"A row of {selection.name} is larger than {BLOCK >> 20} MB, too large for a Parquet file. "
                "Use --format ndjson, or a query without its largest column."
            ) from None


def _batches(stream: BinaryIO, selection: Selection) -> Any:
    names = [field.name for field in selection.fields]
    try:
        return csv.open_csv(
            stream,
            read_options=csv.ReadOptions(column_names=names, block_size=BLOCK, use_threads=False),
            parse_options=csv.ParseOptions(
                delimiter=QUIET["delimiter"],
                quote_char=QUIET["quote"],
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,
            ),
            convert_options=csv.ConvertOptions(
                column_types={field.name: conversion(field).read for field in selection.fields},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):
            raise
        return []
