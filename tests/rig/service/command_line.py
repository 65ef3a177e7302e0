"""Running commands: in this process, with an environment of their own."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from typer.testing import CliRunner, Result

from orcid_sync.cli.main import COMMANDS, make_app

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SECRET = "kestrel-webhook-secret-" + "s" * 20
COMPLETE = {
    "ORCID_SYNC_CLIENT_ID": "APP-0123456789ABCDEF",
    "ORCID_SYNC_CLIENT_SECRET": "kestrel-client-secret",
    "ORCID_SYNC_ENCRYPTION_KEY": KEY,
    "ORCID_SYNC_WEBHOOK_SECRET": SECRET,
    "ORCID_SYNC_PUBLIC_URL": "https://orcid.example.edu",
}

ROOT = Path(__file__).parents[3]


def bare_environment() -> dict[str, str | None]:
    """Takes away what this machine says about the software."""
    names = [name for name in os.environ if name.startswith("ORCID_SYNC_")]
    return dict.fromkeys([*names, "DATABASE_URL", "PORT", "LOG_LEVEL"])


def process_environment(**more: str) -> dict[str, str]:
    """For a process of its own: this machine's without what it says about the software, and `more`."""
    away = bare_environment()
    return {**{name: value for name, value in os.environ.items() if name not in away}, "PYTHONPATH": str(ROOT), **more}


class Cli:
    """The command line on one database."""

    def __init__(self, dsn: str) -> None:
        self.environment: dict[str, str | None] = {**bare_environment(), "DATABASE_URL": dsn}

    def __call__(
        self,
        *arguments: str,
        input: str | bytes | None = None,  # noqa: A002 - the runner's word
        env: Mapping[str, str | None] | None = None,
    ) -> Result:
        """Run a command; no secret may be in what it prints."""
        asked = [name for name in arguments[:1] if name in COMMANDS]  # as the console script has it
        app, given = make_app(asked or COMMANDS), {**self.environment, **(env or {})}
        result = CliRunner().invoke(app, arguments, input=input, env=given)
        assert "kestrel" not in result.output
        assert "Traceback" not in result.output
        return result

    async def apart(self, *arguments: str, **more: Any) -> Result:
        """Run a command beside the test's own event loop."""
        return await asyncio.to_thread(self, *arguments, **more)

    def json(self, *arguments: str, env: Mapping[str, str | None] | None = None) -> Any:
        """The JSON document that a command prints when all goes well."""
        result = self(*arguments, "--json", env=env)
        assert result.exit_code == 0, result.output
        return msgspec.json.decode(result.stdout)


@pytest.fixture
def cli_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Cli]]:
    """Make a command line on a database, in a folder without config.toml; logging is as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield Cli
    root.handlers, root.level = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def cli(cli_on: Callable[[str], Cli], dsn: str) -> Cli:
    """The command line on this test's migrated database."""
    return cli_on(dsn)
