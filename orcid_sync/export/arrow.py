"""PostgreSQL's types as Arrow's: how a column is read out of CSV, and what it becomes in a Parquet file."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from orcid_sync.export.selection import Field, Selection

UTC = pa.timestamp("us", tz="UTC")


class Conversion(msgspec.Struct, frozen=True):
    """The way of a column."""

    read: Any
    """Arrow type as which the CSV is read."""
    stored: Any
    """Arrow type in the file."""
    expression: str = "{}"
    """What PostgreSQL is to write for it."""
    convert: Callable[[Any, Any], Any] | None = None
    """Makes an array of the stored type from one of the type read; None: they are the same."""


def _as_json(texts: Any, stored: Any) -> Any:
    return pa.ExtensionArray.from_storage(stored, texts)


def _as_bytes(texts: Any, stored: Any) -> Any:
    return pa.array([None if text is None else bytes.fromhex(text) for text in texts.to_pylist()], stored)


def _as_list(texts: Any, stored: Any) -> Any:
    document = "[" + ",".join("null" if text is None else text for text in texts.to_pylist()) + "]"
    return pa.array(msgspec.json.decode(document), stored)


_TEXT = Conversion(pa.string(), pa.string(), "{}::text")
_FINITE = "case when isfinite({0}) then {0} end"  # a file has no infinity for moments

CONVERSIONS: Mapping[str, Conversion] = {
    "text": Conversion(pa.string(), pa.string()),
    "bool": Conversion(pa.bool_(), pa.bool_()),
    "int2": Conversion(pa.int16(), pa.int16()),
    "int4": Conversion(pa.int32(), pa.int32()),
    "int8": Conversion(pa.int64(), pa.int64()),
    "float4": Conversion(pa.float32(), pa.float32()),
    "float8": Conversion(pa.float64(), pa.float64()),
    "numeric": Conversion(pa.float64(), pa.float64(), "{}::float8"),
    "date": Conversion(pa.date32(), pa.date32(), _FINITE),
    "timestamptz": Conversion(UTC, UTC, _FINITE),
    "timestamp": Conversion(pa.timestamp("us"), pa.timestamp("us"), _FINITE),
    "interval": Conversion(pa.float64(), pa.float64(), "extract(epoch from {})::float8"),
    "json": Conversion(pa.string(), pa.json_(), "{}::text", _as_json),
    "jsonb": Conversion(pa.string(), pa.json_(), "{}::text", _as_json),
    "bytea": Conversion(pa.string(), pa.binary(), "encode({}, 'hex')", _as_bytes),
    "text[]": Conversion(pa.string(), pa.list_(pa.string()), "array_to_json({})::text", _as_list),
    "int2[]": Conversion(pa.string(), pa.list_(pa.int16()), "array_to_json({})::text", _as_list),
    "int4[]": Conversion(pa.string(), pa.list_(pa.int32()), "array_to_json({})::text", _as_list),
    "int8[]": Conversion(pa.string(), pa.list_(pa.int64()), "array_to_json({})::text", _as_list),
}
"""By PostgreSQL's name of the type; what is not here is exported as its text."""


def conversion(field: Field) -> Conversion:
    """The way of this column."""
    return CONVERSIONS.get(field.type, _TEXT)


def arrow_schema(selection: Selection) -> Any:
    """The schema of the file. Comments are where readers of Parquet look for them: `comment` and `description`."""
    fields = [
        pa.field(field.name, conversion(field).stored, metadata=_described(field.comment)) for field in selection.fields
    ]
    return pa.schema(fields, metadata=_described(selection.comment))


def copied_query(selection: Selection) -> str:
    """The query that writes each column in a way that can be read."""
    columns = []
    for field in selection.fields:
        name = '"' + field.name.replace('"', '""') + '"'
        columns.append(f"{conversion(field).expression.format(name)} as {name}")
    return f"select {', '.join(columns)} from (\n{selection.sql}\n) as exported"  # noqa: S608 - the user's own query


def converted(batch: Any, selection: Selection, schema: Any) -> Any:
    """A batch as it was read, with the types of the file."""
    arrays = [
        array if (made := conversion(field)).convert is None else made.convert(array, made.stored)
        for field, array in zip(selection.fields, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _described(comment: str | None) -> dict[str, str] | None:
    return None if comment is None else {"comment": comment, "description": comment}
