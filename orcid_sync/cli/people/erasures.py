"""erasures, consents: the proof of what was allowed, what ended, and what was erased."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, line, print_json, print_json_line, table, text
from orcid_sync.cli.base.session import Failure, Session, tell
from orcid_sync.cli.people.connect import single

if TYPE_CHECKING:
    from asyncpg import Connection
    from rich.text import Text

    from orcid_sync.model.consent.proof import Verdict
    from orcid_sync.service.consent.erasure_log import Again
    from orcid_sync.service.consent.proof import Proof
    from orcid_sync.store.consent.consent_ledger import Entry
    from orcid_sync.store.consent.erasure_certificates import Certificate

SHORT = 12
"""Characters of a hash in a table."""

erasures = typer.Typer(
    no_args_is_help=True,
    help="Show and verify the certificates of erasure, and repeat erasures after a backup was restored.",
)

LogFile = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="The erasure log. Default: the setting erasure_log.", show_default=False),
]

Restored = Annotated[
    bool,
    typer.Option(
        "--restored", help="Write into the log that a backup was restored: verify then expects what it took away."
    ),
]


def print_certificate(certificate: "Certificate") -> None:
    """A certificate for people, with everything that it says."""
    page = console()
    facts = [
        ("certificate", certificate.number),
        ("erased", certificate.orcid),
        ("at", certificate.at),
        ("requested by", f"{certificate.by} ({certificate.learnt})"),
        ("hash", certificate.hash),
        ("hash of the one before", certificate.previous),
        ("entry in the consent ledger", certificate.consents_hash),
    ]
    page.print(table("", "", rows=facts))
    page.print(table("deleted from", "rows", rows=certificate.deleted.items() or [("nothing was there", "")]))


@command
def list_(session: Session, *, json: Json = False) -> None:
    """List the certificates of erasure."""
    found = session.run(_read_certificates)
    if json:
        print_json(found)
        return
    rows = ((c.number, c.orcid, c.at, c.by, sum(c.deleted.values()), c.hash[:SHORT]) for c in found)
    console().print(table("number", "iD", "at", "requested by", "rows", "hash", rows=rows))


async def _read_certificates(connection: "Connection") -> "list[Certificate]":
    from orcid_sync.store.consent import erasure_certificates  # noqa: PLC0415 - heavy

    return await erasure_certificates.read(connection)


@command
def show(
    session: Session,
    number: Annotated[int, typer.Argument(help="Number of the certificate.", show_default=False)],
    *,
    json: Json = False,
) -> None:
    """Show one certificate of erasure in full."""

    async def work(connection: "Connection") -> "list[Certificate]":
        from orcid_sync.store.consent import erasure_certificates  # noqa: PLC0415 - heavy

        return await erasure_certificates.read(connection, number=number)

    found = session.run(work)
    if not found:
        raise Failure(f"There is no certificate {number}. List the certificates: orcid-sync erasures list")
    if json:
        print_json(found[0])
    else:
        print_certificate(found[0])


@command
def export(session: Session) -> None:
    """Print every certificate as JSON, one per line, so that you can keep a copy elsewhere."""
    for certificate in session.run(_read_certificates):
        print_json_line(certificate)


@command
def verify(session: Session, *, json: Json = False) -> None:
    """Verify certificates, consent ledger and erasure log against each other, and find who came back with a backup.

    Exit code 1 if one of them is not what was written, with the first entry or line that shows it, or if somebody is
    back.
    """
    path = session.settings.erasure_log

    async def work(connection: "Connection") -> "Proof":
        from orcid_sync.service.consent import proof  # noqa: PLC0415 - heavy

        return await proof.verify(connection, path)

    found = session.run(work)
    _report_proof(found, json=json)
    if found.back:
        raise Failure(
            "A restored backup has brought people back. Erase or disconnect them again: orcid-sync erasures replay"
        )
    if found.log and not found.log.ok:
        raise Failure(
            "The erasure log and the database do not say the same. If you have restored a backup, say so: "
            "orcid-sync erasures replay --restored. If nobody has, the past was changed: see the runbook."
        )
    if not found.ok:
        raise typer.Exit(1)


def _report_proof(found: "Proof", *, json: bool) -> None:
    parts = {"certificates": found.certificates, "consents": found.consents, "log": found.log}
    verdicts = {name: verdict for name, verdict in parts.items() if verdict is not None}
    if json:
        print_json({"back": [one.orcid for one in found.back], **verdicts})
        return
    for name, verdict in verdicts.items():
        line(name, *_told(verdict))
    for one in found.back:
        line(one.orcid, text(f"is back: {one.line.event} at {one.line.at:%Y-%m-%d %H:%M} UTC", "fail"))


def _told(verdict: "Verdict") -> "Iterator[Text | str]":
    if not verdict.ok:
        yield text(f"broken: {verdict.problem}", "fail")
        return
    yield text("ok", "ok")
    yield f"{verdict.entries} entries"
    if verdict.hash:
        yield f"the last hash: {verdict.hash}"
    if verdict.explained:
        yield f"{verdict.explained} of them from before a backup was restored"


@command
def replay(session: Session, file: LogFile = None, *, restored: Restored = False, json: Json = False) -> None:
    """Erase and disconnect again the people in the erasure log whom a restored backup has brought back.

    The service does this itself at every start if erasure_log is set. What a restore took away from the chains is still
    in the log, and only you can know that this is why: --restored writes it down there.
    """
    path = file or session.settings.erasure_log
    if path is None:
        raise Failure("No erasure log is configured. Name its file, or set erasure_log.")
    if not path.exists():
        raise Failure(f"There is no erasure log {path}.")

    async def work(connection: "Connection") -> "tuple[list[Again], int]":
        from orcid_sync.service.consent import erasure_log, proof  # noqa: PLC0415 - heavy
        from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy

        again = await erasure_log.replay(connection, path)
        await erasure_log.write_missing(connection, path)
        await queue.wake(connection)
        return again, await proof.note_restore(connection, path) if restored else 0

    again, explained = session.run(work)
    for one in again:
        if json:
            print_json_line(one.certificate or {"orcid": one.orcid, "event": one.event})
        else:
            line(one.orcid, f"{one.event} again", f"certificate {one.certificate.number}" if one.certificate else "")
    tell(f"{len(again)} people were erased or disconnected again." if again else "Nobody is back.")
    if restored:
        tell(f"{explained} lines of the log are from before the restore; that is written down there.")


@command
def consents(
    session: Session,
    orcid: Annotated[str | None, typer.Argument(metavar="iD", help="Show only this iD.", show_default=False)] = None,
    *,
    json: Json = False,
) -> None:
    """Show the consent ledger: who allowed what, and when and how it ended."""
    wanted = single(session, orcid) if orcid else None

    async def work(connection: "Connection") -> "list[Entry]":
        from orcid_sync.store.consent import consent_ledger  # noqa: PLC0415 - heavy

        return [entry async for entry in consent_ledger.read(connection, orcid=wanted)]

    entries = session.run(work)
    if json:
        for entry in entries:
            print_json_line(entry)
        return
    rows = ((e.number, e.at, e.orcid, e.event, e.by, e.learnt, " ".join(e.scopes), _facts(e)) for e in entries)
    console().print(table("number", "at", "iD", "event", "by", "learnt", "scopes", "", rows=rows))


def _facts(entry: "Entry") -> str:
    return ", ".join(f"{name}: {value!s}" for name, value in entry.facts.items())


erasures.command("list")(list_)
for function in (show, verify, export, replay):
    erasures.command(function.__name__)(function)
