"""invite, invitations: asking people to connect their iDs, and how far they came."""

import asyncio
import csv
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, moment, print_json, print_json_line, table
from orcid_sync.cli.base.people_file import Rejected
from orcid_sync.cli.base.session import Session, tell

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.cli.people.invitees_file import Invitee
    from orcid_sync.store.consent.invitations import Funnel, Invited

BATCH = 1_000
"""People that become one transaction, or are listed at a time."""

STATES = ("invited", "opened", "denied", "expired", "connected", "disconnected", "erased")

_HEAD = ("person_id", "standing", "link", "expires_at", "orcid")


_COLUMNS = ("person_id", "state", "granted_orcid", "outcome", "outcome_at", "opened_at", "expires_at")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one person of the file."""

    line: int
    person_id: str
    standing: str
    """new, repeated, connected, disconnected or erased."""
    link: str | None
    expires_at: datetime | None
    orcid: str | None
    """Of who is connected, or was."""


@command
def invite(
    session: Session,
    *,
    file: Annotated[
        Path,
        typer.Option(
            "--file",
            "-f",
            metavar="CSV",
            help="CSV file (- for stdin). Its first line names the columns: person_id (your own id of the person) "
            "and, optionally, given_names, family_names, email, orcid (the iD that you expect), lang (language "
            "of the pages).",
        ),
    ],
    expires: Annotated[int, typer.Option("--expires", min=1, max=730, help="Days until the links expire.")] = 60,
    again: Annotated[bool, typer.Option("--again", help="Also invite people who have disconnected.")] = False,
    json: Json = False,
) -> None:
    """Create an invitation link for each person, with which they connect their iD, and print the links as CSV.

    It sends no mail: send the links yourself. Repeating it creates new links; the old ones stay valid.
    """
    settings = session.settings
    settings.require("institution", "purpose", "privacy_url", "contact", "public_url", "encryption_key")
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=expires)
    link_to = _link_maker(session)

    async def work(dsn: str) -> int:
        answers = _invite_all(session, dsn, people, expires_at, again=again, link_to=link_to)
        return await _report(answers, json=json)

    with _people(session, file) as people, session.database(create=True) as dsn:
        bad = asyncio.run(work(dsn))
    if bad:
        raise typer.Exit(1)


@contextmanager
def _people(session: Session, file: Path) -> "Iterator[Iterator[Invitee | Rejected]]":
    from orcid_sync.cli.people.invitees_file import read_invitees  # noqa: PLC0415 - heavy

    with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as stream:
        yield read_invitees(stream, home=session.settings.home)


def _link_maker(session: Session) -> Callable[[int, datetime], str]:
    """Makes the link of an invitation, by its number and its end."""
    from orcid_sync.service.consent.signed_links import Link, LinkSigner  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.encryption import Vault  # noqa: PLC0415 - heavy

    settings = session.settings
    tickets = LinkSigner(Vault(settings.key_ring).derive, settings.environment)

    def link_to(number: int, expires_at: datetime) -> str:
        return f"{settings.public_url}/connect/{tickets.invitation(Link(number, int(expires_at.timestamp())))}"

    return link_to


async def _invite_all(
    session: Session,
    dsn: str,
    people: "Iterator[Invitee | Rejected]",
    expires_at: datetime,
    *,
    again: bool,
    link_to: Callable[[int, datetime], str],
) -> AsyncIterator[Answer | Rejected]:
    """Invite batch by batch; yields what became of each line."""
    from orcid_sync.store.consent.invitations import invite  # noqa: PLC0415 - heavy

    async with session.connect(dsn) as connection:
        while batch := list(islice(people, BATCH)):
            known = [one[1] for one in batch if not isinstance(one, Rejected)]
            invited = await invite(connection, known, expires_at=expires_at, again=again)
            for one in batch:
                yield one if isinstance(one, Rejected) else _answer(one[0], invited[one[1].person_id], link_to)


def _answer(line: int, invited: "Invited", link_to: Callable[[int, datetime], str]) -> Answer:
    ends = invited.expires_at
    return Answer(
        line=line,
        person_id=invited.person_id,
        standing=invited.standing,
        link=None if ends is None else link_to(invited.number, ends),
        expires_at=ends,
        orcid=invited.granted_orcid,
    )


async def _report(answers: AsyncIterator[Answer | Rejected], *, json: bool) -> int:
    """Print line by line, CSV unless JSON is asked for, and at the end the sums; returns the number of bad lines."""
    counts: dict[str, int] = {}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if not json:
        writer.writerow(_HEAD)
    async for answer in answers:
        outcome = (
            answer.standing if isinstance(answer, Answer) else "repeated in the file" if answer.harmless else "bad"
        )
        counts[outcome] = counts.get(outcome, 0) + 1
        if json:
            print_json_line(answer)
        elif isinstance(answer, Rejected):
            tell(f"line {answer.line}: {answer.problem}")
        else:
            cells = (answer.person_id, answer.standing, answer.link, answer.expires_at, answer.orcid)
            writer.writerow([moment(cell) if isinstance(cell, datetime) else cell for cell in cells])
    tell(", ".join(f"{number} {outcome}" for outcome, number in counts.items()) or "The file has no lines.")
    return counts.get("bad", 0)


@command
def invitations(
    session: Session,
    *,
    state: Annotated[
        str | None,
        typer.Option("--state", help=f"List the people in this state instead: {', '.join(STATES)}, or all."),
    ] = None,
    json: Json = False,
) -> None:
    """Show how many people were invited, opened their link, granted or denied access, and their present state."""
    if state not in {None, "all", *STATES}:
        raise typer.BadParameter(f"--state must be one of {', '.join(STATES)}, all")

    async def work(connection: "Connection") -> None:
        if state is None:
            await _show_funnel(connection, json=json)
        else:
            await _list(connection, None if state == "all" else state, json=json)

    session.run(work)


async def _show_funnel(connection: "Connection", *, json: bool) -> None:
    from orcid_sync.store.consent.invitations import funnel  # noqa: PLC0415 - heavy

    counts: Funnel = await funnel(connection)
    if json:
        print_json(counts)
        return
    came = [(name, getattr(counts, name)) for name in ("invited", "opened", "granted", "denied")]
    console().print(table("reached step", "people", rows=came))
    console().print(table("state now", "people", rows=_sorted(counts.states)))
    console().print(table("last sign-in at ORCID", "people", rows=_sorted(counts.outcomes)))


def _sorted(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


async def _list(connection: "Connection", state: str | None, *, json: bool) -> None:
    from orcid_sync.store.consent.invitations import list_invitations  # noqa: PLC0415 - heavy

    after = 0
    while page := await list_invitations(connection, state=state, after=after, limit=BATCH):
        after = page[-1].number
        if not json:
            console().print(table(*_COLUMNS, rows=[[getattr(row, column) for column in _COLUMNS] for row in page]))
            continue
        for row in page:
            print_json_line(row)
