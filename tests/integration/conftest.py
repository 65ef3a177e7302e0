"""What the tests of the command line and of the service can ask for."""

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from cli_rig import Cli

from orcid_sync.settings.logs import configure_logging

pytest.register_assert_rewrite("service_rig", "simulator_rig", "researcher", "connect_rig")
from connect_rig import asking  # noqa: E402, F401 - a fixture
from service_rig import bench, registry, settings  # noqa: E402, F401 - fixtures


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


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged, at the most talkative level and without a list of secrets to mask."""
    stream, root = io.StringIO(), logging.getLogger()
    before = (root.handlers, root.level)
    configure_logging("debug", "json", stream=stream)
    yield stream
    root.handlers, root.level = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
