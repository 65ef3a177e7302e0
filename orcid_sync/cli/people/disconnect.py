"""disconnect: ending the connection of people, and erasing their data."""

import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import line, print_json_line, text
from orcid_sync.cli.base.people_file import Entrant, Rejected
from orcid_sync.cli.base.session import Failure, Session
from orcid_sync.cli.people.connect import Orcids, lines_of, several
from orcid_sync.cli.people.erasures import print_certificate
from orcid_sync.model.ids import Orcid

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.consent.erasure_certificates import Certificate


@command
def disconnect(
    session: Session,
    orcids: Orcids = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", metavar="CSV", help="Read the iDs from a CSV file (- for stdin) with a column orcid."
        ),
    ] = None,
    erase: Annotated[
        bool, typer.Option("--erase", help="Erase all data about these people, even if they are already disconnected.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking for confirmation.")] = False,
    json: Json = False,
) -> None:
    """Disconnect iDs: remove their webhooks, tokens and non-public data; with --erase, remove everything.

    You cannot undo an erasure. It prints a certificate, which orcid-sync erasures shows again.
    """
    if (file is None) == (not orcids):
        raise typer.BadParameter("give either iDs or --file")
    wanted = several(session, orcids) if file is None else from_file(session, file, "Nobody was disconnected.")
    if erase and not yes:
        _confirm(len(wanted))
    left_out = session.run(lambda connection: _disconnect_or_erase(session, connection, wanted, erase=erase, json=json))
    if left_out:
        raise Failure(f"Nothing to erase for {left_out} of them: never connected.")


def from_file(session: Session, file: Path, consequence: str) -> list[Orcid]:
    """The iDs of a CSV file. Raises Failure that names every bad line and the consequence."""
    with lines_of(session, None, file) as given:
        lines = list(given)
    if problems := [
        f"line {one.line}: {one.problem}" for one in lines if isinstance(one, Rejected) and not one.harmless
    ]:
        raise Failure("\n".join([*problems, consequence]))
    return [one.orcid for one in lines if isinstance(one, Entrant)]


def _confirm(number: int) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("cannot ask for confirmation here: add --yes if you are sure")
    people = "this person" if number == 1 else f"these {number} people"
    typer.confirm(f"Erase everything about {people}? You cannot undo this.", abort=True, err=True)


async def _disconnect_or_erase(
    session: Session, connection: "Connection", wanted: list[Orcid], *, erase: bool, json: bool
) -> int:
    """Let them go one by one or all at once; returns how many of those to be erased are not known."""
    from orcid_sync.store.consent import connections  # noqa: PLC0415 - heavy
    from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy

    unknown = 0
    if erase:
        async for orcid, certificate in _erase(session, connection, wanted):
            unknown += certificate is None
            _report_erasure(orcid, certificate, json=json)
    else:
        gone = await connections.disconnect_orcids(connection, wanted)
        await _log(session, connection)
        _report(wanted, gone, json=json)
    await queue.wake(connection)
    return unknown


async def _erase(
    session: Session, connection: "Connection", wanted: Iterable[Orcid]
) -> "AsyncIterator[tuple[Orcid, Certificate | None]]":
    """Erase them, each in a transaction of its own; None of whom nothing is known."""
    from orcid_sync.store.consent import erasure  # noqa: PLC0415 - heavy

    for orcid in wanted:
        try:
            certificate = await erasure.erase(connection, orcid, by="operator", learnt="command")
        except erasure.NotKnown:
            yield orcid, None
            continue
        await _log(session, connection)
        yield orcid, certificate


async def _log(session: Session, connection: "Connection") -> None:
    """Write into the erasure log, if there is one, what it does not have yet."""
    from orcid_sync.service.consent import erasure_log  # noqa: PLC0415 - heavy

    if path := session.settings.erasure_log:
        await erasure_log.write_missing(connection, path)


def _report(wanted: list[Orcid], gone: list[Orcid], *, json: bool) -> None:
    for orcid in wanted:
        outcome = "disconnecting" if orcid in gone else "was not connected"
        if json:
            print_json_line({"orcid": orcid, "outcome": outcome})
        else:
            line(orcid, outcome)


def _report_erasure(orcid: Orcid, certificate: "Certificate | None", *, json: bool) -> None:
    outcome = "erased" if certificate else "was never connected"
    if json:
        print_json_line({"orcid": orcid, "outcome": outcome, "certificate": certificate})
    elif certificate:
        print_certificate(certificate)
    else:
        line(orcid, text(outcome, "fail"))
