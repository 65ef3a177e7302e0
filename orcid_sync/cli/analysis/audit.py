"""audit: how much of the mirror equals ORCID, by a random sample that is read anew."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import ago, console, print_json, table, text
from orcid_sync.cli.base.session import Failure, Session, is_terminal

if TYPE_CHECKING:
    from orcid_sync.cli.base.registry_access import Asking
    from orcid_sync.model.analysis.audit import Finding
    from orcid_sync.model.ids import Orcid
    from orcid_sync.store.console.audits import Audit

SHOWN = 20
"""Records that are listed; --json lists all."""

SERIES = 5
"""Earlier audits that are shown beside this one."""

CAUSES = {
    "identical": "",
    "pending": "a read is already queued: a notification has arrived, or the second look is due",
    "newer": "changed at ORCID since it was verified, and no notification or check has found it yet",
    "drifted": "the record's date has not changed: the cause is names of sources or organisations, a cache, or a "
    "defect",
    "partly": "what ORCID's answer speaks of is identical, but it left a section out, or a part of one makes no sense",
    "unreadable": "ORCID did not return the record; this says nothing about the mirror",
    "failed": "could not be compared: the database, the encryption key, or a defect; counts as not identical",
}


@command
def audit(
    session: Session,
    *,
    sample: Annotated[int, typer.Option("--sample", "-n", min=1, max=100_000, help="Number of records to read.")] = 200,
    at_least: Annotated[
        float,
        typer.Option("--at-least", min=0, max=1, help="Exit code 1 if a smaller share of the records is identical."),
    ] = 0.95,
    json: Json = False,
) -> None:
    """Read a random sample of records from ORCID and compare each item with the mirror.

    Prints the share of records that are identical, and why others differ. Sends one request per record. A record that
    cannot be read or compared does not end the audit: it is counted, and listed with the reason.

    Exit codes: 0 if at least the share --at-least is identical; 1 if it is less, or if no record could be read.
    """
    session.settings.require("client_id", "client_secret", "encryption_key")
    with session.database() as dsn:
        findings, series = asyncio.run(_audit(session, dsn, sample))
    latest = series[0]
    if json:
        print_json({"audit": latest, "findings": [one for one in findings if one.verdict != "identical"]})
    else:
        _show(findings, series)
    if latest.share is None or latest.share < at_least:
        raise typer.Exit(1)


async def _audit(session: Session, dsn: str, sample: int) -> "tuple[list[Finding], list[Audit]]":
    from orcid_sync.cli.base.registry_access import asking  # noqa: PLC0415 - heavy
    from orcid_sync.model.analysis.audit import Verdict, count, identical_share  # noqa: PLC0415 - heavy
    from orcid_sync.store.console import audits  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import statements  # noqa: PLC0415 - heavy

    async with asking(session, dsn, workers=session.settings.workers) as means:
        async with statements(means.database.worker) as connection:
            drawn = await audits.draw(connection, sample)
        if not drawn:
            raise Failure("There is nothing to audit: no connected record has been read yet.")
        findings = await _compare(means, list(drawn), at_once=session.settings.workers)
        verdicts = count(findings)
        async with statements(means.database.worker) as connection:
            await audits.add(
                connection,
                started_at=next(iter(drawn.values())),
                verdicts=verdicts,
                share=identical_share(verdicts),
                findings=[one for one in findings if one.verdict is not Verdict.IDENTICAL],
            )
            return findings, await audits.last(connection, SERIES)


async def _compare(means: "Asking", drawn: "list[Orcid]", *, at_once: int) -> "list[Finding]":
    """Each record's finding, in the order in which they come."""
    from orcid_sync.model.sync.schedule import Lane  # noqa: PLC0415 - heavy
    from orcid_sync.registry.lanes import in_lane  # noqa: PLC0415 - heavy
    from orcid_sync.service.analysis.audit import Auditor  # noqa: PLC0415 - heavy

    auditor = Auditor(database=means.database, registry=means.registry, vault=means.vault)
    room = asyncio.Semaphore(at_once)

    async def one(orcid: "Orcid") -> "Finding":
        async with room:
            finding = await auditor.audit(orcid)
        step()
        return finding

    with in_lane(Lane.CHECK), _progress(len(drawn)) as step:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(orcid)) for orcid in drawn]
    return [task.result() for task in tasks]


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar for people, on stderr."""
    if not is_terminal():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - heavy
    from rich.progress import Progress  # noqa: PLC0415 - heavy

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=total)
        yield lambda: bar.advance(task)


def _show(findings: "list[Finding]", series: "list[Audit]") -> None:
    page, latest = console(), series[0]
    rows = ((verdict, latest.verdicts.get(verdict, 0), cause) for verdict, cause in CAUSES.items())
    page.print(table("verdict", "records", "likely cause", rows=(row for row in rows if row[1])))
    page.print(text(f"identical: {_share(latest)}"))
    different = [one for one in findings if one.differences or one.reason]
    if different:
        page.print(table("iD", "verdict", "differences", "verified", rows=_rows(different[:SHOWN], latest)))
    if len(different) > SHOWN:
        page.print(text(f"… and {len(different) - SHOWN} more: --json", "note"))
    if len(series) > 1:
        earlier = ((ago(one.started_at, latest.started_at), one.sampled, _share(one)) for one in series[1:])
        page.print(table("before", "records", "identical", title="Earlier audits", rows=earlier))


def _share(audit: "Audit") -> str:
    if audit.share is None or audit.low is None or audit.high is None:
        return "unknown: none could be read"
    return f"{audit.share:.1%} (95 % confidence: between {audit.low:.1%} and {audit.high:.1%})"


def _rows(findings: "list[Finding]", latest: "Audit") -> Iterator[tuple[Any, ...]]:
    for one in findings:
        differences = ", ".join(f"{number} {what}" for what, number in one.differences.items())
        said = "; ".join(filter(None, (differences, one.reason)))
        yield one.orcid, one.verdict.value, said, ago(one.verified_at, latest.started_at)
