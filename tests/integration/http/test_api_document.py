"""The OpenAPI document is true: schemathesis tries the running listener by it."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg

from integration.http.api_hooks import KNOWN
from integration.http.api_listener import Api, serving_api
from orcid_sync.service.api.openapi import PATH
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.pools import Database
from rig.records.mirror import apply_record
from rig.records.sample_record import ORCID, encode, full_forms, rich_record

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ENDLESS = "/v1/changes/stream"
OPTIONS = (
    *("--phases", "examples,coverage,fuzzing"),
    *("--max-examples", "4"),
    *("--exclude-path", ENDLESS),
    *("--seed", "1"),
    *("--request-timeout", "10"),
    "--no-color",
    "--continue-on-failure",
)


async def tried(api: Api, folder: Path) -> tuple[int | None, str]:
    """How schemathesis ended, and what it said."""
    caller = await api.bearing("admin")
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("st")), "run", f"{api.url}{PATH}", *OPTIONS),
        *("--header", f"Authorization: {caller.headers['Authorization']}"),
        env={**os.environ, "SCHEMATHESIS_HOOKS": "api_hooks", "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}"},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_what_the_document_says_is_what_is_answered(
    database: Database, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    assert KNOWN == ORCID
    await connect_orcids(connection, [Entry(orcid=ORCID)])
    await apply_record(database.worker, encode(rich_record()), full_forms(), access="read-limited")
    async with serving_api(database) as api:
        code, said = await tried(api, tmp_path)
        document = await (await api.bearing("read-public")).json(PATH)
    operations = sum(len(methods) for methods in document["paths"].values())
    assert code == 0, said
    assert f"{operations - 2} passed" in said, said  # all but the endless one and the document itself
