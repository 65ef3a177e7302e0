"""The command line: one module per group of commands; prints for people, --json for machines.

Results go to stdout, logs and errors to stderr. Exit codes: 0 ok, 1 failure, 2 wrong usage.
"""

import sys

import typer

from orcid_sync.cli.about import config, version
from orcid_sync.cli.audit import audit
from orcid_sync.cli.bootstrap import bootstrap
from orcid_sync.cli.certificates import consents, erasures
from orcid_sync.cli.checking import check
from orcid_sync.cli.demo.command import demo
from orcid_sync.cli.dictionary import dictionary
from orcid_sync.cli.discover import discover
from orcid_sync.cli.drift import drift
from orcid_sync.cli.explaining import explain
from orcid_sync.cli.export import export
from orcid_sync.cli.feed import changes
from orcid_sync.cli.history import diff
from orcid_sync.cli.holds import holds
from orcid_sync.cli.invite import invitations, invite
from orcid_sync.cli.keys import keys
from orcid_sync.cli.leaving import disconnect
from orcid_sync.cli.organisations import organisations
from orcid_sync.cli.people import connect, sync
from orcid_sync.cli.plan import plan
from orcid_sync.cli.questions import questions
from orcid_sync.cli.rebuild import rebuild
from orcid_sync.cli.records import show
from orcid_sync.cli.report import report
from orcid_sync.cli.schema import migrate
from orcid_sync.cli.search import search
from orcid_sync.cli.serving import serve, simulate
from orcid_sync.cli.status import status
from orcid_sync.cli.subscriptions import subscriptions
from orcid_sync.cli.token import token
from orcid_sync.cli.webhooks import webhooks

app = typer.Typer(
    name="orcid-sync",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Your researchers' ORCID records, live in your own PostgreSQL. Results go to stdout, logs and errors to "
    "stderr. Exit codes: 0 ok, 1 failure, 2 wrong usage.",
)
for function in (
    *(
        serve,
        migrate,
        invite,
        invitations,
        connect,
        bootstrap,
        disconnect,
        sync,
        status,
        plan,
        audit,
        search,
        discover,
        report,
        rebuild,
        show,
        diff,
        explain,
        changes,
        export,
        dictionary,
        consents,
        simulate,
        demo,
        check,
        version,
    ),
):
    app.command(function.__name__)(function)
app.add_typer(erasures, name="erasures")
app.add_typer(holds, name="holds")
app.add_typer(webhooks, name="webhooks")
app.add_typer(drift, name="drift")
app.add_typer(subscriptions, name="subscriptions")
app.add_typer(keys, name="keys")
app.add_typer(organisations, name="organisations")
app.add_typer(questions, name="questions")
app.add_typer(token, name="token")
app.add_typer(config, name="config")


def main() -> None:
    """Run the command line; the console script."""
    for stream in (sys.stdout, sys.stderr):
        # Names in all the scripts of the world, on a terminal that may know only one.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app(prog_name="orcid-sync")
