"""connect, sync: which iDs are followed, and a read of them now."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import duration, line, print_json_line, text
from orcid_sync.cli.base.people_file import Entrant, Line, Rejected, read_arguments, read_people, without_repetitions
from orcid_sync.cli.base.session import Failure, Session, tell
from orcid_sync.model.ids import InvalidOrcid, Orcid, parse_orcid

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.consent.connections import Entry
    from orcid_sync.store.database.encryption import Vault

BATCH = 1_000
"""Lines of a file that become one transaction."""

POLL_SECONDS = 0.5
"""How often `sync --wait` looks. Nothing announces that a reconciliation has ended."""

Orcids = Annotated[list[str] | None, typer.Argument(metavar="iD…", help="iDs in any form.", show_default=False)]


def several(session: Session, texts: list[str] | None) -> list[Orcid]:
    """The iDs of the arguments, each once. Raises BadParameter that names each one that is none."""
    read = list(without_repetitions(read_arguments(texts or [], home=session.settings.home)))
    if problems := [one.problem for one in read if isinstance(one, Rejected) and not one.harmless]:
        raise typer.BadParameter("\n".join(problems))
    if not read:
        raise typer.BadParameter("give at least one iD, such as 0000-0002-1825-0097")
    return [one.orcid for one in read if isinstance(one, Entrant)]


def single(session: Session, given: str) -> Orcid:
    """One iD from an argument. Raises BadParameter."""
    try:
        return parse_orcid(given, home=session.settings.home)
    except InvalidOrcid as error:
        raise typer.BadParameter(str(error)) from None


@command
def connect(
    session: Session,
    orcids: Orcids = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="CSV",
            help="Read the iDs from a CSV file (- for stdin). Its first line names the columns: orcid and, if you "
            "have tokens, access_token, refresh_token, scope, expires_at or expires_in. Tokens without scopes, and "
            "words that are no scopes, are named; what a token shows is found out by reading.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, only show what would happen.")] = False,
    json: Json = False,
) -> None:
    """Connect iDs: the service registers a webhook for each and mirrors its record from now on.

    Prints what happened to each iD. Repeating it does no harm.

    Example: orcid-sync connect 0000-0002-1825-0097
    """
    if (file is None) == (not orcids):
        raise typer.BadParameter("give either iDs or --file")

    async def work(dsn: str) -> int:
        reported = _connect_all(session, dsn, lines, dry_run=dry_run)
        return await _report_all(reported, json=json)

    with lines_of(session, orcids, file) as lines, session.database(create=True) as dsn:
        bad = asyncio.run(work(dsn))
    if bad:
        raise typer.Exit(1)


@contextmanager
def lines_of(session: Session, orcids: list[str] | None, file: Path | None) -> Iterator[Iterator[Line]]:
    """The iDs that are given as arguments or in a CSV file (- for stdin), one by one."""
    home = session.settings.home
    if file is None:
        yield without_repetitions(read_arguments(orcids or [], home=home))
        return
    with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as stream:
        yield without_repetitions(read_people(stream, now=datetime.now(UTC), home=home))


async def _connect_all(
    session: Session, dsn: str, lines: Iterator[Line], *, dry_run: bool
) -> AsyncIterator[tuple[Line, str]]:
    """Connect batch by batch; yields each line and what became of it."""
    from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy

    async with session.connect(dsn) as connection:
        while batch := list(islice(lines, BATCH)):
            entrants = [one for one in batch if isinstance(one, Entrant)]
            outcomes = await (_foresee(connection, entrants) if dry_run else _store(session, connection, entrants))
            for one in batch:
                yield one, outcomes[one.orcid] if isinstance(one, Entrant) else "repeated" if one.harmless else "bad"
        if not dry_run:
            await queue.wake(connection)


async def _report_all(reported: AsyncIterator[tuple[Line, str]], *, json: bool) -> int:
    """Print line by line, and at the end the sums; returns the number of bad lines."""
    counts: dict[str, int] = {}
    doubtful = 0
    async for one, outcome in reported:
        counts[outcome] = counts.get(outcome, 0) + 1
        doubtful += isinstance(one, Entrant) and one.doubt is not None
        _report(one, outcome, json=json)
    tell(", ".join(f"{number} {outcome}" for outcome, number in counts.items()) or "The file has no lines.")
    if doubtful:
        tell(f"{doubtful} with a warning: tokens without scopes, or with words that are none")
    return counts.get("bad", 0)


async def _store(session: Session, connection: "Connection", entrants: list[Entrant]) -> dict[Orcid, str]:
    from orcid_sync.store.consent.connections import connect_orcids, sealed_tokens  # noqa: PLC0415 - heavy

    with_tokens = [one.orcid for one in entrants if one.access_token]
    vault = _vault(session) if with_tokens else None
    stored = await sealed_tokens(connection, with_tokens) if with_tokens else {}
    entries = [_entry(vault, one, stored.get(one.orcid)) for one in entrants]
    return {orcid: outcome.value for orcid, outcome in (await connect_orcids(connection, entries)).items()}


def _entry(vault: "Vault | None", one: Entrant, stored: str | None) -> "Entry":
    """What to store of a line; `stored` is the ciphertext of the present token, which stays if it is the same."""
    from orcid_sync.store.consent.connections import Entry  # noqa: PLC0415 - heavy

    return Entry(
        orcid=one.orcid,
        access_token=_seal(vault, one.access_token, one.orcid, "access_token"),
        same_as=stored if vault and stored and _opens_to(vault, stored, one) else None,
        refresh_token=_seal(vault, one.refresh_token, one.orcid, "refresh_token"),
        scopes=one.scopes,
        expires_at=one.expires_at,
    )


def _opens_to(vault: "Vault", stored: str, one: Entrant) -> bool:
    from orcid_sync.store.database.encryption import VaultError  # noqa: PLC0415 - heavy

    try:
        return vault.open(stored, orcid=one.orcid, column="access_token") == one.access_token
    except VaultError:
        return False  # sealed with a key that is lost: whatever it was, it is of no use


def _vault(session: Session) -> "Vault":
    from orcid_sync.store.database.encryption import Vault  # noqa: PLC0415 - heavy

    return Vault(session.settings.key_ring)


def _seal(vault: "Vault | None", token: str | None, orcid: Orcid, column: str) -> str | None:
    return None if token is None or vault is None else vault.seal(token, orcid=orcid, column=column)


async def _foresee(connection: "Connection", entrants: list[Entrant]) -> dict[Orcid, str]:
    from orcid_sync.store.consent.connections import list_connections  # noqa: PLC0415 - heavy

    standing = await list_connections(connection, orcids=[one.orcid for one in entrants], limit=len(entrants))
    states = {one.orcid: one.state for one in standing}
    return {one.orcid: _foreseen(states.get(one.orcid), has_token=one.access_token is not None) for one in entrants}


def _foreseen(state: str | None, *, has_token: bool) -> str:
    if state == "connected":
        return "would store the token" if has_token else "already connected"
    return "would connect" if state is None else "would reconnect"


def _report(one: Line, outcome: str, *, json: bool) -> None:
    orcid = one.orcid if isinstance(one, Entrant) else None
    problem = one.problem if isinstance(one, Rejected) else None
    doubt = one.doubt if isinstance(one, Entrant) else None
    if json:
        said = {"line": one.line, "orcid": orcid, "outcome": outcome, "problem": problem, "warning": doubt}
        print_json_line(said)
        return
    where = f"line {one.line}" if one.line else None
    said_of_it = text(problem, "warn" if outcome == "repeated" else "fail") if problem else outcome
    line(where, orcid, said_of_it, text(doubt, "warn") if doubt else None)


@command
def sync(
    session: Session,
    orcids: Orcids = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the records have been read.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Longest time for --wait, in seconds.")] = 300,
    json: Json = False,
) -> None:
    """Read the records of these iDs from ORCID now; only notifications go first. The service must be running."""
    wanted = several(session, orcids)

    async def work(connection: "Connection") -> dict[Orcid, str]:
        from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy

        generations = await queue.request_sync(connection, wanted)
        await queue.wake(connection)
        left = await _wait(connection, generations, seconds=timeout) if wait else {}
        return {orcid: _outcome(orcid, generations, left, wait=wait) for orcid in wanted}

    outcomes = session.run(work)
    for orcid, outcome in outcomes.items():
        if json:
            print_json_line({"orcid": orcid, "outcome": outcome})
        else:
            line(orcid, outcome)
    if unfinished := [orcid for orcid, outcome in outcomes.items() if outcome not in {"requested", "done"}]:
        raise Failure(_advice(unfinished, outcomes, timeout))


async def _wait(connection: "Connection", generations: dict[Orcid, int], *, seconds: float) -> dict[Orcid, str | None]:
    """What is left when all is done or the time is over, with the last failure of each."""
    from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy

    looking: AsyncRetrying = AsyncRetrying(
        retry=retry_if_result(bool),
        wait=wait_fixed(POLL_SECONDS),
        stop=stop_after_delay(seconds),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
    )
    return cast("dict[Orcid, str | None]", await looking(queue.unfinished, connection, generations))


def _outcome(orcid: Orcid, generations: Iterable[Orcid], left: dict[Orcid, str | None], *, wait: bool) -> str:
    if orcid not in generations:
        return "not connected"
    if orcid in left:
        return f"not done: {left[orcid]}" if left[orcid] else "not done"
    return "done" if wait else "requested"


def _advice(unfinished: list[Orcid], outcomes: dict[Orcid, str], timeout: float) -> str:
    if all(outcomes[orcid] == "not connected" for orcid in unfinished):
        return "Connect them first with: orcid-sync connect"
    return f"{len(unfinished)} not done within {duration(timeout)}. Find the cause: orcid-sync status"
