"""The command line: one module per group of commands; prints for people, --json for programs.

Results go to stdout, logs and errors to stderr. Exit codes: 0 ok, 1 failure, 2 wrong usage.
"""

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

from orcid_sync.cli.operations.config import version

COMMANDS = {
    "serve": "operations.serve",
    "migrate": "operations.migrate",
    "invite": "people.invite",
    "invitations": "people.invite",
    "connect": "people.connect",
    "bootstrap": "analysis.bootstrap",
    "disconnect": "people.disconnect",
    "sync": "people.connect",
    "status": "operations.status",
    "plan": "analysis.plan",
    "audit": "analysis.audit",
    "search": "analysis.search",
    "discover": "analysis.discover",
    "report": "analysis.report",
    "rebuild": "records.rebuild",
    "show": "records.show",
    "diff": "records.history",
    "explain": "records.explain",
    "changes": "records.changes",
    "export": "analysis.export",
    "dictionary": "analysis.dictionary",
    "consents": "people.erasures",
    "simulate": "operations.serve",
    "demo": "demo.command",
    "check": "operations.check",
    "version": "operations.config",
    "erasures": "people.erasures",
    "holds": "records.holds",
    "doubts": "records.doubts",
    "webhooks": "webhooks.webhooks",
    "drift": "records.drift",
    "subscriptions": "pushes.subscriptions",
    "keys": "operations.keys",
    "organisations": "analysis.organisations",
    "questions": "analysis.questions",
    "token": "operations.token",
    "config": "operations.config",
}
"""The module of each command, or group of commands, in which it is defined under its name. In the order of the help."""


def make_app(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with these commands; only their modules are imported."""
    app = typer.Typer(
        name="orcid-sync",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Mirror your researchers' ORCID records into your own PostgreSQL and keep them up to date. Results "
        "go to stdout, logs and errors to stderr. Exit codes: 0 ok, 1 failure, 2 wrong usage.",
    )
    app.callback()(_begin)
    for name in names:
        found = getattr(import_module(f"orcid_sync.cli.{COMMANDS[name]}"), name)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def main() -> None:
    """Run the command line; the console script."""
    for stream in (sys.stdout, sys.stderr):
        # Names in all the scripts of the world, on a terminal that may know only one.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # The daemon would otherwise keep in memory what all the other commands need.
    asked = [name for name in sys.argv[1:2] if name in COMMANDS]
    make_app(asked or COMMANDS)(prog_name="orcid-sync")


def _tell_version(asked: bool) -> None:  # noqa: FBT001 - Typer calls it
    if asked:
        version()
        raise typer.Exit


def _begin(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Runs before every command; with it, a command that stands alone is called by its name, too."""
