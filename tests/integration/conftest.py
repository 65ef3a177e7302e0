"""What the tests of the service and its commands can ask for: a command line, a reconciler, the log."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from orcid_sync.settings.logs import configure_logging
from rig.service.command_line import cli, cli_on  # noqa: F401 - fixtures
from rig.service.reconciler import bench, limits, registry, settings  # noqa: F401 - fixtures


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
