"""The options that every command has, and what happens around a command."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from orcid_sync.cli.base.session import Session, failing_in_words

PANEL = "Settings"

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

_SHARED: dict[str, Any] = {
    "config": Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            rich_help_panel=PANEL,
            help="Configuration file. Default: ./config.toml or /etc/orcid-sync/config.toml.",
        ),
    ],
    "assignments": Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            rich_help_panel=PANEL,
            help="Set any setting that is not a secret. May be repeated.",
        ),
    ],
    "log_level": Annotated[
        str | None,
        typer.Option(
            "--log-level",
            metavar="LEVEL",
            rich_help_panel=PANEL,
            help="The least important messages to log: debug, info, warning or error.",
        ),
    ],
}


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared options, and as its first argument the Session that follows from them."""
    own = list(inspect.signature(function).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _SHARED.items()
    ]

    @functools.wraps(function)
    def wrapped(**given: Any) -> None:
        config, assignments, log_level = (given.pop(name) for name in _SHARED)
        with failing_in_words():
            session = _open(config, {"log_level": log_level, **_assigned(assignments or [])})
            function(session, **given)

    wrapped.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in [*own, *shared]}
    return wrapped


def _assigned(assignments: list[str]) -> dict[str, str]:
    from orcid_sync.settings.secrets import secret_settings  # noqa: PLC0415 - heavy
    from orcid_sync.settings.settings import Settings  # noqa: PLC0415 - heavy

    given = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        name = name.strip().lower().replace("-", "_")
        if not equals or name not in Settings.model_fields:
            raise typer.BadParameter(f"--set {name}: expected NAME=VALUE with the name of a setting.")
        if name in secret_settings():
            raise typer.BadParameter(
                f"--set {name}: others on this machine can read the command line. Set ORCID_SYNC_{name.upper()} "
                f"or ORCID_SYNC_{name.upper()}_FILE instead."
            )
        given[name] = value
    return given


def _open(config: Path | None, flags: dict[str, Any]) -> Session:
    from orcid_sync.settings.logs import configure_logging  # noqa: PLC0415 - heavy
    from orcid_sync.settings.secrets import secret_values  # noqa: PLC0415 - heavy
    from orcid_sync.settings.sources import load_settings  # noqa: PLC0415 - heavy

    loaded = load_settings(flags, config_file=config)
    secrets = secret_values(loaded.settings)
    configure_logging(loaded.settings.log_level, loaded.settings.log_format, secrets=secrets)
    return Session(loaded)
