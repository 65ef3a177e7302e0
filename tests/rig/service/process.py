"""A command as a process of its own, and what it says."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rig.service.command_line import bare_environment

ROOT = Path(__file__).parents[3]
ANY_PORT = {"ORCID_SYNC_PUBLIC_PORT": "0", "ORCID_SYNC_INTERNAL_PORT": "0", "ORCID_SYNC_PUBLIC_HOST": "127.0.0.1"}
NOBODY = {
    "ORCID_SYNC_ENVIRONMENT": "custom",
    "ORCID_SYNC_API_URL": "http://127.0.0.1:9",
    "ORCID_SYNC_WEB_URL": "http://127.0.0.1:9",
}
QUICK = {"ORCID_SYNC_DRAIN_SECONDS": "0", "ORCID_SYNC_STOP_SECONDS": "5"}


@asynccontextmanager
async def running(*arguments: str, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command as a process of its own, killed at the end if it still runs."""
    given = {name: value for name, value in os.environ.items() if name not in bare_environment()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "orcid_sync", *arguments),
        env={**given, "PYTHONPATH": str(ROOT), **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_with(stream: asyncio.StreamReader | None, text: str) -> str:
    """The next line that has the text."""
    assert stream is not None
    said = []
    async with asyncio.timeout(30):
        async for line in stream:
            if text in line.decode():
                return line.decode()
            said.append(line.decode())
    pytest.fail(f"no line has {text!r}:\n{''.join(said)}")
