"""Loading files in tests: archives of made-up records, loaded in this process."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from orcid_sync.bulk import workers
from orcid_sync.bulk.load import Progress, load
from orcid_sync.bulk.sources import open_source
from orcid_sync.bulk.tally import Tally
from orcid_sync.bulk.write import Plan
from orcid_sync.simulator.answers.xml import to_xml
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from rig.records.mirror import skeleton

Json = dict[str, Any]
MODIFIED = 1_700_000_000_000
"""history.last-modified-date of the records that are made here."""
SPREAD = timedelta(days=7)
LOCKED = {"response-code": 409, "developer-message": "locked", "error-code": 9018}

# Everything that the mirror says, without what is the database's own.
CONTENTS = """
select table_name, string_agg(quote_ident(column_name), ', ' order by ordinal_position) as columns
  from information_schema.columns
  join information_schema.tables using (table_schema, table_name)
 where table_schema = 'orcid' and table_type = 'BASE TABLE'
   and column_name not in ('first_seen_at', 'changed_at', 'at', 'seq', 'cause')
 group by table_name
"""


def work(put_code: int, title: str = "A work", *, modified: int = MODIFIED, visibility: str = "public") -> Json:
    """A work as the summary shows it."""
    stamp = {"value": modified}
    return {
        "put-code": put_code,
        "created-date": stamp,
        "last-modified-date": stamp,
        "title": {"title": {"value": title}, "subtitle": None, "translated-title": None},
        "visibility": visibility,
        "display-index": "0",
    }


def person(orcid: str, *works: Json, modified: int = MODIFIED) -> Json:
    """A record with a name and works, as everybody sees it."""
    record = skeleton(orcid)
    record["history"]["last-modified-date"] = {"value": modified}
    record["person"]["name"] = {
        "created-date": {"value": MODIFIED},
        "last-modified-date": {"value": MODIFIED},
        "given-names": {"value": f"Sample {orcid[-4:]}"},
        "visibility": "public",
        "path": orcid,
    }
    record["activities-summary"]["works"]["group"] = [{"work-summary": [one]} for one in works]
    return record


def xml_of(document: Json) -> bytes:
    """A record, an error or a full work as the data file has it."""
    root = "record" if "person" in document else "error" if "error-code" in document else "work"
    return to_xml(root, document, indented=True)


def archive(path: Path, files: Mapping[str, Json | bytes]) -> Path:
    """An archive like the public data file; names are iDs, or whole names of files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as members:
        for key, content in files.items():
            member = tarfile.TarInfo(key if "." in key else f"ORCID_2025_10_summaries/{key[-3:]}/{key}.xml")
            body = content if isinstance(content, bytes) else xml_of(content)
            member.size = len(body)
            members.addfile(member, io.BytesIO(body))
    path.write_bytes(gzip.compress(packed.getvalue(), 1))
    return path


def work_file(orcid: str, full: Json) -> tuple[str, Json]:
    """A full work with its name in the archive of activities."""
    return f"a/{orcid[-3:]}/{orcid}/works/{orcid}_works_{full['put-code']}.xml", full


class Files:
    """A database that files are loaded into."""

    def __init__(self, dsn: str, connection: asyncpg.Connection) -> None:
        self.dsn = dsn
        self.connection = connection
        self.reports: list[Progress] = []

    async def connect(self, *orcids: str) -> None:
        """Follow these iDs, without tokens."""
        await connections.connect_orcids(self.connection, [Entry(orcid=orcid) for orcid in orcids])  # type: ignore[arg-type]

    async def load(self, path: Path, *, everything: bool = False, dry: bool = False) -> dict[str, int]:
        """Load a file; what was counted."""
        return counts_of(await self.tally(path, everything=everything, dry=dry))

    async def tally(self, path: Path, *, everything: bool = False, dry: bool = False) -> Tally:
        """Load a file; all that is told of it."""
        plan = Plan(everything=everything, dry=dry, spread=SPREAD)
        self.reports = []
        with open_source(path) as source:
            async with workers.here(self.dsn, plan) as loads:
                return await load(self.connection, source, plan, loads, ahead=2, report=self.reports.append)

    async def mirror(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that the schema orcid says, whoever wrote it and when."""
        found = {}
        for row in await self.connection.fetch(CONTENTS):
            lines = await self.connection.fetch(f"select {row['columns']} from orcid.{row['table_name']}")
            found[row["table_name"]] = sorted((tuple(line) for line in lines), key=repr)
        return found

    async def versions(self) -> list[tuple[Any, ...]]:
        """Every row that a load could write, in the version that it has now; runs are what they are."""
        tables = await self.connection.fetch(
            "select schemaname || '.' || tablename from pg_tables "
            "where schemaname in ('orcid', 'orcid_sync') and tablename <> 'runs'"
        )
        return [
            (name, *row) for (name,) in tables for row in await self.connection.fetch(f"select ctid, xmin from {name}")
        ]

    async def titles(self) -> dict[int, str]:
        """The works of the mirror."""
        return dict(await self.connection.fetch("select put_code, title from orcid.works order by put_code"))

    async def queue(self) -> dict[str, asyncpg.Record]:
        """The queue's rows by iD."""
        query = "select *, due_at - now() as due_in, lease_until > now() as leased from orcid_sync.queue"
        rows = await self.connection.fetch(query)
        return {row["orcid"]: row for row in rows}

    async def feed(self, after: int = 0) -> list[asyncpg.Record]:
        """The change feed."""
        return list(await self.connection.fetch("select * from orcid.change_feed where seq > $1 order by seq", after))


def counts_of(tally: Tally) -> dict[str, int]:
    """The counts."""
    return dict(tally.counts)


def body(record: Json) -> bytes:
    """A record as the API sends it."""
    return msgspec.json.encode(record)
